"""What every segment is read with: whose it is, in which clock its times lie, and since when it could be known."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import tzinfo

from clinical_jepa.records.batch import Retraction
from clinical_jepa.sources.availability import availability
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.hl7v2.message import Message, Segment, damaged
from clinical_jepa.sources.hl7v2.times import instant, offset
from clinical_jepa.sources.rows import Fact

# CX-5 of numbers that are no patient's identifier: accounts, visits, insurance, passports, licences, social security
_OTHER = {"AN", "VN", "SS", "DL", "PPN", "MA", "MC", "PT", "NI", "HC", "SN", "XX"}


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Something that becomes a ``Rejection``; ``place`` is its segment (``OBX 2``), or nothing for the message."""

    reason: str
    message: str
    place: str = ""


@dataclass(frozen=True, kw_only=True)
class Ignored:
    """Something that is no fact of this system: counted by ``kind``."""

    kind: str


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A fact, whose it is by its source's identifier, and the segment it came from."""

    fact: Fact
    who: str
    place: str = ""


@dataclass(frozen=True, kw_only=True)
class Link:
    """Two identifiers of one person: from then on all of ``absorbed`` is ``survivor``'s, or (not ``active``) no longer."""

    absorbed: str
    survivor: str
    active: bool
    time: int
    available: tuple[int, str]


Outcome = Placed | Refusal | Ignored | Link | Retraction


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Around one message. ``reported`` is MSH-7 as an instant."""

    context: ReadContext
    message: Message
    zone: tzinfo
    reported: int | None

    def instant(self, text: str) -> int | None:
        """A time of this message; ``ValueError`` for what is none."""
        return instant(text, self.zone)

    def known(self, time: int, *, kind: str, reported: int | None = None) -> tuple[int, str]:
        """``(available_time, basis)``: the later of the message's time and the order's own reporting time, where known."""
        told = [one for one in (self.reported, reported) if one is not None]
        return availability(time, reported=max(told) if told else None, delay=self.context.delays[kind])


def frame(message: Message, context: ReadContext) -> Frame:
    """``ValueError`` where MSH-7 is no time. Its offset, where it has one, is that of every time of the message."""
    told = re.sub(r"\s", "", message.header.field(7).split(message.header.separators[0])[0])
    told = "" if told == '""' else told
    zone = offset(told) or context.zone
    return Frame(context=context, message=message, zone=zone, reported=instant(told, zone, late=True))


def identifier(segment: Segment, field: int = 3) -> str:
    """The patient's identifier in PID-3 (or MRG-1): the first typed ``MR``, else the first that is a patient's own.

    The old PID-2 is taken where PID-3 holds none; account, visit, insurance and social security numbers never are.
    """
    found = [
        (segment.text(field, repetition=number), segment.text(field, 5, repetition=number).upper())
        for number in range(1, segment.repetitions(field) + 1)
    ]
    own = [(name, kind) for name, kind in found if name and kind not in _OTHER and not damaged(name)]
    for name, kind in own:
        if kind == "MR":
            return name
    if own:
        return own[0][0]
    old = segment.text(2) if segment.name == "PID" and segment.text(2, 5).upper() not in _OTHER else ""
    return "" if damaged(old) else old
