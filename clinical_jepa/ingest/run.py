"""Sources into the store: what is new, unit by unit, each in one commit, whatever was refused kept with its reason.

A unit whose bytes were ingested before, read the same way, is skipped; rows that came before are the same rows. An
interruption leaves the units committed so far, and the next run goes on from there. A unit that the system does not let us
read is refused, and read by the run that finds it readable.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from clinical_jepa.ingest.readings import reading
from clinical_jepa.ingest.report import Counts, IngestReport, Tally, counted
from clinical_jepa.ingest.units import found_at, units_of
from clinical_jepa.records.batch import Mode, Rejection, SourceBatch
from clinical_jepa.records.events import EVENTS, SIGNALS
from clinical_jepa.records.instant import END
from clinical_jepa.sources import catalog, superseding
from clinical_jepa.sources.catalog import Found
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.stitch import Beginnings, stitched
from clinical_jepa.sources.unread import Unread, readable
from clinical_jepa.store import zones
from clinical_jepa.vocabulary.identity import printable

if TYPE_CHECKING:
    from clinical_jepa.store.events import Store
    from clinical_jepa.store.parts import Appended, Prepare

Progress = Callable[[int, int], None]  # units done, units in all


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
    at = found_at(paths)
    units = units_of(at, context)
    zones.agree(store.path, {f"{found.kind} of {context.namespace}" for found, _ in units}, context.zone.key)
    beginnings, unread = (None, {}) if context.stitch_to is None else _beginnings(units, context.stitch_to)
    append = partial(store.append, mode=mode, now=now, prepare=prepare)
    tally = Tally()
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
    return IngestReport(
        sources=tally.sources, reasons=tally.reasons, ignored=tally.ignored, again=tally.again, found=at
    )


def _take(
    found: Found,
    site: ReadContext,
    store: Store,
    append: partial[Appended],
    beginnings: Beginnings | None,
    tally: Tally,
) -> None:
    """One unit into the store, in one commit, unless it is there; ``Unread`` where it cannot be read to its end."""
    key, mark = reading(found, site, store)
    if store.has_file(key):
        tally.add(found.kind, Counts(skipped=1))
        return
    ignored: Counter[str] = Counter()
    batches = _read(found, site, store, beginnings)
    if mark is not None:
        append([], file_hash=mark)
        batches = _superseding(batches, store, live=append.keywords["mode"] == "live")
    appended = append(_noted(batches, ignored), file_hash=key)
    tally.add(found.kind, counted(appended, ignored), appended)
    tally.ignored.update(ignored)


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


def _superseding(batches: Iterable[SourceBatch], store: Store, *, live: bool) -> Iterator[SourceBatch]:
    """The batches with what takes the place of an earlier reading."""
    for batch in batches:
        subjects = {*batch.events["subject_id"].unique().to_pylist(), *(piece.subject_id for piece in batch.signals)}
        readers = list(store.readers(subjects))
        known = {
            kind: pa.concat_tables([schema.empty_table(), *(one.versions(END, kind) for one in readers)])
            for kind, schema in (("events", EVENTS), ("signals", SIGNALS))
        }
        yield replace(
            batch,
            events=superseding.events(batch.events, known["events"], live=live),
            signals=superseding.pieces(batch.signals, known["signals"], live=live),
        )


def _noted(batches: Iterable[SourceBatch], ignored: Counter[str]) -> Iterator[SourceBatch]:
    """The batches as they come; what they say is no fact of this system is counted, and they are not kept."""
    for batch in batches:
        ignored.update(batch.ignored)
        yield batch
