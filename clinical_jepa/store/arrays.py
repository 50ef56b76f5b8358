"""Flat float32 arrays: one ``.npy`` file a commit, read in place by reference ``arrays/<name>.npy#<first>:<count>``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np

from clinical_jepa.records.errors import BrokenStore
from clinical_jepa.store.files import verify, write_whole


def write_arrays(root: Path, name: str, pieces: Sequence[np.ndarray]) -> list[str]:
    """One reference per piece, in order; all pieces lie end to end in ``root/name``."""
    counts = [piece.size for piece in pieces]
    firsts = np.cumsum([0, *counts])

    def write(file: BinaryIO) -> None:
        header = {"descr": "<f4", "fortran_order": False, "shape": (int(firsts[-1]),)}
        np.lib.format.write_array_header_1_0(file, header)
        for piece in pieces:
            file.write(np.ascontiguousarray(piece, "<f4").tobytes())

    write_whole(root / name, write)
    return [f"{name}#{first}:{count}" for first, count in zip(firsts, counts, strict=False)]


def samples(root: Path, reference: str, digests: Mapping[str, str]) -> np.ndarray:
    """The float32 array of a reference: a read-only view into the mapped file; ``BrokenStore`` where it is not there.

    ``digests``: of the bytes of each array of the store, by name; a file is read through once for it.
    """
    try:
        name, _, span = reference.partition("#")
        first, count = (int(number) for number in span.split(":"))
        flat = _mapped(str(root / name), digests[name])
    except KeyError as error:
        raise BrokenStore(f"{reference} names an array that is not of the store {root}") from error
    except PermissionError:
        raise
    except (OSError, ValueError) as error:
        raise BrokenStore(f"{reference} in {root} cannot be read ({error}); nothing was changed; restore it") from error
    if first + count > flat.size:
        raise BrokenStore(f"{reference} in {root} points past the end of its file ({flat.size} samples)")
    return flat[first : first + count]


@lru_cache(maxsize=128)  # open maps, not bytes
def _mapped(path: str, expected: str) -> np.ndarray:
    verify(Path(path), expected)
    # plain mmap through numpy, without its subclass: slicing a memmap costs ten times an array's
    return np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)
