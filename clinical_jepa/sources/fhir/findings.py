"""FHIR Conditions and ImagingStudies: that something was found, or a picture taken."""

from __future__ import annotations

from collections.abc import Iterator

from clinical_jepa.sources.fhir.files import Json
from clinical_jepa.sources.fhir.frame import Frame, Outcome, Refusal, encounter_of
from clinical_jepa.sources.fhir.mapping import code_of, label_of
from clinical_jepa.sources.rows import Fact

_WITHDRAWN = {"refuted": "cancelled", "entered-in-error": "entered-in-error"}


def condition(body: Json, frame: Frame) -> Iterator[Outcome]:
    """One row: true since its onset, known when recorded; where that is not said, when its encounter ended."""
    code = code_of(body["code"])
    if isinstance(code, Refusal):
        yield code
        return
    recorded = body.get("recordedDate")
    onset = body.get("onsetDateTime") or (body.get("onsetPeriod") or {}).get("start") or recorded
    if onset is None:
        yield Refusal(reason="no-time", message="a Condition with neither onset nor recordedDate")
        return
    status = _condition_status(body, frame)
    time = frame.instant(onset)
    available, basis = frame.known(time, status=status, reported=recorded, kind="diagnosis")
    ended = frame.folder.ends.get(encounter_of(body) or "")
    if recorded is None and ended is not None and ended > available:
        available = ended
    yield Fact(
        key=frame.key,
        subject_id=frame.subject_id,
        code=f"CONDITION//{code}",
        time=time,
        available_time=available,
        available_basis=basis,
        text=label_of(body["code"]),
        encounter_id=encounter_of(body),
        status=status,
    )


def imaging_study(body: Json, frame: Frame) -> Iterator[Outcome]:
    """One row saying that a study was made; its pictures come as DICOM."""
    if "started" not in body:
        yield Refusal(reason="no-time", message="an ImagingStudy without started")
        return
    series = body.get("series") or [{}]
    modality = (series[0].get("modality") or (body.get("modality") or [{}])[0]).get("code", "UNKNOWN")
    status = {"cancelled": "cancelled", "entered-in-error": "entered-in-error"}.get(body["status"], "final")
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
    )


def _condition_status(body: Json, frame: Frame) -> str:
    for coding in (body.get("verificationStatus") or {}).get("coding", ()):
        if coding.get("code") in _WITHDRAWN:
            return _WITHDRAWN[coding["code"]]
    return "amended" if frame.revised else "final"
