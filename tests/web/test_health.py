"""The banner: each way in which the page could look calm while something is dead."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clinical_jepa.records.instant import HOUR, MINUTE, SECOND
from clinical_jepa.web.config import WebConfig
from clinical_jepa.web.health import Health, read_health
from clinical_jepa.web.state import WardState
from tests.web.conftest import open_page
from tests.web.fakes import NOW, FakeClock, FakeFeed, FakeHeartbeat, FakeMessage, alert
from tests.web.wards import RAISED

WALL = 1_800_000_000 * SECOND


def health(state: WardState, **beats: int) -> Health:
    """The banner with heartbeats of the given ages (µs of wall time)."""
    state.ledger.beats = {name: FakeHeartbeat(WALL - age, NOW) for name, age in beats.items()}
    return read_health(replace(state, wall=lambda: WALL), WebConfig())


def said(found: Health, name: str) -> list[str]:
    return [f"{notice.level}: {notice.text}" for notice in found.notices if notice.name == name]


@pytest.mark.parametrize(
    ("age", "live"), [(0, True), (20 * SECOND, True), (20 * SECOND + 1, False), (-6 * SECOND, False)]
)
def test_the_loop_is_live_while_it_beats(state: WardState, age: int, live: bool) -> None:
    assert health(state, watch=age, relay=0).live is live


def test_a_loop_that_never_ran_is_not_live(state: WardState) -> None:
    found = health(state)
    assert not found.live
    assert found.loop_seen is None
    state.ledger.beats = {}
    assert "has not been started" in open_page(state).get("/").text


def test_the_loops_life_does_not_depend_on_the_ward_clock(state: WardState) -> None:
    far = replace(state, clock=FakeClock(instant=NOW + 1000 * HOUR))
    assert health(far, watch=SECOND).live


def test_an_undelivered_alert_is_red(state: WardState) -> None:
    state.ledger.messages_ = [FakeMessage("a", "nurse", NOW - 3 * MINUTE, None, attempts=4)]
    assert said(health(state, watch=0, relay=0), "routing") == [
        "bad: Alerts not routed: 1. Nobody was told; use the phone."
    ]


@pytest.mark.parametrize(
    ("age", "speed", "late"), [(2 * MINUTE, 1.0, 0), (2 * MINUTE + 1, 1.0, 1), (HOUR, 60.0, 0), (3 * HOUR, 60.0, 1)]
)
def test_a_fast_clock_gives_the_relay_the_same_wall_time(state: WardState, age: int, speed: float, late: int) -> None:
    state.ledger.messages_ = [FakeMessage("a", "nurse", NOW - age, None)]
    fast = replace(state, clock=FakeClock(speed=speed))
    assert len(said(health(fast, watch=0, relay=0), "routing")) == late


@pytest.mark.parametrize(("alert_id", "late"), [("of a closed alert", 0), (alert(RAISED, raised=NOW).alert_id, 1)])
def test_a_message_given_up_counts_while_its_alert_is_open(state: WardState, alert_id: str, late: int) -> None:
    state.ledger.messages_ = [FakeMessage(alert_id, "nurse", NOW - HOUR, None, expired_at=NOW - MINUTE)]
    assert len(said(health(state, watch=0, relay=0), "routing")) == late


def test_a_dead_relay_is_said_before_an_alert_is_lost(state: WardState) -> None:
    state.ledger.messages_ = []
    assert said(health(state, watch=0, relay=0), "relay") == []
    (line,) = said(health(state, watch=0, relay=40 * SECOND), "relay")
    assert line.startswith("warn: Alerts are not carried to people now: the relay has given no sign of life for 40 s")


def test_a_silent_feed_is_named_with_its_age(state: WardState) -> None:
    state.store.feeds_ = [FakeFeed("wfdb:numerics", NOW - 11 * MINUTE, 5), FakeFeed("wfdb", NOW - 100 * MINUTE, 5)]
    found = health(state, watch=0, relay=0)
    assert said(found, "feed") == ["warn: Silent for longer than expected: wfdb:numerics (newest 11 min ago)."]
    assert [(feed.source, feed.late) for feed in found.feeds] == [("wfdb", False), ("wfdb:numerics", True)]


@pytest.mark.parametrize(("ages", "past"), [((24 * HOUR, 900 * HOUR), None), ((24 * HOUR + 1, 900 * HOUR), "1 d")])
def test_data_that_ended_long_ago_are_not_shown_as_if_they_were_of_now(
    state: WardState, ages: tuple[int, ...], past: str | None
) -> None:
    state.store.feeds_ = [FakeFeed(f"wfdb:{number}", NOW - age, 5) for number, age in enumerate(ages)]
    found = health(state, watch=0, relay=0)
    page = open_page(replace(state, wall=lambda: WALL)).get("/").text
    if past is None:
        assert said(found, "past") == []
        assert "PAST DATA" not in page
        assert 'class="not-live"' not in page
    else:
        (line,) = said(found, "past")
        assert line.startswith(f"bad: The newest row of any source is {past} old. Nothing below is current")
        assert said(found, "feed") == []  # one word for it is enough
        assert f"<strong>PAST DATA</strong>{line.removeprefix('bad: ')}" in page
        assert "<title>PAST DATA – " in page
        assert 'class="not-live"' in page


def test_a_source_whose_clock_is_ahead_is_shown(state: WardState) -> None:
    assert "2 rows from a clock ahead of ours" in open_page(state).get("/").text


def test_the_quarantine_is_counted(state: WardState) -> None:
    assert "<b>quarantine</b> 3" in open_page(state).get("/").text


def test_a_store_that_never_saw_anything_says_so(state: WardState) -> None:
    state.store.feeds_, state.store.rows = [], []
    page = open_page(state).get("/").text
    assert "nothing had arrived by" in page
    assert "Nobody is known to be on the ward" in page
