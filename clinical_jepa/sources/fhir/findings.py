"""FHIR Conditions and ImagingStudies: that something was found, or a picture taken."""

from __future__ import annotations

from collections.abc import Iterator

from clinical_jepa.records.events import RETRACTED
from clinical_jepa.sources.fhir.files import Json
from clinical_jepa.sources.fhir.frame import Frame, Outcome, Refusal, encounter_of
from clinical_jepa.sources.fhir.mapping import code_of, label_of
from clinical_jepa.sources.rows import Fact

_WITHDRAWN = {"refuted": "cancelled", "entered-in-error": "entered-in-error"}
_STUDY = {
    "registered": "preliminary",
    "available": "final",
    "cancelled": "cancelled",
    "entered-in-error": "entered-in-error",
    "unknown": "final",
}
_UNENDED = (
    "a discharge diagnosis, or one that nobody dated, of a stay of which no end is known: "
    "it is read again once an Encounter file beside it has the end"
)
_UNCLEAR = "it may be a discharge diagnosis: an Encounter of its patient has diagnoses of a shape that cannot be read"


def condition(body: Json, frame: Frame) -> Iterator[Outcome]:
    """One row: true since its onset, known when recorded; where that is not said, when its encounter ended.

    What an encounter names as a discharge diagnosis is not known before that encounter ended, whatever was recorded; it is
    refused while there is no end.
    """
    status = _condition_status(body, frame)
    code = code_of(body.get("code", {}))
    if isinstance(code, Refusal):
        yield code
        return
    recorded = body.get("recordedDate")
    onset = body.get("onsetDateTime") or (body.get("onsetPeriod") or {}).get("start") or recorded
    if onset is None:
        yield Refusal(reason="no-time", message="a Condition with neither onset nor recordedDate")
        return
    ends = frame.folder.stays.awaited(frame.key.partition("/")[2], encounter_of(body), dated=recorded is not None)
    unended = None in ends or frame.folder.stays.unclear(frame.reference)
    if unended and status not in RETRACTED:  # that it was taken back tells nothing of what will be found
        yield Refusal(reason="no-time", message=_UNCLEAR if None not in ends else _UNENDED)
        return
    time = frame.instant(onset)
    available, basis = frame.known(time, status=status, reported=recorded, kind="diagnosis")
    yield Fact(
        key=frame.key,
        subject_id=frame.subject_id,
        code=f"CONDITION//{code}",
        time=time,
        available_time=max([available, *(end for end in ends if end is not None)]),
        available_basis=basis,
        text=label_of(body["code"]),
        encounter_id=encounter_of(body),
        status=status,
        record=frame.key,
        after=frame.after,
    )


def imaging_study(body: Json, frame: Frame) -> Iterator[Outcome]:
    """One row saying that a study was made; its pictures come as DICOM."""
    status = _STUDY[body["status"]]
    if "started" not in body:
        yield Refusal(reason="no-time", message="an ImagingStudy without started")
        return
    series = body.get("series") or [{}]
    modality = (series[0].get("modality") or (body.get("modality") or [{}])[0]).get("code", "UNKNOWN")
    time = frame.instant(body["started"])
    available, basis = frame.known(time, status=status, kind="image")
    yield Fact(
        key=frame.key,
        subject_id=frame.subject_id,
        code=f"IMAGING_STUDY//{modality}",
        time=time,
        available_time=available,
        available_basis=basis,
        encounter_id=encounter_of(body),
        status=status,
        record=frame.key,
    )


def _condition_status(body: Json, frame: Frame) -> str:
    for coding in (body.get("verificationStatus") or {}).get("coding", ()):
        if coding.get("code") in _WITHDRAWN:
            return _WITHDRAWN[coding["code"]]
    return "amended" if frame.revised else "final"
