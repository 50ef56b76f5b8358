"""The alert's life cycle: the table is the law, and every walk obeys it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_jepa.alerts.life_cycle import TABLE, diagram, follow, is_open, progress
from clinical_jepa.evaluate.checks.stand_in import policy
from clinical_jepa.records.alerts import OPEN, Acknowledgement, Alert, AlertState, Cause
from clinical_jepa.records.forecasts import Abstention, Forecast, Why
from clinical_jepa.records.instant import MINUTE
from clinical_jepa.records.ward import Patient, Stay
from tests.alerts.cases import HERE, PATIENT, T0, at, forecast, said, silent

RULES = policy()


def test_every_cause_and_every_state_is_reachable_and_closed_states_have_no_way_out() -> None:
    assert set(TABLE.values()) == set(AlertState)
    assert {cause for _, cause in TABLE} == set(Cause)
    assert {before for before, _ in TABLE if before is not None} == set(OPEN)


@pytest.mark.parametrize(
    ("state", "cause"), [(s, c) for s in (None, *AlertState) for c in Cause if (s, c) not in TABLE]
)
def test_a_pair_outside_the_table_is_an_error(state: AlertState | None, cause: Cause) -> None:
    with pytest.raises(ValueError, match="TABLE"):
        follow(state, cause)


def test_the_diagram_shows_each_row_of_the_table() -> None:
    text = diagram()
    assert text.startswith("stateDiagram-v2")
    assert text.count("-->") == len(TABLE) + 2
    assert "raised --> expired: not-answered" in text


def test_an_alert_is_raised_at_the_threshold_and_not_below() -> None:
    assert said(PATIENT, forecast(0, RULES.threshold - 1e-9)).alert is None
    raised = said(PATIENT, forecast(0, RULES.threshold))
    assert raised.alert is not None
    assert raised.alert.due_at == T0 + RULES.expire_after
    assert [(one.before, one.after, one.cause) for one in raised.transitions] == [
        (None, AlertState.RAISED, Cause.RISK_ABOVE_THRESHOLD)
    ]


def test_nobody_is_alerted_about_one_who_is_not_on_the_ward() -> None:
    alert, changes = progress(PATIENT, forecast(0, 0.9), RULES, stay=None)
    assert (alert, changes) == (None, ())


def test_it_resolves_only_after_the_risk_stayed_below_for_long_enough() -> None:
    patient = said(PATIENT, forecast(0, 0.9))
    for minute in (15, 30):
        patient = said(patient, forecast(minute, 0.1))
        assert patient.alert is not None
    patient = said(patient, forecast(45, 0.1))
    assert patient.alert is None
    assert patient.transitions[-1].cause is Cause.RISK_BELOW_CLEARING


def test_silence_of_data_never_resolves_and_starts_the_wait_anew() -> None:
    patient = said(PATIENT, forecast(0, 0.9))
    patient = said(patient, forecast(15, 0.1))
    patient = said(patient, silent(30, Why.STALE_VITALS))
    for minute in (45, 60):
        patient = said(patient, forecast(minute, 0.1))
        assert patient.alert is not None
    assert said(patient, forecast(75, 0.1)).alert is None


def test_an_answer_counts_once_and_keeps_its_own_time() -> None:
    patient = said(PATIENT, forecast(0, 0.9))
    assert patient.alert is not None
    answers = [
        Acknowledgement(alert_id=patient.alert.alert_id, by=who, at=at(minute)) for who, minute in (("b", 9), ("a", 5))
    ]
    foreign = Acknowledgement(alert_id="another", by="c", at=at(1))
    patient = said(patient, forecast(15, 0.9), [foreign, *answers])
    assert [(one.actor, one.at) for one in patient.transitions] == [("a", at(5))]
    assert patient.alert is not None
    assert patient.alert.acknowledged_by == "a"
    again = said(patient, forecast(30, 0.9), answers)
    assert again.transitions == ()


def test_risk_and_reasons_keep_the_instant_of_their_forecast_whatever_comes_after() -> None:
    """An age is relative to a forecast: after an abstention or an answer it must still be told to which."""
    patient = said(said(PATIENT, forecast(0, 0.9)), forecast(15, 0.8))
    assert patient.alert is not None
    answer = Acknowledgement(alert_id=patient.alert.alert_id, by="a", at=at(20))
    patient = said(patient, silent(30, Why.STALE_VITALS), [answer])
    assert patient.alert is not None
    assert (patient.alert.risk, patient.alert.assessed_at, patient.alert.changed_at) == (0.8, at(15), at(20))


def test_an_answer_from_the_future_waits_for_its_tick() -> None:
    patient = said(PATIENT, forecast(0, 0.9))
    assert patient.alert is not None
    early = Acknowledgement(alert_id=patient.alert.alert_id, by="a", at=at(16))
    assert said(patient, forecast(15, 0.9), [early]).transitions == ()


def test_an_alert_nobody_answered_expires_when_its_answer_is_due_and_an_answered_one_does_not() -> None:
    patient = said(PATIENT, forecast(0, 0.9))
    assert said(patient, forecast(119, 0.9)).alert is not None
    assert said(patient, forecast(120, 0.9)).transitions[-1].cause is Cause.NOT_ANSWERED
    assert patient.alert is not None
    kept = replace(patient.alert, state=AlertState.ACKNOWLEDGED)
    assert said(replace(patient, alert=kept), forecast(500, 0.9)).alert is not None


def test_the_event_and_leaving_end_it() -> None:
    patient = said(PATIENT, forecast(0, 0.9))
    assert said(patient, silent(15, Why.IN_EVENT)).transitions[-1].cause is Cause.EVENT_BEGAN
    assert said(patient, forecast(15, 0.9), stay=None).transitions[-1].cause is Cause.LEFT_THE_WARD
    elsewhere = replace(HERE, encounter_id="next")
    assert said(patient, forecast(15, 0.9), stay=elsewhere).transitions[-1].cause is Cause.LEFT_THE_WARD


def test_a_transfer_to_another_bed_changes_nothing() -> None:
    patient = said(PATIENT, forecast(0, 0.9))
    assert said(patient, forecast(15, 0.9), stay=replace(HERE, bed="Bed 9")).transitions == ()


def test_after_an_alert_ended_there_is_silence_for_a_while() -> None:
    ended = replace(PATIENT, last_alert_end=T0)
    assert said(ended, forecast(59, 0.9)).alert is None
    assert said(ended, forecast(60, 0.9)).alert is not None


OUTCOMES = st.one_of(
    st.floats(0, 1).map(lambda risk: ("risk", risk)),
    st.sampled_from([Why.IN_EVENT, Why.STALE_VITALS]).map(lambda why: ("why", why)),
)
STAYS = st.sampled_from([HERE, HERE, HERE, HERE, replace(HERE, encounter_id="next"), None])


@settings(max_examples=150, deadline=None)
@given(walk=st.lists(st.tuples(OUTCOMES, STAYS, st.booleans()), max_size=40))
def test_any_walk_obeys_the_table(walk: list[tuple[tuple[str, float | Why], Stay | None, bool]]) -> None:
    patient: Patient = PATIENT
    states: dict[str, AlertState] = {}
    ended: int | None = None
    for number, ((kind, what), stay, answered) in enumerate(walk):
        outcome: Forecast | Abstention = (
            forecast(15 * number, float(what)) if kind == "risk" else silent(15 * number, Why(what))
        )
        patient = replace(patient, encounter_id=stay.encounter_id if stay else patient.encounter_id)
        answers = _answer(patient.alert, at(15 * number - 3)) if answered else []
        before = patient.alert
        alert, changes = progress(patient, outcome, RULES, stay=stay, acknowledgements=answers)
        for change in changes:
            one = change.transition
            assert states.get(one.alert_id) == one.before
            assert TABLE[one.before, one.cause] == one.after
            assert one.at <= outcome.at
            if one.cause is Cause.RISK_ABOVE_THRESHOLD:
                assert before is None
                assert ended is None or outcome.at - ended >= RULES.silence
            states[one.alert_id] = one.after
        if alert is not None and not is_open(alert):
            ended = alert.changed_at
        patient = replace(patient, alert=alert if alert is not None and is_open(alert) else None, last_alert_end=ended)
        assert sum(state in OPEN for state in states.values()) == (patient.alert is not None)
        if patient.alert is not None and patient.alert.state is AlertState.RAISED:
            assert outcome.at < patient.alert.due_at
            assert patient.alert.peak_risk >= patient.alert.risk


def _answer(alert: Alert | None, instant: int) -> list[Acknowledgement]:
    return [Acknowledgement(alert_id=alert.alert_id, by="nurse", at=max(instant, alert.raised_at))] if alert else []


def test_minutes_are_what_the_cases_count_in() -> None:
    assert at(1) - T0 == MINUTE
