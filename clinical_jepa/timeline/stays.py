"""Who lies where, as known at one instant, from admission, transfer and discharge rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pyarrow as pa

from clinical_jepa.records.instant import HOUR
from clinical_jepa.records.ward import Stay
from clinical_jepa.timeline.columns import instants

# In the order in which rows of one instant act: one who is discharged in the minute of a transfer is gone.
STAY_CODES = ("HOSPITAL_ADMISSION", "TRANSFER_TO", "HOSPITAL_DISCHARGE", "MEDS_DEATH")
PRESENT_AFTER = 24 * HOUR  # a subject without any stay row counts as present this long after its last arrival


def heard_after(as_of: int) -> int:
    """Whoever was not heard of after this instant is not present for having been heard of."""
    return as_of - PRESENT_AFTER - 1


def stays(events: pa.Table, as_of: int, *, extents: Mapping[int, tuple[int, int]] | None = None) -> dict[int, Stay]:
    """The present subjects. ``events``: rows with ``STAY_CODES`` seen as of ``as_of``, so without those in error.

    ``extents`` (first and last arrival by subject) brings in those of whom no stay row is known. Rows act in the order of
    their ``time``; of two current beds the newer one counts; a row about a later time (a plan) does not act yet.
    """
    encounters: dict[int, _Encounters] = {}
    rows = events.select(["subject_id", "code", "text_value", "encounter_id"]).to_pylist()
    acts = [
        (time, STAY_CODES.index(row["code"].partition("//")[0]), row)
        for time, row in zip(instants(events, "time").tolist(), rows, strict=True)
    ]
    for time, what, row in sorted(acts, key=lambda act: act[:2]):
        mine = encounters.setdefault(row["subject_id"], _Encounters(subject_id=row["subject_id"]))
        if time <= as_of:
            mine.act(STAY_CODES[what], time, row["encounter_id"], row["text_value"])
    present = {subject: stay for subject, mine in encounters.items() if (stay := mine.newest()) is not None}
    for subject, (first, last) in (extents or {}).items():
        if subject not in encounters and first <= as_of <= last + PRESENT_AFTER:
            present[subject] = Stay(subject_id=subject, encounter_id=None, bed=None, admitted=first)
    return present


@dataclass(kw_only=True)
class _Encounters:
    """One subject's encounters under way, the one that changed last at the end."""

    subject_id: int
    under_way: dict[str | None, Stay] = field(default_factory=dict)
    over: set[str | None] = field(default_factory=set)

    def newest(self) -> Stay | None:
        return next(reversed(self.under_way.values()), None)

    def act(self, what: str, time: int, encounter: str | None, bed: str | None) -> None:
        if what == "HOSPITAL_ADMISSION":
            self.over.discard(encounter)
            bed = self.under_way[encounter].bed if encounter in self.under_way else None
            self._put(Stay(subject_id=self.subject_id, encounter_id=encounter, bed=bed, admitted=time))
        elif what == "TRANSFER_TO":
            self._move(time, encounter, bed)
        elif encounter is None or what == "MEDS_DEATH":
            self.over |= {None, *self.under_way}
            self.under_way.clear()
        else:
            self.over.add(encounter)
            self.under_way.pop(encounter, None)

    def _move(self, time: int, encounter: str | None, bed: str | None) -> None:
        """To a bed; without an encounter of its own, that of the newest stay. What is over is not begun again by it."""
        if encounter in self.over:
            return
        here = self.under_way.get(encounter) or (self.newest() if encounter is None else None)
        begun = Stay(subject_id=self.subject_id, encounter_id=encounter, bed=None, admitted=time)
        self._put(replace(here or begun, bed=bed))

    def _put(self, stay: Stay) -> None:
        self.under_way.pop(stay.encounter_id, None)
        self.under_way[stay.encounter_id] = stay
