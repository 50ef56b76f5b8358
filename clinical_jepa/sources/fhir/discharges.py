"""Which diagnoses wait for the end of a stay: what an Encounter names as a discharge diagnosis, and what nobody dated.

Versions of an Encounter come in any order, in several files. What any of them names stays named, and the stay has ended once
any of them says so: the answer does not depend on which was met first.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from clinical_jepa.sources.fhir.files import Json

# what an Encounter's diagnosis is used for, as R4's and R5's code systems say it
_DISCHARGE = frozenset({"DD", "discharge-diagnosis", "final"})


@dataclass(frozen=True, kw_only=True)
class Stays:
    """``ends`` maps an Encounter to its end, None while none is known; ``named`` a Condition to the Encounters that it waits for.

    ``unclear`` are the patients of Encounters whose diagnoses could not be read: any of their Conditions may be one of those.
    """

    ends: dict[str, int | None] = field(default_factory=dict)
    named: dict[str, set[str]] = field(default_factory=dict)
    unclear: set[str] = field(default_factory=set)

    def note(self, encounter: str, end: int | None, named: list[str]) -> None:
        """What one version of an Encounter says of its end and of its discharge diagnoses."""
        known = [one for one in (end, self.ends.get(encounter)) if one is not None]
        self.ends[encounter] = max(known, default=None)
        for condition in named:
            self.named.setdefault(condition, set()).add(encounter)

    def awaited(self, condition: str, encounter: str | None, *, dated: bool) -> list[int | None]:
        """The ends of the stays before which a Condition was not known; None for a stay that has not ended.

        ``encounter`` is its own, which counts where nothing says when it was recorded.
        """
        waits = set(self.named.get(condition, ()))
        if not dated and encounter in self.ends:
            waits.add(encounter)
        return [self.ends.get(one) for one in waits]


def discharge_diagnoses(encounter: Json) -> list[str | None]:
    """The reference of each discharge diagnosis of an Encounter (in R4's shape), None for one that refers to no Condition.

    One whose use is given in words alone may be one, and counts as such. A shape that hides which they are raises.
    """
    diagnoses = encounter.get("diagnosis", [])
    if not isinstance(diagnoses, list):
        raise TypeError("the diagnoses are no list")
    found: list[str | None] = []
    for diagnosis in diagnoses:
        reference = diagnosis["condition"].get("reference")
        if not isinstance(reference, str | None):
            raise TypeError("a reference is written as something else")
        codes = {coding.get("code") for coding in diagnosis.get("use", {}).get("coding", ())} - {None}
        if codes & _DISCHARGE or ("use" in diagnosis and not codes):
            found.append(reference)
    return found
