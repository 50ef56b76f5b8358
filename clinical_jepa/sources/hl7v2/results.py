"""ORU and its kin: results. One row an OBX; what a later message says of the same result is a version of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from clinical_jepa.records.batch import Retraction
from clinical_jepa.records.events import RETRACTED, REVISING
from clinical_jepa.sources.hl7v2.frame import Frame, Ignored, Outcome, Placed, Refusal, identifier
from clinical_jepa.sources.hl7v2.mapping import STATUSES, code_of, named, untrusted
from clinical_jepa.sources.hl7v2.message import Segment
from clinical_jepa.sources.hl7v2.times import instant
from clinical_jepa.sources.hl7v2.values import Reading, reading
from clinical_jepa.sources.hl7v2.waves import Wave, listed, sampled, withdrawn
from clinical_jepa.sources.rows import Fact
from clinical_jepa.vocabulary.codes import by_code


@dataclass(kw_only=True)
class _Order:
    """What the segments before an OBX say about it: patient, visit, order. ``seen`` counts a group's repeated results."""

    subject: str = ""
    refused: bool = False  # it was said already that nobody knows whose these results are
    encounter: str | None = None
    common: Segment | None = None  # ORC
    request: Segment | None = None  # OBR
    seen: Counter[str] = field(default_factory=Counter)
    turns: dict[tuple[str, Reading], int] = field(default_factory=dict)

    def number(self) -> str:
        """The order's number: the filler's, else the placer's."""
        for part in (3, 2):
            for segment in (self.request, self.common):
                if segment is not None and segment.text(part):
                    return segment.text(part)
        return ""

    def text(self, part: int) -> str:
        """A field of OBR."""
        return "" if self.request is None else self.request.text(part)


def facts(frame: Frame) -> Iterator[Outcome | Wave]:
    """Every OBX in its order's context."""
    order, number = _Order(), 0
    segments = frame.message.segments
    for index, segment in enumerate(segments):
        match segment.name:
            case "PID":
                order = _Order(subject=identifier(segment), encounter=segment.text(18) or None)
            case "PV1":
                order.encounter = segment.text(19) or order.encounter
            case "ORC":
                order.common, order.request = segment, None
            case "OBR":
                order.request, order.seen, order.turns = segment, Counter(), {}
            case "OBX":
                number += 1
                if order.subject:
                    outcome = _result(segment, segments[index + 1 :], order, frame)
                    yield _placed(outcome, order.subject, f"OBX {number}")
                elif not order.refused:
                    order.refused = True
                    yield Refusal(reason="no-subject", message="results without a patient identifier (PID-3)")
    if not number:
        yield Ignored(kind=f"{frame.message.kind[0]} without a result")


def _placed(outcome: Fact | Wave | Retraction | Refusal | Ignored, who: str, place: str) -> Outcome | Wave:
    if isinstance(outcome, Fact):
        return Placed(fact=outcome, who=who, place=place)
    if isinstance(outcome, Refusal):
        return Refusal(reason=outcome.reason, message=outcome.message, place=place)
    return outcome


def _result(
    segment: Segment, after: Sequence[Segment], order: _Order, frame: Frame
) -> Fact | Wave | Retraction | Refusal | Ignored:
    if any(segment.text(8, repetition=n).upper() == "DEMO" for n in range(1, segment.repetitions(8) + 1)):
        return Ignored(kind="OBX demo value")
    if _describes(segment):
        return Ignored(kind="OBX of a device or its attributes (MDC)")
    status = _status(segment, frame)
    if not isinstance(status, str):
        return status
    codings = [(segment.text(3, part), segment.text(3, part + 2)) for part in (1, 4)]
    code = code_of(codings)
    if code is None:
        return Refusal(reason="unmapped", message=untrusted(codings))
    times = _times(segment, order, frame, code)
    if isinstance(times, Refusal):
        return times
    time, reported = times
    if segment.text(2).upper() == "NA" or (status in RETRACTED and listed(segment)):  # OBX-2 may be empty then
        return _wave(segment, after, order, frame, (status, times))
    found = _said(segment, code, status)
    if not isinstance(found, tuple):
        return found
    status, said = found
    available, basis = frame.known(time, kind=_kind(code), reported=reported)
    return Fact(
        key=_key(segment, order, frame, time, said),
        subject_id=frame.context.subject(order.subject),
        code=code,
        time=time,
        available_time=available,
        available_basis=basis,
        value=said[0],
        unit=said[1],
        text=said[2],
        encounter_id=order.encounter,
        status=status,
    )


def _times(segment: Segment, order: _Order, frame: Frame, code: str) -> tuple[int, int | None] | Refusal:
    """When it was true, and when its order was reported, where it says so."""
    try:
        time = frame.instant(segment.text(14) or order.text(7))
        reported = instant(order.text(22), frame.zone, late=True)
    except (ValueError, OverflowError):
        return Refusal(reason="invalid", message=f"{named(code)}: OBX-14, OBR-7 or OBR-22 is no HL7 time")
    if time is None:
        message = f"{named(code)}: no observation time (OBX-14, OBR-7); the time of the message is not its time"
        return Refusal(reason="no-time", message=message)
    return time, reported


def _wave(
    segment: Segment, after: Sequence[Segment], order: _Order, frame: Frame, said: tuple[str, tuple[int, int | None]]
) -> Wave | Retraction | Refusal | Ignored:
    """A waveform, or that one is withdrawn: cancelled, wrong, or corrected to no samples at all."""
    status, times = said
    content = segment.words(5)
    key = _key(segment, order, frame, times[0], (None, None, content))
    if status in RETRACTED or (status in REVISING and not content):
        if frame.reported is None and times[1] is None:
            return Refusal(
                reason="no-time", message="a waveform is withdrawn, and neither MSH-7 nor OBR-22 says since when"
            )
        return withdrawn(key, frame, times)
    found = sampled(segment, after)
    if isinstance(found, Ignored):
        return found
    channel, rate, samples = found
    return Wave(
        who=order.subject,
        key=key,
        status=status,
        frame=frame,
        channel=channel,
        time=times[0],
        reported=times[1],
        rate_hz=rate,
        samples=samples,
    )


def _describes(segment: Segment) -> bool:
    """Says which device measures, or how: IHE's gateways send that as OBX too (partition 1 of MDC, and attributes)."""
    code, system = segment.text(3), segment.text(3, 3)
    if segment.text(3, 2).startswith("MDC_ATTR_"):
        return True
    return system == "MDC" and code.isascii() and code.isdigit() and int(code[:9]) >> 16 == 1


def _status(segment: Segment, frame: Frame) -> str | Refusal | Ignored:
    letter = segment.text(11).upper()
    declared = frame.context.hl7_statuses.get(letter or "none")
    if declared is not None:
        return declared
    if letter not in STATUSES:
        what = "empty" if not letter else "a state without an official meaning"
        message = f"OBX-11 is {what}; if it has one at this site, declare it (hl7.statuses in the configuration)"
        return Refusal(reason="invalid", message=message)
    return STATUSES[letter] or Ignored(kind="OBX not asked")


def _said(segment: Segment, code: str, status: str) -> tuple[str, Reading] | Refusal | Ignored:
    """State and content. A retraction needs no content; a correction that takes the value away is one."""
    if status in RETRACTED:
        return status, (None, None, None)
    found = reading(segment, code)
    if found is None and status in REVISING:
        return "cancelled", (None, None, None)
    if found is None:
        return Ignored(kind="OBX without a value")
    return (status, found) if isinstance(found, tuple) else found


def _key(segment: Segment, order: _Order, frame: Frame, time: int, said: Reading) -> str:
    """What names the result across messages: its own identifier (OBX-21), else order, code, sub-id and time.

    Results that one order gives alike (lines of a report) are told apart by their turn.
    """
    own = segment.text(21)
    device = (
        segment.text(3, 3) == "MDC"
    )  # gateways number their messages there, and send a cuff pressure again and again
    parts = (frame.context.subject(order.subject), segment.text(18) if device else order.number())
    if own:
        return f"OBX/{parts[0]}//{own}"
    key = f"OBX/{parts[0]}/{parts[1]}/{segment.text(3)}^{segment.text(3, 3)}/{segment.text(4)}/{time}"
    if (key, said) not in order.turns:
        order.seen[key] += 1
        order.turns[key, said] = order.seen[key]
    turn = order.turns[key, said]
    return key if turn == 1 else f"{key}#{turn}"


def _kind(code: str) -> str:
    known = by_code().get(code)
    if known is not None and known.kind in ("lab", "monitor"):
        return known.kind
    return "monitor" if code.startswith("MDC//") else "chart"
