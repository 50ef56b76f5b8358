"""Whom a tick is about."""

from __future__ import annotations

from collections.abc import Mapping

from clinical_jepa.records.views import Arrivals
from clinical_jepa.records.ward import Patient, Stay
from clinical_jepa.store.events import Store
from clinical_jepa.timeline.stays import STAY_CODES, heard_after, stays


def present(store: Store, arrivals: Arrivals) -> Mapping[int, Stay]:
    """Who is on the ward at the end of these arrivals, as known then."""
    rows = store.with_codes(STAY_CODES, arrivals.until)
    unlisted = set(arrivals.origins) - set(rows["subject_id"].to_pylist())
    # looking for the last arrival of everybody costs a pass over the store: only where somebody has no admission
    recent = store.extents(arrivals.until, heard_after(arrivals.until)) if unlisted else None
    return stays(rows, arrivals.until, extents=recent)


def concerned(arrivals: Arrivals, patients: Mapping[int, Patient], here: Mapping[int, Stay]) -> list[int]:
    """Who is on the ward, of whom something arrived or changed, and who has an open alert; ascending."""
    tables = (arrivals.events, arrivals.signals, arrivals.images)
    heard = {subject for table in tables for subject in table["subject_id"].unique().to_pylist()}
    alerted = {subject for subject, patient in patients.items() if patient.alert is not None}
    return sorted(heard | alerted | set(here) | set(arrivals.rewind))


def arrived(arrivals: Arrivals) -> int:
    """How many rows came."""
    return sum(table.num_rows for table in (arrivals.events, arrivals.signals, arrivals.images))
