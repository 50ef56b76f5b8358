"""Files that break off or are damaged: what can be read of them, and what is wrong after that."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from pathlib import Path
from typing import IO, cast

DAMAGE = (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError, NotImplementedError)
BUFFER = 1 << 18  # bytes asked of the system at a time


class Sound(io.RawIOBase):
    """A file's bytes up to where it cannot be read any further; ``damage`` then says why.

    A reader of lines that meets an error in the middle loses the line it had begun; here the file ends instead.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = cast(io.BufferedReader, file)
        self.damage: str | None = None

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill some of ``buffer``; 0 at the end and where the damage begins."""
        try:
            data = b"" if self.damage else self._file.read1(len(buffer))
        except DAMAGE as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the system's, not the file's: the file may be read another time
            self.damage, data = type(error).__name__, b""
        buffer[: len(data)] = data
        return len(data)


def opened(path: Path) -> IO[bytes]:
    """The file's content, unpacked where its name ends in ``.gz``; ``EOFError`` for an empty ``.gz``."""
    if not path.name.endswith(".gz"):
        return path.open("rb", buffering=BUFFER)
    if path.stat().st_size == 0:
        raise EOFError("not even the head of a gzip file")
    return cast(IO[bytes], gzip.open(path, "rb"))


def sound(file: IO[bytes]) -> tuple[io.BufferedReader, Sound]:
    """A reader of the file's sound bytes, and what says where the damage lies, once they are read."""
    bytes_of = Sound(file)
    return io.BufferedReader(bytes_of, BUFFER), bytes_of
