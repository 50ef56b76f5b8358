"""What is sent: to whom, once, and without anything that names the patient."""

from __future__ import annotations

import json
import math
from dataclasses import replace

from clinical_jepa.alerts.life_cycle import Change, changed, raised
from clinical_jepa.alerts.messages import message_key, messages
from clinical_jepa.evaluate.checks.stand_in import policy
from clinical_jepa.records.alerts import Cause, Message
from clinical_jepa.records.forecasts import Reason
from tests.alerts.cases import HERE, PATIENT, T0, at, forecast

RULES = policy()


def sent(change: Change, minute: float = 0, simulated: bool = False) -> tuple[Message, ...]:
    return messages(change, stay=HERE, policy=RULES, now=at(minute), simulated=simulated)


def test_each_recipient_gets_one_message_for_each_transition_under_its_own_key() -> None:
    first = raised(PATIENT, forecast(0, 0.9), RULES)
    second = changed(first.alert, Cause.ACKNOWLEDGED_BY_PERSON, at(5), "nurse")
    both = [*sent(first), *sent(second, 15)]
    assert [one.recipient for one in both] == [*RULES.recipients, *RULES.recipients]
    assert len({one.key for one in both}) == 4
    assert both[0].key == message_key(first.transition, RULES.recipients[0])
    assert sent(first) == sent(first)


def test_a_receiver_can_act_on_the_payload_alone() -> None:
    message = sent(raised(PATIENT, forecast(0, 0.9), RULES), simulated=True)[0]
    said = json.loads(message.payload)
    assert said["key"] == message.key
    assert (said["bed"], said["subject_id"], said["state"], said["risk"]) == ("ICU A / Bed 07", 7, "raised", 0.9)
    assert said["cause"] == "risk-above-threshold"
    assert said["simulated"] is True
    assert said["due_at"] == said["valid_until"] == "2026-01-05T10:00:00Z"
    assert said["reasons"] == [
        {
            "age_s": 300,
            "code": "LOINC//8478-0",
            "label": "Mean pressure",
            "unit": "mm[Hg]",
            "value": 66.0,
            "weight": 0.7,
        }
    ]


def test_an_answer_tells_of_which_forecast_its_risk_and_ages_are() -> None:
    first = raised(PATIENT, forecast(0, 0.9), RULES)
    told = json.loads(sent(changed(first.alert, Cause.ACKNOWLEDGED_BY_PERSON, at(5), "nurse"), 15)[0].payload)
    assert (told["assessed_at"], told["at"]) == ("2026-01-05T08:00:00Z", "2026-01-05T08:05:00Z")
    assert (told["risk"], told["reasons"][0]["age_s"]) == (0.9, 300)


def test_nothing_in_it_names_the_patient() -> None:
    payload = json.loads(sent(raised(PATIENT, forecast(0, 0.9), RULES))[0].payload)
    allowed = {
        "key",
        "recipient",
        "alert_id",
        "subject_id",
        "bed",
        "task",
        "title",
        "before",
        "state",
        "cause",
        "actor",
        "at",
    }
    allowed |= {
        "raised_at",
        "due_at",
        "assessed_at",
        "risk",
        "peak_risk",
        "reasons",
        "policy_id",
        "valid_until",
        "simulated",
    }
    assert set(payload) == allowed


def test_a_raised_alert_is_worth_carrying_until_its_answer_is_due() -> None:
    first = raised(PATIENT, forecast(0, 0.9), RULES)
    assert sent(first)[0].valid_until == T0 + RULES.expire_after
    ended = changed(first.alert, Cause.NOT_ANSWERED, at(120))
    assert sent(ended, 120)[0].valid_until == at(120) + RULES.expire_after


def test_numbers_that_json_cannot_say_are_null() -> None:
    odd = replace(forecast(0, 0.9), reasons=(Reason(code="X//1", value=math.nan, age=None, weight=math.inf),))
    text = sent(raised(PATIENT, odd, RULES))[0].payload.decode()
    reason = json.loads(text, parse_constant=lambda name: pytest_fail(name))["reasons"][0]
    assert (reason["value"], reason["weight"], reason["age_s"], reason["label"]) == (None, None, None, "X//1")


def pytest_fail(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")
