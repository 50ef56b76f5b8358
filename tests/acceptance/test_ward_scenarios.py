"""What a ward may expect, told as scripts in time. The model is a stand-in: risk rises as mean pressure falls below 70."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinical_jepa.records.forecasts import Abstention, Forecast, Why
from clinical_jepa.store.events import Store
from clinical_jepa.store.ledger import Ledger
from tests.acceptance.stage import Stage, payload
from tests.monitor.scenes import Scene

CALM = {"08:05": 80.0, "09:05": 80.0, "10:02": 80.0}


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    stage = Stage.open(tmp_path)
    stage.admitted("08:01")
    return stage


def test_an_alert_is_raised_answered_and_resolves_after_the_value_was_corrected(stage: Stage) -> None:
    stage.charted({**CALM, "10:10": 66.5})
    stage.until("10:15")
    assert stage.history() == [("10:15", "raised", "risk-above-threshold")]
    stage.acknowledged("10:20", "nurse")
    stage.until("10:45")
    assert stage.history()[1:] == [("10:20", "acknowledged", "acknowledged-by-person")]
    stage.corrected("10:10", received="10:52", value=86.5)
    stage.until("11:00")
    before, after = stage.said("10:45"), stage.said("11:00")
    assert isinstance(before, Forecast)
    assert isinstance(after, Forecast)
    assert before.risk > 0.5 > after.risk
    assert [row["replayed"] for row in stage.scene.ward.ledger.ticks()][-1] == 1
    stage.until("11:30")
    assert stage.history()[2:] == [("11:30", "resolved", "risk-below-clearing")]
    assert stage.received() == [
        ("10:15", "raised", "ICU A / Bed 07"),
        ("10:20", "acknowledged", "ICU A / Bed 07"),
        ("11:30", "resolved", "ICU A / Bed 07"),
    ]


def test_a_value_entered_in_error_is_taken_back_and_what_was_said_before_stands(stage: Stage) -> None:
    stage.charted({**CALM, "10:10": 66.5})
    stage.until("10:15")
    said = stage.said("10:15")
    stage.corrected("10:10", received="10:20", value=None)
    stage.until("10:30")
    assert stage.said("10:15") == said
    now = stage.said("10:30")
    assert isinstance(now, Forecast)
    assert now.risk < 0.1
    memory = stage.scene.ward.ledger.memory(1)
    assert memory == stage.scene.from_scratch(1, stage.clock)


def test_an_alert_that_nobody_answers_expires_and_everyone_is_told_so(stage: Stage) -> None:
    stage.charted(CALM | {"10:10": 67.0, "11:10": 67.0, "12:05": 67.0, "13:05": 67.0})
    stage.until("13:30")
    assert stage.history() == [
        ("10:15", "raised", "risk-above-threshold"),
        ("12:15", "expired", "not-answered"),
        ("13:15", "raised", "risk-above-threshold"),
    ]
    assert [state for _, state, _ in stage.received("physician")] == ["raised", "expired", "raised"]


def test_when_vitals_grow_old_nothing_is_said_and_an_open_alert_stays(stage: Stage) -> None:
    stage.charted({**CALM, "10:10": 66.5})
    stage.until("10:15")
    stage.acknowledged("10:16", "nurse")
    stage.until("12:30")
    silent = stage.said("12:15")
    assert isinstance(silent, Abstention)
    assert silent.why is Why.STALE_VITALS
    assert stage.alert() is not None
    stage.charted({"12:40": 80.0})
    stage.until("12:45")
    assert isinstance(stage.said("12:45"), Forecast)
    assert stage.alert() is not None
    stage.charted({"13:10": 80.0})
    stage.until("13:15")
    assert stage.history()[-1] == ("13:15", "resolved", "risk-below-clearing")


def test_a_patient_who_leaves_takes_the_alert_along(stage: Stage) -> None:
    stage.charted({**CALM, "10:10": 66.5})
    stage.until("10:15")
    stage.discharged("10:25")
    stage.until("11:00")
    assert stage.history()[-1] == ("10:30", "resolved", "left-the-ward")
    assert stage.said("10:45") is None


def test_when_the_event_comes_the_alert_has_done_its_work(stage: Stage) -> None:
    stage.charted({**CALM, "10:10": 66.5, "10:20": 63.0, "10:25": 62.0})
    stage.until("10:30")
    assert stage.history() == [("10:15", "raised", "risk-above-threshold"), ("10:30", "resolved", "event-began")]
    during = stage.said("10:30")
    assert isinstance(during, Abstention)
    assert during.why is Why.IN_EVENT


def test_a_new_patient_is_not_judged_before_enough_is_known(stage: Stage) -> None:
    stage.charted({"08:05": 66.0, "09:00": 66.0})
    stage.until("09:45")
    early = stage.said("09:45")
    assert isinstance(early, Abstention)
    assert early.why is Why.WARMING_UP
    stage.until("10:15")
    assert stage.history() == [("10:15", "raised", "risk-above-threshold")]


def test_an_alert_that_could_not_be_delivered_in_time_is_never_sent_late_but_stays_visible(stage: Stage) -> None:
    stage.relay_runs = False
    stage.charted(CALM | {"10:10": 67.0, "11:10": 67.0, "12:05": 67.0})
    stage.until("12:30")
    assert stage.relay().expired == 2
    assert [state for _, state, _ in stage.received()] == ["expired"]
    unrouted = [row for row in stage.scene.ward.ledger.messages() if row.delivered_at is None]
    assert {payload(row)["state"] for row in unrouted} == {"raised"}
    assert all(row.expired_at is not None for row in unrouted)


def test_a_loop_that_was_down_makes_up_for_it_and_sends_what_is_still_valid(stage: Stage) -> None:
    """Two hours of ticks at once give the alert that was due then, with its own time, and it is still worth sending."""
    stage.relay_runs = False
    stage.charted(CALM | {"10:10": 67.0, "11:10": 67.0})
    stage.until("12:00")
    stage.relay()
    assert stage.received() == [("10:15", "raised", "ICU A / Bed 07")]


def test_a_restart_in_the_middle_changes_nothing(stage: Stage, tmp_path: Path) -> None:
    stage.charted(CALM | {"10:10": 66.5, "10:40": 80.0})
    stage.until("10:15")
    ward = stage.scene.ward
    again = Stage(
        Scene(
            type(ward)(
                **{
                    **vars(ward),
                    "store": Store.open(tmp_path / "store"),
                    "ledger": Ledger.open(tmp_path / "ledger.sqlite"),
                }
            )
        ),
        tmp_path,
        clock=stage.clock,
    )
    again.until("11:30")
    assert again.history() == [
        ("10:15", "raised", "risk-above-threshold"),
        ("11:15", "resolved", "risk-below-clearing"),
    ]


def test_two_beds_do_not_touch_each_other(stage: Stage) -> None:
    stage.admitted("08:02", subject=2, bed="ICU A / Bed 08")
    stage.charted({**CALM, "10:10": 66.5})
    stage.charted({"08:06": 81.0, "10:11": 81.0}, subject=2)
    stage.until("10:15")
    assert stage.alert(1) is not None
    assert stage.alert(2) is None
    assert {bed for _, _, bed in stage.received()} == {"ICU A / Bed 07"}
