"""The fast path: Observations of the ordinary shape, from their bytes to finished rows.

It takes what a monitor or a laboratory sends all day: first versions with an instant, a reporting time, and a UCUM number,
a coded word or a panel of them. Anything else, whatever the reason, it leaves to the careful path, which says what it is
and what is wrong with it. What both can take they take alike: same rows, same ids, same counts (a test holds them so).

An unknown element, or one that may change the meaning of the others, ends the fast path.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import msgspec
import pyarrow as pa
from msgspec import UNSET, Meta, Raw, UnsetType

from clinical_jepa.sources.columnar import events as columnar
from clinical_jepa.sources.columnar.events import content
from clinical_jepa.sources.fhir.files import NO_JSON
from clinical_jepa.sources.fhir.folder import plain_id
from clinical_jepa.sources.fhir.frame import SOURCE
from clinical_jepa.sources.fhir.mapping import chosen
from clinical_jepa.sources.fhir.observations import COUNTED, UCUM
from clinical_jepa.sources.fhir.people import People, referred
from clinical_jepa.sources.fhir.times import met, quick_instant
from clinical_jepa.sources.fhir.validation import LONGEST_ID
from clinical_jepa.vocabulary.codes import by_code
from clinical_jepa.vocabulary.tables import when_changed
from clinical_jepa.vocabulary.units import conversion

_MANY = 1 << 16  # different codings and references kept in memory
_NONE = Raw()


class _Loose(msgspec.Struct, gc=False):
    """Part of a resource of which only what stands here matters; the rest must be JSON, and is passed over."""


class _Exact(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """Part of a resource in which an element that does not stand here could change what the others mean."""


class _Coding(_Loose):
    code: str
    system: str = ""


class _Concept(_Loose):
    coding: list[_Coding]


class _Word(_Loose):
    code: str = ""
    display: str = ""


class _Words(_Loose):
    coding: list[_Word] | UnsetType = UNSET
    text: str = ""


class _Category(_Loose):
    coding: list[_Loose] | UnsetType = UNSET


class _Reference(_Loose):
    reference: str


class _Meta(_Loose):
    versionId: Literal["1"] = "1"


class _Narrative(_Loose):
    status: Raw
    div: Raw


class _Quantity(_Exact):
    value: float
    code: str
    system: str
    unit: str = ""


class _Component(_Exact):
    code: _Concept
    valueQuantity: _Quantity
    id: Raw = _NONE
    interpretation: list[_Loose] | UnsetType = UNSET
    referenceRange: list[_Loose] | UnsetType = UNSET


class _Observation(_Exact):
    """What an Observation of the ordinary shape has or may have."""

    resourceType: Literal["Observation"]
    id: Annotated[str, Meta(min_length=1, max_length=LONGEST_ID)]
    status: Literal["final", "preliminary"]
    code: _Concept
    subject: _Reference
    effectiveDateTime: str
    issued: str
    valueQuantity: _Quantity | UnsetType = UNSET
    valueCodeableConcept: _Words | UnsetType = UNSET
    valueString: str | UnsetType = UNSET
    component: list[_Component] | UnsetType = UNSET
    encounter: _Reference | UnsetType = UNSET
    meta: _Meta | UnsetType = UNSET
    text: _Narrative | UnsetType = UNSET
    category: list[_Category] | UnsetType = UNSET
    interpretation: list[_Loose] | UnsetType = UNSET
    referenceRange: list[_Loose] | UnsetType = UNSET
    identifier: Raw = _NONE
    basedOn: Raw = _NONE
    partOf: Raw = _NONE
    performer: Raw = _NONE
    note: Raw = _NONE
    bodySite: Raw = _NONE
    method: Raw = _NONE
    specimen: Raw = _NONE
    device: Raw = _NONE
    hasMember: Raw = _NONE
    derivedFrom: Raw = _NONE


_named = columnar.blank.copy()  # what the ids of all Observations begin with
_named.update(f"{SOURCE}\x1fObservation/".encode())
_decode = msgspec.json.Decoder(_Observation).decode
_DOUBT = (*NO_JSON, ValueError, OverflowError)

# code, canonical unit, factor, offset, low, high
_Plan = tuple[str, str, float, float, float, float]
# what a row says: fact_id, code, value, unit, words
_Said = tuple[str, str, float | None, str | None, str | None]

_COLUMNS = (
    *("subject_id", "time", "code", "numeric_value", "text_value", "available_time", "available_basis", "unit"),
    *("encounter_id", "event_id", "fact_id", "status", "record_id"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Flood:
    """Takes ordinary Observations into ``cells``, row after row; knows the subjects and encounters it met."""

    people: People
    ignored: Counter[str]
    cells: list[Any] = field(default_factory=list)
    subjects: dict[str, int | None] = field(default_factory=dict)
    encounters: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        """Rows taken so far."""
        return len(self.cells) // len(_COLUMNS)

    def table(self) -> pa.Table:
        """The rows as an EVENTS table."""
        width = len(_COLUMNS)
        columns = {name: self.cells[place::width] for place, name in enumerate(_COLUMNS)}
        return columnar.table({**columns, "source": SOURCE})

    def take(self, raws: Sequence[bytes]) -> list[int]:
        """Which of the resources are not of the ordinary shape: nothing of them was taken, of the others everything."""
        left: list[int] = []
        subjects, stays, extend, blank, named = (
            self.subjects,
            self.encounters,
            self.cells.extend,
            columnar.blank,
            _named,
        )
        for index, raw in enumerate(raws):
            try:
                one = _decode(raw if raw.isascii() else raw.decode().encode())  # what is passed over must be text too
                time, time_said = met.get(one.effectiveDateTime) or quick_instant(one.effectiveDateTime)
                known, known_said = met.get(one.issued) or quick_instant(one.issued)
            except _DOUBT:
                left.append(index)
                continue
            subject = subjects.get(one.subject.reference) or self._subject(one.subject.reference)
            if known < time:
                known, known_said = time, ""
            quantity, basis = one.valueQuantity, "issued" if known_said else "clamped"
            about = f"{subject}\x1f{time_said}", f"{one.status}\x1f{known_said or time_said}"
            if quantity is UNSET or one.component is not UNSET or _two(one) or not subject:
                if not subject or not self._take_other(one, (subject, time, known, basis), about):
                    left.append(index)
                continue
            codings = one.code.coding
            coding = codings[0] if len(codings) == 1 else None
            key = (coding.system, coding.code, quantity.system, quantity.code) if coding else None
            plan = _plans.get(key) or _plan(codings, quantity)
            if plan is None or not plan[4] <= (value := quantity.value * plan[2] + plan[3]) <= plan[5]:
                left.append(index)
                continue
            digest = named.copy()
            digest.update(one.id.encode())
            fact = digest.hexdigest()
            digest = blank.copy()
            digest.update(f"{fact}\x1f{about[0]}\x1f{plan[0]}\x1f{value}\x1f\x00\x1f{plan[1]}\x1f{about[1]}".encode())
            row, place = digest.hexdigest(), one.encounter
            stay = (stays.get(place.reference) or self._encounter(place.reference)) if place else None
            extend((subject, time, plan[0], value, None, known, basis, plan[1], stay, row, fact, one.status, fact))
            if one.interpretation is not UNSET or one.referenceRange is not UNSET:
                self._count(one, ())
        return left

    def _take_other(self, one: _Observation, when: tuple[int, int, int, str], about: tuple[str, str]) -> bool:
        """The words or the panel of an Observation; whether they are ordinary, and were taken."""
        subject, time, known, basis = when
        record = content(f"{SOURCE}\x1fObservation/{one.id}")
        rows = _said(one, record)
        stay = self._encounter(one.encounter.reference) if one.encounter else None
        for fact, code, value, unit, words in rows:
            read = f"\x00\x1f{words}\x1f\x00" if value is None else f"{value}\x1f\x00\x1f{unit}"
            row = content(f"{fact}\x1f{about[0]}\x1f{code}\x1f{read}\x1f{about[1]}")
            self.cells.extend(
                (subject, time, code, value, words, known, basis, unit, stay, row, fact, one.status, record)
            )
        if rows:
            self._count(one, one.component or ())
        return bool(rows)

    def _count(self, one: _Observation, components: Sequence[_Component]) -> None:
        for name in COUNTED:
            if getattr(one, name) or any(getattr(part, name) for part in components):
                self.ignored[f"Observation.{name}"] += 1

    def _subject(self, reference: str) -> int | None:
        if len(self.subjects) >= _MANY:
            self.subjects.clear()
        if reference not in self.subjects:
            name = referred(reference)
            self.subjects[reference] = None if name is None else self.people.subject(name)
        return self.subjects[reference]

    def _encounter(self, reference: str) -> str:
        if reference not in self.encounters:
            if len(self.encounters) >= _MANY:
                self.encounters.clear()
            self.encounters[reference] = plain_id(reference)
        return self.encounters[reference]


def _two(one: _Observation) -> bool:
    return one.valueCodeableConcept is not UNSET or one.valueString is not UNSET


def _said(one: _Observation, record: str) -> Sequence[_Said]:
    """What one Observation says, by exactly one of its elements; nothing where there is anything to doubt or to refuse."""
    concept, words = one.valueCodeableConcept, one.valueString
    if one.valueQuantity is not UNSET or (one.component and (concept or words is not UNSET)):
        return ()
    if one.component:
        return _panel(one, one.component)
    if concept and words is UNSET:
        first = concept.coding[0] if concept.coding else _Word()
        words = concept.text or first.display or first.code
    elif concept:
        return ()
    code = chosen(tuple([(coding.system, coding.code) for coding in one.code.coding]))
    return ((record, code, None, None, words),) if isinstance(code, str) and words else ()


def _panel(one: _Observation, components: Sequence[_Component]) -> Sequence[_Said]:
    said: list[_Said] = []
    for part in components:
        quantity = part.valueQuantity
        plan = _plan(part.code.coding, quantity)
        if plan is None:
            return ()
        code, unit, factor, offset, low, high = plan
        value = quantity.value * factor + offset
        if not low <= value <= high:
            return ()
        said.append((content(f"{SOURCE}\x1fObservation/{one.id}#{code}"), code, value, unit, None))
    return said if len({row[1] for row in said}) == len(said) else ()


def _plan(codings: Sequence[_Coding], quantity: _Quantity) -> _Plan | None:
    """How a number of this unit under these codings becomes a row; None where the careful path must refuse it."""
    if len(codings) == 1:
        one = codings[0]
        key: tuple[Any, ...] = (one.system, one.code, quantity.system, quantity.code)
        return _plans.get(key) or _planned(key, codings, quantity)
    key = (tuple([(one.system, one.code) for one in codings]), quantity.system, quantity.code)
    return _plans.get(key) or _planned(key, codings, quantity)


_plans: dict[tuple[Any, ...] | None, _Plan] = {}
when_changed(_plans.clear)


def _planned(key: tuple[Any, ...], codings: Sequence[_Coding], quantity: _Quantity) -> _Plan | None:
    system, unit = quantity.system, quantity.code
    code = chosen(tuple([(one.system, one.code) for one in codings]))
    if system != UCUM or not isinstance(code, str):
        return None
    known = by_code().get(code)
    if known is None or known.unit is None:
        plan: _Plan = (code, unit, 1.0, 0.0, float("-inf"), float("inf"))
    else:
        factors = conversion(unit, known.unit, code=known.code)
        if factors is None:
            return None
        low = float("-inf") if known.low is None else known.low
        plan = (code, known.unit, *factors, low, float("inf") if known.high is None else known.high)
    if len(_plans) >= _MANY:
        _plans.clear()
    _plans[key] = plan
    return plan
