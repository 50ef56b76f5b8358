"""The store of a ward: append, and two reads, both as of an instant (by arrival, and by patient).

    STORE/manifest.json            what belongs to the store, and how many commits; renamed last
    STORE/{events,signals,images,quarantine,crosswalk}/*.parquet
    STORE/arrays/*.npy             samples and pictures, float32, mapped
    STORE/writer.lock              held by the one writer

Nothing is edited: a correction is a further row of the same fact. A kill at any instruction leaves the last commit.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from clinical_jepa.records.batch import Identity, Mode, SourceBatch
from clinical_jepa.records.errors import BadRequest
from clinical_jepa.records.instant import BEGINNING, floor_minute
from clinical_jepa.records.views import Arrivals
from clinical_jepa.store import arrays, census, quarantine, writing
from clinical_jepa.store import manifest as manifests
from clinical_jepa.store.census import Feed
from clinical_jepa.store.crosswalk import Crosswalk, crosswalk
from clinical_jepa.store.doubts import earliest, late
from clinical_jepa.store.files import sweep
from clinical_jepa.store.locks import writer_lock
from clinical_jepa.store.manifest import Manifest
from clinical_jepa.store.migration import migrate
from clinical_jepa.store.parts import Appended, Known, Prepare, Work
from clinical_jepa.store.parts import parts as grouped
from clinical_jepa.store.reading import Result, followed, nothing, reread
from clinical_jepa.store.seen import Seen
from clinical_jepa.store.segments import IDS, read_segments
from clinical_jepa.store.visible import View


class Store:
    """A store on disk. Reads answer from the commits known when it was opened or last reloaded; threads may share it."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path = path
        self._manifest = manifest
        self._loaded = nothing()
        self._seen, self._seen_commit = Seen(), 0
        self._people: tuple[int, Crosswalk] | None = None
        self._guard = threading.RLock()

    @classmethod
    def open(cls, path: Path | str, create: bool = False) -> Store:
        """The store at ``path``; ``BadRequest`` where there is none and ``create`` is false."""
        root = Path(path)
        if create and not manifests.exists(root):
            for folder in writing.FOLDERS:
                (root / folder).mkdir(parents=True, exist_ok=True)
            with writer_lock(root):
                if not manifests.exists(root):
                    manifests.write(root, Manifest())
        if not manifests.exists(root):
            raise BadRequest(f"{root} holds no store; make one with: clinical-jepa ingest SOURCE --store {root}")
        migrate(root)
        return cls(root, manifests.read(root))

    @property
    def watermark(self) -> int:
        """The number of commits that answers rest on."""
        return self._manifest.commit

    def reload(self) -> int:
        """Takes in what other processes committed; the new watermark."""
        with self._guard:
            self._manifest = manifests.read(self.path)
            return self.watermark

    # Writing

    def append(
        self,
        batches: Iterable[SourceBatch],
        *,
        mode: Mode,
        now: Callable[[], int] | int,
        prepare: Prepare,
        file_hash: str | None = None,
    ) -> Appended:
        """Adds what is new in the batches, in one commit or not at all; rows the store holds are counted as duplicates.

        Live rows become available when they are committed (``now``, read under the lock; never earlier than a live
        commit before); rows of history keep their source's answer, and are written while further batches are read.
        """
        clock = now if callable(now) else lambda: now
        parts = grouped(batches) if mode == "history" else iter([list(batches)])
        first = list(islice(parts, 2))  # a unit of ordinary size is read before other writers have to wait
        with self._guard, writer_lock(self.path):
            self._manifest = manifests.read(self.path)
            if file_hash is not None and self.has_file(file_hash):
                return Appended(duplicates=sum(_rows(batch) for part in chain(first, parts) for batch in part))
            known = Known(root=self.path, manifest=self._manifest, seen=self._known_ids(), crosswalk=self._crosswalk())
            work = Work(known=known, mode=mode, now=clock, prepare=prepare)
            self._manifest = writing.commit(work, chain(_drained(first), parts), file_hash=file_hash)
            self._seen.add_all(work.ids)
            self._seen_commit = self.watermark
            return work.added

    def has_file(self, file_hash: str) -> bool:
        """Whether a file of this content was ingested."""
        return file_hash in self._manifest.files

    def compact(self) -> None:
        """Merges segments by time. No answer changes, whatever instant it is as of."""
        with self._guard, writer_lock(self.path):
            self._manifest = writing.compact(self.path, manifests.read(self.path))
            sweep(self.path, writing.FOLDERS, self._manifest.names())

    def drop_rejection(self, rejection_id: str) -> None:
        """Forgets one refusal; ``BadRequest`` where there is none of this id."""
        with self._guard, writer_lock(self.path):
            self._manifest = quarantine.dropped(self.path, manifests.read(self.path), rejection_id)
            self._seen, self._seen_commit = Seen(), 0  # refused again, it is a new refusal

    # Reading

    def arrivals(self, since: int, until: int, *, known_commits: int | None = None) -> Arrivals:
        """Rows of all subjects with ``since < available_time <= until``, newest revisions as of ``until``.

        ``known_commits`` is the watermark of the answer that ended at ``since``: rows of later commits that were
        available by then are late, are counted, and put their subjects into ``rewind``.
        """
        views, watermark = self._views()
        rewind = earliest(doubt for one in views.values() for doubt in one.corrected(since, until))
        late_rows = 0
        if known_commits is not None and known_commits < watermark:
            late_rows, doubts = late(views, since, known_commits)
            rewind = earliest([*rewind.items(), *doubts.items()])
        return Arrivals(
            since=since,
            until=until,
            origins=_origins(views, until),
            rewind=rewind,
            late_rows=late_rows,
            watermark=watermark,
            **{kind: one.rows(since, until) for kind, one in views.items()},
        )

    def owner(self, subject_id: int, as_of: int) -> int:
        """Whom the rows of a subject belong to as known then: itself, unless it was merged into another."""
        return self._views()[0]["events"].changes.owners.of(subject_id, as_of)

    def history(self, subject_id: int, *, as_of: int, since: int = BEGINNING) -> Arrivals:
        """One subject's rows of ``arrivals(since, as_of)``; nothing is late or rewound here."""
        views, watermark = self._views()
        firsts = [first for one in views.values() if (first := one.first_of(subject_id)) <= as_of]
        return Arrivals(
            since=since,
            until=as_of,
            origins={subject_id: floor_minute(min(firsts))} if firsts else {},
            rewind={},
            late_rows=0,
            watermark=watermark,
            **{kind: one.rows_of(subject_id, since, as_of) for kind, one in views.items()},
        )

    def with_codes(self, prefixes: Sequence[str], as_of: int) -> pa.Table:
        """All EVENTS rows seen as of then whose code begins with one of ``prefixes``, in order of arrival."""
        views, _ = self._views()
        return views["events"].coded(tuple(prefixes), as_of)

    def versions(self, as_of: int) -> pa.Table:
        """Every EVENTS row that had arrived by then, also those that a later version took the place of."""
        return self._views()[0]["events"].arrived(as_of).drop_columns(["commit"])

    def extents(self, as_of: int) -> dict[int, tuple[int, int]]:
        """By subject: when its first and its newest row seen as of then became available."""
        return census.extents(self._views()[0], as_of)

    def samples(self, reference: str) -> np.ndarray:
        """The float32 array of a reference, read-only, mapped from disk."""
        return arrays.samples(self.path, reference, self._manifest.arrays)

    def subjects(self, as_of: int) -> pa.Table:
        """A row per subject seen as of then: identifier, rows of each kind, and first and last available time."""
        return census.subjects(self._views()[0], self._crosswalk(), as_of)

    def identities(self) -> list[Identity]:
        """Everyone under every name known so far."""
        return [one for ones in self._crosswalk().by_subject.values() for one in ones]

    def identify(self, text: str) -> int:
        """The subject id of an identifier or of a subject id as text; ``BadRequest`` with the nearest match."""
        return self._crosswalk().identify(text)

    def identifier(self, subject_id: int) -> str:
        """The identifier a subject's source uses; its id as text where none is known."""
        who = self._crosswalk().identity(subject_id)
        return who.identifier if who else str(subject_id)

    def feeds(self, as_of: int) -> list[Feed]:
        """Every source that had sent something by then, by name."""
        return census.feeds(self._views()[0], as_of)

    def bases(self, as_of: int) -> dict[str, int]:
        """How many rows available by then rest on each basis of availability."""
        return census.bases(self._views()[0], as_of)

    @property
    def refusals(self) -> int:
        """How many refusals stand in quarantine, links in a circle left out."""
        return sum(segment.rows for segment in self._manifest.of("quarantine"))

    def rejections(self) -> pa.Table:
        """What was refused, oldest first (REJECTIONS)."""
        return reread(self.path, self._manifest, lambda manifest: quarantine.rows(self.path, manifest))

    def rejection(self, rejection_id: str) -> dict[str, Any]:
        """One refusal with its original bytes; ``BadRequest`` where there is none of this id."""
        return quarantine.one(self.rejections(), rejection_id)

    # What is kept in memory, and follows the manifest

    def _views(self) -> tuple[dict[str, View], int]:
        with self._guard:
            known = self._loaded
            self._loaded = loaded = self._read(lambda manifest: followed(self.path, manifest, known))
            return loaded.views, loaded.commit

    def _crosswalk(self) -> Crosswalk:
        with self._guard:
            if self._people is None or self._people[0] != self.watermark:
                rows = self._read(lambda manifest: read_segments(self.path, "crosswalk", manifest.of("crosswalk")))
                self._people = self.watermark, crosswalk(rows)
            return self._people[1]

    def _known_ids(self) -> Seen:
        """The row ids of all commits, under the writer's lock."""
        for kind, column in IDS.items():
            for later in self._manifest.of(kind, after=self._seen_commit):  # one by one: they may be many
                rows = read_segments(self.path, kind, [later], after=self._seen_commit, columns=[column, "commit"])
                self._seen.add(rows[column])
        self._seen_commit = self.watermark
        return self._seen

    def _read(self, read: Callable[[Manifest], Result]) -> Result:
        return reread(self.path, self._manifest, read)


def _rows(batch: SourceBatch) -> int:
    return batch.events.num_rows + len(batch.signals) + len(batch.images)


def _drained(waiting: list[list[SourceBatch]]) -> Iterator[list[SourceBatch]]:
    """The parts, none of which is kept once the next is taken."""
    while waiting:
        yield waiting.pop(0)


def _origins(views: Mapping[str, View], until: int) -> dict[int, int]:
    """By subject: the whole minute at or before its first arrival."""
    origins: dict[int, int] = {}
    for one in views.values():
        subjects, firsts = one.firsts(until)
        for subject, first in zip(subjects.tolist(), firsts.tolist(), strict=True):
            origins[subject] = min(first, origins.get(subject, first))
    return {subject: floor_minute(first) for subject, first in origins.items()}
