"""Which diagnoses wait for the end of a stay: what an Encounter names as a discharge diagnosis, and what nobody dated.

Versions of an Encounter come in any order, in several files. What any of them names stays named, and the stay has ended once
any of them says so: the answer does not depend on which was met first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from clinical_jepa.records.events import RETRACTED
from clinical_jepa.records.instant import BEGINNING
from clinical_jepa.sources.fhir.files import Json
from clinical_jepa.sources.fhir.times import instant

Age = tuple[int, int]  # of a version: when it was changed (µs), its number
_NEVER: Age = (BEGINNING - 1, 0)

# what an Encounter's diagnosis is used for, as R4's and R5's code systems say it
_DISCHARGE = frozenset({"DD", "discharge-diagnosis", "final"})
_OTHER = frozenset({"AD", "CC", "CM", "pre-op", "post-op", "billing", "admission", "working"})


@dataclass(frozen=True, kw_only=True)
class Stays:
    """``ends`` maps an Encounter to its end, None while none is known; ``named`` a Condition to the Encounters that it waits for.

    ``void`` are Encounters that did not come about: what they name waits for their end where they have one, and else for none
    of them. ``hidden`` are those whose diagnoses cannot be read, with their patient, ``read`` those whose can, each with its
    newest such version.
    """

    ends: dict[str, int | None] = field(default_factory=dict)
    named: dict[str, set[str]] = field(default_factory=dict)
    void: set[str] = field(default_factory=set)
    hidden: dict[str, tuple[Age, str]] = field(default_factory=dict)
    read: dict[str, Age] = field(default_factory=dict)

    def note(self, encounter: str, end: int | None = None, named: Iterable[str] = ()) -> None:
        """What one version of an Encounter says of its end and of its discharge diagnoses."""
        known = [one for one in (end, self.ends.get(encounter)) if one is not None]
        self.ends[encounter] = max(known, default=None)
        for condition in named:
            self.named.setdefault(condition, set()).add(encounter)

    def hide(self, encounter: str, patient: str, age: Age) -> None:
        """A version whose diagnoses cannot be read: any Condition of the patient may be one of them."""
        self.hidden[encounter] = max((age, patient), self.hidden.get(encounter, (age, patient)))

    def show(self, encounter: str, age: Age) -> None:
        """A version whose diagnoses can be read: it takes the place of older ones that cannot."""
        self.read[encounter] = max(age, self.read.get(encounter, age))

    def unclear(self, patient: str) -> bool:
        """Whether any Condition of a patient may be a discharge diagnosis."""
        return any(
            whose == patient and self.read.get(encounter, _NEVER) <= age
            for encounter, (age, whose) in self.hidden.items()
        )

    def awaited(self, condition: str, encounter: str | None, *, dated: bool) -> list[int | None]:
        """The ends of the stays before which a Condition was not known; None for a stay that has not ended.

        ``encounter`` is its own, which counts where nothing says when it was recorded.
        """
        waits = {one for one in self.named.get(condition, ()) if one not in self.void or self.ends.get(one) is not None}
        if not dated and encounter in self.ends:
            waits.add(encounter)
        return [self.ends.get(one) for one in waits]


def age_of(encounter: Json, zone: ZoneInfo) -> Age:
    """By which versions of a resource are told apart, as far as it says: when it was changed, and the number of its version.

    Of one that says it in no readable way nothing is known, as of one that does not say it: it takes the place of none.
    """
    meta = encounter.get("meta")
    changed, number = (meta.get("lastUpdated"), str(meta.get("versionId"))) if isinstance(meta, dict) else (None, "")
    try:
        return instant(changed, zone) if changed else BEGINNING, int(number) if number.isdecimal() else 0
    except (TypeError, ValueError, OverflowError):
        return BEGINNING, 0


def ended(encounter: Json, zone: ZoneInfo) -> int | None:
    """When a stay (in R4's shape) was over at the latest, None while it is not: the end of one under way is a plan.

    Of a finished one that does not say when, its server's last change of it.
    """
    status, end = encounter.get("status"), (encounter.get("period") or {}).get("end")
    if status not in ("finished", "unknown", *RETRACTED):
        return None
    changed = (encounter.get("meta") or {}).get("lastUpdated") if status == "finished" else None
    said = end or changed
    return None if said is None else instant(said, zone)


def void(encounter: Json) -> bool:
    """Whether an Encounter did not come about."""
    return encounter.get("status") in RETRACTED


def discharge_diagnoses(encounter: Json) -> list[str | None]:
    """The reference of each discharge diagnosis of an Encounter (in R4's shape), None for one that refers to no Condition.

    One whose use is given in words or in codes of the house may be one, and counts as such. A shape that hides which they
    are raises.
    """
    diagnoses = encounter.get("diagnosis", [])
    if not isinstance(diagnoses, list):
        raise TypeError("the diagnoses are no list")
    found: list[str | None] = []
    for diagnosis in diagnoses:
        reference = diagnosis["condition"].get("reference")
        if not isinstance(reference, str | None):
            raise TypeError("a reference is written as something else")
        codes = {coding.get("code") for coding in diagnosis.get("use", {}).get("coding", ())}
        if codes & _DISCHARGE or ("use" in diagnosis and not codes & _OTHER):
            found.append(reference)
    return found
