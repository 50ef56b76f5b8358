"""Reads FHIR R4, R4B and R5 files: a fast path for the flood, a careful one for the rest, full validation for what both doubt.

``flood`` takes Observations of the ordinary shape straight from their bytes. Everything else is parsed and read field by
field here. Where a field is missing, of another shape or not the standard's, the resource is validated by fhir.resources
to say what is wrong, and becomes a ``Rejection``. A strict site has every resource validated first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from clinical_jepa.records.batch import Retraction, SignalPiece, SourceBatch, SubjectLink
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.fhir import findings, observations, orders, patients, reports, stays, treatments, withdrawals
from clinical_jepa.sources.fhir.files import Item, Json, of_line, parsed, pieces
from clinical_jepa.sources.fhir.flood import Flood
from clinical_jepa.sources.fhir.folder import BROKEN, Folder, look_through, needed
from clinical_jepa.sources.fhir.frame import SOURCE, Frame, Ignored, Outcome, Refusal
from clinical_jepa.sources.fhir.people import People, patient_id
from clinical_jepa.sources.fhir.recognise import is_fhir
from clinical_jepa.sources.fhir.validation import doubtful, own_checks, twice_named, verdict
from clinical_jepa.sources.fhir.versions import as_r4, named
from clinical_jepa.sources.rows import Origin, Rows

BATCH_ROWS = 100_000

Reader = Callable[[Json, Frame], Iterator[Outcome]]

READERS: dict[str, Reader] = {
    "Observation": observations.facts,
    "Encounter": stays.encounter,
    "Patient": patients.patient,
    "Condition": findings.condition,
    "ImagingStudy": findings.imaging_study,
    "MedicationAdministration": treatments.facts,
    "MedicationRequest": orders.request,
    "MedicationStatement": orders.statement,
    "ServiceRequest": orders.request,
    "DiagnosticReport": reports.report,
    "Procedure": reports.procedure,
    "DocumentReference": reports.document,
    "Device": reports.device,
    "Flag": reports.flag,
}


@dataclass(frozen=True, kw_only=True)
class _Reading:
    """One unit under way."""

    file: str  # as rejections name it
    context: ReadContext
    folder: Folder
    people: People
    flood: Flood
    ignored: Counter[str]
    rows: Rows = field(default_factory=Rows)
    signals: list[SignalPiece] = field(default_factory=list)
    retractions: list[Retraction] = field(default_factory=list)
    links: list[SubjectLink] = field(default_factory=list)


def find(root: Path) -> list[Path]:
    """The FHIR files at or below ``root``, by name."""
    candidates = [root] if root.is_file() else (path for path in root.rglob("*") if path.is_file())
    return sorted(path for path in candidates if is_fhir(path))


def parts(path: Path) -> list[Path]:
    """The file, and those beside it that its references are looked up in: what is read from it rests on all of them."""
    return sorted({path, *needed(path)})


def read(path: Path, context: ReadContext) -> Iterator[SourceBatch]:
    """The rows, identities and rejections of one file, in batches of at most about ``BATCH_ROWS`` rows."""
    name = str(path.relative_to(context.root)) if path.is_relative_to(context.root) else path.name
    file, folder = path.name if name == "." else name, look_through(path, context.zone)
    reading = _begun(file, context, folder)
    number = 0
    for piece in pieces(path):
        if isinstance(piece, Item):
            if not piece.ordinary or _flooded(reading, [piece.raw or b""]):
                _take(piece, reading)
        else:
            for index in _flooded(reading, piece):
                for item in of_line(piece[index], "line", number + index + 1):
                    _take(item, reading)
            number += len(piece)
        if len(reading.rows.events) + len(reading.flood) >= BATCH_ROWS:
            yield _batch(reading)
            reading = _begun(file, context, folder)
    yield _batch(reading)


def _begun(file: str, context: ReadContext, folder: Folder) -> _Reading:
    people, ignored = People(context=context, declared=folder.patients), Counter[str]()
    flood = Flood(people=people, ignored=ignored)
    return _Reading(file=file, context=context, folder=folder, people=people, flood=flood, ignored=ignored)


def _flooded(reading: _Reading, raws: Sequence[bytes]) -> Sequence[int]:
    """Which resources are left for the careful path: all of them at a strict site."""
    return range(len(raws)) if reading.context.strict else reading.flood.take(raws)


def _batch(reading: _Reading) -> SourceBatch:
    return SourceBatch(
        events=pa.concat_tables([reading.flood.table(), reading.rows.table()]),
        identities=tuple(reading.people.met.values()),
        signals=tuple(reading.signals),
        rejections=tuple(reading.rows.rejections),
        ignored=dict(reading.ignored),
        retractions=tuple(reading.retractions),
        links=tuple(reading.links),
    )


def _take(item: Item, reading: _Reading) -> None:
    if item.skipped:
        reading.ignored[item.skipped] += 1
        return
    for outcome in _of_item(item, reading):
        match outcome:
            case Refusal():
                reading.rows.reject(_origin(item, reading), outcome.reason, outcome.message)
            case Ignored():
                reading.ignored[outcome.kind] += 1
            case Retraction():
                reading.retractions.append(outcome)
            case SubjectLink():
                reading.links.append(outcome)
            case SignalPiece():
                reading.signals.append(outcome)
            case _:
                reading.rows.add(outcome, _origin(item, reading))


def _of_item(item: Item, reading: _Reading) -> list[Outcome]:
    if item.deleted:
        return [withdrawals.deletion(item.deleted, item.moment, reading.context.zone, READERS)]
    body = parsed(item)
    if isinstance(body, str):
        return [Refusal(reason="unreadable", message=body)]
    kind = body.get("resourceType")
    if not isinstance(kind, str):
        return [Refusal(reason="invalid", message="JSON without a resourceType: no FHIR resource")]
    if kind == "OperationOutcome":
        return withdrawals.left_out(body, reading.folder.version(body))
    if kind not in READERS:
        return [Ignored(kind=named(kind))]
    refusal = _judged(body, item, reading)
    if refusal is not None:
        return [refusal]
    try:
        return _outcomes(as_r4(body, reading.folder.version(body)), READERS[kind], reading)
    except BROKEN as error:
        shape = f"{kind} of a shape this reader does not take ({type(error).__name__})"
        found = verdict(body, reading.folder.version(body))
        return [found or Refusal(reason="invalid", message=shape)]


def _judged(body: Json, item: Item, reading: _Reading) -> Refusal | None:
    """What is wrong with a resource before it is read; None where nothing is, as far as anyone looked."""
    version, strict = reading.folder.version(body), reading.context.strict
    if strict and item.raw is not None and twice_named(item.raw):
        return Refusal(reason="invalid", message=f"{body['resourceType']}: an element stands there twice")
    if strict or doubtful(body, version):
        return verdict(body, version) or own_checks(body, version)
    return own_checks(body, version)


def _outcomes(body: Json, reader: Reader, reading: _Reading) -> list[Outcome]:
    """Everything one resource says, read to its end before any of it is kept."""
    kind, people = body["resourceType"], reading.people
    name = patient_id(body)
    identity = None if name is None else people.identity(name)
    frame = Frame(
        context=reading.context,
        folder=reading.folder,
        key=f"{kind}/{body['id']}",
        subject_id=-1 if identity is None else identity.subject_id,
        reference=name or "",
        meta=body.get("meta") or {},
        subject_of=people.subject,
    )
    withdrawn = withdrawals.whole_record(body, frame)
    if identity is not None:
        found = list(reader(body, frame))
    elif name is None and kind == "Device":
        found = [Ignored(kind="Device about no Patient")]
    elif name is None:
        found = [Refusal(reason="no-subject", message=f"{kind} about no Patient")]
    else:
        message = f"{kind} refers to a Patient that its folder does not declare: send the Patient too"
        found = [Refusal(reason="unknown-subject", message=message)]
    if withdrawn is None:
        return found
    return [withdrawn, *(one for one in found if not isinstance(one, Refusal))]


def _origin(item: Item, reading: _Reading) -> Origin:
    return Origin(source=SOURCE, file=reading.file, record=item.record, original=item.raw)
