"""What an HL7 sender is answered: the original mode's AA, AE, AR, or what MSH-15 and MSH-16 ask for (enhanced mode)."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Literal

from clinical_jepa.sources.hl7v2.header import Header

# A: it lies durable in the spool. E: it could not be kept now, send it again. R: it can never be taken as it is.
Verdict = Literal["A", "E", "R"]


def replies(head: Header | None, content: bytes, verdict: Verdict, when: datetime, text: str = "") -> list[bytes]:
    """The acknowledgements that the message asks for, in order: none, one, or (enhanced mode, both wanted) two.

    The same arguments give the same bytes: a message that comes again is answered as it was the first time.
    """
    if head is None:
        return [_acknowledgement(None, content, f"A{verdict}", when, text)]
    accept, application = head.field(15).upper(), head.field(16).upper()
    if not accept and not application:
        return [_acknowledgement(head, content, f"A{verdict}", when, text)]
    wanted = [level for level, wish in (("C", accept), ("A", application)) if _wanted(wish, verdict)]
    return [_acknowledgement(head, content, f"{level}{verdict}", when, text) for level in wanted]


def _wanted(wish: str, verdict: Verdict) -> bool:
    match wish:
        case "" | "NE":
            return False
        case "ER":
            return verdict != "A"
        case "SU":
            return verdict == "A"
        case _:
            return True


def _acknowledgement(head: Header | None, content: bytes, code: str, when: datetime, text: str) -> bytes:
    separator, others = ("|", "^~\\&") if head is None else (head.field_separator, head.separators)
    asked = ["" if head is None else head.field(number) for number in range(21)]
    event = asked[9].split(others[0])[1:2]
    kind = others[0].join(("ACK", event[0], "ACK")) if event and event[0] else "ACK"
    number = hashlib.blake2b(code.encode() + content, digest_size=10).hexdigest()
    moment = when.strftime("%Y%m%d%H%M%S%z")
    fields = (
        others,
        asked[5],
        asked[6],
        asked[3],
        asked[4],
        moment,
        "",
        kind,
        number,
        asked[11] or "P",
        asked[12] or "2.5",
    )
    segments = (separator.join(("MSH", *fields)), separator.join(("MSA", code, asked[10], text)).rstrip(separator))
    return "".join(f"{one}\r" for one in segments).encode("latin-1", errors="replace")
