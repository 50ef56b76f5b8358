"""One tick is one transaction; what it wrote comes back as it was."""

from __future__ import annotations

import threading
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from clinical_jepa.records.alerts import Acknowledgement, AlertState, Cause
from clinical_jepa.records.errors import BadRequest, BrokenStore
from clinical_jepa.records.instant import END, HOUR, MINUTE
from clinical_jepa.store import crash_points
from clinical_jepa.store.ledger import Ledger
from tests.store.ticks import T0, abstention, alert, ended, forecast, memory, message, tick, transition

STEP = 15 * MINUTE


@pytest.fixture(params=["file", "memory"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Ledger:
    return Ledger.open(tmp_path / "l.sqlite" if request.param == "file" else ":memory:")


def test_everything_of_a_tick_comes_back(ledger: Ledger) -> None:
    assert ledger.last_tick() is None
    raised = tick(T0, outcomes=[forecast(1), abstention(2)], alert=alert(), transitions=[transition()], messages=["k"])
    assert ledger.commit(raised)
    assert ledger.last_tick() == (T0, raised.watermark)
    assert ledger.patients() == {one.patient.subject_id: one.patient for one in raised.advances}
    assert ledger.memory(1) == memory(1, T0)
    assert ledger.outcomes(since=T0, until=T0) == [forecast(1), abstention(2)]
    assert ledger.outcomes(since=T0 + 1) == []
    assert ledger.alerts(open_only=True) == [alert()]
    assert ledger.transitions("alert") == [transition()]
    assert [(m.key, m.attempts, m.delivered_at) for m in ledger.messages()] == [("k", 0, None)]


def test_the_same_tick_again_changes_nothing_and_says_so(ledger: Ledger) -> None:
    first = tick(T0, outcomes=[forecast(1)], messages=["k"])
    assert ledger.commit(first)
    before = ledger.dump()
    assert not ledger.commit(tick(T0, outcomes=[forecast(1, risk=0.9)], messages=["other"]))
    assert ledger.dump() == before


def test_a_tick_that_rests_on_a_past_state_is_refused(ledger: Ledger) -> None:
    ledger.commit(tick(T0))
    ledger.commit(tick(T0 + STEP, since=T0))
    with pytest.raises(BadRequest, match="another monitor"):
        ledger.commit(tick(T0 + 2 * STEP, since=T0))
    assert ledger.last_tick() == (T0 + STEP, 1)


def test_an_alert_that_ended_is_kept_as_it_ended(ledger: Ledger) -> None:
    ledger.commit(tick(T0, outcomes=[forecast(1)], alert=alert(), transitions=[transition()]))
    answered = transition(T0 + STEP, AlertState.RAISED, AlertState.ACKNOWLEDGED, Cause.ACKNOWLEDGED_BY_PERSON, "nurse")
    over = transition(T0 + STEP, AlertState.ACKNOWLEDGED, AlertState.RESOLVED, Cause.EVENT_BEGAN, risk=0.95)
    ledger.commit(tick(T0 + STEP, since=T0, outcomes=[ended(1, T0 + STEP)], transitions=[answered, over]))
    assert ledger.alerts(open_only=True) == []
    (kept,) = ledger.alerts()
    assert (kept.state, kept.acknowledged_by, kept.changed_at) == (AlertState.RESOLVED, "nurse", T0 + STEP)
    assert (kept.risk, kept.assessed_at, kept.peak_risk) == (0.4, T0, 0.95)  # as of its forecast, and the highest told
    assert ledger.transitions() == [transition(), answered, over]


def test_an_answer_is_applied_by_the_tick_that_read_it_and_kept_for_replay(ledger: Ledger) -> None:
    early, too_late = (Acknowledgement(alert_id="alert", by=by, at=T0 - 5) for by in ("a", "b"))
    future = Acknowledgement(alert_id="alert", by="c", at=T0 + STEP)
    ledger.acknowledge(early)
    ledger.acknowledge(future)
    assert ledger.acknowledgements(T0) == (early,)
    ledger.acknowledge(too_late)  # between what the tick read and its commit
    assert len(ledger.acknowledgements(END)) == 3  # the page looks too
    ledger.acknowledgements(T0 - 10**9)
    ledger.commit(tick(T0))
    assert ledger.acknowledgements(END) == (too_late, future)
    assert ledger.answered() == [(early, T0), (future, None), (too_late, None)]


def test_snapshots_are_dense_near_and_sparse_far(ledger: Ledger) -> None:
    for step in range(260):
        now = T0 + step * STEP
        ledger.commit(tick(now, since=now - STEP, outcomes=[forecast(1, at=now)]))
    ages = [(now - cursor) / HOUR for cursor in ledger.snapshots(1)]
    assert [age for age in ages if age <= 6] == [n / 4 for n in reversed(range(25))]
    far = [age for age in ages if age > 6]
    assert 40 <= len(far) <= 42
    assert max(far) <= 48
    assert all(abs(a - b) <= 1 for a, b in pairwise(far))
    found = ledger.memory(1, before=now - HOUR)
    assert found is not None
    assert found.cursor == now - HOUR - STEP


def test_ticks_every_minute_keep_a_snapshot_a_quarter_and_the_newest(ledger: Ledger) -> None:
    for step in range(50):
        now = T0 + step * MINUTE
        ledger.commit(tick(now, since=now - MINUTE, outcomes=[forecast(1, at=now)]))
    assert [(cursor - T0) // MINUTE for cursor in ledger.snapshots(1)] == [0, 1, 16, 31, 46, 49]
    assert ledger.memory(1) == memory(1, now)


def test_snapshots_of_a_past_that_changed_are_forgotten(ledger: Ledger) -> None:
    instants = [T0 + n * STEP for n in range(5)]
    for now in instants[:4]:
        ledger.commit(tick(now, since=now - STEP, outcomes=[forecast(1, at=now), forecast(2, at=now)]))
    last = replace(
        tick(instants[4], since=instants[3], outcomes=[forecast(1, at=instants[4])]), rewound={1: instants[2]}
    )
    ledger.commit(last)
    assert ledger.snapshots(1) == [instants[0], instants[1], instants[4]]
    assert ledger.snapshots(2) == instants[:4]


def test_heartbeats_are_the_newest_by_name(ledger: Ledger) -> None:
    ledger.heartbeat("watch", 1, 10)
    ledger.heartbeat("watch", 2, 20)
    ledger.heartbeat("relay", 3, 30)
    assert {name: (beat.wall, beat.ward_now) for name, beat in ledger.heartbeats().items()} == {
        "watch": (2, 20),
        "relay": (3, 30),
    }


@pytest.mark.parametrize(
    "point", ["commit.begun", "commit.after-memories", "commit.after-transitions", "commit.before-commit"]
)
def test_a_tick_that_breaks_off_leaves_nothing(ledger: Ledger, point: str) -> None:
    ledger.commit(tick(T0, outcomes=[forecast(1)]))
    before, answer = ledger.dump(), Acknowledgement(alert_id="alert", by="a", at=T0)
    ledger.acknowledge(answer)
    following = tick(
        T0 + STEP, since=T0, outcomes=[forecast(1)], alert=alert(), transitions=[transition()], messages=["k"]
    )

    def fail(name: str) -> None:
        if name == point:
            raise KeyboardInterrupt

    crash_points.install(fail)
    try:
        ledger.acknowledgements(T0 + STEP)
        with pytest.raises(KeyboardInterrupt):
            ledger.commit(following)
    finally:
        crash_points.install(None)
    assert ledger.dump() == before
    assert ledger.acknowledgements(T0 + STEP) == (answer,)
    assert ledger.commit(following)
    assert len(ledger.messages()) == 1


def test_equal_inputs_give_equal_dumps_and_a_changed_one_another(tmp_path: Path) -> None:
    ticks = [tick(T0, outcomes=[forecast(1)], alert=alert(), transitions=[transition()], messages=["k"])]
    on_disk, in_memory, other = Ledger.open(tmp_path / "l"), Ledger.open(":memory:"), Ledger.open(":memory:")
    for one in ticks:
        on_disk.commit(one)
        in_memory.commit(one)
        other.commit(replace(one, memories=(memory(1, T0, b"changed"),)))
    on_disk.lease("w", T0, 5, 1)
    assert on_disk.dump() == in_memory.dump() != other.dump()


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("messages", {"messages": (replace(message("k"), payload=b'{"a":2}'),)}),
        ("messages", {"messages": (replace(message("k"), recipient="another"),)}),
        ("messages", {"messages": (replace(message("k"), valid_until=T0),)}),
        ("messages", {"messages": ()}),
        ("transitions", {"transitions": (transition(risk=0.41),)}),
        ("transitions", {"transitions": (transition(actor="nurse"),)}),
        ("transitions", {"transitions": ()}),
        ("forecasts", {"outcome": forecast(1, risk=0.41)}),
        ("forecasts", {"outcome": abstention(1)}),
    ],
)
def test_a_dump_tells_of_every_difference(part: str, other: dict[str, Any]) -> None:
    """A replay is judged by dumps alone: what is not in them may differ unseen."""
    said = tick(T0, outcomes=[forecast(1)], alert=alert(), transitions=[transition()], messages=["k"])
    one, two = Ledger.open(":memory:"), Ledger.open(":memory:")
    one.commit(said)
    two.commit(replace(said, advances=(replace(said.advances[0], **other),)))
    left, right = one.dump(), two.dump()
    assert [name for name in left if left[name] != right[name]] == [part]


def test_threads_may_share_a_ledger(ledger: Ledger) -> None:
    def beat(name: str) -> None:
        for step in range(20):
            ledger.heartbeat(name, step, step)
            ledger.heartbeats()

    threads = [threading.Thread(target=beat, args=(f"t{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {beat.wall for beat in ledger.heartbeats().values()} == {19}


def test_a_file_that_is_no_ledger_or_a_later_one_says_so(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"no database" * 100)
    with pytest.raises(BrokenStore, match="is no ledger"):
        Ledger.open(tmp_path / "text")
    later = Ledger.open(tmp_path / "later")
    later._connection.execute("PRAGMA user_version = 9")
    later.close()
    with pytest.raises(BrokenStore, match="version 9"):
        Ledger.open(tmp_path / "later")
