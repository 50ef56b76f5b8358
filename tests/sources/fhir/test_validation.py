"""What is doubted is validated in full; what the library lets pass is refused here; a strict site has everything validated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from clinical_jepa.sources.fhir import reader, validation
from clinical_jepa.sources.fhir.validation import doubtful, own_checks, twice_named
from tests.sources.fhir.builders import LOINC, UCUM, observation, only, quantity, read, refusals, write


def valid(body: dict[str, Any]) -> bool:
    """What fhir.resources says."""
    from fhir.resources.R4B import get_fhir_model_class

    try:
        get_fhir_model_class(body["resourceType"]).model_validate(body)
    except ValueError:
        return False
    return True


# fhir.resources accepts each of these: this system must not
LETS_PASS: list[tuple[str, dict[str, Any], str]] = [
    ("a state that the standard does not have", observation(status="finalish"), "invalid"),
    (
        "a comparator that it does not have",
        observation(valueQuantity=quantity(80, "/min") | {"comparator": "=="}),
        "invalid",
    ),
    ("an id of 65 characters", observation("x" * 65), "invalid"),
    ("a number as text", observation(valueQuantity=quantity("80", "/min")), "invalid"),
    ("samples that are words", observation(valueQuantity=None, valueSampledData={}), "invalid"),
]
SAMPLED = {"origin": quantity(0, "mV"), "period": 4, "dimensions": 1, "data": "abc def"}
LETS_PASS[-1][1].update(
    valueSampledData=SAMPLED, code={"coding": [{"system": "urn:iso:std:iso:11073:10101", "code": "131330"}]}
)


@pytest.mark.parametrize(("case", "body", "reason"), LETS_PASS, ids=[case for case, _, _ in LETS_PASS])
@pytest.mark.parametrize("strict", [False, True])
def test_what_the_library_lets_pass_is_refused(
    case: str, body: dict[str, Any], reason: str, strict: bool, tmp_path: Path
) -> None:
    assert valid(body), case
    batch = read(write(tmp_path, "Observation.ndjson", body, observation("after")), strict=strict)
    assert refusals(batch) == [(reason, "line 1")]
    assert batch.events.num_rows == 1


DOUBTED: list[tuple[str, dict[str, Any]]] = [
    ("an element that no version has", observation(unheardOf=1)),
    ("two values", observation(valueString="fast")),
    ("a narrative without its text", observation(text={"status": "generated"})),
    ("a narrative that is none", observation(text="words")),
]


@pytest.mark.parametrize(("case", "body"), DOUBTED, ids=[case for case, _ in DOUBTED])
def test_what_is_doubted_is_judged_by_the_library(
    case: str, body: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not valid(body), case
    path = write(tmp_path, "Observation.ndjson", body)
    rejection = only(read(path))
    assert (rejection.reason, "FHIR R4" in rejection.message) == ("invalid", True)
    monkeypatch.setattr(reader, "doubtful", lambda body, version: False)
    assert read(path).rejections == ()  # nobody else would have said so


def test_a_doubt_that_turns_out_to_be_nothing_costs_nothing(tmp_path: Path) -> None:
    body = observation(_issued={"extension": [{"url": "http://a.example/x", "valueBoolean": True}]})
    assert valid(body)
    assert doubtful(body, "R4")
    assert read(write(tmp_path, "Observation.ndjson", body)).events.num_rows == 1


# the careful path reads these, as what is wrong does not touch what it takes
WRONG_ELSEWHERE: list[tuple[str, dict[str, Any]]] = [
    ("a note that is no list", observation(note={"text": "x"})),
    ("an unknown element deep inside", observation(method={"text": "x", "unheardOf": 1})),
    ("an empty word", observation(method={"text": ""})),
]


@pytest.mark.parametrize(("case", "body"), WRONG_ELSEWHERE, ids=[case for case, _ in WRONG_ELSEWHERE])
def test_a_strict_site_refuses_what_is_wrong_anywhere(case: str, body: dict[str, Any], tmp_path: Path) -> None:
    path = write(tmp_path, "Observation.ndjson", body)
    assert not valid(body), case
    assert read(path).events.num_rows == 1
    assert only(read(path, strict=True)).reason == "invalid"


def test_a_strict_site_refuses_a_key_that_stands_there_twice(tmp_path: Path) -> None:
    raw = orjson.dumps(observation())
    twice = raw.replace(b'"status":"final"', b'"status":"final","status":"final"')
    assert (twice_named(raw), twice_named(twice)) == (False, True)
    path = write(tmp_path, "Observation.ndjson", twice)
    assert read(path).events.num_rows == 1
    assert "twice" in only(read(path, strict=True)).message


def test_a_strict_site_reads_what_is_right_as_any_other_does(tmp_path: Path) -> None:
    part = {"code": {"coding": [{"system": LOINC, "code": "8480-6"}]}, "valueQuantity": quantity(120, "mm[Hg]")}
    path = write(
        tmp_path, "Observation.ndjson", observation("a"), observation("b", valueQuantity=None, component=[part])
    )
    lenient, strict = read(path), read(path, strict=True)
    assert sorted(lenient.events["event_id"].to_pylist()) == sorted(strict.events["event_id"].to_pylist())


def test_the_name_of_an_unknown_element_is_not_repeated(tmp_path: Path) -> None:
    rejection = only(read(write(tmp_path, "Observation.ndjson", observation(Smith=1))))
    assert "Smith" not in rejection.message


@pytest.mark.parametrize("name", ["", "x" * 65, None, 5])
def test_an_id_must_tell_versions_apart(name: Any) -> None:
    assert own_checks({"resourceType": "Observation", "id": name}, "R4") is not None
    assert own_checks({"resourceType": "Observation", "id": "x" * validation.LONGEST_ID}, "R4") is None


@pytest.mark.parametrize("value", [b"1e400", b"-1e400", b"true", b'"80"', b"null", b"[80]"])
def test_what_is_no_number_is_no_value(value: bytes, tmp_path: Path) -> None:
    raw = orjson.dumps(observation(valueQuantity={"value": 81, "code": "/min", "system": UCUM}))
    batch = read(write(tmp_path, "Observation.ndjson", raw.replace(b'"value":81', b'"value":' + value)))
    assert (batch.events.num_rows, [one.reason for one in batch.rejections]) == (0, ["invalid"])


def test_nan_is_no_json(tmp_path: Path) -> None:
    raw = orjson.dumps(observation()).replace(b'"value":80', b'"value":NaN')
    assert only(read(write(tmp_path, "Observation.ndjson", raw))).reason == "unreadable"
