"""One instant of one patient: what is said, or why nothing is. No clock, no chance, no I/O."""

from __future__ import annotations

import ast
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clinical_jepa.evaluate.checks.stand_in import MODEL_ID, policy
from clinical_jepa.forecast.eligibility import Eligibility, Watched
from clinical_jepa.monitor import advance as module
from clinical_jepa.monitor.advance import advance
from clinical_jepa.records.alerts import AlertState, Cause
from clinical_jepa.records.forecasts import Abstention, Forecast, Memory, Step, Why
from clinical_jepa.records.instant import HOUR, MINUTE
from clinical_jepa.records.ward import Advance, Patient, Stay

NOW = 1_767_600_000_000_000
RULES = policy()
HERE = Stay(subject_id=7, encounter_id="e", bed="Bed 7", admitted=NOW - 10 * HOUR)
KNOWN = Eligibility(origin=NOW - 10 * HOUR, vitals={"LOINC//8478-0": NOW - 5 * MINUTE})
PATIENT = Patient(
    subject_id=7,
    encounter_id="e",
    cursor=NOW - 15 * MINUTE,
    alert=None,
    last_alert_end=None,
    eligibility=KNOWN.to_bytes(),
)


def step(score: float = 0.0, novelty: float = 0.5) -> Step:
    return Step(
        memory=Memory(subject_id=7, model_id=MODEL_ID, cursor=NOW, blob=b""),
        score=score,
        quantiles=np.full((4, 4, 3), [60.0, 70.0, 80.0], np.float32),
        novelty=novelty,
        surprise=math.nan,
        reasons=(),
    )


def advanced(score: float = 0.0, known: Eligibility = KNOWN, stay: Stay | None = HERE, novelty: float = 0.5) -> Advance:
    patient = replace(PATIENT, eligibility=known.to_bytes())
    return advance(patient, step(score, novelty), NOW, RULES, stay=stay)


def test_a_forecast_is_calibrated_bounded_in_time_and_names_who_made_it() -> None:
    said = advanced(-2.0).outcome
    assert isinstance(said, Forecast)
    assert said.risk_low <= said.risk <= said.risk_high
    assert said.risk == pytest.approx(1 / (1 + math.exp(2)), abs=0.03)
    assert said.valid_until == NOW + RULES.task.validity
    assert (said.model_id, said.policy_id) == (MODEL_ID, RULES.policy_id)
    first = said.bands[0]
    assert (first.at, first.low, first.median, first.high) == (NOW + 30 * MINUTE, 59.0, 70.0, 81.0)


def test_a_higher_score_never_means_a_lower_risk() -> None:
    risks = [
        outcome.risk for score in np.linspace(-9, 9, 40) if isinstance(outcome := advanced(score).outcome, Forecast)
    ]
    assert len(risks) == 40
    assert risks == sorted(risks)


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_no_number_is_an_abstention_and_never_a_risk(score: float) -> None:
    done = advanced(score)
    assert isinstance(done.outcome, Abstention)
    assert done.outcome.why is Why.UNFAMILIAR
    assert done.transitions == ()


@pytest.mark.parametrize(
    ("known", "stay", "novelty", "why"),
    [
        (KNOWN, None, 0.5, Why.NOT_PRESENT),
        (replace(KNOWN, origin=NOW - HOUR), HERE, 0.5, Why.WARMING_UP),
        (replace(KNOWN, watched={"low mean pressure": Watched(held=NOW - HOUR)}), HERE, 0.5, Why.IN_EVENT),
        (replace(KNOWN, vitals={}), HERE, 0.5, Why.NO_VITALS),
        (replace(KNOWN, vitals={"LOINC//8478-0": NOW - 3 * HOUR}), HERE, 0.5, Why.STALE_VITALS),
        (KNOWN, HERE, 99.0, Why.UNFAMILIAR),
        (KNOWN, HERE, math.nan, Why.UNFAMILIAR),
    ],
)
def test_nothing_is_said_for_a_named_reason_and_nobody_is_alerted(
    known: Eligibility, stay: Stay | None, novelty: float, why: Why
) -> None:
    result = advanced(9.0, known, stay, novelty)
    assert isinstance(result.outcome, Abstention)
    assert result.outcome.why is why
    assert result.outcome.detail
    assert (result.transitions, result.messages, result.patient.alert) == ((), (), None)


def test_a_raised_alert_is_kept_with_the_patient_and_told_to_each_recipient() -> None:
    result = advanced(3.0)
    assert result.patient.alert is not None
    assert result.patient.alert.state is AlertState.RAISED
    assert (result.patient.cursor, result.patient.last_alert_end) == (NOW, None)
    assert [one.recipient for one in result.messages] == list(RULES.recipients)


def test_an_alert_that_ends_is_no_longer_with_the_patient_but_its_end_is() -> None:
    raised = advanced(3.0).patient
    gone = advance(raised, step(3.0), NOW + 15 * MINUTE, RULES, stay=None)
    assert gone.patient.alert is None
    assert gone.patient.last_alert_end == NOW + 15 * MINUTE
    assert [one.cause for one in gone.transitions] == [Cause.LEFT_THE_WARD]
    assert len(gone.messages) == 2


def test_the_same_in_is_the_same_out() -> None:
    assert advanced(3.0) == advanced(3.0)


def test_it_imports_neither_clock_nor_chance_nor_files() -> None:
    """Pure all the way down: what it imports of the standard library, and what those modules of ours import."""
    seen: set[str] = set()
    waiting = [module.__name__]
    root = Path(module.__file__).parents[2]
    while waiting:
        name = waiting.pop()
        path = root / (name.replace(".", "/") + ".py")
        if name in seen or not path.is_file() or name == "clinical_jepa.vocabulary.tables":
            continue
        seen.add(name)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                waiting += [node.module, *(f"{node.module}.{one.name}" for one in node.names)]
                seen.add(node.module) if not node.module.startswith("clinical_jepa") else None
            elif isinstance(node, ast.Import):
                seen |= {one.name for one in node.names}
    assert seen & {"time", "random", "secrets", "os", "socket", "sqlite3", "httpx", "subprocess"} == set()
    assert "clinical_jepa.alerts.life_cycle" in seen
