from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_jepa.model import batch
from clinical_jepa.model.batch import GAP, GRID, RECORD, TREATMENT, Stream, stream
from clinical_jepa.records.instant import BEGINNING, DAY, HOUR, MINUTE
from tests.model.synthetic_slices import START, cut, part, stay


def one(slice_, last: int = BEGINNING) -> Stream:
    return stream([slice_], last_arrival=np.array([last]))


def in_pieces(pieces) -> Stream:
    """Arrivals of consecutive slices, joined as one stream."""
    last, arrivals, parts = BEGINNING, 0, []
    for piece in pieces:
        found = one(piece, last)
        spoken = found.time[found.kind != GAP]
        last = int(spoken[-1]) if len(spoken) else last
        shift = {name: getattr(found, name) + arrivals for name in ("item_arrival", "patch_arrival", "picture_arrival")}
        parts.append(replace(found, **shift))
        arrivals += len(found.time)
    return Stream(**{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Stream)})


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), minutes=st.lists(st.integers(1, 12 * 60), max_size=6), count=st.integers(1, 60))
def test_arrivals_do_not_depend_on_how_time_was_cut(seed: int, minutes: list[int], count: int) -> None:
    whole = stay(seed, count=count, arrays=2)
    expected, got = one(whole), in_pieces(cut(whole, [START + m * MINUTE for m in minutes]))
    for field in fields(Stream):
        np.testing.assert_array_equal(getattr(got, field.name), getattr(expected, field.name), err_msg=field.name)


def test_gaps_stand_exactly_where_nothing_came_in_the_quarter_hour_before() -> None:
    whole = stay(3, count=15, hours=30)
    found = one(whole)
    spoken = np.concatenate([whole.items.available, whole.patches.available, whole.pictures.available])
    grid = np.arange(whole.origin + GRID, whole.now + 1, GRID)
    silent = [g for g in grid if not ((spoken > g - GRID) & (spoken <= g)).any() and spoken.min() <= g]
    gaps = found.kind == GAP
    kept = [g for g, s in zip(found.time[gaps], found.silence[gaps], strict=True) if s <= 24]
    assert len(kept) > 20
    assert kept == silent[: len(kept)]
    assert found.silence[gaps].min() >= 0.25


def test_after_a_day_of_silence_a_gap_comes_once_a_day_and_after_a_month_once_a_month() -> None:
    whole = stay(1, count=5, hours=1, arrays=1)
    long = replace(whole, now=whole.now + 400 * DAY)
    found = one(long)
    assert len(found.time) < 5 + 4 + 96 + 33 + 400 / 32
    spacing = np.diff(found.time[found.kind == GAP])
    assert {GRID, DAY, 32 * DAY} <= set(spacing)
    assert spacing.max() == 32 * DAY
    pieces = in_pieces([whole, *(part(long, whole.now + d * DAY, whole.now + (d + 1) * DAY) for d in range(400))])
    np.testing.assert_array_equal(pieces.time, found.time)


def test_what_came_together_is_one_arrival_of_its_kind() -> None:
    whole = stay(5, count=80)
    found = one(whole)
    minute = -(-whole.items.available // MINUTE) * MINUTE
    kind = np.where(batch.is_treatment()[whole.items.code], TREATMENT, RECORD)
    expected = len(set(zip(minute, kind, strict=True)))
    assert (found.kind <= TREATMENT).sum() == expected
    assert len(found.code) == 80
    assert found.lag.max() <= 3.01
    assert (found.lag >= 0).all()
    assert (np.diff(found.time) >= 0).all()


def test_slices_of_many_subjects_are_those_of_each() -> None:
    stays = [stay(i, subject_id=i, count=10 + i, start=START + i * HOUR) for i in range(5)]
    together = stream(stays, last_arrival=np.full(5, BEGINNING))
    for i, alone in enumerate(one(s) for s in stays):
        np.testing.assert_array_equal(together.time[together.row == i], alone.time)
        np.testing.assert_array_equal(together.kind[together.row == i], alone.kind)
        mine = together.row[together.item_arrival] == i
        np.testing.assert_array_equal(together.value[mine], alone.value)


def test_an_empty_slice_has_no_arrivals_and_an_unknown_patient_no_gaps() -> None:
    whole = stay(2)
    nothing = part(whole, whole.since - 2 * HOUR, whole.since - HOUR)
    assert len(one(nothing).time) == 0
    assert len(stream([], last_arrival=np.empty(0, np.int64)).time) == 0
