"""ADT: who is here, since when, in which bed, until when; and the events that take such a thing back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from clinical_jepa.records.events import RETRACTED
from clinical_jepa.sources.hl7v2.frame import Frame, Ignored, Outcome, Placed, Refusal, identifier
from clinical_jepa.sources.hl7v2.message import Segment
from clinical_jepa.sources.hl7v2.times import day_start
from clinical_jepa.sources.rows import Fact

# PV1-2 (table 0004) in the words of FHIR's encounter classes, so that both sources name a stay alike
_CLASSES = {"I": "IMP", "B": "IMP", "E": "EMER", "O": "AMB", "R": "AMB", "P": "PRENC"}
_OUTSIDE = ("AMB", "PRENC")  # a visit, not a stay in the house
_GENDERS = {"F": "GENDER//F", "FEMALE": "GENDER//F", "M": "GENDER//M", "MALE": "GENDER//M"}
_TELLS_PERSON = ("A01", "A04", "A05", "A08", "A28", "A31")


@dataclass(frozen=True, kw_only=True)
class _Stay:
    """The segments of an ADT message, empty ones where it has none."""

    frame: Frame
    who: str
    subject: int
    event: str
    person: Segment
    visit: Segment | None
    happened: int | None  # EVN-6, else EVN-2

    def visit_text(self, field: int, component: int = 1) -> str:
        """A field of PV1."""
        return "" if self.visit is None else self.visit.text(field, component)

    @property
    def number(self) -> str:
        """The visit's number, else the account's; nothing where neither is given."""
        return self.visit_text(19) or self.person.text(18)

    @property
    def key(self) -> str:
        """What names the stay across messages; without a number, its admission time."""
        return f"ADT/{self.subject}/{self.number or '@' + (self.visit_text(44) or str(self.happened))}"

    @property
    def place(self) -> str:
        """Point of care, room, bed."""
        return " ".join(part for part in (self.visit_text(3, n) for n in (1, 2, 3)) if part)

    @property
    def kind(self) -> str:
        """The class of the encounter."""
        return _CLASSES.get(self.visit_text(2).upper(), "UNKNOWN")

    def row(self, code: str, part: str, time: int | None, *, text: str | None = None, status: str = "final") -> Outcome:
        """A fact of this stay; a refusal where nothing says when it was."""
        if time is None:
            message = f"ADT^{self.event} says no time for {code.partition('//')[0]} (PV1-44, PV1-45, EVN-6, EVN-2)"
            return Refusal(reason="no-time", message=message)
        available, basis = self.frame.known(time, kind="stay")
        fact = Fact(
            key=self.key + part,
            subject_id=self.subject,
            code=code,
            time=time,
            available_time=available,
            available_basis=basis,
            text=None if status in RETRACTED else text,
            encounter_id=self.number or None,
            status=status,
        )
        return Placed(fact=fact, who=self.who)


def facts(frame: Frame) -> Iterator[Outcome]:
    """What one ADT message says. ``ValueError`` for a time that is none."""
    event = frame.message.kind[1]
    person, name = frame.message.first("PID"), patient(frame)
    if person is None or not name:
        yield Refusal(reason="no-subject", message=f"ADT^{event} without a patient identifier (PID-3)")
        return
    stay = _Stay(
        frame=frame,
        who=name,
        subject=frame.context.subject(name),
        event=event,
        person=person,
        visit=frame.message.first("PV1"),
        happened=_happened(frame),
    )
    reader = _EVENTS.get(event)
    if event in _TELLS_PERSON:
        yield from _person(stay)
    if reader is not None:
        yield from reader(stay)
    elif event not in _TELLS_PERSON:
        yield Ignored(kind=f"ADT^{event}")


def patient(frame: Frame) -> str:
    """The identifier of the message's patient, or nothing."""
    person = frame.message.first("PID")
    return "" if person is None else identifier(person)


def _happened(frame: Frame) -> int | None:
    event = frame.message.first("EVN")
    return None if event is None else frame.instant(event.text(6) or event.text(2))


def _admitted(stay: _Stay) -> Iterator[Outcome]:
    """A01, A04: a stay in the house with its first bed, or a visit."""
    time = stay.frame.instant(stay.visit_text(44))
    yield from _arrival(stay, stay.happened if time is None else time)


def _inpatient(stay: _Stay) -> Iterator[Outcome]:
    """A06: who was here for a visit stays; PV1-44 may still be the visit's."""
    time = stay.happened
    yield from _arrival(stay, stay.frame.instant(stay.visit_text(44)) if time is None else time)


def _arrival(stay: _Stay, time: int | None) -> Iterator[Outcome]:
    if stay.kind in _OUTSIDE:
        yield stay.row(f"VISIT//{stay.kind}", "#visit", time)
        return
    yield stay.row(f"HOSPITAL_ADMISSION//{stay.kind}", "#admission", time)
    if stay.place:
        yield stay.row("TRANSFER_TO", "#bed#admission", time, text=stay.place)


def _updated(stay: _Stay) -> Iterator[Outcome]:
    """A08: mends an admission that it names by its time; a bed is not moved by it."""
    time = stay.frame.instant(stay.visit_text(44))
    if time is None or not stay.number:
        yield Ignored(kind="ADT^A08 without an admission")
    elif stay.kind in _OUTSIDE:
        yield stay.row(f"VISIT//{stay.kind}", "#visit", time, status="amended")
    else:
        yield stay.row(f"HOSPITAL_ADMISSION//{stay.kind}", "#admission", time, status="amended")


def _moved(stay: _Stay) -> Iterator[Outcome]:
    if not stay.place:
        yield Refusal(reason="invalid", message="ADT^A02 without a place to go to (PV1-3)")
        return
    yield stay.row("TRANSFER_TO", f"#bed#{stay.happened}", stay.happened, text=stay.place)


def _not_moved(stay: _Stay) -> Iterator[Outcome]:
    """A12: takes back the transfer whose time it gives (EVN-6); without that, the patient is in PV1-3 from now on."""
    event = stay.frame.message.first("EVN")
    if event is not None and event.text(6):
        yield stay.row("TRANSFER_TO", f"#bed#{stay.happened}", stay.happened, status="cancelled")
    elif stay.place:
        yield stay.row("TRANSFER_TO", f"#bed#{stay.happened}", stay.happened, text=stay.place)
    else:
        yield Refusal(reason="invalid", message="ADT^A12 says neither which transfer (EVN-6) nor which place (PV1-3)")


def _discharged(stay: _Stay) -> Iterator[Outcome]:
    time = stay.frame.instant(stay.visit_text(45))
    to = stay.visit_text(36).replace("/", "-") or "UNKNOWN"
    yield stay.row(f"HOSPITAL_DISCHARGE//{to}", "#discharge", stay.happened if time is None else time)


def _outpatient(stay: _Stay) -> Iterator[Outcome]:
    """A07: the stay ends, a visit goes on."""
    yield stay.row("HOSPITAL_DISCHARGE//OUTPATIENT", "#discharge", stay.happened)
    yield stay.row("VISIT//AMB", "#visit", stay.happened)


def _not_admitted(stay: _Stay) -> Iterator[Outcome]:
    time = stay.frame.instant(stay.visit_text(44))
    time = stay.happened if time is None else time
    if stay.kind in _OUTSIDE:
        yield stay.row(f"VISIT//{stay.kind}", "#visit", time, status="cancelled")
        return
    yield stay.row(f"HOSPITAL_ADMISSION//{stay.kind}", "#admission", time, status="cancelled")
    yield stay.row("TRANSFER_TO", "#bed#admission", time, status="cancelled")


def _not_discharged(stay: _Stay) -> Iterator[Outcome]:
    yield stay.row("HOSPITAL_DISCHARGE//UNKNOWN", "#discharge", stay.happened, status="cancelled")


def _person(stay: _Stay) -> Iterator[Outcome]:
    """Sex, birth and death: known since this message told of them."""
    since = stay.happened if stay.frame.reported is None else stay.frame.reported
    if since is None:
        yield Refusal(reason="no-time", message=f"ADT^{stay.event}: neither MSH-7 nor EVN says since when it is known")
        return
    known = (since, "assumed" if stay.frame.reported is None else "issued")
    code = _GENDERS.get(stay.person.text(8).upper())
    if code is not None:
        yield _of_person(stay, "#gender", code, None, known)
    try:
        born = day_start(stay.person.text(7), stay.frame.context.zone)
        died = stay.frame.instant(stay.person.text(29))
    except (ValueError, OverflowError):
        yield Refusal(reason="invalid", message="PID-7 or PID-29 is no HL7 time", place="PID")
        return
    if born is not None:
        yield _of_person(stay, "#birth", "MEDS_BIRTH", born, known)
    if died is not None:
        yield _of_person(stay, "#death", "MEDS_DEATH", died, stay.frame.known(died, kind="stay"))


def _of_person(stay: _Stay, part: str, code: str, time: int | None, known: tuple[int, str]) -> Outcome:
    fact = Fact(
        key=f"ADT/{stay.subject}{part}",
        subject_id=stay.subject,
        code=code,
        time=time,
        available_time=known[0],
        available_basis=known[1],
    )
    return Placed(fact=fact, who=stay.who)


_EVENTS: dict[str, Callable[[_Stay], Iterator[Outcome]]] = {
    "A01": _admitted,
    "A02": _moved,
    "A03": _discharged,
    "A04": _admitted,
    "A06": _inpatient,
    "A07": _outpatient,
    "A08": _updated,
    "A11": _not_admitted,
    "A12": _not_moved,
    "A13": _not_discharged,
}
