"""Which rows the store holds, on disk: what makes ingesting twice the same as ingesting once, in little memory at any size.

An index file is a ``.npy`` of uint64 ``[3, N]``: the first half of a row's fact id, the second of its event id, its subject; by
fact and event. Ids are hashes already, so their halves need no hashing: two rows are taken for one when both agree (128 bits).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import polars as pl
import pyarrow as pa

from clinical_jepa.store.files import digest, verify, write_whole
from clinical_jepa.vocabulary.identity import content_id

FOLDER = "index"
MANY = 16  # files: then they are merged
FAR = 1_000_000  # rows of an index file that are looked at, and so held in memory, at once
_ID = 32  # hex characters


@dataclass(frozen=True, kw_only=True)
class Keys:
    """What the index knows of some rows; the three uint64 arrays are parallel."""

    fact: np.ndarray
    event: np.ndarray
    subject: np.ndarray

    @staticmethod
    def of(table: pa.Table) -> Keys:
        """Those of rows with ``subject_id``, ``event_id`` and, where they have one, ``fact_id``; else each is its own fact."""
        event = _half(table["event_id"], second=True)
        fact = _half(table["event_id"])
        if "fact_id" in table.column_names:
            stated = table["fact_id"].is_valid().to_numpy()
            fact = np.where(stated, _half(table["fact_id"]), fact)
        return Keys(fact=fact, event=event, subject=table["subject_id"].to_numpy().astype(np.uint64))

    def take(self, places: np.ndarray) -> Keys:
        """The keys at places or of a mask."""
        return Keys(fact=self.fact[places], event=self.event[places], subject=self.subject[places])

    def and_(self, others: Keys) -> Keys:
        """Both."""
        return Keys(
            fact=np.concatenate([self.fact, others.fact]),
            event=np.concatenate([self.event, others.event]),
            subject=np.concatenate([self.subject, others.subject]),
        )

    @property
    def order(self) -> np.ndarray:
        """Places by fact and event."""
        return np.lexsort((self.event, self.fact))


@dataclass(frozen=True, kw_only=True)
class Found:
    """What an index says of N rows: whether it holds each, or another version of its fact (bool ``[N]`` both).

    ``pairs [M, 2]``: subjects of whom one fact is said, the lower first.
    """

    held: np.ndarray
    said: np.ndarray
    pairs: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Index:
    """The index files of a store, by name, with the digests of their bytes."""

    root: Path
    files: Mapping[str, str]

    def look(self, keys: Keys) -> Found:
        """What is there of these rows and their facts."""
        held, said = np.zeros((2, keys.fact.size), bool)
        found = [_pairs(np.zeros((2, 0), np.uint64))]
        order = np.argsort(keys.fact, kind="stable")
        for name, mark in self.files.items():
            verify(self.root / name, mark)
            size = _size(self.root / name)
            for places in np.array_split(order, max(1, min(order.size, size // FAR))):
                found.append(_look(_mapped(self.root / name), keys, places, held, said))
        return Found(held=held, said=said, pairs=np.unique(np.concatenate(found), axis=0))


def inside(keys: Keys) -> tuple[np.ndarray, np.ndarray]:
    """``first [N]`` (bool): rows that none before them equals; ``pairs`` as of ``Found``, among the rows themselves."""
    order = keys.order
    fact, event, subject = keys.fact[order], keys.event[order], keys.subject[order]
    same = fact[1:] == fact[:-1]
    first = np.ones(fact.size, bool)
    first[order[1:][same & (event[1:] == event[:-1])]] = False  # the order is stable: the first of equals comes first
    return first, _pairs(np.stack([subject[:-1][same], subject[1:][same]]))


def write(root: Path, name: str, keys: Keys) -> None:
    """An index file of these rows."""
    write_whole(root / name, lambda file: _put(file, keys.fact.size, [keys.take(keys.order)]))


def fewer(root: Path, files: Mapping[str, str], stem: str, *, many: int = MANY) -> dict[str, str]:
    """The same rows in fewer files, where there are more than ``many``: the smaller ones merged, named after ``stem``.

    The largest is left alone until the others together are as large, so that a row is written anew a few times.
    """
    if len(files) <= many:
        return dict(files)
    sizes = {name: (root / name).stat().st_size for name in files}
    old = sorted(sizes, key=lambda name: sizes[name])
    while len(old) > 2 and sizes[old[-1]] > sum(sizes[name] for name in old[:-1]):
        old.pop()
    name = f"{FOLDER}/{stem}m{content_id(*old)[:12]}.npy"
    merge(root, name, old)
    return {one: mark for one, mark in files.items() if one not in old} | {name: digest(root / name)}


def merge(root: Path, name: str, old: Sequence[str]) -> None:
    """One index file of what several hold, made range by range of fact ids; the old ones stay."""
    sizes = [_size(root / one) for one in old]
    steps = max(1, sum(sizes) // FAR)
    edges = [step * (2**64 // steps) for step in range(1, steps)]
    write_whole(root / name, lambda file: _put(file, sum(sizes), _ranges([root / one for one in old], edges)))


def _ranges(paths: Sequence[Path], edges: Sequence[int]) -> Iterator[Keys]:
    cuts = np.array(edges, np.uint64)
    places = []
    for path in paths:
        rows = _mapped(path)
        places.append([0, *np.searchsorted(rows[0], cuts).tolist(), rows.shape[1]])
    for step in range(len(edges) + 1):
        keys = Keys(fact=np.zeros(0, np.uint64), event=np.zeros(0, np.uint64), subject=np.zeros(0, np.uint64))
        for path, mine in zip(paths, places, strict=True):
            fact, event, subject = np.array(_mapped(path)[:, mine[step] : mine[step + 1]])
            keys = keys.and_(Keys(fact=fact, event=event, subject=subject))
        yield keys.take(keys.order)


def _put(file: BinaryIO, size: int, pieces: Iterator[Keys] | Sequence[Keys]) -> None:
    """Writes the three rows side by side, piece by piece."""
    np.lib.format.write_array_header_1_0(file, {"descr": "<u8", "fortran_order": False, "shape": (3, size)})
    start, done = file.tell(), 0
    for piece in pieces:
        for row, values in enumerate((piece.fact, piece.event, piece.subject)):
            file.seek(start + 8 * (row * size + done))
            file.write(values.astype("<u8").tobytes())
        done += piece.fact.size


def _look(rows: np.ndarray, keys: Keys, places: np.ndarray, held: np.ndarray, said: np.ndarray) -> np.ndarray:
    """Marks in ``held`` and ``said`` what of the keys at ``places`` is among ``rows``; pairs of subjects that share a fact."""
    fact, event, subject = rows
    at = np.searchsorted(fact, keys.fact[places])
    pairs = []
    while places.size:  # as often as a fact has versions
        there = at < fact.size
        there[there] = fact[at[there]] == keys.fact[places[there]]
        places, at = places[there], at[there]
        said[places] = True
        held[places[event[at] == keys.event[places]]] = True
        pairs.append(_pairs(np.stack([subject[at], keys.subject[places]])))
        at = at + 1
    return np.concatenate([_pairs(np.zeros((2, 0), np.uint64)), *pairs])


def _pairs(both: np.ndarray) -> np.ndarray:
    """int64 ``[M, 2]``, the lower first, without those of a subject with itself."""
    pairs = np.sort(both.T.astype(np.int64), axis=1)
    return np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)


def _mapped(path: Path) -> np.ndarray:
    """The rows of an index file, mapped anew for each look: what was looked at leaves the memory with the map."""
    rows: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    return rows


def _size(path: Path) -> int:
    return int(_mapped(path).shape[1])


def _half(ids: pa.ChunkedArray, *, second: bool = False) -> np.ndarray:
    """64 bits of each id (uint64; 0 where it is null)."""
    names = pl.Series(pl.from_arrow(ids), dtype=pl.String)
    numbers = _number(names, second)
    other = (numbers.is_null() & names.is_not_null()).to_numpy()
    if other.any():  # no hash: it is made one
        hashed = pl.Series([content_id(name) for name in names.filter(pl.Series(other))], dtype=pl.String)
        numbers = numbers.scatter(np.flatnonzero(other), _number(hashed, second))
    return np.asarray(numbers.fill_null(0).to_numpy(), np.uint64)


def _number(names: pl.Series, second: bool) -> pl.Series:
    hashes = pl.select(pl.when(names.str.len_bytes() == _ID).then(names)).to_series()
    half = hashes.str.slice(_ID // 2 if second else 0, _ID // 2)
    return half.str.decode("hex", strict=False).bin.reinterpret(dtype=pl.UInt64, endianness="big")
