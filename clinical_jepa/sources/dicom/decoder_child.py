"""The process in which compressed pixels are decoded: native decoders may abort on damaged bytes, and then only it ends.

Started by ``decoder_process`` with two arguments: the descriptor of the memory that both share and a limit of its own
memory in bytes. A request is one JSON line on stdin; encoded bytes lie in the shared memory, decoded ones replace them.
"""

from __future__ import annotations

import json
import mmap
import os
import sys
from typing import Any

import numpy as np

_FASTER = {  # than the plug-in that pydicom would try first, with the same values
    "1.2.840.10008.1.2.4.80": "pyjpegls",
    "1.2.840.10008.1.2.4.81": "pyjpegls",
    "1.2.840.10008.1.2.4.90": "pillow",  # OpenJPEG on as many threads as its variable says
    "1.2.840.10008.1.2.4.91": "pillow",
}


def decode(syntax: str, encoded: bytes, options: dict[str, Any]) -> np.ndarray:
    """One frame: ``[rows, columns]`` or ``[rows, columns, samples]``, as pydicom's ``pixel_array`` gives it."""
    from pydicom.encaps import encapsulate
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import UID

    options |= {"number_of_frames": 1, "pixel_keyword": "PixelData", "index": 0}
    decoder, content = get_decoder(UID(syntax)), encapsulate([encoded], has_bot=False)
    pixels: np.ndarray
    try:
        pixels, _ = decoder.as_array(content, decoding_plugin=_FASTER.get(syntax, ""), **options)
    except Exception:
        if syntax not in _FASTER:
            raise
        pixels, _ = decoder.as_array(content, **options)  # whichever plug-in reads it
    return pixels


def main() -> None:
    """Serve until stdin ends."""
    import warnings

    warnings.simplefilter("ignore")
    descriptor, limit = int(sys.argv[1]), int(sys.argv[2])
    _limit(limit)
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # native code may print: it would be taken for an answer
    import pydicom.pixels  # noqa: F401  loaded before the first request waits

    shared: mmap.mmap | None = None
    for line in sys.stdin.buffer:
        request = json.loads(line)
        if shared is None or len(shared) != request["capacity"]:
            shared = mmap.mmap(descriptor, request["capacity"])
        answers.write(json.dumps(_answer(shared, request)).encode() + b"\n")


def _answer(shared: mmap.mmap, request: dict[str, Any]) -> dict[str, Any]:
    try:
        found = np.ascontiguousarray(decode(request["syntax"], shared[: request["length"]], request["options"]))
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a Rust decoder's panic is no Exception
        return {"error": type(error).__name__}
    if found.nbytes > len(shared):
        return {"error": "TooLarge"}
    np.frombuffer(shared, np.uint8, found.nbytes)[:] = found.reshape(-1).view(np.uint8)
    return {"shape": found.shape, "dtype": found.dtype.str}


def _limit(memory: int) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core would hold a patient's picture
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


if __name__ == "__main__":
    main()
