"""ADT events that say that two identifiers are one person's, or that they are not."""

from __future__ import annotations

from collections.abc import Iterator

from clinical_jepa.sources.hl7v2.frame import Frame, Link, Outcome, Refusal, identifier
from clinical_jepa.sources.hl7v2.message import Segment

MERGES = ("A18", "A34", "A36", "A39", "A40", "A46", "A47")  # MRG-1 becomes PID-3
UNLINK = "A37"  # two PID segments that are two people


def facts(frame: Frame) -> Iterator[Outcome]:
    """A link for every pair of a merge; for an unlink one in either direction, undone. ``ValueError``: a time is none."""
    event = frame.message.kind[1]
    when = frame.message.first("EVN")
    happened = None if when is None else frame.instant(when.text(6) or when.text(2))
    time = frame.reported if happened is None else happened
    if time is None:
        yield Refusal(reason="no-time", message=f"ADT^{event} without a time (EVN-6, EVN-2, MSH-7)")
        return
    available = frame.known(time, kind="stay")
    count = 0
    for absorbed, survivor in _pairs(frame, event):
        count += 1
        if not absorbed or not survivor or absorbed == survivor:
            message = f"ADT^{event} needs two different identifiers (PID-3 and MRG-1, or two PID-3)"
            yield Refusal(reason="no-subject", message=message)
            continue
        yield Link(absorbed=absorbed, survivor=survivor, active=event != UNLINK, time=time, available=available)
    if not count:
        yield Refusal(reason="no-subject", message=f"ADT^{event} names no two patients")


def _pairs(frame: Frame, event: str) -> Iterator[tuple[str, str]]:
    people: list[Segment] = []
    for segment in frame.message.segments:
        if segment.name == "PID":
            people.append(segment)
        elif segment.name == "MRG" and event != UNLINK and people:
            yield identifier(segment, 1), identifier(people[-1])
    if event == UNLINK and len(people) == 2:
        one, other = (identifier(person) for person in people)
        yield from ((one, other), (other, one))
