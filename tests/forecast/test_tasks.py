"""The first task file, and what a person is told about a wrong one."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from clinical_jepa.forecast.tasks import format_duration, from_dict, load_task, parse_duration, to_dict
from clinical_jepa.records.errors import BadRequest
from clinical_jepa.records.instant import HOUR, MINUTE
from clinical_jepa.vocabulary.tables import schemas


@pytest.fixture
def content():
    return yaml.safe_load((schemas() / "tasks" / "deterioration-8h.yaml").read_text(encoding="utf-8"))


def load(tmp_path, content):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return load_task(path)


def test_the_first_task_says_what_the_issue_asks():
    task = load_task("deterioration-8h")
    assert (task.horizon, task.cadence, task.warm_up) == (8 * HOUR, 15 * MINUTE, 2 * HOUR)
    assert [(c.kind, c.below, c.at_least) for c in task.criteria] == [
        ("low-twice", 65.0, None),
        ("start", None, None),
        ("low-under", 90.0, 50.0),
    ]
    assert from_dict(to_dict(task)) == task


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"horizont": "8 h"}, "'horizont'; did you mean 'horizon'"),
        ({"horizon": 8}, "horizon: 8 is not a duration"),
        ({"horizon": "8 hours"}, "is not a duration"),
        ({"horizon": "0 h"}, "above 0"),
        ({"vitals": ["LOINC//8867-5"]}, "did you mean 'LOINC//8867-4'"),
        ({"criteria": []}, "at least one criterion"),
        ({"criteria": [{"name": "x", "kind": "low-twise", "code": "LOINC//8478-0"}]}, "did you mean 'low-twice'"),
        ({"criteria": [{"name": "x", "kind": "low-twice", "code": "LOINC//8478-0"}]}, "missing below"),
        ({"quantiles": [0.9, 0.5, 0.1]}, "ascend"),
    ],
)
def test_a_wrong_task_is_explained(tmp_path, content, change, message):
    with pytest.raises(BadRequest, match=message.replace("(", r"\(")):
        load(tmp_path, {**content, **change})


def test_a_missing_key_a_wrong_name_and_no_mapping_are_explained(tmp_path, content):
    content.pop("warm_up")
    with pytest.raises(BadRequest, match="missing warm_up"):
        load(tmp_path, content)
    with pytest.raises(BadRequest, match="did you mean 'deterioration-8h'"):
        load_task("deterioration-9h")
    with pytest.raises(BadRequest, match="holds no task"):
        load(tmp_path, [1, 2])


@given(st.integers(1, 10**9), st.sampled_from(["s", "min", "m", "h", "d"]), st.sampled_from(["", " "]))
def test_a_duration_survives_being_written(number, unit, gap):
    span = parse_duration(f"{number}{gap}{unit}")
    assert span == number * {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400}[unit] * 10**6
    assert parse_duration(format_duration(span)) == span


@given(st.integers(1, 10**15))
def test_any_span_survives_being_written(span):
    assert parse_duration(format_duration(span)) == span
