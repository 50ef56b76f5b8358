"""The store of a ward: append, and two reads, both as of an instant (by arrival, and by patient).

    STORE/manifest.json            what belongs to the store, and how many commits; renamed last
    STORE/{events,signals,images,quarantine,crosswalk,…}/*.parquet
    STORE/arrays/*.npy             samples and pictures, float32, mapped
    STORE/index/*.npy              which rows there are
    STORE/writer.lock              held by the one writer

Nothing is edited: a correction is a further row of the same fact. A kill at any instruction leaves the last commit. A store
of up to ``HELD_ROWS`` rows is held in memory by whoever reads it; of a larger one, the rows of whom a question is about.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from clinical_jepa.records.batch import Identity, Mode, SourceBatch
from clinical_jepa.records.errors import BadRequest
from clinical_jepa.records.instant import BEGINNING
from clinical_jepa.records.views import Arrivals
from clinical_jepa.store import arrays, census, quarantine, writing
from clinical_jepa.store import manifest as manifests
from clinical_jepa.store.census import Feed
from clinical_jepa.store.crosswalk import Crosswalk, crosswalk
from clinical_jepa.store.groups import Groups
from clinical_jepa.store.large import Large
from clinical_jepa.store.locks import writer_lock
from clinical_jepa.store.manifest import Manifest
from clinical_jepa.store.migration import migrate
from clinical_jepa.store.parts import Appended, Known, Prepare, Work, in_parts
from clinical_jepa.store.reader import Reader, Result, followed, nothing, reread
from clinical_jepa.store.segments import TIMED, read_kind

HELD_ROWS = 8_000_000  # two GB
Answer = TypeVar("Answer")


class Store:
    """A store on disk. Reads answer from the commits known when it was opened or last reloaded; threads may share it."""

    def __init__(self, path: Path, manifest: Manifest, held_rows: int = HELD_ROWS) -> None:
        self.path = path
        self.held_rows = held_rows
        self._manifest = manifest
        self._reader: Reader | Large = nothing()
        self._units: tuple[int, set[str]] = 0, set()
        self._digests: tuple[int, dict[str, str]] = 0, {}
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

    @property
    def rows(self) -> int:
        """How many rows of events, signals and images it has, of all versions."""
        return self._manifest.rows(TIMED)

    @property
    def segments(self) -> int:
        """In how many files these lie."""
        return sum(one.kind in TIMED for one in self._manifest.segments)

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
        parts = in_parts(batches) if mode == "history" else iter([list(batches)])
        first = list(islice(parts, 2))  # a unit of ordinary size is read before other writers have to wait
        with self._guard, writer_lock(self.path):
            self._manifest = manifests.read(self.path)
            if file_hash is not None and self.has_file(file_hash):
                return Appended(duplicates=sum(_rows(batch) for part in chain(first, parts) for batch in part))
            known = Known(root=self.path, manifest=self._manifest, crosswalk=self._crosswalk())
            work = Work(known=known, mode=mode, now=clock, prepare=prepare)
            self._manifest = writing.commit(work, chain(_drained(first), parts), file_hash=file_hash)
            return work.added

    def has_file(self, file_hash: str) -> bool:
        """Whether a file of this content was ingested."""
        with self._guard:
            commit, known = self._units
            if commit != self.watermark:
                later = self._later("units", commit)["unit"].to_pylist()
                self._units = self.watermark, known | set(later)
            return file_hash in self._units[1]

    def compact(self) -> None:
        """Merges files, and lays the rows by subject. No answer changes, whatever instant it is as of."""
        with self._guard, writer_lock(self.path):
            self._manifest = writing.compact(self.path, manifests.read(self.path))
            writing.clean(self.path, self._manifest)

    def drop_rejections(self, ids: Collection[str]) -> None:
        """Forgets these refusals in one commit; ``BadRequest``, and none is forgotten, where there is none of an id."""
        with self._guard, writer_lock(self.path):
            self._manifest = quarantine.dropped(self.path, manifests.read(self.path), ids)

    # Reading

    def arrivals(self, since: int, until: int, *, known_commits: int | None = None) -> Arrivals:
        """Rows of all subjects with ``since < available_time <= until``, newest revisions as of ``until``.

        ``known_commits`` is the watermark of the answer that ended at ``since``: rows of later commits that were
        available by then are late, are counted, and put their subjects into ``rewind``.
        """
        return self._ask(lambda known: known.arrivals(since, until, known_commits=known_commits))

    def owner(self, subject_id: int, as_of: int) -> int:
        """Whom the rows of a subject belong to as known then: itself, unless it was merged into another."""
        return self._ask(lambda known: known.changes.owners.of(subject_id, as_of))

    def history(self, subject_id: int, *, as_of: int, since: int = BEGINNING) -> Arrivals:
        """One subject's rows of ``arrivals(since, as_of)``; nothing is late or rewound here."""
        return self._ask(lambda known: known.history(subject_id, as_of=as_of, since=since))

    def with_codes(self, prefixes: Sequence[str], as_of: int) -> pa.Table:
        """All EVENTS rows seen as of then whose code begins with one of ``prefixes``, in order of arrival."""
        return self._ask(lambda known: known.coded(tuple(prefixes)).seen(as_of))

    def extents(self, as_of: int, since: int = BEGINNING) -> dict[int, tuple[int, int]]:
        """When its first and its newest row seen as of then became available, by subject heard of after ``since``."""
        return self._ask(lambda known: known.extents(as_of, since))

    def readers(self, subjects: Iterable[int] | None = None) -> Iterator[Reader]:
        """Of everybody (or of these), a group of whole subjects each that fits into memory: for work that goes through them once.

        A store that is held in memory has one, whoever is asked for.
        """
        return self._ask(lambda known: known.readers(subjects))

    def samples(self, reference: str) -> np.ndarray:
        """The float32 array of a reference, read-only, mapped from disk."""
        with self._guard:
            commit, known = self._digests
            if commit != self.watermark:
                later = self._later("digests", commit)
                known = known | dict(zip(later["name"].to_pylist(), later["digest"].to_pylist(), strict=True))
                self._digests = self.watermark, known
        return arrays.samples(self.path, reference, known)

    def subjects(self, as_of: int) -> pa.Table:
        """A row per subject seen as of then: identifier, rows of each kind, and first and last available time."""
        return census.subjects(self.readers(), self._crosswalk(), as_of)

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
        return self._read(lambda manifest: census.feeds(self.path, manifest, as_of))

    def bases(self, as_of: int) -> dict[str, int]:
        """How many rows available by then rest on each basis of availability."""
        return self._read(lambda manifest: census.bases(self.path, manifest, as_of))

    @property
    def refusals(self) -> int:
        """How many refusals stand in quarantine, links in a circle left out."""
        return sum(segment.rows for segment in self._manifest.of("quarantine"))

    def rejections(self) -> pa.Table:
        """What was refused, oldest first (REJECTIONS)."""
        return self._read(lambda manifest: quarantine.rows(self.path, manifest))

    def rejection(self, rejection_id: str) -> dict[str, Any]:
        """One refusal with its original bytes; ``BadRequest`` where there is none of this id."""
        return quarantine.one(self.rejections(), rejection_id)

    # What is kept in memory, and follows the manifest

    def _ask(self, question: Callable[[Reader | Large], Answer]) -> Answer:
        with self._guard:
            known = self._read(self._known)
            if isinstance(known, Large):  # it reads as it answers
                return self._read(lambda manifest: question(self._known(manifest)))
        return question(known)

    def _known(self, manifest: Manifest) -> Reader | Large:
        """All that was committed by then; what was read before is not read again."""
        known = self._reader
        if manifest.rows(TIMED) <= self.held_rows:
            self._reader = followed(self.path, manifest, nothing() if isinstance(known, Large) else known)
        elif isinstance(known, Large):
            self._reader = known if known.groups.manifest is manifest else known.at(Groups(self.path, manifest))
        else:
            self._reader = Large(groups=Groups(self.path, manifest), held_rows=self.held_rows)
        return self._reader

    def _crosswalk(self) -> Crosswalk:
        with self._guard:
            if self._people is None or self._people[0] != self.watermark:
                rows = self._read(lambda manifest: read_kind(self.path, manifest, "crosswalk"))
                self._people = self.watermark, crosswalk(rows)
            return self._people[1]

    def _later(self, kind: str, commit: int) -> pa.Table:
        """The rows of a kind that later commits brought."""
        return self._read(lambda now: read_kind(self.path, now, kind, after=commit))

    def _read(self, read: Callable[[Manifest], Result]) -> Result:
        def noted(manifest: Manifest) -> Result:
            answer = read(manifest)
            if manifest.commit == self.watermark:
                self._manifest = manifest  # of newer files, where its own were merged away
            return answer

        return reread(self.path, self._manifest, noted)


def _rows(batch: SourceBatch) -> int:
    return batch.events.num_rows + len(batch.signals) + len(batch.images)


def _drained(waiting: list[list[SourceBatch]]) -> Iterator[list[SourceBatch]]:
    """The parts, none of which is kept once the next is taken."""
    while waiting:
        yield waiting.pop(0)
