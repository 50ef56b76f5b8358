"""One part of a commit: new rows of a few batches become arrays and segments, which nothing names yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import reduce
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clinical_jepa.records.batch import Identity, Mode, SourceBatch
from clinical_jepa.records.events import EVENTS
from clinical_jepa.store import changed, index
from clinical_jepa.store import receipt as receipts
from clinical_jepa.store.arrays import write_arrays
from clinical_jepa.store.crash_points import reached
from clinical_jepa.store.crosswalk import Crosswalk
from clinical_jepa.store.files import digest
from clinical_jepa.store.index import Index, Keys
from clinical_jepa.store.manifest import Manifest, Segment
from clinical_jepa.store.segments import DIGESTS, SHARED, TIMED, UNITS, read_kind, with_commit, write_segment

Prepare = Callable[[np.ndarray, tuple[float, float] | None], np.ndarray]
PART_ROWS = 500_000  # of a part: with them it is written
IDS = {"retractions": "change_id", "links": "change_id", "quarantine": "rejection_id"}
PART_SAMPLES = 16_000_000  # 64 MB


@dataclass(frozen=True, kw_only=True)
class Appended:
    """What one append added; ``duplicates`` are rows that the store held already.

    ``bases`` counts how times are known, ``reasons`` the refusals that it added; ``again`` are refusals that were held already.
    """

    events: int = 0
    signals: int = 0
    images: int = 0
    rejections: int = 0
    retractions: int = 0
    links: int = 0
    duplicates: int = 0
    again: int = 0
    bases: Mapping[str, int] = field(default_factory=Counter)
    reasons: Mapping[str, int] = field(default_factory=Counter)

    def __add__(self, other: Appended) -> Appended:
        numbers = [one.name for one in fields(self) if one.name not in ("bases", "reasons")]
        return Appended(
            bases=Counter(self.bases) + Counter(other.bases),
            reasons=Counter(self.reasons) + Counter(other.reasons),
            **{name: getattr(self, name) + getattr(other, name) for name in numbers},
        )


@dataclass(frozen=True, kw_only=True)
class Known:
    """What a writer must know of the store before it adds to it."""

    root: Path
    manifest: Manifest
    crosswalk: Crosswalk


@dataclass(kw_only=True)
class Work:
    """A commit in the making: what its parts have written so far. ``people`` are new with it."""

    known: Known
    mode: Mode
    now: Callable[[], int]
    prepare: Prepare
    segments: list[Segment] = field(default_factory=list)
    arrays: dict[str, str] = field(default_factory=dict)
    index: dict[str, str] = field(default_factory=dict)
    ids: dict[str, set[str]] = field(default_factory=dict)  # by kind: of changes and refusals, which are few
    people: dict[Identity, None] = field(default_factory=dict)
    added: Appended = field(default_factory=Appended)
    again: bool = False  # a fact that the store knows is said anew
    clock: int | None = None  # the newest available time that this commit gave

    @property
    def commit(self) -> int:
        """The number that its rows carry."""
        return self.known.manifest.commit + 1

    def note(self, content: str | None) -> None:
        """Says last which arrays there are, and that a unit of this content hash was ingested."""
        said = {
            "digests": pa.table([list(self.arrays), list(self.arrays.values())], DIGESTS),
            "units": pa.table([[] if content is None else [content]], UNITS),
        }
        self._put(said, f"{self.commit:08d}")

    def write(self, batches: Sequence[SourceBatch], number: int) -> None:
        """One part. The clock is read last, so that hardly any time lies between it and the commit of a live part."""
        stem = f"{self.commit:08d}" if number == 0 else f"{self.commit:08d}p{number:05d}"
        tables, offered = self._new_rows(batches, stem)
        tables |= changed.new_rows(batches, self._unheard)
        instant = self.now()
        if self.mode == "live":
            tables = receipts.stamped_all(tables, self._receipt(instant, tables))
            stamps = [self.clock, receipts.newest_stamp(list(tables.values())), self.known.manifest.clock, instant]
            self.clock = max(stamp for stamp in stamps if stamp is not None)
        tables |= self._other_rows(batches, instant)
        self.added += _counted(tables, offered)
        if any(table.num_rows for table in tables.values()):
            reached("append.before-segments")
        self._put(tables, stem)

    def _put(self, tables: Mapping[str, pa.Table], stem: str) -> None:
        """Segments of the rows there are."""
        held = {kind: with_commit(table, self.commit) for kind, table in tables.items() if table.num_rows}
        self.segments += [write_segment(self.known.root, kind, stem, table) for kind, table in held.items()]

    def _receipt(self, instant: int, tables: Mapping[str, pa.Table]) -> int:
        """Never before a live commit; after all that was committed, where something of that is changed."""
        changes = self.again or bool(tables["retractions"].num_rows or tables["links"].num_rows)
        before = self.known.manifest.clock
        return instant if before is None else max(instant, before + changes)

    def _other_rows(self, batches: Sequence[SourceBatch], received: int) -> dict[str, pa.Table]:
        """Identities and refusals that the store does not hold."""
        people = self.known.crosswalk.new(one for batch in batches for one in batch.identities)
        people = [one for one in people if one not in self.people]
        self.people |= dict.fromkeys(people)
        offered = receipts.rejection_rows([one for batch in batches for one in batch.rejections], received)
        refused = offered.filter(pa.array(self._unheard("quarantine", offered["rejection_id"]), pa.bool_()))
        self.added += Appended(again=offered.num_rows - refused.num_rows)
        return {"crosswalk": receipts.identity_rows(people), "quarantine": refused}

    def _unheard(self, kind: str, ids: pa.ChunkedArray) -> list[bool]:
        """Of few rows: which are of neither the store nor this commit, each at its first place only."""
        if kind not in self.ids and len(ids):
            known = read_kind(self.known.root, self.known.manifest, kind, columns=[IDS[kind]])
            self.ids[kind] = set(known[IDS[kind]].to_pylist())
        unheard = []
        for one in ids.to_pylist():
            unheard.append(one not in self.ids[kind])
            self.ids[kind].add(one)
        return unheard

    def _new_rows(self, batches: Sequence[SourceBatch], stem: str) -> tuple[dict[str, pa.Table], int]:
        """(rows by kind that the store does not hold, rows offered); their arrays and what the index says are written."""
        pieces = [piece for batch in batches for piece in batch.signals]
        items = [item for batch in batches for item in batch.images]
        offered = {
            "events": pa.concat_tables([EVENTS.empty_table(), *(batch.events.cast(EVENTS) for batch in batches)]),
            "signals": receipts.signal_rows(pieces),
            "images": receipts.image_rows(items),
        }
        fresh = self._fresh([Keys.of(offered[kind]) for kind in TIMED], stem)
        new = {kind: offered[kind].filter(pa.array(mine)) for kind, mine in zip(TIMED, fresh, strict=True)}
        samples = [piece.samples for piece, mine in zip(pieces, fresh[1], strict=True) if mine]
        items = [item for item, mine in zip(items, fresh[2], strict=True) if mine]
        prepared = [_prepared(self.prepare(item.pixels, item.spacing_mm)) for item in items]
        at = self._kept([samples, [item.pixels for item in items], prepared], f"arrays/{stem}.npy")
        return new | {
            "signals": receipts.pointing(new["signals"], reference=at[0]),
            "images": receipts.pointing(new["images"], reference=at[1], prepared=at[2]),
        }, sum(table.num_rows for table in offered.values())

    def _fresh(self, keys: Sequence[Keys], stem: str) -> list[np.ndarray]:
        """Boolean ``[N]`` by kind: rows of neither the store nor this commit; they and whom they join are written down."""
        every = reduce(Keys.and_, keys)
        known = Index(root=self.known.root, files={**self.known.manifest.index, **self.index})
        found = known.look(every)
        first, among = index.inside(every)
        fresh = first & ~found.held
        self.again |= bool((fresh & found.said).any())
        if fresh.any():
            name = f"{index.FOLDER}/{stem}.npy"
            index.write(self.known.root, name, every.take(fresh))
            self.index = index.fewer(self.known.root, {**self.index, name: digest(self.known.root / name)}, stem)
            pairs = np.unique(np.concatenate([found.pairs, among]), axis=0)
            self._put({"shared": pa.table(list(pairs.T), SHARED)}, stem)
        return np.split(fresh, np.cumsum([one.fact.size for one in keys])[:-1])

    def _kept(self, samples: Sequence[Sequence[np.ndarray]], arrays: str) -> list[list[str]]:
        """References into ``arrays``, written by now, in the order and the groups of the samples."""
        flat = [one for group in samples for one in group]
        references = write_arrays(self.known.root, arrays, flat) if flat else []
        if flat:
            self.arrays[arrays] = digest(self.known.root / arrays)
        reached("append.after-arrays")
        ends = np.cumsum([0, *(len(group) for group in samples)]).tolist()
        return [references[first:end] for first, end in pairwise(ends)]


def in_parts(batches: Iterable[SourceBatch]) -> Iterator[list[SourceBatch]]:
    """The batches in groups of some hundred thousand rows, none of which waits for the next."""
    group: list[SourceBatch] = []
    rows = samples = 0
    for batch in batches:
        group.append(batch)
        rows += batch.events.num_rows + len(batch.rejections)
        samples += sum(piece.samples.size for piece in batch.signals) + sum(one.pixels.size for one in batch.images)
        if rows >= PART_ROWS or samples >= PART_SAMPLES:
            yield group
            group, rows, samples = [], 0, 0
    if group:
        yield group


def _prepared(pixels: np.ndarray) -> np.ndarray:
    if pixels.shape != (64, 64):
        raise ValueError(f"a prepared image is [64, 64], not {list(pixels.shape)}")
    return pixels


def _counted(tables: Mapping[str, pa.Table], offered: int) -> Appended:
    timed = [tables[kind] for kind in TIMED]
    return Appended(
        events=tables["events"].num_rows,
        signals=tables["signals"].num_rows,
        images=tables["images"].num_rows,
        rejections=tables["quarantine"].num_rows,
        retractions=tables["retractions"].num_rows,
        links=tables["links"].num_rows,
        duplicates=offered - sum(table.num_rows for table in timed),
        bases=sum((_by(table, "available_basis") for table in timed), Counter()),
        reasons=_by(tables["quarantine"], "reason"),
    )


def _by(table: pa.Table, column: str) -> Counter[str]:
    return Counter({row["values"]: row["counts"] for row in pc.value_counts(table[column]).to_pylist()})
