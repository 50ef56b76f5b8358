"""The fast path: Observations of the ordinary shape, from their bytes to finished rows.

It takes what a monitor or a laboratory sends all day: first versions and corrected values with an instant or a period, a
reporting time, and a UCUM number, a word or a panel of numbers. Anything else, whatever the reason, it leaves to the careful
path, which says what it is and what is wrong with it. What both can take they take alike: same rows, same ids, same counts
(a test holds them so).

An unknown element, or one that may change the meaning of the others, ends the fast path.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from msgspec import UNSET

from clinical_jepa.sources.columnar import events as columnar
from clinical_jepa.sources.columnar.events import content
from clinical_jepa.sources.fhir.files import NO_JSON
from clinical_jepa.sources.fhir.folder import plain_id
from clinical_jepa.sources.fhir.frame import SOURCE, after
from clinical_jepa.sources.fhir.mapping import system_name
from clinical_jepa.sources.fhir.observations import COUNTED
from clinical_jepa.sources.fhir.ordinary import Component, Observation, Quantity, decode, otherwise_effective, words
from clinical_jepa.sources.fhir.people import People, referred
from clinical_jepa.sources.fhir.plans import code_of, plan_of
from clinical_jepa.sources.fhir.sampled import of_names
from clinical_jepa.sources.fhir.times import quick_instant

_MANY = 1 << 16  # different references kept in memory

_KEY = f"{SOURCE}\x1fObservation/"  # what the ids of all Observations begin with
_blank = columnar.blank
_named = _blank.copy()
_named.update(_KEY.encode())
_DOUBT = (*NO_JSON, ValueError, OverflowError)

# whose it is, when it was true, when it could be known and on what basis, and what rows' ids say of both
_When = tuple[int, int, int, str, str, str]

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
    subjects: dict[str, tuple[int, str]] = field(default_factory=dict)  # with what rows' ids say of them
    stays: dict[str, str] = field(default_factory=dict)

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
        for index, one, when in self._decoded(raws, left):
            quantity, worded = one.valueQuantity, one.valueCodeableConcept is not UNSET or one.valueString is not UNSET
            if quantity is UNSET or one.component is not UNSET or worded:
                rows = self._other(one, when)
            else:
                rows = self._number(one, quantity, when)
            if not rows:
                left.append(index)
                continue
            self.cells.extend(rows)
            if one.interpretation is not UNSET or one.referenceRange is not UNSET or one.component is not UNSET:
                self._count(one)
        return sorted(left)

    def _decoded(self, raws: Sequence[bytes], left: list[int]) -> list[tuple[int, Observation, _When]]:
        """All that can be decoded, before the first of them is made a row: a processor is faster at one thing at a time."""
        found: list[tuple[int, Observation, _When]] = []
        whose, true, told = "", "", ""  # of the one before: a charting round shares them
        when: _When = (0, 0, 0, "", "", "")
        for index, raw in enumerate(raws):
            try:
                one = decode(raw if raw.isascii() else raw.decode().encode())  # what is passed over must be text too
                if one.status == "corrected" and _names_a_channel(one):
                    raise ValueError("it may take the place of a waveform")
                if one.meta.versionId != "1" and one.status != "corrected":
                    raise ValueError("a silent revision")
                effective = one.effectiveDateTime or otherwise_effective(one)
                if effective != true or one.issued != told or one.subject.reference != whose:
                    when = self._when(one.subject.reference, effective, one.issued)
                    whose, true, told = one.subject.reference, effective, one.issued
            except _DOUBT:
                left.append(index)
            else:
                found.append((index, one, when if one.status != "corrected" else _behind(when, one.meta.versionId)))
        return found

    def _other(self, one: Observation, when: _When) -> Sequence[Any]:
        """Rows of words or of a panel; none where an Observation says more than one thing, or corrects a panel."""
        if one.valueQuantity is not UNSET:
            return ()
        if not one.component:
            return self._words(one, when)
        worded = one.valueCodeableConcept is not UNSET or one.valueString is not UNSET
        return () if worded or one.status == "corrected" else self._panel(one, one.component, when)

    def _number(self, one: Observation, quantity: Quantity, when: _When) -> Sequence[Any]:
        plan = plan_of(one.code.coding, quantity)
        if plan is None:
            return ()
        code, unit, factor, offset, low, high, before, after = plan
        value = quantity.value * factor + offset
        if not low <= value <= high:
            return ()
        subject, time, known, basis, about, said = when
        status, place = one.status, one.encounter
        stay = None if place is UNSET else self.stays.get(place.reference) or self._stay(place.reference)
        digest = _named.copy()
        digest.update(one.id.encode())
        fact = digest.hexdigest()
        digest = _blank.copy()
        digest.update(f"{fact}{about}{before}{value}{after}{status}\x1f{said}".encode())
        return subject, time, code, value, None, known, basis, unit, stay, digest.hexdigest(), fact, status, fact

    def _panel(self, one: Observation, components: Sequence[Component], when: _When) -> Sequence[Any]:
        subject, time, known, basis, about, said = when
        status, stay, record = one.status, self._stay_of(one), content(f"{_KEY}{one.id}")
        codes: set[str] = set()
        rows: list[Any] = []
        for part in components:
            quantity = part.valueQuantity
            plan = plan_of(part.code.coding, quantity)
            if plan is None:
                return ()
            code, unit, factor, offset, low, high, before, after = plan
            value = quantity.value * factor + offset
            if code in codes or not low <= value <= high:
                return ()
            codes.add(code)
            fact = content(f"{_KEY}{one.id}#{code}")
            row = content(f"{fact}{about}{before}{value}{after}{status}\x1f{said}")
            rows += (subject, time, code, value, None, known, basis, unit, stay, row, fact, status, record)
        return rows

    def _words(self, one: Observation, when: _When) -> Sequence[Any]:
        text, code, status = words(one), code_of(one.code.coding), one.status
        if not text or code is None:
            return ()
        subject, time, known, basis, about, said = when
        fact = content(f"{_KEY}{one.id}")
        row = content(f"{fact}{about}\x1f{code}\x1f\x00\x1f{text}\x1f\x00\x1f{status}\x1f{said}")
        return subject, time, code, None, text, known, basis, None, self._stay_of(one), row, fact, status, fact

    def _when(self, reference: str, effective: str, issued: str) -> _When:
        """``ValueError`` where a time is no instant, or the subject is not known."""
        subject, named = self.subjects.get(reference) or self._subject(reference)
        time, time_said = quick_instant(effective)
        known, known_said = quick_instant(issued)
        if known < time:
            return subject, time, time, "clamped", named + time_said, time_said
        return subject, time, known, "issued", named + time_said, known_said

    def _count(self, one: Observation) -> None:
        for name in COUNTED:
            for holder in (one, *(one.component or ())):
                if getattr(holder, name):
                    self.ignored[f"Observation.{name}"] += 1
                    break

    def _subject(self, reference: str) -> tuple[int, str]:
        name = referred(reference)
        subject = None if name is None else self.people.subject(name)
        if subject is None:
            raise ValueError("no subject that is known")
        if len(self.subjects) >= _MANY:
            self.subjects.clear()
        self.subjects[reference] = subject, f"\x1f{subject}\x1f"
        return self.subjects[reference]

    def _stay(self, reference: str) -> str:
        if len(self.stays) >= _MANY:
            self.stays.clear()
        self.stays[reference] = plain_id(reference)
        return self.stays[reference]

    def _stay_of(self, one: Observation) -> str | None:
        place = one.encounter
        return None if place is UNSET else self.stays.get(place.reference) or self._stay(place.reference)


def _behind(when: _When, version_id: str) -> _When:
    """When a later version could be known; what ids say of it is the same."""
    subject, time, known, basis, about, said = when
    return subject, time, known + after(version_id), basis, about, said


def _names_a_channel(one: Observation) -> bool:
    return of_names((system_name(coding.system), coding.code) for coding in one.code.coding) is not None
