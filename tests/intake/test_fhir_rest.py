"""Polling without faults: everything comes once, changes come again, what is gone is told."""

from __future__ import annotations

import logging
import zipfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import orjson
import pytest

from clinical_jepa.intake.reconcile import Deletions
from tests.intake.fhir_site import Caller, Clinic
from tests.intake.server import NOON, Reply, Request

WEEK = 7 * 86_400.0


def test_all_pages_come_as_they_were_sent(clinic: Clinic, caller: Caller) -> None:
    clinic.fill("Observation", 25)
    (report,) = caller.poll()
    assert (report.pages, report.files, report.listed, report.new, report.problem) == (3, 3, 25, 25, "")
    assert caller.resources() == {f"Observation/observation-{number:03d}/1": 1 for number in range(25)}
    sent = [clinic.answer(request).body for request in clinic.site.seen]
    assert sorted(caller.files().values()) == sorted(sent)


def test_a_poll_without_changes_leaves_no_file(clinic: Clinic, caller: Caller) -> None:
    clinic.fill("Observation", 25)
    caller.poll()
    before = caller.files()
    (report,) = caller.poll()
    assert (report.full, report.files, report.new) == (False, 0, 0)
    assert caller.files() == before


@pytest.mark.fault(source="fhir-server", fault="correction", ends="comes as a new version beside the first")
def test_a_poll_asks_from_the_cursor_with_overlap(clinic: Clinic, caller: Caller) -> None:
    clinic.put("Observation", "a", NOON - timedelta(hours=1), status="final")
    caller.poll()
    clinic.put("Observation", "a", NOON - timedelta(minutes=1), status="corrected")
    clinic.put("Observation", "b", NOON - timedelta(minutes=1), status="final")
    (report,) = caller.poll(overlap_s=120.0)
    assert clinic.site.seen[-1].query["_lastUpdated"] == "ge2026-01-05T10:58:00.000Z"
    assert (report.new, sorted(caller.resources())) == (2, ["Observation/a/1", "Observation/a/2", "Observation/b/1"])


@pytest.mark.fault(
    source="fhir-server", fault="deletion", ends="found by the next full reading, told once as a deletion"
)
def test_a_full_reading_is_due_after_a_while_and_finds_what_is_gone(clinic: Clinic, caller: Caller) -> None:
    clinic.fill("Observation", 25)
    caller.poll()
    del clinic.held["Observation", "observation-003"]
    del clinic.held["Observation", "observation-024"]
    assert [report.deleted for report in caller.poll()] == [0]
    caller.wall += WEEK
    (report,) = caller.poll()
    assert (report.full, report.deleted) == (True, 2)
    assert caller.deletions() == ["Observation/observation-003", "Observation/observation-024"]
    caller.wall += WEEK
    assert [report.deleted for report in caller.poll()] == [0]  # told once


@pytest.mark.fault(source="fhir-server", fault="silent change", ends="found by the next full reading, as a new version")
def test_a_change_without_a_new_stamp_is_found_by_a_full_reading(clinic: Clinic, caller: Caller) -> None:
    clinic.fill("Observation", 3)
    caller.poll()
    clinic.held["Observation", "observation-001"]["status"] = "amended"
    assert [report.new for report in caller.poll(overlap_s=0.0)] == [0]
    assert [report.new for report in caller.poll(full=True)] == [1]


@pytest.mark.fault(
    source="fhir-server",
    fault="listing leaves resources out",
    ends="each is asked for by name; what is still there is not taken as deleted",
)
def test_a_gap_in_a_listing_is_no_deletion(clinic: Clinic, caller: Caller) -> None:
    clinic.fill("Observation", 5)
    caller.poll()
    hidden = clinic.page

    def leaves_out(kind: str, request: Request) -> dict:
        page = hidden(kind, request)
        return page | {"entry": page["entry"][1:], "total": 4}

    clinic.page = leaves_out  # type: ignore[method-assign]
    (report,) = caller.poll(full=True)
    assert (report.deleted, caller.deletions(), report.problem) == (0, [], "")


@pytest.mark.fault(
    source="fhir-server",
    fault="most resources vanish",
    ends="nothing is taken as deleted until someone says so",
)
def test_a_server_that_hides_almost_everything_deletes_nothing(clinic: Clinic, caller: Caller) -> None:
    clinic.fill("Observation", 25)
    caller.poll()
    kept = dict(clinic.held)
    clinic.held.clear()
    (report,) = caller.poll(full=True)
    assert (report.deleted, caller.deletions()) == (0, [])
    assert any("--accept-deletions" in note for note in report.notes)
    (report,) = caller.poll(full=True, deletions=Deletions(accepted=True))
    assert (report.deleted, len(caller.deletions())) == (25, 25)
    clinic.held.update(kept)  # and what comes back is new again
    assert [report.new for report in caller.poll(full=True)] == [25]


def test_of_a_type_with_a_narrower_scope_nothing_is_taken_as_deleted(clinic: Clinic, caller: Caller) -> None:
    clinic.fill("Observation", 5)
    caller.poll()
    del clinic.held["Observation", "observation-003"]
    (report,) = caller.poll(full=True, deletions=Deletions(hidden=frozenset({"Observation"})))
    assert (report.deleted, caller.deletions()) == (0, [])
    assert any("narrower" in note for note in report.notes)


def test_types_are_read_apart_and_a_type_without_resources_is_no_fault(clinic: Clinic, caller: Caller) -> None:
    clinic.fill("Patient", 2)
    clinic.fill("Observation", 3)
    reports = caller.poll("Patient", "Flag", "Observation")
    assert [(report.type, report.new, report.problem) for report in reports] == [
        *(("Patient", 2, ""), ("Flag", 0, ""), ("Observation", 3, ""))
    ]
    assert {name.partition("-")[0] for name in caller.files()} == {"Patient", "Observation"}


def test_a_server_that_refuses_sorting_is_asked_plainly(clinic: Clinic, caller: Caller) -> None:
    clinic.fill("Observation", 12)
    sound = clinic.answer
    clinic.site.answer = lambda request: (
        replace(sound(request), status=400) if "_sort" in request.query else sound(request)
    )
    (report,) = caller.poll()
    assert (report.new, report.problem) == (12, "")


def test_entries_without_an_id_are_kept_and_said(clinic: Clinic, caller: Caller) -> None:
    clinic.put("Observation", "a", NOON - timedelta(hours=1), status="final")
    sound = clinic.page

    def with_odd(kind: str, request: Request) -> dict:
        page = sound(kind, request)
        remark = {"resource": {"resourceType": "OperationOutcome", "id": "a-remark"}, "search": {"mode": "outcome"}}
        odd = [{"resource": {"resourceType": "Observation"}}, {}, 3, remark]
        return page | {"entry": page["entry"] + odd}

    clinic.page = with_odd  # type: ignore[method-assign]
    (report,) = caller.poll()
    assert report.notes == (_nameless(4),)
    (body,) = caller.files().values()
    assert len(orjson.loads(body)["entry"]) == 5


def test_receipts_tell_when_each_file_came_by_both_clocks(clinic: Clinic, caller: Caller) -> None:
    from clinical_jepa.intake import state

    clinic.fill("Observation", 12)
    caller.wall += 3.5
    caller.poll()
    with state.opened(caller.folder) as held:
        receipts = held.receipts()
    assert {receipt.file.rpartition("/")[2] for receipt in receipts} == set(caller.files())
    assert {(receipt.received_at, receipt.server_date) for receipt in receipts} == {
        ("2026-01-05T12:00:03.500Z", "Mon, 05 Jan 2026 12:00:00 GMT")
    }
    assert sorted(receipt.entries for receipt in receipts) == [2, 10]


@pytest.mark.fault(
    source="fhir-server", fault="characters that are none", ends="kept as they came; the pages after it come too"
)
def test_a_page_that_is_not_quite_json_hides_no_other(clinic: Clinic, caller: Caller) -> None:
    clinic.fill("Observation", 25)
    sound = clinic.answer

    def spoilt(request: Request) -> Reply:
        reply = sound(request)
        return replace(
            reply, body=reply.body.replace(b'"observation-003","', b'"observation-003","n":NaN,"w":"\xff\xfe","')
        )

    clinic.site.answer = spoilt
    (report,) = caller.poll()
    assert (report.new, report.pages, report.problem) == (25, 3, "")
    assert any(b"\xff\xfe" in body for body in caller.files().values())
    assert [report.new for report in caller.poll(full=True)] == [0]


def test_nothing_of_an_address_or_a_header_is_logged(
    clinic: Clinic, caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    from clinical_jepa.intake.door import client

    caplog.set_level(logging.DEBUG)
    with client(caller.manners) as asks:
        clinic.fill("Observation", 3)
        asks.get(f"{clinic.site.url}/fhir/Observation/observation-001", headers={"Authorization": "Bearer secret"})
    assert clinic.site.asked("observation-001")
    assert "observation-001" not in caplog.text
    assert "secret" not in caplog.text


def _nameless(count: int) -> str:
    return f"{count} entries without type and id, or remarks of the server; ingest says what they are"


@pytest.mark.data
def test_every_official_example_comes_as_it_is(clinic: Clinic, caller: Caller, data: Path) -> None:
    """The 566 R4 examples of HL7, odd ones among them, by search and page: the same resources, each once."""
    with zipfile.ZipFile(data / "fhir_hl7_examples" / "hl7_r4_examples.zip") as examples:
        bodies = [orjson.loads(examples.read(name)) for name in examples.namelist() if name.endswith(".json")]
    for number, body in enumerate(bodies):
        body["meta"] = {"versionId": "1"} | body.get("meta", {}) | {"lastUpdated": "2026-01-05T11:00:00.000Z"}
        clinic.held[body["resourceType"], body.get("id", f"nameless-{number}")] = body
    assert len(bodies) == 566
    kinds = sorted({kind for kind, _ in clinic.held})
    reports = caller.poll(*kinds, count=50)
    assert [report.problem for report in reports if report.problem] == []
    assert [report.notes for report in reports if report.notes] == [(_nameless(1),)]  # a Parameters without id
    listed = [
        orjson.dumps(entry["resource"]) for body in caller.files().values() for entry in orjson.loads(body)["entry"]
    ]
    assert sorted(listed) == sorted(orjson.dumps(body) for body in clinic.held.values())
