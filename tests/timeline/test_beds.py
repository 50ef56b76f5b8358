"""Beds, patients and devices: transfers, swaps, corrections; what is not certain is refused."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical_jepa.records.batch import SourceBatch
from clinical_jepa.records.errors import BadRequest
from clinical_jepa.records.events import EVENTS
from clinical_jepa.records.instant import END, HOUR
from clinical_jepa.store.events import Store
from clinical_jepa.timeline.beds import Association, Refusal, Whereabouts, whereabouts
from clinical_jepa.timeline.devices import site_table
from clinical_jepa.timeline.stays import STAY_CODES
from tests.timeline.builders import event

MONITOR = Association(device="m1", bed="A", start=0)


def act(who: int, what: str, time: int, bed: str | None = None, stay: str | None = "s", **more: object) -> dict:
    name = f"{who}{what}{time}{bed}"
    known = {"text_value": bed, "encounter_id": stay, "event_id": name, "fact_id": name}
    return event(who, what, time, time, **(known | more))


def seen(*rows: dict, as_of: int = 100, devices: tuple[Association, ...] = (MONITOR,)) -> Whereabouts:
    return whereabouts(pa.Table.from_pylist(list(rows), EVENTS), as_of, devices)


def why(answer: int | Refusal) -> str | int:
    return answer.why if isinstance(answer, Refusal) else answer


def test_a_stream_changes_hands_with_a_swap_of_beds() -> None:
    found = seen(
        act(1, "TRANSFER_TO", 10, "A"), act(2, "TRANSFER_TO", 10, "B"),
        act(1, "TRANSFER_TO", 50, "B"), act(2, "TRANSFER_TO", 50, "A"),
    )  # fmt: skip
    assert [why(found.patient_of("m1", at)) for at in (10, 11, 50, 51, 99)] == ["nobody", 1, 1, 2, 2]
    assert [found.bed_of(1, at) for at in (10, 50, 51)] == [None, "A", "B"]


def test_two_patients_in_one_bed_are_refused_and_nobody_is_guessed() -> None:
    found = seen(act(1, "TRANSFER_TO", 10, "A"), act(2, "TRANSFER_TO", 20, "A"), act(1, "HOSPITAL_DISCHARGE", 30))
    assert [why(found.patient_in("A", at)) for at in (15, 25, 35)] == [1, "ambiguous", 2]
    refusal = found.patient_of("m1", 25)
    assert isinstance(refusal, Refusal)
    assert refusal.message.startswith("2 patients come into question for device 'm1'")


def test_a_device_that_moves_and_one_that_is_worn() -> None:
    rows = (act(1, "TRANSFER_TO", 10, "A"), act(2, "TRANSFER_TO", 10, "B"))
    moved = (Association(device="m", bed="A", start=0, end=40), Association(device="m", bed="B", start=40))
    worn = (Association(device="w", subject_id=1, start=20, end=60), Association(device="w", bed="B", start=50))
    found = seen(*rows, devices=(*moved, *worn))
    assert [why(found.patient_of("m", at)) for at in (20, 40, 41)] == [1, 1, 2]
    assert [why(found.patient_of("w", at)) for at in (20, 30, 55, 70)] == ["nobody", 1, "ambiguous", 2]
    assert why(found.patient_of("x", 20)) == "unknown-device"
    twice = (Association(device="t", bed="A", start=0), Association(device="t", bed="C", start=0))
    assert why(seen(*rows, devices=twice).patient_of("t", 20)) == "ambiguous"


def test_what_becomes_known_later_and_plans_do_not_count_yet() -> None:
    later = Association(device="m1", bed="A", start=0, known=60)
    row = act(1, "TRANSFER_TO", 10, "A")
    assert why(seen(row, as_of=50, devices=(later,)).patient_of("m1", 40)) == "unknown-device"
    assert why(seen(row, as_of=60, devices=(later,)).patient_of("m1", 40)) == 1
    assert seen(act(1, "TRANSFER_TO", 200, "A")).occupancies == ()


def test_a_corrected_transfer_counts_from_its_correction(tmp_path: Path) -> None:
    wrong = act(1, "TRANSFER_TO", 10, "A", fact_id="f")
    right = {**act(1, "TRANSFER_TO", 10, "B", fact_id="f"), "available_time": event(1, "", 0, 80)["available_time"]}
    store = Store.open(tmp_path, create=True)
    batch = SourceBatch(events=pa.Table.from_pylist([wrong, right], EVENTS))
    store.append([batch], mode="history", now=0, prepare=lambda pixels, _: np.zeros((64, 64), np.float32))
    beds = [whereabouts(store.with_codes(STAY_CODES, at), at).bed_of(1, 50) for at in (79, 80)]
    assert beds == ["A", "B"]


acts = st.lists(
    st.tuples(
        st.integers(1, 2), st.sampled_from(STAY_CODES), st.integers(0, 9), st.sampled_from(["A", "B"]),
        st.sampled_from(["s", "t", None]),
    ),
    max_size=9, unique_by=lambda one: (one[0], one[2]),
)  # fmt: skip


@given(acts, st.integers(0, 11), st.integers(0, 11))
def test_a_walk_through_the_acts_says_the_same(given_: list[tuple], instant: int, as_of: int) -> None:
    rows = [act(who, what, time, bed if what == "TRANSFER_TO" else None, stay) for who, what, time, bed, stay in given_]
    found = seen(*rows, as_of=as_of)
    lying: dict[int, str] = {}
    for who in (1, 2):
        encounter = None
        past = [one for one in given_ if one[0] == who and one[2] < instant and one[2] <= as_of]
        for _, what, _, bed, stay in sorted(past, key=lambda one: one[2]):
            if what == "TRANSFER_TO":
                lying[who], encounter = bed, stay
            elif what == "MEDS_DEATH" or (what == "HOSPITAL_DISCHARGE" and (stay is None or encounter in (None, stay))):
                lying.pop(who, None)
    assert {who: found.bed_of(who, instant) for who in (1, 2)} == {who: lying.get(who) for who in (1, 2)}
    in_a = [who for who, bed in lying.items() if bed == "A"]
    assert why(found.patient_in("A", instant)) == (in_a[0] if len(in_a) == 1 else "ambiguous" if in_a else "nobody")


def test_a_sites_table_is_read_in_its_zone() -> None:
    zone = ZoneInfo("Europe/Berlin")
    head = "device,bed,from,to"
    first, second = site_table([head, "m1,A,2026-01-05T10:00,2026-01-05T12:00+00:00", "m2,B,2026-07-05T10:00,"], zone)
    assert (first.end - first.start, second.end, first.bed) == (3 * HOUR, END, "A")
    for bad, says in (
        ("m1,A,2026-10-25T02:30,", "change of clocks"),
        ("m1,A,2026-03-29T02:30,", "change of clocks"),
        ("m1,,2026-01-05T10:00,", "names no device or no bed"),
        ("m1,A,2026-01-05T10:00", "cells"),
        ("m1,A,2026-01-05T10:00,,B", "cells"),
        ("m1,A,tomorrow,", "no ISO time"),
        ("m1,A,2026-01-05T10:00,2026-01-05T09:00", "ends before"),
    ):
        with pytest.raises(BadRequest, match=f"line 2 .*{says}"):
            site_table([head, bad], zone)
    with pytest.raises(BadRequest, match="columns"):
        site_table(["device;bed"], zone)
