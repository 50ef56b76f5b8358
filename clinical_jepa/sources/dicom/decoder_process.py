"""A child process that decodes compressed pixels, and outlives none of its own crashes: the next request starts another.

Requests are JSON lines; pixels go through memory that both processes map, so that a picture is copied, not serialised.
"""

from __future__ import annotations

import atexit
import json
import mmap
import os
import select
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

PROGRAM = (sys.executable, "-m", "clinical_jepa.sources.dicom.decoder_child")
TIMEOUT_S = 60.0
MEMORY_BYTES = 4 << 30
_THREADS = "OPJ_NUM_THREADS"  # what OpenJPEG reads: JPEG 2000 decodes on so many threads
_THREADS_MAX = 8  # each takes address space, of which the child may have ``MEMORY_BYTES``
# glibc keeps buffers as large as frames and gives them out again, where it would ask the system for every page anew
_KEPT = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(256 << 20)}
# no secrets
_PASSED = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", _THREADS)


class DecoderFailed(Exception):
    """The pixels cannot be decoded; the message says how it ended: an error's name, a death, a time-out."""


class DecoderProcess:
    """One child, started when first asked. Calls from several threads wait for each other."""

    def __init__(self, program: Sequence[str] = PROGRAM, *, timeout_s: float = TIMEOUT_S) -> None:
        """``program`` is what a test replaces by a child that misbehaves."""
        self._program = tuple(program)
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._descriptor = -1
        self._shared: mmap.mmap | None = None

    def decode(self, syntax: str, encoded: bytes, options: Mapping[str, Any], *, size: int) -> np.ndarray:
        """The frame of ``encoded``, which should take ``size`` bytes decoded; ``DecoderFailed`` otherwise."""
        with self._lock:
            child = self._started()
            shared = self._room(max(len(encoded), size))
            shared[: len(encoded)] = encoded
            asked = {"syntax": syntax, "length": len(encoded), "options": dict(options), "capacity": len(shared)}
            answer = self._ask(child, json.dumps(asked).encode() + b"\n")
            if "error" in answer:
                raise DecoderFailed(answer["error"])
            shape, dtype = answer["shape"], np.dtype(answer["dtype"])
            flat = np.frombuffer(shared, dtype, int(np.prod(shape)))
            return flat.reshape(shape).copy()

    def close(self) -> None:
        """End the child; the next request starts another."""
        child, self._child = self._child, None
        if child is None or self._owner != os.getpid():
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._child is not None and self._owner == os.getpid() and self._child.poll() is None:
            return self._child
        if self._owner != os.getpid():  # a fork has its own child and memory
            self._child, self._shared, self._owner = None, None, os.getpid()
            self._descriptor = _anonymous()
        self.close()
        root = str(Path(__file__).parents[3])
        paths = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        environment = {name: os.environ[name] for name in _PASSED if name in os.environ}
        self._child = subprocess.Popen(
            [*self._program, str(self._descriptor), str(MEMORY_BYTES)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={_THREADS: str(_threads()), **environment, **_KEPT, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
            pass_fds=(self._descriptor,),
        )
        return self._child

    def _room(self, size: int) -> mmap.mmap:
        if self._shared is None or len(self._shared) < size:
            capacity = max(1 << 22, 1 << (size - 1).bit_length())
            os.ftruncate(self._descriptor, capacity)
            self._shared = mmap.mmap(self._descriptor, capacity)
        return self._shared

    def _ask(self, child: subprocess.Popen[bytes], request: bytes) -> dict[str, Any]:
        if child.stdin is None or child.stdout is None:
            raise DecoderFailed("no pipe to the decoder")
        deadline, line = time.monotonic() + self._timeout_s, b""
        try:
            child.stdin.write(request)
            child.stdin.flush()
            while not line.endswith(b"\n"):
                ready, _, _ = select.select([child.stdout], [], [], max(0.0, deadline - time.monotonic()))
                if not ready:
                    self.close()
                    raise DecoderFailed(f"gave no answer within {self._timeout_s:g} s")
                part = os.read(child.stdout.fileno(), 1 << 16)
                if not part:
                    raise BrokenPipeError
                line += part
        except BrokenPipeError:
            self.close()
            raise DecoderFailed("the decoder's process died") from None
        answer: dict[str, Any] = json.loads(line)
        return answer


@cache
def shared() -> DecoderProcess:
    """The decoder of this process."""
    made = DecoderProcess()
    atexit.register(made.close)
    return made


def _threads() -> int:
    """As many as cores may be used: bare pydicom, through gdcm, takes all there are."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, _THREADS_MAX)


def _anonymous() -> int:
    """A descriptor of memory without a name."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("decoded")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
