"""When a resource's facts could be known, and what later versions do to earlier ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from clinical_jepa.records.instant import iso
from clinical_jepa.sources.context import DELAYS
from clinical_jepa.sources.fhir.times import day_start, instant
from tests.sources.fhir.builders import facts, observation, only, quantity, read, write
from tests.sources.fhir.twins import LAB as CODED
from tests.sources.fhir.twins import accepted

UTC = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2026-01-05T09:00:00Z", UTC, "2026-01-05T09:00:00Z"),
        ("2012-05-30T20:42:24.841+12:00", BERLIN, "2012-05-30T08:42:24.841000Z"),
        ("2026-01-05", UTC, "2026-01-06T00:00:00Z"),
        ("2026-01-05", BERLIN, "2026-01-05T23:00:00Z"),
        ("2026-12", UTC, "2027-01-01T00:00:00Z"),
        ("2024", UTC, "2025-01-01T00:00:00Z"),
    ],
)
def test_a_date_alone_counts_from_its_end(text: str, zone: ZoneInfo, expected: str) -> None:
    assert iso(instant(text, zone)) == expected


@pytest.mark.parametrize("text", ["2026-01-05T09:00:00", "2026-13-01T00:00:00Z", "", "now", "2026-1-5"])
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        instant(text, UTC)


@pytest.mark.parametrize(
    ("text", "start"), [("1951-04-02", "1951-04-02"), ("1951-04", "1951-04-01"), ("1951", "1951-01-01")]
)
def test_a_birth_date_counts_from_its_start(text: str, start: str) -> None:
    assert iso(day_start(text, UTC)) == f"{start}T00:00:00Z"


LATER = {"meta": {"versionId": "2", "lastUpdated": "2026-01-05T12:00:00Z"}}


@pytest.mark.parametrize(
    ("fields", "options", "available", "basis"),
    [
        ({}, {}, "2026-01-05T09:05:00Z", "issued"),
        ({"issued": "2026-01-05T08:00:00Z"}, {}, "2026-01-05T09:00:00Z", "clamped"),
        ({"issued": None}, {}, "2026-01-05T09:00:00Z", "delay"),
        ({"issued": None, "meta": {"lastUpdated": "2026-01-05T12:00:00Z"}}, {}, "2026-01-05T09:00:00Z", "delay"),
        (
            {"issued": None, "meta": {"lastUpdated": "2026-01-05T12:00:00Z"}},
            {"trust_last_updated": True},
            "2026-01-05T12:00:00Z",
            "last-updated",
        ),
        ({"issued": None}, {"delays": DELAYS | {"chart": None, "lab": None}}, "2026-01-05T09:00:00Z", "assumed"),
        ({"issued": None, **LATER}, {}, "2026-01-05T12:00:00.000002Z", "last-updated"),
    ],
)
def test_the_rule_that_gives_the_available_time(
    fields: dict[str, Any], options: dict[str, Any], available: str, basis: str, tmp_path: Path
) -> None:
    ((_, _, when, rule, _, _),) = facts(read(write(tmp_path, "Observation.ndjson", observation(**fields)), **options))
    assert (when, rule) == (available, basis)


def test_a_laboratory_result_without_issued_takes_the_declared_delay(tmp_path: Path) -> None:
    lactate = observation(code="2524-7", issued=None, valueQuantity=quantity(2, "mmol/L"))
    ((_, _, available, basis, _, _),) = facts(read(write(tmp_path, "Observation.ndjson", lactate)))
    assert (available, basis) == ("2026-01-05T10:00:00Z", "delay")


def test_a_period_counts_from_its_end(tmp_path: Path) -> None:
    period = {"start": "2026-01-05T09:00:00Z", "end": "2026-01-05T10:00:00Z"}
    urine = observation(code="9187-6", effectiveDateTime=None, effectivePeriod=period, valueQuantity=quantity(60, "mL"))
    ((_, time, available, basis, _, _),) = facts(read(write(tmp_path, "Observation.ndjson", urine)))
    assert (time, available, basis) == ("2026-01-05T10:00:00Z", "2026-01-05T10:00:00Z", "clamped")


ONE_EVENT = {"event": ["2026-01-05T08:30:00Z"], "code": {"text": "once"}}


def test_a_timing_of_one_event_is_that_instant(tmp_path: Path) -> None:
    timed = observation(effectiveDateTime=None, effectiveTiming=ONE_EVENT)
    assert accepted(timed, "R4")
    ((_, time, available, basis, _, _),) = facts(read(write(tmp_path, "Observation.ndjson", timed)))
    assert (time, available, basis) == ("2026-01-05T08:30:00Z", "2026-01-05T09:05:00Z", "issued")


@pytest.mark.parametrize(
    ("timing", "said"),
    [
        ({"event": ["2026-01-05T08:30:00Z", "2026-01-05T08:40:00Z"]}, "effectiveTiming"),
        ({"repeat": {"frequency": 1, "period": 1, "periodUnit": "h"}}, "effectiveTiming"),
        (ONE_EVENT | {"repeat": {"count": 3}}, "effectiveTiming"),
        (None, "without effective[x]"),
    ],
)
def test_a_timing_that_is_no_instant_is_refused_as_what_it_is(
    timing: dict[str, Any] | None, said: str, tmp_path: Path
) -> None:
    timed = observation(effectiveDateTime=None, effectiveTiming=timing)
    rejection = only(read(write(tmp_path, "Observation.ndjson", timed)))
    assert (rejection.reason, said in rejection.message) == ("no-time", True)


def test_an_event_that_is_no_text_is_no_time(tmp_path: Path) -> None:
    timed = observation(effectiveDateTime=None, effectiveTiming={"event": [2026]})
    assert only(read(write(tmp_path, "Observation.ndjson", timed))).reason == "invalid"


@pytest.mark.parametrize("strict", [False, True])
def test_what_has_no_column_is_counted_once_for_a_resource(strict: bool, tmp_path: Path) -> None:
    """On the fast path, and on the careful one that a strict site takes."""
    high, limits = [{"text": "high"}], [{"text": "60 to 100"}]
    part = {"code": observation()["code"], "valueQuantity": quantity(80, "/min"), "interpretation": high}
    bodies = [
        observation("plain"),
        observation("one", interpretation=high, referenceRange=limits),
        observation(
            "panel",
            valueQuantity=None,
            component=[part, part | {"code": CODED, "valueQuantity": quantity(2, "mmol/L")}],
        ),
    ]
    batch = read(write(tmp_path, "Observation.ndjson", *bodies), strict=strict)
    assert (batch.events.num_rows, batch.rejections) == (4, ())
    assert batch.ignored == {"Observation.interpretation": 2, "Observation.referenceRange": 1}


@pytest.mark.parametrize("strict", [False, True])
def test_a_component_whose_value_is_absent_is_counted_and_the_others_stand(strict: bool, tmp_path: Path) -> None:
    there = {"code": observation()["code"], "valueQuantity": quantity(80, "/min")}
    absent = {"code": CODED, "dataAbsentReason": {"text": "not performed"}}
    panel = observation(valueQuantity=None, component=[there, absent])
    batch = read(write(tmp_path, "Observation.ndjson", panel), strict=strict)
    assert (batch.events.num_rows, batch.ignored) == (1, {"Observation without a value": 1})


@pytest.mark.parametrize(
    ("fields", "status", "value"),
    [
        ({"status": "preliminary"}, "preliminary", 80.0),
        ({"status": "amended"}, "amended", 80.0),
        ({"meta": {"versionId": "3"}}, "amended", 80.0),  # a silent edit
        ({"status": "cancelled", "valueQuantity": None}, "cancelled", None),
        ({"status": "entered-in-error", "valueQuantity": None}, "entered-in-error", None),
        ({"status": "entered-in-error", "valueQuantity": None, "effectiveDateTime": None}, "entered-in-error", None),
        ({"status": "corrected", "valueQuantity": None, "dataAbsentReason": {"text": "error"}}, "cancelled", None),
    ],
)
def test_versions_are_rows_of_the_same_fact(
    fields: dict[str, Any], status: str, value: float | None, tmp_path: Path
) -> None:
    first, later = observation(), observation(**{"issued": "2026-01-05T11:00:00Z"} | fields)
    rows = read(write(tmp_path, "Observation.ndjson", first, later)).events.to_pylist()
    assert rows[0]["fact_id"] == rows[1]["fact_id"]
    assert (rows[1]["status"], rows[1]["numeric_value"]) == (status, value)
    assert rows[1]["available_time"] > rows[0]["available_time"]


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"status": "registered"}, "Observation registered, no result yet"),
        ({"valueQuantity": None, "dataAbsentReason": {"text": "unknown"}}, "Observation without a value"),
        ({"valueQuantity": None, "valueSampledData": {}}, "Observation.valueSampledData of an unlisted channel"),
        ({"focus": [{"reference": "Patient/p2"}]}, "Observation of another focus"),
    ],
)
def test_no_row_where_there_is_no_value(fields: dict[str, Any], kind: str, tmp_path: Path) -> None:
    batch = read(write(tmp_path, "Observation.ndjson", observation(**fields)))
    assert (batch.events.num_rows, batch.rejections, batch.ignored) == (0, (), {kind: 1})


def test_less_than_is_words_not_a_number(tmp_path: Path) -> None:
    value = quantity(0.01, "ng/mL") | {"comparator": "<"}
    (row,) = read(
        write(tmp_path, "Observation.ndjson", observation(code="6598-7", valueQuantity=value))
    ).events.to_pylist()
    assert (row["numeric_value"], row["text_value"]) == (None, "<0.01 ng/mL")


def test_a_discharge_diagnosis_without_a_date_waits_for_the_end_of_its_stay(tmp_path: Path) -> None:
    subject = {"reference": "Patient/p1"}
    period = {"start": "2026-01-05T08:00:00Z", "end": "2026-01-07T10:00:00Z"}
    write(
        tmp_path,
        "Encounter.ndjson",
        {
            "resourceType": "Encounter",
            "id": "e1",
            "status": "finished",
            "class": {"code": "IMP"},
            "subject": subject,
            "period": period,
        },
    )
    condition = {"resourceType": "Condition", "id": "c1", "subject": subject, "onsetDateTime": "2026-01-05T09:00:00Z"}
    condition |= {"encounter": {"reference": "Encounter/e1"}}
    condition |= {"code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "R65.21"}]}}
    batch = read(write(tmp_path, "Condition.ndjson", condition))
    assert {(code, available) for code, _, available, *_ in facts(batch)} == {
        ("CONDITION//ICD10CM//R65.21", period["end"])
    }
