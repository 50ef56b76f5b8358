"""Sources into the store: once, whole units, whatever was refused kept."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest

from clinical_jepa.ingest import Counts
from clinical_jepa.records.errors import BadRequest
from clinical_jepa.sources import catalog
from clinical_jepa.sources.context import DELAYS
from clinical_jepa.store.events import Store
from clinical_jepa.vocabulary import tables
from tests.ingest.builders import LONG_AFTER, WARD, examples, rows, run


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store", create=True)


def test_the_report_counts_by_source(tmp_path: Path, store: Store) -> None:
    report = run(examples(tmp_path), store)
    assert report.sources["fhir"] == Counts(files=7, events=22, assumed=10, ignored=2, withdrawn=1)
    tables = report.sources["mimic3"]
    assert (tables.files, tables.rejected, tables.clamped) == (11, 7, 3)
    assert report.reasons == {
        "invalid": 2,
        "implausible": 1,
        "unknown-unit": 2,
        "unknown-subject": 1,
        "no-time": 1,
    }
    assert report.total.events == report.sources["fhir"].events + tables.events
    assert sum(report.ignored.values()) == report.total.ignored


def test_ingesting_twice_is_ingesting_once(tmp_path: Path, store: Store) -> None:
    root = examples(tmp_path)
    run(root, store)
    before, watermark = rows(store), store.watermark
    again = run(root, store)
    assert again.total == Counts(skipped=18)
    assert rows(store) == before
    assert store.watermark == watermark


@pytest.mark.parametrize(
    "other",
    [
        {"trust_last_updated": True},
        {"identity_key": b"of this site"},
        {"delays": DELAYS | {"lab": DELAYS["chart"]}},
        {"hl7_statuses": {"U": "final"}},
        {"strict": True},
    ],
    ids=lambda option: next(iter(option)),
)
def test_read_another_way_the_same_file_is_another(other: dict[str, Any], tmp_path: Path, store: Store) -> None:
    root = examples(tmp_path)
    run(root, store)
    again = run(root, store, **other)
    assert again.total.files == 18
    assert again.total.skipped == 0
    assert run(root, store, **other).total == Counts(skipped=18)


def test_a_changed_table_or_reader_reads_again_what_it_may_concern(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = examples(tmp_path)
    run(root, store)
    copy = tmp_path / "schemas"
    shutil.copytree(tables.schemas(), copy)
    monkeypatch.setattr(tables, "schemas", lambda: copy)

    def again(name: str) -> tuple[int, int]:
        if name:
            path = copy / "codes" / name
            path.write_bytes(path.read_bytes() + b"\n")
        tables.tables_hash.cache_clear()
        sources = run(root, store).sources
        return sources["fhir"].files, sources["mimic3"].files

    try:
        assert (again(""), again("fhir.csv"), again("wfdb.csv"), again("units.csv")) == (
            (0, 0),
            (7, 0),
            (0, 0),
            (7, 11),
        )
        monkeypatch.setattr("clinical_jepa.ingest.readings.program_hash", lambda kind: f"another {kind}")
        assert again("") == (7, 11)
    finally:
        monkeypatch.undo()
        tables.tables_hash.cache_clear()


def test_values_refused_under_narrower_limits_come_when_the_list_was_mended(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = examples(tmp_path)
    run(root, store)
    monkeypatch.setattr("clinical_jepa.ingest.readings.code_map_hash", lambda: "another list")
    assert run(root, store).total.files == 18


def test_a_file_that_grew_is_read_again_and_only_its_new_rows_are_added(tmp_path: Path, store: Store) -> None:
    root = examples(tmp_path)
    run(root, store)
    path = root / "fhir" / "Observation.ndjson"
    more = orjson.loads(path.read_bytes().splitlines()[0]) | {"id": "hr9", "effectiveDateTime": "2026-01-05T10:00:00Z"}
    path.write_bytes(path.read_bytes() + orjson.dumps(more) + b"\n")
    report = run(root, store)
    assert (report.sources["fhir"].files, report.total.events, report.total.duplicates) == (1, 1, 10)


def test_observations_refused_for_want_of_their_patient_come_when_it_comes(tmp_path: Path, store: Store) -> None:
    root = examples(tmp_path)
    patients = root / "fhir" / "Patient.ndjson"
    right = patients.read_bytes()
    patients.write_bytes(right.replace(b"p000123", b"p000999"))
    assert run(root, store).reasons["unknown-subject"] > 10
    patients.write_bytes(right)
    assert run(root, store).sources["fhir"].events == 22


def test_a_later_file_may_refer_to_a_patient_declared_before(tmp_path: Path, store: Store) -> None:
    run(examples(tmp_path) / "fhir", store)
    line = orjson.loads((WARD / "Observation.ndjson").read_bytes().splitlines()[0])
    for folder, declares in (("alone", False), ("with-others", True)):
        (tmp_path / folder).mkdir()
        more = tmp_path / folder / "Observation.ndjson"
        more.write_bytes(orjson.dumps(line | {"id": folder}))
        if declares:
            (tmp_path / folder / "Patient.ndjson").write_bytes(b'{"resourceType": "Patient", "id": "other"}')
        report = run(tmp_path / folder, store)
        assert report.total.events == 1
    assert {row["subject_id"] for row in rows(store)} == {store.identify("000123")} == {store.identify("p000123")}
    assert store.identifier(store.identify("p000123")) == "000123"


def test_live_rows_are_available_when_they_are_committed(tmp_path: Path, store: Store) -> None:
    root = examples(tmp_path)
    report = run(root, store, mode="live")
    assert report.total.clock_faults > 0  # the example tables lie in 2150
    assert report.sources["fhir"].clock_faults == 0
    bases = {row["available_basis"] for row in rows(store)}
    assert bases == {"receipt", "receipt-clock-fault"}
    assert store.bases(LONG_AFTER)["receipt-clock-fault"] == report.total.clock_faults
    assert report.total.clamped == 0


def test_a_reporting_time_after_our_receipt_is_kept_and_marked(tmp_path: Path, store: Store) -> None:
    root = examples(tmp_path) / "fhir"
    before_the_lactate = 1_767_606_001_000_000  # 2026-01-05T09:40:01Z, a second after the withdrawal of a heart rate
    report = run(root, store, mode="live", now=before_the_lactate)
    faults = [row for row in rows(store) if row["available_basis"] == "receipt-clock-fault"]
    assert report.total.clock_faults == 4  # lactate twice, HbA1c, the diagnosis
    assert {row["code"] for row in faults} == {"LOINC//2524-7", "LOINC//4548-4", "CONDITION//SNOMED//44054006"}


@pytest.mark.parametrize("content", [None, "notes.txt"])
def test_an_empty_folder_is_a_bad_request_that_says_what_was_looked_for(
    content: str | None, tmp_path: Path, store: Store
) -> None:
    (tmp_path / "empty").mkdir()
    if content:
        (tmp_path / "empty" / content).write_text("nothing")
    with pytest.raises(BadRequest, match=r"nothing to read .*\.ndjson.*PATIENTS\.csv.*\.hea.*DICOM"):
        run(tmp_path / "empty", store)
    assert store.watermark == 0


def test_a_folder_that_is_not_there_is_a_bad_request(tmp_path: Path, store: Store) -> None:
    with pytest.raises(BadRequest, match="there is no"):
        run(tmp_path / "nowhere", store)


def test_progress_counts_units(tmp_path: Path, store: Store) -> None:
    told: list[tuple[int, int]] = []
    run(examples(tmp_path), store, progress=lambda done, of: told.append((done, of)))
    assert told == [(number, 18) for number in range(1, 19)]


def test_an_interruption_leaves_whole_units_and_the_next_run_goes_on(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = examples(tmp_path)
    reference = Store.open(tmp_path / "reference", create=True)
    run(root, reference)
    plain, calls = catalog.read, 0

    def interrupted(found: catalog.Found, context: Any) -> Any:
        nonlocal calls
        calls += 1
        batches = plain(found, context)
        yield next(iter(batches))
        if calls == 5:
            raise KeyboardInterrupt
        yield from batches

    monkeypatch.setattr(catalog, "read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(root, store)
    monkeypatch.undo()
    reopened = Store.open(store.path)
    assert reopened.watermark == 4
    assert run(root, reopened).total.skipped == 4
    ids = [sorted(row["event_id"] for row in rows(one)) for one in (reopened, reference)]
    assert ids[0] == ids[1]


def test_one_unreadable_file_does_not_stop_the_others(tmp_path: Path, store: Store) -> None:
    root = examples(tmp_path)
    (root / "mimic3" / "CHARTEVENTS.csv").write_text("row_id\n1\n")
    (root / "fhir" / "Observation.ndjson").write_bytes(b'{"resourceType": "Observation"\n')
    report = run(root, store)
    assert report.reasons["unreadable"] == 2
    assert report.sources["fhir"].events == 12
    assert store.rejections().num_rows == report.total.rejected


def test_a_single_file_can_be_named(store: Store) -> None:
    report = run(WARD / "Observation.ndjson", store)
    assert report.total.events == 10
    assert report.total.files == 1
