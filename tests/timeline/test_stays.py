"""Who lies where, as known."""

from __future__ import annotations

import pyarrow as pa

from clinical_jepa.records.events import EVENTS
from clinical_jepa.records.instant import HOUR
from clinical_jepa.timeline.stays import PRESENT_AFTER, stays
from tests.timeline.builders import event


def roster(*rows: dict, as_of: int, extents: dict | None = None):
    return stays(pa.Table.from_pylist(list(rows), EVENTS), as_of, extents=extents)


ADMITTED = event(1, "HOSPITAL_ADMISSION//IMP", 0, 0, encounter_id="e1")
BED_A = event(1, "TRANSFER_TO", 0, 1, text_value="A", encounter_id="e1")
BED_B = event(1, "TRANSFER_TO", 5 * HOUR, 5 * HOUR, text_value="B", encounter_id="e1")
LEFT = event(1, "HOSPITAL_DISCHARGE//home", 9 * HOUR, 9 * HOUR, encounter_id="e1")


def test_the_newest_bed_counts_and_rows_may_come_in_any_order() -> None:
    (stay,) = roster(BED_B, BED_A, ADMITTED, as_of=6 * HOUR).values()
    assert (stay.bed, stay.encounter_id, stay.admitted) == ("B", "e1", 0)


def test_a_planned_transfer_does_not_act_before_its_time() -> None:
    assert roster(ADMITTED, BED_A, BED_B, as_of=4 * HOUR)[1].bed == "A"


def test_discharge_ends_a_stay_and_a_new_admission_begins_one() -> None:
    assert roster(ADMITTED, BED_A, LEFT, as_of=10 * HOUR) == {}
    again = event(1, "HOSPITAL_ADMISSION//IMP", 12 * HOUR, 12 * HOUR, encounter_id="e2")
    assert roster(ADMITTED, BED_A, LEFT, again, as_of=13 * HOUR)[1].encounter_id == "e2"


def test_without_stay_rows_a_subject_is_present_until_a_day_after_its_last_arrival() -> None:
    extents = {7: (HOUR, 2 * HOUR), 1: (0, 0)}
    assert set(roster(ADMITTED, LEFT, as_of=2 * HOUR + PRESENT_AFTER, extents=extents)) == {7}
    assert roster(ADMITTED, LEFT, as_of=2 * HOUR + PRESENT_AFTER + 1, extents=extents) == {}
    assert set(roster(as_of=HOUR - 1, extents=extents)) == {1}


def test_the_discharge_of_another_encounter_ends_nothing() -> None:
    other = event(1, "HOSPITAL_ADMISSION//EMER", 6 * HOUR, 6 * HOUR, encounter_id="e2")
    bed = event(1, "TRANSFER_TO", 6 * HOUR, 6 * HOUR, text_value="C", encounter_id="e2")
    assert roster(ADMITTED, BED_A, other, bed, as_of=8 * HOUR)[1].bed == "C"
    assert roster(ADMITTED, BED_A, other, bed, LEFT, as_of=10 * HOUR)[1].encounter_id == "e2"
    ended = event(1, "HOSPITAL_DISCHARGE//home", 7 * HOUR, 7 * HOUR, encounter_id="e2")
    assert roster(ADMITTED, BED_A, other, bed, ended, as_of=8 * HOUR)[1].bed == "A"


def test_a_transfer_in_the_minute_of_discharge_or_after_does_not_bring_anybody_back() -> None:
    for hour in (9, 11):
        moved = event(1, "TRANSFER_TO", hour * HOUR, hour * HOUR, text_value="Z", encounter_id="e1")
        assert roster(ADMITTED, BED_A, LEFT, moved, as_of=12 * HOUR) == {}


def test_death_ends_every_encounter() -> None:
    died = event(1, "MEDS_DEATH", 3 * HOUR, 3 * HOUR)
    assert roster(ADMITTED, BED_A, died, event(1, "TRANSFER_TO", 4 * HOUR, 4 * HOUR), as_of=5 * HOUR) == {}


def test_a_transfer_alone_begins_a_stay_and_one_without_encounter_moves_the_newest() -> None:
    assert roster(BED_A, as_of=HOUR)[1].admitted == 0
    moved = event(1, "TRANSFER_TO", 2 * HOUR, 2 * HOUR, text_value="D")
    stay = roster(ADMITTED, BED_A, moved, as_of=3 * HOUR)[1]
    assert (stay.bed, stay.encounter_id) == ("D", "e1")
