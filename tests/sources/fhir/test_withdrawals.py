"""What takes records back or joins them: deletions, errors, lost components, merges and their undoing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from clinical_jepa.records.batch import SourceBatch
from clinical_jepa.records.instant import iso
from clinical_jepa.vocabulary.identity import content_id, subject_id
from tests.sources.fhir.builders import LOINC, observation, only, quantity, read, refusals, write

WHEN = "2026-01-06T12:00:00Z"


def record(name: str) -> str:
    return content_id("fhir", name)


def bundle(folder: Path, *entries: object, **fields: Any) -> SourceBatch:
    path = folder / "bundle.json"
    path.write_bytes(orjson.dumps({"resourceType": "Bundle", "type": "transaction", "entry": list(entries)} | fields))
    return read(path)


def taken_back(batch: SourceBatch) -> list[tuple[str, str, str]]:
    return [(one.record_id, iso(one.available_time), one.available_basis) for one in batch.retractions]


def deletion(url: str, **fields: Any) -> dict[str, Any]:
    return {"request": {"method": "DELETE", "url": url}} | fields


def test_rows_carry_the_record_they_come_from(tmp_path: Path) -> None:
    panel = observation(valueQuantity=None, component=[part("8480-6", 120), part("8462-4", 70)])
    batch = read(write(tmp_path, "Observation.ndjson", panel))
    assert set(batch.events["record_id"].to_pylist()) == {record("Observation/o1")}
    assert len(set(batch.events["fact_id"].to_pylist())) == 2


@pytest.mark.parametrize(
    ("entry", "fields"),
    [
        (deletion("Observation/o1"), {"meta": {"lastUpdated": WHEN}}),
        (deletion("Observation/o1"), {"timestamp": WHEN}),
        (deletion("http://a.example/fhir/Observation/o1", response={"lastModified": WHEN}), {"type": "history"}),
    ],
)
@pytest.mark.fault(source="fhir", fault="deletion", ends="the record's facts are withdrawn from then on")
def test_a_deletion_takes_the_record_back(entry: Any, fields: dict[str, Any], tmp_path: Path) -> None:
    batch = bundle(tmp_path, entry, **fields)
    assert taken_back(batch) == [(record("Observation/o1"), WHEN, "last-updated")]
    assert batch.events.num_rows == 0


def test_the_deleted_output_of_a_bulk_export_is_read(tmp_path: Path) -> None:
    lines = [
        {"resourceType": "Bundle", "type": "transaction", "meta": {"lastUpdated": WHEN}, "entry": [deletion(url)]}
        for url in ("Observation/o1", "Claim/c1", "Encounter/e1")
    ]
    batch = read(write(tmp_path, "deleted.ndjson", *lines))
    assert [name for name, *_ in taken_back(batch)] == [record("Observation/o1"), record("Encounter/e1")]
    assert batch.ignored == {"Claim deleted": 1}


def test_a_deletion_that_does_not_say_when_or_what_is_refused(tmp_path: Path) -> None:
    batch = bundle(tmp_path, deletion("Observation/o1"), deletion("Observation?status=draft"))
    assert refusals(batch) == [("no-time", "file entry 1"), ("invalid", "file entry 2")]


def test_an_error_emptied_by_its_server_takes_the_record_back(tmp_path: Path) -> None:
    emptied = {"resourceType": "Observation", "id": "o1", "status": "entered-in-error", "meta": {"lastUpdated": WHEN}}
    batch = read(write(tmp_path, "Observation.ndjson", emptied | {"code": {"text": "gone"}}))
    assert taken_back(batch) == [(record("Observation/o1"), WHEN, "last-updated")]
    assert batch.rejections == ()


def test_an_error_that_says_neither_when_nor_what_is_refused(tmp_path: Path) -> None:
    emptied = {"resourceType": "Observation", "id": "o1", "status": "entered-in-error", "code": {"text": "gone"}}
    assert only(read(write(tmp_path, "Observation.ndjson", emptied))).reason == "no-subject"


def test_a_withdrawal_without_a_new_reporting_time_counts_from_when_its_server_changed_it(tmp_path: Path) -> None:
    later = observation(status="entered-in-error", meta={"versionId": "2", "lastUpdated": WHEN})
    first, second = read(write(tmp_path, "Observation.ndjson", observation(), later)).events.to_pylist()
    assert first["fact_id"] == second["fact_id"]
    known = WHEN.replace("Z", ".000002Z")  # as the second version
    assert (iso(int(second["available_time"].timestamp() * 1e6)), second["available_basis"]) == (known, "last-updated")


def part(code: str, value: float) -> dict[str, Any]:
    return {"code": {"coding": [{"system": LOINC, "code": code}]}, "valueQuantity": quantity(value, "mm[Hg]")}


@pytest.mark.fault(
    source="fhir", fault="correction", ends="the new version's facts stand, a component that it dropped does not"
)
def test_a_component_that_a_correction_no_longer_has_does_not_stand(tmp_path: Path) -> None:
    first = observation(valueQuantity=None, component=[part("8480-6", 120), part("8462-4", 70)])
    mended = first | {"status": "corrected", "issued": WHEN, "component": [part("8480-6", 121)]}
    batch = read(write(tmp_path, "Observation.ndjson", first, mended))
    (taken,) = batch.retractions
    rows = batch.events.to_pylist()
    stands = [row["code"] for row in rows if row["available_time"].timestamp() * 1e6 > taken.available_time + 1e-3]
    assert taken.record_id == record("Observation/o1")
    assert stands == ["LOINC//8480-6"]  # the new row is known a microsecond after the old ones are taken back


def test_a_cancelled_panel_takes_back_its_components_though_it_shows_none(tmp_path: Path) -> None:
    first = observation(valueQuantity=None, component=[part("8480-6", 120), part("8462-4", 70)])
    batch = read(
        write(tmp_path, "Observation.ndjson", first, observation(valueQuantity=None, status="cancelled", issued=WHEN))
    )
    assert taken_back(batch) == [(record("Observation/o1"), WHEN, "issued")]


def test_a_cancelled_stay_takes_back_the_beds_it_no_longer_names(tmp_path: Path) -> None:
    stay = {"resourceType": "Encounter", "id": "e1", "status": "cancelled", "class": {"code": "IMP"}}
    stay |= {"subject": {"reference": "Patient/p1"}, "meta": {"lastUpdated": WHEN}}
    batch = read(write(tmp_path, "Encounter.ndjson", stay))
    assert taken_back(batch) == [(record("Encounter/e1"), WHEN, "last-updated")]
    assert batch.rejections == ()


LINKED = {"resourceType": "Patient", "id": "p1", "meta": {"versionId": "2", "lastUpdated": WHEN}}
OTHER = {"resourceType": "Patient", "id": "p2", "meta": {"lastUpdated": WHEN}}


def links(folder: Path, *patients: dict[str, Any]) -> list[tuple[int, int, bool]]:
    batch = read(write(folder, "Patient.ndjson", *patients))
    return [(one.absorbed, one.survivor, one.active) for one in batch.links]


def subject(name: str) -> int:
    return subject_id("mrn", name)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("replaced-by", ("p1", "p2", True)), ("replaces", ("p2", "p1", True))],
)
@pytest.mark.fault(source="fhir", fault="merge", ends="the subjects are linked from then on")
def test_a_link_says_who_survives(kind: str, expected: tuple[str, str, bool], tmp_path: Path) -> None:
    linked = LINKED | {"link": [{"other": {"reference": "Patient/p2"}, "type": kind}], "active": kind == "replaces"}
    absorbed, survivor, active = expected
    assert (subject(absorbed), subject(survivor), active) in links(tmp_path, linked, OTHER)


def test_a_later_version_without_the_link_stands_alone_again(tmp_path: Path) -> None:
    assert links(tmp_path, LINKED | {"active": True}, OTHER) == [(subject("p1"), subject("p1"), False)]


def test_a_link_of_another_kind_is_counted(tmp_path: Path) -> None:
    linked = OTHER | {"id": "p1", "link": [{"other": {"reference": "Patient/p2"}, "type": "seealso"}]}
    batch = read(write(tmp_path, "Patient.ndjson", linked, OTHER))
    assert (batch.links, batch.ignored) == ((), {"Patient.link seealso": 1})


@pytest.mark.parametrize(
    ("patient", "reason"),
    [
        ({"resourceType": "Patient", "id": "p1"}, "no-time"),
        (LINKED | {"active": False}, "unknown-subject"),
    ],
)
def test_a_link_without_a_time_or_to_a_stranger_is_refused(
    patient: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    stranger = {"link": [{"other": {"reference": "Patient/p9"}, "type": "replaced-by"}]}
    batch = read(write(tmp_path, "Patient.ndjson", patient | stranger, OTHER))
    assert batch.links == ()
    assert reason in [one.reason for one in batch.rejections]


@pytest.mark.fault(
    source="fhir", fault="server's error file", ends="refused with what the server said could not be sent"
)
def test_what_a_server_could_not_send_is_a_refusal(tmp_path: Path) -> None:
    issues = [{"severity": "error", "code": "exception"}, {"severity": "information", "code": "informational"}]
    batch = read(write(tmp_path, "error.ndjson", {"resourceType": "OperationOutcome", "issue": issues}))
    assert only(batch).reason == "unreadable"
    assert "exception" in batch.rejections[0].message
    assert batch.ignored == {"OperationOutcome issue": 1}
