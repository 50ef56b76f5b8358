"""Outcomes that are read piece by piece are those of one full reading."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from clinical_jepa.web.recent import Recent
from tests.web.fakes import FakeLedger, forecast


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), max_size=8), st.integers(1, 10))
def test_reading_in_pieces_equals_reading_whole(ticks: list[tuple[int, int]], span: int) -> None:
    """Each tick comes ``gap`` after the one before and speaks of so many subjects."""
    ledger = FakeLedger()
    recent = Recent(ledger)
    now = 100
    for gap, subjects in ticks:
        now += gap + 1
        ledger.told = [*ledger.told, *(forecast(subject, now, 0.1) for subject in range(subjects))]
        assert sorted(recent.since(now - span), key=str) == sorted(ledger.outcomes(since=now - span), key=str)
