"""Sources into the store: what is new, unit by unit, each in one commit, whatever was refused kept with its reason.

A unit whose bytes were ingested before, read the same way, is skipped; rows that came before are the same rows. An
interruption leaves the units committed so far, and the next run goes on from there. A unit that the system does not let us
read is refused, and read by the run that finds it readable.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from clinical_jepa.records.batch import Mode, Rejection, SourceBatch
from clinical_jepa.records.errors import BadRequest, NothingToRead
from clinical_jepa.records.events import EVENTS, SIGNALS
from clinical_jepa.records.instant import END
from clinical_jepa.sources import catalog, superseding
from clinical_jepa.sources.catalog import Found
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.growing import growing
from clinical_jepa.sources.stitch import Beginnings, stitched
from clinical_jepa.sources.unread import Unread, readable
from clinical_jepa.store import zones
from clinical_jepa.vocabulary.codes import code_map_hash
from clinical_jepa.vocabulary.identity import content_id, printable, subject_id
from clinical_jepa.vocabulary.tables import tables_hash

if TYPE_CHECKING:
    from clinical_jepa.store.events import Store
    from clinical_jepa.store.parts import Appended, Prepare

Progress = Callable[[int, int], None]  # units done, units in all
READERS = 2  # raise it when a reader says anything else of the same bytes: then every unit is read again


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What came of one kind of source. ``files`` were read, ``skipped`` were in the store already.

    ``withdrawn`` are records that the source took back, ``linked`` subjects that it merged or parted. ``clamped`` and
    ``assumed`` (history) are rows whose available time rests on ``time``; ``clock_faults`` (live) are rows
    that their source says it reported after we received them. Both are kept, and marked.
    """

    files: int = 0
    skipped: int = 0
    events: int = 0
    signals: int = 0
    images: int = 0
    rejected: int = 0
    duplicates: int = 0
    clamped: int = 0
    assumed: int = 0
    clock_faults: int = 0
    ignored: int = 0
    withdrawn: int = 0
    linked: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(**{name: getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__})


@dataclass(frozen=True, kw_only=True)
class IngestReport:
    """``reasons`` counts what was newly refused by reason, ``ignored`` what is no fact of this system, by kind.

    ``again`` counts refusals that stand in quarantine already, from an earlier run or another file of this one.
    ``empty`` are the given folders and files in which there was nothing to read.
    """

    sources: Mapping[str, Counts]
    reasons: Mapping[str, int]
    ignored: Mapping[str, int]
    again: int = 0
    empty: tuple[Path, ...] = ()

    @property
    def total(self) -> Counts:
        """All kinds together."""
        return sum(self.sources.values(), Counts())


@dataclass(kw_only=True)
class _Tally:
    sources: dict[str, Counts] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)
    again: int = 0

    def add(self, kind: str, counts: Counts, appended: Appended | None = None) -> None:
        self.sources[kind] = self.sources.get(kind, Counts()) + counts
        if appended is not None:
            self.reasons.update(appended.reasons)
            self.again += appended.again


def ingest(
    paths: Sequence[Path],
    store: Store,
    *,
    mode: Mode,
    now: Callable[[], int],
    context: ReadContext,
    prepare: Prepare,
    progress: Progress | None = None,
) -> IngestReport:
    """Read everything at or below ``paths`` into the store; ``NothingToRead`` where there is nothing that can be read.

    ``BadRequest`` where the store knows one of the sources in another zone: its times would stand there twice.
    With ``context.stitch_to`` each subject is shifted whole (``sources.stitch``), which reads everything twice.
    """
    units = _units(paths, context)
    zones.agree(store.path, {f"{found.kind} of {context.namespace}" for found, _ in units}, context.zone.key)
    beginnings, unread = (None, {}) if context.stitch_to is None else _beginnings(units, context.stitch_to)
    append = partial(store.append, mode=mode, now=now, prepare=prepare)
    tally = _Tally()
    for number, (found, site) in enumerate(units, start=1):
        try:
            if found in unread:
                raise unread[found]
            _take(found, site, store, append, beginnings, tally)
        except Unread as error:
            refused = SourceBatch(events=EVENTS.empty_table(), rejections=(error.rejection,))
            appended = append([_placed(refused, found.path, site.root)])
            tally.add(found.kind, Counts(rejected=appended.rejections), appended)
        if progress is not None:
            progress(number, len(units))
    filled = {site.root for _, site in units}
    empty = tuple(path for path in paths if path not in filled and not catalog.find(path))
    return IngestReport(
        sources=tally.sources, reasons=tally.reasons, ignored=tally.ignored, again=tally.again, empty=empty
    )


def _take(
    found: Found,
    site: ReadContext,
    store: Store,
    append: partial[Appended],
    beginnings: Beginnings | None,
    tally: _Tally,
) -> None:
    """One unit into the store, in one commit, unless it is there; ``Unread`` where it cannot be read to its end."""
    key, mark = _reading(found, site, store)
    if store.has_file(key):
        tally.add(found.kind, Counts(skipped=1))
        return
    ignored: Counter[str] = Counter()
    batches = _read(found, site, store, beginnings)
    if mark is not None:
        append([], file_hash=mark)
        batches = _superseding(batches, store, live=append.keywords["mode"] == "live")
    appended = append(_noted(batches, ignored), file_hash=key)
    tally.add(found.kind, _counts(appended, ignored), appended)
    tally.ignored.update(ignored)


def _units(paths: Sequence[Path], context: ReadContext) -> list[tuple[Found, ReadContext]]:
    units: dict[Found, ReadContext] = {}
    for path in paths:
        if not path.exists():
            raise BadRequest(f"there is no {printable(str(path))}; nothing was ingested")
        for found in catalog.find(path):
            for part in (found,) if context.growing_s is None else catalog.divided(found):
                units.setdefault(part, replace(context, root=path))
    if not units:
        named = ", ".join(printable(str(path)) for path in paths) or "no folder given"
        raise NothingToRead(
            f"nothing to read in {named}: looked for FHIR (.ndjson, .json, also .gz), tables (MIMIC-III: PATIENTS.csv beside the "
            "others; MIMIC-IV, eICU, CinC 2012 and 2019), MEDS (.parquet), WFDB headers (.hea), DICOM files and HL7 v2 "
            "(.hl7, .mllp); nothing was ingested"
        )
    return [(found, site) for found, site in units.items() if _ours(found, site)]


def _ours(found: Found, site: ReadContext) -> bool:
    """Whether this run's shard takes the unit: by its name below the root, so that a folder that grows keeps its shards.

    The numbered runs of one server's spool stay together: a later page names patients that an earlier one declared.
    """
    number, of = site.shard
    path = found.path.parent.parent if found.kind == "fhir" and found.path.parent.name.isdigit() else found.path
    name = path.relative_to(site.root).as_posix() if path.is_relative_to(site.root) and path != site.root else path.name
    return of == 1 or int(content_id(found.kind, name), 16) % of == number


def _beginnings(units: Sequence[tuple[Found, ReadContext]], start: int) -> tuple[Beginnings, dict[Found, Unread]]:
    """When each subject begins, and the units that could not be read: who begins in them is not known in this run."""
    beginnings, unread = Beginnings(start=start), {}
    for found, site in units:
        try:
            with readable(found.kind, found.path):
                beginnings.note(catalog.read(found, site))
        except Unread as error:
            unread[found] = error
    return beginnings, unread


def _read(found: Found, site: ReadContext, store: Store, beginnings: Beginnings | None) -> Iterator[SourceBatch]:
    if found.kind == "fhir":
        site = replace(site, aliases=_aliases(store, site))
    with readable(found.kind, found.path):
        for unplaced in catalog.read(found, site):
            batch = _placed(unplaced, found.path, site.root)
            yield batch if beginnings is None else stitched(batch, beginnings)


def _placed(batch: SourceBatch, path: Path, root: Path) -> SourceBatch:
    """The batch with its rejections' files as seen from ``root``: two files of one name in two folders are two.

    What names a file is put in a form that can be stored and shown, whatever bytes the name is made of.
    """
    home = path.parent if path.parent.is_dir() else path.parent.parent  # a part of a record lies beside its header
    folder = home.relative_to(root) if home.is_relative_to(root) else Path()

    def placed(one: Rejection) -> Rejection:
        file = one.file if "/" in one.file else (folder / one.file).as_posix()
        return replace(one, file=printable(file), record=printable(one.record), message=printable(one.message))

    return replace(batch, rejections=tuple(map(placed, batch.rejections))) if batch.rejections else batch


def _aliases(store: Store, site: ReadContext) -> dict[str, str]:
    """Patients met before, by the id that references use."""
    identities = store.identities()
    names = {one.subject_id: one.identifier for one in identities if one.namespace == site.namespace}
    return {
        one.identifier: names[one.subject_id]
        for one in identities
        if one.namespace == site.alias_namespace and one.subject_id in names
    }


def _key(found: Found, site: ReadContext) -> str:
    """What makes this unit the same as one read before: its bytes, those it refers to, and how it is read."""
    with readable(found.kind, found.path):
        bytes_of = [_digest(path) for path in catalog.parts(found)]
        # a record that was read while it was being written is read once more when it has come to rest
        still = ["growing"] if found.kind == "wfdb" and growing(catalog.parts(found), site) else []
    return content_id(found.kind, found.path.name, *_way(site, found.kind), *bytes_of, *still)


def _reading(found: Found, site: ReadContext, store: Store) -> tuple[str, str | None]:
    """A unit's key, and of a record that has to be read again under another clock than before, the mark of that reading.

    Readings of the same bytes under different offsets are numbered by their marks: one that goes back to an earlier offset is
    a new one, as it takes the place of what came between.
    """
    key = _key(found, site)
    if found.kind != "wfdb":
        return key, None
    with readable(found.kind, found.path):
        offset = catalog.clock_offset(found, site)
    marks = (content_id(key, "reading", number) for number in count(1))
    number, mark = next((number, mark) for number, mark in enumerate(marks) if not store.has_file(mark))
    if number == 0 and offset == 0:
        return key, None
    newest = content_id(key, "reading", number, offset)
    if number and store.has_file(newest):
        return newest, None
    return content_id(key, "reading", number + 1, offset), mark


def _superseding(batches: Iterable[SourceBatch], store: Store, *, live: bool) -> Iterator[SourceBatch]:
    """The batches with what takes the place of an earlier reading."""
    for batch in batches:
        subjects = {*batch.events["subject_id"].unique().to_pylist(), *(piece.subject_id for piece in batch.signals)}
        parts = list(store.parts(subjects))
        known = {
            kind: pa.concat_tables([schema.empty_table(), *(part.versions(END, kind) for part in parts)])
            for kind, schema in (("events", EVENTS), ("signals", SIGNALS))
        }
        yield replace(
            batch,
            events=superseding.events(batch.events, known["events"], live=live),
            signals=superseding.pieces(batch.signals, known["signals"], live=live),
        )


def _digest(path: Path) -> str:
    state = path.stat()
    return _digested(path, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)


@lru_cache(maxsize=1 << 17)  # a process that looks again and again reads only what changed
def _digested(path: Path, *state: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def _way(site: ReadContext, kind: str) -> tuple[object, ...]:
    """Everything of the site, the code tables and the readers that decides what the same bytes say; the key as a mark."""
    keyed = subject_id("", "", key=site.identity_key)
    delays = sorted(site.delays.items())
    return (
        site.namespace,
        site.stitch_to,
        site.zone.key,
        site.trust_last_updated,
        keyed,
        delays,
        sorted(site.hl7_statuses.items()),
        code_map_hash(),
        tables_hash(kind, catalog.KINDS),
        READERS,
        *(("strict",) if site.strict else ()),
    )


def _counts(appended: Appended, ignored: Counter[str]) -> Counts:
    return Counts(
        files=1,
        events=appended.events,
        signals=appended.signals,
        images=appended.images,
        rejected=appended.rejections,
        duplicates=appended.duplicates,
        clamped=appended.bases.get("clamped", 0),
        assumed=appended.bases.get("assumed", 0),
        clock_faults=appended.bases.get("receipt-clock-fault", 0),
        ignored=ignored.total(),
        withdrawn=appended.retractions,
        linked=appended.links,
    )


def _noted(batches: Iterable[SourceBatch], ignored: Counter[str]) -> Iterator[SourceBatch]:
    """The batches as they come; what they say is no fact of this system is counted, and they are not kept."""
    for batch in batches:
        ignored.update(batch.ignored)
        yield batch
