"""Who lies where, as known at one instant, from admission, transfer and discharge rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pyarrow as pa

from clinical_jepa.records.instant import HOUR
from clinical_jepa.records.ward import Stay
from clinical_jepa.timeline.columns import instants

STAY_CODES = ("HOSPITAL_ADMISSION", "TRANSFER_TO", "HOSPITAL_DISCHARGE", "MEDS_DEATH")
PRESENT_AFTER = 24 * HOUR  # a subject without any stay row counts as present this long after its last arrival


def stays(events: pa.Table, as_of: int, *, extents: Mapping[int, tuple[int, int]] | None = None) -> dict[int, Stay]:
    """The present subjects. ``events``: rows with ``STAY_CODES`` seen as of ``as_of``.

    ``extents`` (first and last arrival by subject) brings in those of whom no stay row is known. Rows act in the order of
    their ``time``; of two current beds the newer one counts; a row about a later time (a plan) does not act yet.
    """
    present: dict[int, Stay] = {}
    known = set()
    rows = events.select(["subject_id", "code", "text_value", "encounter_id"]).to_pylist()
    times = instants(events, "time").tolist()
    for time, row in sorted(zip(times, rows, strict=True), key=lambda pair: pair[0]):
        known.add(row["subject_id"])
        if time <= as_of:
            _act(present, time, row)
    for subject, (first, last) in (extents or {}).items():
        if subject not in known and first <= as_of <= last + PRESENT_AFTER:
            present[subject] = Stay(subject_id=subject, encounter_id=None, bed=None, admitted=first)
    return present


def _act(present: dict[int, Stay], time: int, row: dict[str, object]) -> None:
    subject = row["subject_id"]
    assert isinstance(subject, int)
    encounter = None if row["encounter_id"] is None else str(row["encounter_id"])
    match str(row["code"]).partition("//")[0]:
        case "HOSPITAL_ADMISSION":
            bed = present[subject].bed if subject in present else None
            present[subject] = Stay(subject_id=subject, encounter_id=encounter, bed=bed, admitted=time)
        case "TRANSFER_TO":
            here = present.get(subject) or Stay(subject_id=subject, encounter_id=encounter, bed=None, admitted=time)
            present[subject] = replace(here, bed=None if row["text_value"] is None else str(row["text_value"]))
        case "HOSPITAL_DISCHARGE" | "MEDS_DEATH":
            present.pop(subject, None)
