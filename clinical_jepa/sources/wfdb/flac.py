"""Signal files in FLAC (formats 508, 516 and 524), through libsndfile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from soundfile import SoundFile

_BITS = {"PCM_S8": 8, "PCM_16": 16, "PCM_24": 24}
_CHUNK = 1 << 20  # libsndfile fails on reads of more than 2**24 samples


@contextmanager
def _stream(path: Path) -> Iterator[SoundFile]:
    import soundfile

    try:
        with path.open("rb") as file, soundfile.SoundFile(file) as stream:
            yield stream
    except soundfile.LibsndfileError as error:  # its own words repeat the path
        raise ValueError("its data file is no sound FLAC stream") from error


def length(path: Path, offset: int) -> int:
    """How many samples of each channel the stream holds from sample ``offset`` on."""
    with _stream(path) as stream:
        return max(0, int(stream.frames) - offset)


def stretch(path: Path, bits: int, channels: int, first: int, last: int) -> np.ndarray:
    """Samples ``[first, last)`` of every channel, ``int [last - first, channels]``; ``ValueError`` where it is another stream."""
    with _stream(path) as stream:
        found = _BITS.get(stream.subtype, 99)
        if stream.format != "FLAC" or found > bits or stream.channels != channels:
            raise ValueError(f"its data file is no FLAC stream of {channels} channels of at most {bits} bits")
        if stream.frames < last:
            raise ValueError("its data file is shorter than its header says")
        out = np.empty((last - first, channels), np.int16 if found == 16 else np.int32)
        stream.seek(first)
        for start in range(0, last - first, _CHUNK):
            part = out[start : start + _CHUNK]
            if len(stream.read(out=part)) < len(part):
                raise ValueError("its data file ends inside a FLAC block")
    return out if found == 16 else out >> (32 - found)
