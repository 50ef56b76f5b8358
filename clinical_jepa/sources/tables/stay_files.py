"""Data sets of one small text file a stay, in a published zip or a folder: their lines in blocks, each with its stay."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from re import Pattern

import polars as pl

from clinical_jepa.sources.columnar.block import LINE, Block, split
from clinical_jepa.sources.tables.text import Unreadable, parsed

STAY = "stay"
_DAMAGE = (zipfile.BadZipFile, OSError, EOFError, zlib.error, RuntimeError, NotImplementedError)


@dataclass(frozen=True, kw_only=True)
class Form:
    """How a data set's stay files are called and begin. ``name`` has one group: the stay; ``lines`` make a block."""

    name: Pattern[str]
    columns: tuple[str, ...]
    separator: str
    lines: int

    @property
    def head(self) -> bytes:
        """The first line of every file, in lower case."""
        return self.separator.join(self.columns).encode()

    def stay(self, path: str) -> str | None:
        """The stay of a file, by its name."""
        match = self.name.fullmatch(PurePosixPath(path).name)
        return match[1] if match else None

    def begins(self, path: Path) -> bool:
        """Whether a file begins with the head; one that cannot be opened does not."""
        try:
            with path.open("rb") as file:
                return file.readline(2**12).strip().lower() == self.head
        except OSError:
            return False


@dataclass(frozen=True, kw_only=True)
class Damaged:
    """A stay's file that cannot be read, and why."""

    name: str
    why: str


def holds(folder: Path, form: Form) -> bool:
    """Whether a folder holds stay files of this form: names may be anybody's, so that one file must begin as they do."""
    return any(form.begins(one) for one in folder.iterdir() if form.stay(one.name))


def stay_blocks(path: Path, form: Form) -> Iterator[Block | Damaged]:
    """The lines of all stays, by the name of their file; ``Unreadable`` where the zip itself cannot be opened."""
    gathered = _Gathered(form=form)
    for name, stay, text in _texts(path, form):
        if isinstance(text, str):
            yield Damaged(name=name, why=text)
            continue
        first, _, body = text.partition(b"\n")
        if first.strip().lower() != form.head:
            yield Damaged(name=name, why="does not begin with the head of this data set")
            continue
        gathered.add(stay, body)
        if len(gathered.lines) > form.lines:
            yield gathered.block()
            gathered = _Gathered(form=form)
    if gathered.size:
        yield gathered.block()


@dataclass(kw_only=True)
class _Gathered:
    form: Form
    lines: list[bytes] = field(default_factory=list)
    owners: list[str] = field(default_factory=list)
    cut: list[bytes] = field(default_factory=list)
    size: int = 0

    def add(self, stay: str, body: bytes) -> None:
        lines = split(body)
        if lines and not body.endswith(b"\n"):
            self.cut.append(lines.pop())
        self.lines += lines
        self.owners += [stay] * len(lines)
        self.size += len(body)

    def block(self) -> Block:
        text = b"\n".join([*self.lines, b""])
        block = parsed(text, self.form.columns, separator=self.form.separator)
        stays = pl.Series(STAY, self.owners, pl.String).gather(block.frame[LINE])
        return replace(block, frame=block.frame.with_columns(stays), cut=tuple(self.cut), owners=tuple(self.owners))


def _texts(path: Path, form: Form) -> Iterator[tuple[str, str, bytes | str]]:
    """(file, stay, its bytes, or why it has none)."""
    if path.is_dir():
        for one in sorted(path.iterdir()):
            if stay := form.stay(one.name):
                yield one.name, stay, one.read_bytes()
        return
    try:
        archive = zipfile.ZipFile(path)
    except _DAMAGE as error:
        raise Unreadable(f"{path.name} is damaged or ends too early ({type(error).__name__})") from error
    with archive:
        for name in sorted(archive.namelist()):
            if stay := form.stay(name):
                try:
                    yield name, stay, archive.read(name)
                except _DAMAGE as error:
                    yield name, stay, f"is damaged in its zip ({type(error).__name__})"
