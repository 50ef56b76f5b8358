"""Reads FHIR R4 files: a fast path for the flood, full validation for what it doubts.

The fast path takes fields straight out of the parsed JSON. Where a field is missing or of another shape, the resource
is validated by fhir.resources (R4B: the nearest it has to R4) to say what is wrong, and becomes a ``Rejection``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from clinical_jepa.records.batch import Identity, SourceBatch
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.fhir import findings, observations, stays, treatments
from clinical_jepa.sources.fhir.files import Item, Json, is_fhir, items
from clinical_jepa.sources.fhir.folder import Folder, look_through, needed, plain_id
from clinical_jepa.sources.fhir.frame import Frame, Ignored, Outcome, Refusal
from clinical_jepa.sources.rows import Origin, Rows

SOURCE = "fhir"
BATCH_ROWS = 100_000

Reader = Callable[[Json, Frame], Iterator[Outcome]]

_READERS: dict[str, Reader] = {
    "Observation": observations.facts,
    "Encounter": stays.encounter,
    "Patient": stays.patient,
    "Condition": findings.condition,
    "MedicationAdministration": treatments.facts,
    "ImagingStudy": findings.imaging_study,
}
_DOUBT = (KeyError, TypeError, ValueError, AttributeError, IndexError)


@dataclass(frozen=True, kw_only=True)
class _Reading:
    """One unit under way."""

    file: str  # as rejections name it
    context: ReadContext
    folder: Folder
    rows: Rows = field(default_factory=Rows)
    identities: dict[str, Identity] = field(default_factory=dict)
    ignored: Counter[str] = field(default_factory=Counter)


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
    reading = _Reading(
        file=path.name if name == "." else name, context=context, folder=look_through(path, context.zone)
    )
    for item in items(path):
        _take(item, reading)
        if len(reading.rows.events) >= BATCH_ROWS:
            yield _batch(reading)
            reading = _Reading(file=reading.file, context=context, folder=reading.folder)
    yield _batch(reading)


def _batch(reading: _Reading) -> SourceBatch:
    return SourceBatch(
        events=reading.rows.table(),
        identities=tuple(reading.identities.values()),
        rejections=tuple(reading.rows.rejections),
        ignored=dict(reading.ignored),
    )


def _take(item: Item, reading: _Reading) -> None:
    if item.body is None:
        _origin_reject(item, reading, Refusal(reason="unreadable", message=item.problem))
        return
    kind = item.body.get("resourceType")
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        if isinstance(kind, str):
            reading.ignored[kind] += 1
        else:
            _origin_reject(
                item, reading, Refusal(reason="invalid", message="JSON without a resourceType: no FHIR resource")
            )
        return
    try:
        outcomes = _outcomes(item.body, reader, reading)
    except _DOUBT as error:
        outcomes = [_verdict(item.body, error)]
    origin = _origin(item, reading)
    for outcome in outcomes:
        if isinstance(outcome, Refusal):
            reading.rows.reject(origin, outcome.reason, outcome.message)
        elif isinstance(outcome, Ignored):
            reading.ignored[outcome.kind] += 1
        else:
            reading.rows.add(outcome, origin)


def _outcomes(body: Json, reader: Reader, reading: _Reading) -> list[Outcome]:
    """Everything one resource says, read to its end before any of it is kept."""
    reference = _reference(body)
    if reference is None:
        return [Refusal(reason="no-subject", message=f"{body['resourceType']} about no Patient")]
    identity = _identity(reference, reading)
    if identity is None:
        message = f"{body['resourceType']} refers to a Patient that its folder does not declare: send the Patient too"
        return [Refusal(reason="unknown-subject", message=message)]
    frame = Frame(
        context=reading.context,
        folder=reading.folder,
        key=f"{body['resourceType']}/{body['id']}",
        subject_id=identity.subject_id,
        reference=reference,
        meta=body.get("meta") or {},
    )
    return list(reader(body, frame))


def _reference(body: Json) -> str | None:
    if body["resourceType"] == "Patient":
        return str(body["id"])
    subject = body.get("subject") or body.get("patient") or {}
    reference = subject.get("reference")
    if reference is None or not (reference.startswith("urn:uuid:") or "Patient/" in reference):
        return None
    return plain_id(reference)


def _identity(reference: str, reading: _Reading) -> Identity | None:
    """Who is meant; None for a subject that the source, which declares its subjects, does not declare."""
    if reference in reading.identities:
        return reading.identities[reference]
    context, patients = reading.context, reading.folder.patients
    identifier = patients.get(reference) or context.aliases.get(reference) or (None if patients else reference)
    if identifier is None or (context.subjects is not None and identifier not in context.subjects):
        return None
    subject = context.subject(identifier)
    identity = Identity(subject_id=subject, namespace=context.namespace, identifier=identifier)
    reading.identities[reference] = identity
    if reference != identifier:  # later files may refer to the patient without declaring it again
        alias = Identity(subject_id=subject, namespace=context.alias_namespace, identifier=reference)
        reading.identities[f"{reference} "] = alias
    return identity


def _verdict(body: Json, error: Exception) -> Refusal:
    """What the full validator says of a resource that the fast path could not take. Names places, never values."""
    from fhir.resources.R4B import get_fhir_model_class
    from pydantic import ValidationError

    try:
        get_fhir_model_class(body["resourceType"]).model_validate(body)
    except ValidationError as problem:
        places = sorted({".".join(str(part) for part in entry["loc"]) or "resource" for entry in problem.errors()})
        return Refusal(reason="invalid", message=f"{body['resourceType']} breaks FHIR R4 at {', '.join(places[:5])}")
    except (KeyError, TypeError, ValueError):
        return Refusal(reason="invalid", message=f"{body['resourceType']} cannot be validated as FHIR R4")
    return Refusal(
        reason="invalid",
        message=f"{body['resourceType']} of a shape this reader does not take ({type(error).__name__})",
    )


def _origin(item: Item, reading: _Reading) -> Origin:
    return Origin(source=SOURCE, file=reading.file, record=item.record, original=item.original)


def _origin_reject(item: Item, reading: _Reading, refusal: Refusal) -> None:
    reading.rows.reject(_origin(item, reading), refusal.reason, refusal.message)
