"""FHIR MedicationRequests, ServiceRequests and MedicationStatements: what is wanted, and what a patient is said to take.

An order may be known long before its time. It says that something was asked for, never that it was done.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clinical_jepa.sources.fhir.files import Json
from clinical_jepa.sources.fhir.frame import Frame, Ignored, Outcome, Refusal, encounter_of
from clinical_jepa.sources.fhir.mapping import code_of, label_of
from clinical_jepa.sources.rows import Fact

# None: not in force, or not yet
_REQUEST = {
    "active": "final",
    "on-hold": "final",
    "completed": "final",
    "stopped": "final",  # MedicationRequest
    "ended": "final",  # MedicationRequest, R5
    "revoked": "cancelled",  # ServiceRequest
    "cancelled": "cancelled",
    "entered-in-error": "entered-in-error",
    "draft": None,
    "unknown": "preliminary",
}
_NOT_WANTED = ("proposal", "option")
_STATEMENT = {
    "active": "final",
    "completed": "final",
    "stopped": "final",
    "on-hold": "final",
    "recorded": "final",  # R5
    "draft": None,
    "unknown": "preliminary",
    "intended": None,
    "not-taken": "cancelled",
    "entered-in-error": "entered-in-error",
}


def request(body: Json, frame: Frame) -> Iterator[Outcome]:
    """One ORDER row: at the time for which it is ordered, known when it was written."""
    kind = body["resourceType"]
    status = _REQUEST[body["status"]]
    if status is None or body["intent"] in _NOT_WANTED or body.get("doNotPerform"):
        yield Ignored(kind=f"{kind} {'draft' if status is None else 'not wanted'}")
        return
    concept = body.get("code") if kind == "ServiceRequest" else body.get("medicationCodeableConcept")
    moment = _wanted_at(body) or body.get("authoredOn")
    yield _row("ORDER", concept, moment, body.get("authoredOn"), (body, frame, status))


def statement(body: Json, frame: Frame) -> Iterator[Outcome]:
    """One MEDICATION_STATEMENT row: since when it is taken, known when it was asserted."""
    status = _STATEMENT[body["status"]]
    if status is None:
        yield Ignored(kind=f"MedicationStatement {body['status']}")
        return
    asserted = body.get("dateAsserted")
    moment = body.get("effectiveDateTime") or (body.get("effectivePeriod") or {}).get("start") or asserted
    yield _row("MEDICATION_STATEMENT", body.get("medicationCodeableConcept"), moment, asserted, (body, frame, status))


def _wanted_at(body: Json) -> str | None:
    """When something ordered is to begin, as far as one instant says it."""
    if "occurrenceDateTime" in body:
        return str(body["occurrenceDateTime"])
    if "occurrencePeriod" in body:
        start = body["occurrencePeriod"].get("start")
        return None if start is None else str(start)
    for instruction in body.get("dosageInstruction", ()):
        bounds = ((instruction.get("timing") or {}).get("repeat") or {}).get("boundsPeriod") or {}
        if "start" in bounds:
            return str(bounds["start"])
    return None


def _row(
    prefix: str, concept: Any, moment: str | None, reported: str | None, about: tuple[Json, Frame, str]
) -> Outcome:
    body, frame, status = about
    if concept is None:
        return Refusal(
            reason="unmapped", message=f"{body['resourceType']}: what it is about is a reference, not a code"
        )
    code = code_of(concept)
    if isinstance(code, Refusal):
        return code
    if moment is None:
        return Refusal(reason="no-time", message=f"{body['resourceType']}: neither its time nor when it was written")
    time = frame.instant(moment)
    if prefix == "ORDER":
        available, basis = frame.planned(time, authored=reported, status=status)
    else:
        available, basis = frame.known(time, status=status, reported=reported, kind="treatment")
    return Fact(
        key=frame.key,
        subject_id=frame.subject_id,
        code=f"{prefix}//{code}",
        time=time,
        available_time=available,
        available_basis=basis,
        text=label_of(concept),
        encounter_id=encounter_of(body),
        status=status,
        record=frame.key,
    )
