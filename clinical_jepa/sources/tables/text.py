"""Delimited text in blocks of some megabytes, every cell as text, every line answerable with its original bytes.

Nothing is held but one block, whatever the size of the file. A compressed file is read through once before the first of
its lines is believed: what fails its own checksum, or ends too early, is refused whole.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import polars as pl
import pyarrow as pa
from pyarrow import csv

from clinical_jepa.sources.columnar.block import LINE, Block, split

BLOCK = 4 * 2**20  # bytes of text at a time
_LONGEST = 64 * 2**20  # of one record: a quotation mark that is never closed must not swallow a file
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Unreadable(Exception):
    """A file that is no such table; the message says why and names no value."""


def head(path: Path, separator: str = ",") -> tuple[str, ...]:
    """The column names of a file in lower case; none where there is no readable first line."""
    try:
        with opened(path) as file:
            first = file.readline(2**16)
    except (OSError, EOFError, zlib.error):
        return ()
    return _names(first, separator)


def blocks(path: Path, needed: tuple[str, ...] = (), *, separator: str = ",") -> Iterator[Block]:
    """The lines of a table in order; ``Unreadable`` before the first of them where the file is no such table."""
    _sound(path)
    with opened(path) as file:
        names = _names(file.readline(), separator)
        if not names:
            raise Unreadable(f"{path.name} is empty: it lacks even a head")
        if missing := sorted(set(needed) - set(names)):
            raise Unreadable(f"{path.name} lacks the columns {', '.join(missing)}")
        for text, ended in _texts(file, path):
            yield parsed(text, names, separator=separator, ended=ended)


def opened(path: Path) -> IO[bytes]:
    """The text of a file, unpacked where it is packed."""
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def parsed(text: bytes, names: tuple[str, ...], *, separator: str = ",", ended: bool = True) -> Block:
    """A block of whole lines without a head; ``ended`` false where the last line lacks its line break."""
    cut: tuple[bytes, ...] = ()
    if not ended:
        *whole, last = split(text)
        text, cut = b"".join(line + b"\n" for line in whole), (last,)
    ragged: list[int] = []
    if not text.strip(b"\r\n"):
        return Block(frame=pl.DataFrame(schema={**dict.fromkeys(names, pl.String), LINE: pl.Int64}), text=b"", cut=cut)
    table = _table(text, names, separator, ragged)
    frame = pl.DataFrame(pl.from_arrow(table))
    places = pl.Series(LINE, range(frame.height + len(ragged)), pl.Int64)
    if ragged:
        places = places.filter(~places.is_in(ragged))
    return Block(frame=frame.with_columns(places), text=text, ragged=tuple(ragged), cut=cut)


def _table(text: bytes, names: tuple[str, ...], separator: str, ragged: list[int]) -> pa.Table:
    def refused(row: csv.InvalidRow) -> str:
        ragged.append(row.number - 1)
        return "skip"

    try:
        text.decode()
    except UnicodeDecodeError:
        text = text.decode(errors="replace").encode()
    return csv.read_csv(
        io.BytesIO(text),
        read_options=csv.ReadOptions(column_names=list(names), use_threads=False, block_size=len(text) + 1),
        parse_options=csv.ParseOptions(delimiter=separator, newlines_in_values=True, invalid_row_handler=refused),
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.large_string()), strings_can_be_null=True, null_values=[""]
        ),
    )


def _names(first: bytes, separator: str) -> tuple[str, ...]:
    text = first.removeprefix(_BYTE_ORDER_MARK).decode(errors="replace").strip("\r\n")
    return tuple(name.strip().strip('"').lower() for name in text.split(separator)) if text.strip() else ()


def _sound(path: Path) -> None:
    if path.suffix != ".gz":
        return
    try:
        with opened(path) as file:
            while file.read(2**20):
                pass
    except (OSError, EOFError, zlib.error) as error:
        raise Unreadable(f"{path.name} is damaged or ends too early ({type(error).__name__})") from error


def _texts(file: IO[bytes], path: Path) -> Iterator[tuple[bytes, bool]]:
    """Pieces of whole records, and whether the last of them ends with a line break."""
    rest = b""
    while more := file.read(BLOCK):
        text = rest + more
        end = _end(text)
        if end:
            yield text[:end], True
        rest = text[end:]
        if len(rest) > _LONGEST:
            raise Unreadable(f"{path.name} has a quotation mark that is never closed; what comes after it is not read")
    if rest.strip(b"\r\n"):
        yield rest, False


def _end(text: bytes) -> int:
    """Where the last whole record of a text ends."""
    end = text.rfind(b"\n")
    odd = text.count(b'"', 0, end + 1) % 2
    while end >= 0 and odd:
        earlier = text.rfind(b"\n", 0, end)
        odd = (odd + text.count(b'"', earlier + 1, end + 1)) % 2
        end = earlier
    return end + 1
