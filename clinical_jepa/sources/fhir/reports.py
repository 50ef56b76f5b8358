"""FHIR DiagnosticReports, Procedures, DocumentReferences, Devices and Flags: that there is one, of what kind, since when.

What a report, a document or a device says is in Observations; texts and attachments are not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from clinical_jepa.sources.fhir.files import Json
from clinical_jepa.sources.fhir.frame import Frame, Ignored, Outcome, Refusal, encounter_of
from clinical_jepa.sources.fhir.mapping import code_of, label_of
from clinical_jepa.sources.rows import Fact

# None: nothing yet
_REPORT: Mapping[str, str | None] = {
    "registered": None,
    "partial": "preliminary",
    "preliminary": "preliminary",
    "modified": "preliminary",  # R5: of a preliminary one
    "final": "final",
    "amended": "amended",
    "corrected": "corrected",
    "appended": "amended",
    "cancelled": "cancelled",
    "entered-in-error": "entered-in-error",
    "unknown": "preliminary",
}
_PROCEDURE: Mapping[str, str | None] = {
    "preparation": None,
    "in-progress": "preliminary",
    "on-hold": "preliminary",
    "not-done": "cancelled",
    "stopped": "final",
    "completed": "final",
    "entered-in-error": "entered-in-error",
    "unknown": "preliminary",
}
_DOCUMENT: Mapping[str, str | None] = {
    "current": "final",
    "superseded": "cancelled",
    "entered-in-error": "entered-in-error",
}
_PRESENT: Mapping[str, str | None] = {"active": "final", "inactive": "final", "entered-in-error": "entered-in-error"}
_DEVICE: Mapping[str, str | None] = {**_PRESENT, "unknown": "preliminary"}
_UNDER_WAY = ("in-progress", "on-hold")


def report(body: Json, frame: Frame) -> Iterator[Outcome]:
    """One DIAGNOSTIC_REPORT row; its results are Observations of their own."""
    period = body.get("effectivePeriod") or {}
    moment = body.get("effectiveDateTime") or period.get("end") or period.get("start") or body.get("issued")
    yield _row("DIAGNOSTIC_REPORT", _REPORT, (body.get("code"), moment, body.get("issued"), "lab"), body, frame)


def procedure(body: Json, frame: Frame) -> Iterator[Outcome]:
    """One PROCEDURE row: at its end once it is over, at its start while it goes on."""
    period = body.get("performedPeriod") or {}
    first, last = ("start", "end") if body["status"] in _UNDER_WAY else ("end", "start")
    moment = body.get("performedDateTime") or period.get(first) or period.get(last)
    yield _row("PROCEDURE", _PROCEDURE, (body.get("code"), moment, None, "treatment"), body, frame)


def document(body: Json, frame: Frame) -> Iterator[Outcome]:
    """One DOCUMENT row: its kind, and when it was registered; nothing of what it says."""
    context = body.get("context") or {}
    within = {"encounter": next(iter(context.get("encounter", ())), None)}
    yield _row(
        "DOCUMENT", _DOCUMENT, (body.get("type"), body.get("date"), body.get("date"), None), within | body, frame
    )


def flag(body: Json, frame: Frame) -> Iterator[Outcome]:
    """A FLAG row since its start, and one at its end."""
    period = body.get("period") or {}
    yield _row("FLAG", _PRESENT, (body.get("code"), period.get("start"), None, None), body, frame)
    if "end" in period and body["status"] == "inactive":
        yield _row("FLAG_ENDED", _PRESENT, (body.get("code"), period["end"], None, None), body, frame, "#end")


def device(body: Json, frame: Frame) -> Iterator[Outcome]:
    """A DEVICE row where the site vouches for the time of its registration; a Device has no other."""
    if frame.updated("final", None) is None or "type" not in body:
        yield Ignored(kind="Device without a time or a type")
        return
    concept = body["type"] if isinstance(body["type"], dict) else body["type"][0]  # a list in R5
    status = {"status": body.get("status", "active")}
    yield _row("DEVICE", _DEVICE, (concept, frame.meta["lastUpdated"], None, None), body | status, frame)


def _row(
    prefix: str,
    states: Mapping[str, str | None],
    what: tuple[Json | None, str | None, str | None, str | None],  # concept, time, reporting time, kind of delay
    body: Json,
    frame: Frame,
    part: str = "",
) -> Outcome:
    concept, moment, reported, kind = what
    name = body["resourceType"]
    status = states[body["status"]]
    if status is None:
        return Ignored(kind=f"{name} {body['status']}")
    code = code_of(concept or {})
    if isinstance(code, Refusal):
        return code
    if moment is None:
        return Refusal(reason="no-time", message=f"{name}: nothing says when")
    if status == "final" and frame.revised and name == "DiagnosticReport":
        status = "amended"
    time = frame.instant(moment)
    available, basis = frame.known(time, status=status, reported=reported, kind=kind)
    return Fact(
        key=frame.key + part,
        subject_id=frame.subject_id,
        code=f"{prefix}//{code}",
        time=time,
        available_time=available,
        available_basis=basis,
        text=label_of(concept or {}),
        encounter_id=encounter_of({**body, "context": body.get("encounter")}),
        status=status,
        record=frame.key,
        after=frame.after if name == "DiagnosticReport" else 0,  # the others are edited as they go on
    )
