"""Every kind of bad FHIR input: a clear refusal with its bytes, and the rest is read."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import orjson
import pytest

from clinical_jepa.sources.fhir.files import items
from tests.sources.fhir.builders import UCUM, observation, only, quantity, read, refusals, write

GOOD = observation("good")

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("a number without a unit", observation(valueQuantity={"value": 80}), "no-unit"),
    ("a display text is no unit", observation(valueQuantity={"value": 80, "unit": "/min"}), "no-unit"),
    ("an unlisted code without a unit", observation(code="4548-4", valueQuantity={"value": 6}), "no-unit"),
    ("a unit of another quantity", observation(valueQuantity=quantity(80, "mg/dL")), "unknown-unit"),
    ("not UCUM, though it says so", observation(valueQuantity=quantity(80, "beats/minute")), "unknown-unit"),
    ("a value outside plausibility", observation(valueQuantity=quantity(900, "/min")), "implausible"),
    ("no effective time", observation(effectiveDateTime=None), "no-time"),
    ("no subject", observation(subject=None), "no-subject"),
    ("about a device", observation(subject={"reference": "Device/d1"}), "no-subject"),
    ("a status FHIR does not have", observation(status="finalish"), "invalid"),
    ("no status", observation(status=None), "invalid"),
    ("no code", observation(code=None), "invalid"),
    ("a number as text", observation(valueQuantity=quantity("80", "/min")), "invalid"),
    ("a time without a zone", observation(effectiveDateTime="2026-01-05T09:00:00"), "invalid"),
    ("no time at all in the text", observation(effectiveDateTime="yesterday"), "invalid"),
    ("a component that is no list", observation(valueQuantity=None, component={"code": {}}), "invalid"),
    ("an OpenMRS id called LOINC", observation(code="5087" + "A" * 32), "unmapped"),
    ("a code that LOINC cannot have", observation(code="PULSE"), "unmapped"),
    ("a code by its words only", observation() | {"code": {"text": "pulse"}}, "unmapped"),
]


@pytest.mark.parametrize(("case", "resource", "reason"), REFUSED, ids=[case for case, _, _ in REFUSED])
def test_it_is_refused_with_its_bytes_and_the_rest_is_kept(
    case: str, resource: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    path = write(tmp_path, "Observation.ndjson", GOOD, resource, observation("after"))
    batch = read(path)
    rejection = only(batch)
    assert (rejection.reason, rejection.record, rejection.file) == (reason, "line 2", "Observation.ndjson"), case
    assert rejection.original == orjson.dumps(resource)
    assert batch.events.num_rows == 2


def test_the_refusal_says_what_and_where_without_a_value(tmp_path: Path) -> None:
    wrong = observation(valueQuantity={"value": 80})
    rejection = only(read(write(tmp_path, "Observation.ndjson", wrong)))
    assert "LOINC//8867-4" in rejection.message
    assert "80" not in rejection.message.replace("8867", "")
    rejection = only(read(write(tmp_path, "Observation.ndjson", observation(status=None, note=[{"text": "Smith"}]))))
    assert "status" in rejection.message
    assert "Smith" not in rejection.message


@pytest.mark.fault(
    source="fhir", fault="damaged record", ends="that line is refused with its bytes, the others are read"
)
def test_invalid_json_in_the_middle_costs_one_line(tmp_path: Path) -> None:
    broken = b'{"resourceType": "Observation", "id": '
    rejection = only(batch := read(write(tmp_path, "Observation.ndjson", GOOD, broken, observation("o3"))))
    assert (rejection.reason, rejection.record) == ("unreadable", "line 2")
    assert rejection.original == broken.strip()
    assert "JSON" in rejection.message
    assert batch.events.num_rows == 2


def test_json_that_is_no_resource_is_refused(tmp_path: Path) -> None:
    batch = read(write(tmp_path, "Observation.ndjson", GOOD, [1, 2], {"id": "x"}))
    assert refusals(batch) == [("unreadable", "line 2"), ("invalid", "line 3")]


@pytest.mark.fault(
    source="fhir", fault="truncation", ends="what came before is read, the end is refused with its reason"
)
def test_a_truncated_gzip_keeps_what_came_before(tmp_path: Path) -> None:
    resources = [observation(f"o{number}", note=[{"text": str(hash(str(number)))}]) for number in range(3000)]
    whole = gzip.compress(b"".join(orjson.dumps(one) + b"\n" for one in resources))
    path = tmp_path / "Observation.ndjson.gz"
    path.write_bytes(whole[: len(whole) * 2 // 3])
    rejection = only(batch := read(path))
    assert rejection.reason == "unreadable"
    assert "ends early" in rejection.message
    assert 0 < batch.events.num_rows < 3000


@pytest.mark.fault(source="fhir", fault="undeclared patient", ends="the resource is refused, the others are read")
def test_a_subject_that_the_folder_does_not_declare_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "Patient.ndjson", {"resourceType": "Patient", "id": "p1"})
    stranger = observation("o2", subject={"reference": "Patient/p2"})
    batch = read(write(tmp_path, "Observation.ndjson", GOOD, stranger))
    assert refusals(batch) == [("unknown-subject", "line 2")]
    assert "send the Patient" in batch.rejections[0].message
    assert batch.events.num_rows == 1


def test_a_source_that_declares_nobody_is_taken_as_it_is(tmp_path: Path) -> None:
    batch = read(write(tmp_path, "Observation.ndjson", GOOD))
    assert [one.identifier for one in batch.identities] == ["p1"]


@pytest.mark.fault(source="fhir", fault="wrong unit", ends="that component is refused, the panel's others are read")
def test_one_bad_component_costs_that_component(tmp_path: Path) -> None:
    parts = [
        ("8480-6", quantity(120, "mm[Hg]")),
        ("8462-4", {"value": 60, "system": UCUM}),
        ("8478-0", quantity(80, "mm[Hg]")),
    ]
    components = [
        {"code": {"coding": [{"system": "http://loinc.org", "code": c}]}, "valueQuantity": q} for c, q in parts
    ]
    panel = observation(code="85354-9", valueQuantity=None, component=components)
    batch = read(write(tmp_path, "Observation.ndjson", panel))
    assert batch.events["code"].to_pylist() == ["LOINC//8480-6", "LOINC//8478-0"]
    assert refusals(batch) == [("no-unit", "line 1")]


@pytest.mark.fault(source="fhir", fault="missing unit", ends="that entry is refused, the Bundle's others are read")
def test_one_bad_entry_costs_one_entry(tmp_path: Path) -> None:
    bundle = {"resourceType": "Bundle", "type": "collection"}
    bundle["entry"] = [{"resource": GOOD}, {"fullUrl": "urn:uuid:1"}, {"resource": observation("o3", status=None)}]
    path = tmp_path / "bundle.json"
    path.write_bytes(orjson.dumps(bundle))
    batch = read(path)
    assert refusals(batch) == [("unreadable", "file entry 2"), ("invalid", "file entry 3")]
    assert batch.events.num_rows == 1


def test_a_broken_bundle_is_one_refusal(tmp_path: Path) -> None:
    path = tmp_path / "bundle.json"
    path.write_bytes(b'{"resourceType": "Bundle", "entry": [')
    assert only(read(path)).reason == "unreadable"


def test_blank_lines_are_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, "Observation.ndjson", GOOD, b"", b"  ", observation("o2"))
    assert [item.record for item in items(path)] == ["line 1", "line 4"]


def test_a_patient_of_whom_no_identifier_can_be_read_is_refused(tmp_path: Path) -> None:
    """It declares nobody: read on, it would be another than those who refer to it mean."""
    patient = {"resourceType": "Patient", "id": "p1", "gender": "male", "meta": {"lastUpdated": "2026-01-05T09:00:00Z"}}
    batch = read(write(tmp_path, "Patient.ndjson", patient | {"identifier": ["mrn 7"]}))
    assert ([one.reason for one in batch.rejections], batch.events.num_rows) == (["invalid"], 0)
    assert read(write(tmp_path, "Patient.ndjson", patient)).events.num_rows == 1
