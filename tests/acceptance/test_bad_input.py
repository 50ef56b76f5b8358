"""Bad input, end to end: the named reason, a message a person can act on, the original kept, and all the rest ingested.

The good part is a small simulated ward. Each test hands over a copy of it with one thing wrong and holds what came
against the same ward with that thing right, or left out.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pydicom
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from clinical_jepa.cli.app import app
from clinical_jepa.records.errors import BadRequest
from clinical_jepa.records.instant import END
from clinical_jepa.simulate.ward import simulate
from clinical_jepa.store.events import Store
from clinical_jepa.wiring import page, road
from clinical_jepa.wiring.advice import TO_DO

KINDS = ("events", "signals", "images")
NOON = "2026-01-05T16:00Z"  # after everything in the ward
IDENTIFYING = re.compile(r"030001|999999|\b912\b|2031")  # of the patients and values that the tests write


@dataclass(frozen=True)
class Came:
    """What one ingest said, and the store it filled."""

    summary: dict[str, Any]
    store: Path

    @property
    def counts(self) -> dict[str, int]:
        return {kind: self.summary["total"][kind] for kind in KINDS}

    @property
    def rejections(self) -> list[dict[str, Any]]:
        return Store.open(self.store).rejections().to_pylist()


def ingested(folder: Path, *sources: Path, mode: str = "history", clock: str = NOON) -> Came:
    settings = road.settings({"paths.store": str(folder / "store"), "ward.clock": clock})
    return Came(road.ingest_summary(settings, sources or (folder / "ward",), mode=mode), folder / "store")


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One subject over four hours, without the bad records that a simulated ward holds on purpose."""
    folder = tmp_path_factory.mktemp("hospital")
    simulate(folder, subjects=1, hours=4, seed=3)
    planted = {int(row["record"].split()[1]) for row in ingested(folder).rejections}
    chart = observations(folder)
    chart.write_bytes(b"".join(line for number, line in numbered(chart) if number not in planted))
    shutil.rmtree(folder / "store")
    shutil.rmtree(folder / "truth")
    return folder


@pytest.fixture(scope="module")
def good(hospital: Path, tmp_path_factory: pytest.TempPathFactory) -> Came:
    came = ingested(copied(hospital, tmp_path_factory.mktemp("good")))
    assert came.summary["total"]["rejected"] == 0
    assert min(came.counts.values()) > 0
    return came


def copied(hospital: Path, folder: Path) -> Path:
    shutil.copytree(hospital / "ward", folder / "ward")
    return folder


def observations(folder: Path) -> Path:
    return folder / "ward" / "fhir" / "Observation.ndjson"


def numbered(path: Path) -> list[tuple[int, bytes]]:
    return list(enumerate(path.read_bytes().splitlines(keepends=True), start=1))


def heart_rate(folder: Path, **changes: Any) -> bytes:
    """A charted heart rate of the ward under an id of its own, changed."""
    charted = (orjson.loads(line) for _, line in numbered(observations(folder)))
    found = next(body for body in charted if body["code"]["coding"][0]["code"] == "8867-4")
    return orjson.dumps(found | {"id": "another"} | changes)


def in_the_middle(path: Path, line: bytes) -> int:
    """Puts a line into the middle of an NDJSON file; its number."""
    lines = path.read_bytes().splitlines()
    place = len(lines) // 2
    path.write_bytes(b"\n".join([*lines[:place], line, *lines[place:]]) + b"\n")
    return place + 1


def the_one_refusal(came: Came, reason: str) -> dict[str, Any]:
    """The single rejection, its message free of names and values, found again by the command line."""
    assert came.summary["reasons"] == {reason: 1}
    assert came.summary["total"]["rejected"] == 1
    (refusal,) = came.rejections
    assert refusal["reason"] == reason
    assert not IDENTIFYING.search(refusal["message"])
    said = road.ingest_text(came.summary)
    assert f"{reason} 1: {TO_DO[reason]}" in said
    assert "everything else was kept" in said
    assert not IDENTIFYING.search(said)
    shown = CliRunner().invoke(app, ["quarantine", "show", refusal["rejection_id"][:8], "--store", str(came.store)])
    assert shown.exit_code == 0, shown.output
    assert refusal["message"] in shown.output
    assert TO_DO[reason] in shown.output
    return refusal


def test_a_truncated_dat_costs_its_segment(hospital: Path, good: Came, tmp_path: Path) -> None:
    folder, expected = copied(hospital, tmp_path / "bad"), copied(hospital, tmp_path / "without")
    (data,) = folder.rglob("*_0003.dat")
    data.write_bytes(data.read_bytes()[:-30_000])
    (master,) = (
        path
        for path in expected.rglob("p*.hea")
        if re.search(r"_0003 \d", path.read_text()) and "~" in path.read_text()
    )
    master.write_text(re.sub(r"\S+_0003 ", "~ ", master.read_text()))  # an honest gap
    for part in master.parent.glob("*_0003.*"):
        part.unlink()
    came = ingested(folder)
    assert came.counts == ingested(expected).counts
    assert came.counts["signals"] < good.counts["signals"]
    refusal = the_one_refusal(came, "unreadable")
    assert refusal["file"] == f"wfdb/p030001/{data.stem}.hea"
    assert "other segments were read" in refusal["message"]


def test_an_observation_without_a_unit(hospital: Path, good: Came, tmp_path: Path) -> None:
    folder = copied(hospital, tmp_path)
    line = heart_rate(folder, valueQuantity={"value": 91.2})
    number = in_the_middle(observations(folder), line)
    came = ingested(folder)
    refusal = the_one_refusal(came, "no-unit")
    assert (refusal["file"], refusal["record"]) == ("fhir/Observation.ndjson", f"line {number}")
    assert refusal["original"] == line
    assert came.counts == good.counts


def test_a_dicom_without_pixel_data(hospital: Path, good: Came, tmp_path: Path) -> None:
    folder = copied(hospital, tmp_path)
    path = sorted(folder.rglob("*.dcm"))[0]
    dataset = pydicom.dcmread(path)
    del dataset.PixelData
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    dataset.save_as(path.with_name("empty.dcm"))
    came = ingested(folder)
    refusal = the_one_refusal(came, "no-pixels")
    assert (refusal["file"], refusal["record"]) == ("dicom/p030001/empty.dcm", "1.2.3.4")
    assert came.counts == good.counts


def test_two_broken_files_of_one_name_are_two_refusals(hospital: Path, good: Came, tmp_path: Path) -> None:
    folder = copied(hospital, tmp_path)
    for series in ("first", "second"):
        (folder / "ward" / "dicom" / series).mkdir()
        (folder / "ward" / "dicom" / series / "IM1.dcm").write_bytes(b"no DICOM, the " + series.encode())
    came = ingested(folder)
    assert came.summary["reasons"] == {"unreadable": 2}
    assert {row["file"] for row in came.rejections} == {"dicom/first/IM1.dcm", "dicom/second/IM1.dcm"}
    assert came.counts == good.counts


def test_invalid_json_in_the_middle(hospital: Path, good: Came, tmp_path: Path) -> None:
    folder = copied(hospital, tmp_path)
    broken = heart_rate(folder)[:-40]
    number = in_the_middle(observations(folder), broken)
    came = ingested(folder)
    refusal = the_one_refusal(came, "unreadable")
    assert (refusal["record"], refusal["original"]) == (f"line {number}", broken)
    assert came.counts == good.counts


def test_a_subject_whom_the_source_does_not_declare(hospital: Path, good: Came, tmp_path: Path) -> None:
    folder = copied(hospital, tmp_path)
    line = heart_rate(folder, subject={"reference": "Patient/p999999"})
    in_the_middle(observations(folder), line)
    came = ingested(folder)
    assert the_one_refusal(came, "unknown-subject")["original"] == line
    assert came.counts == good.counts
    assert Store.open(came.store).subjects(END).num_rows == 1


def test_a_value_outside_plausibility(hospital: Path, good: Came, tmp_path: Path) -> None:
    folder = copied(hospital, tmp_path)
    unit = {"system": "http://unitsofmeasure.org", "code": "/min", "unit": "/min"}
    line = heart_rate(folder, valueQuantity=unit | {"value": 912})
    in_the_middle(observations(folder), line)
    came = ingested(folder)
    assert the_one_refusal(came, "implausible")["original"] == line
    assert came.counts == good.counts


def test_an_empty_folder_alone_is_refused_with_what_was_looked_for(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(BadRequest, match=r"nothing to read .*empty.*\.ndjson.*PATIENTS\.csv.*\.hea.*DICOM"):
        ingested(tmp_path, empty)


def test_an_empty_folder_beside_a_good_one_is_named_and_the_good_one_ingested(
    hospital: Path, good: Came, tmp_path: Path
) -> None:
    folder, empty = copied(hospital, tmp_path), tmp_path / "empty"
    empty.mkdir()
    came = ingested(folder, folder / "ward", empty)
    assert came.counts == good.counts
    assert came.summary["empty"] == [str(empty)]
    assert f"nothing to read in {empty}" in road.ingest_text(came.summary)
    again = CliRunner().invoke(app, ["ingest", str(folder / "ward"), str(empty), "--store", str(came.store)])
    assert again.exit_code == 3, again.output


def test_a_reporting_time_after_our_receipt_is_kept_marked_counted_and_shown(
    hospital: Path, good: Came, tmp_path: Path
) -> None:
    folder = copied(hospital, tmp_path)
    in_the_middle(observations(folder), heart_rate(folder, issued="2031-01-01T00:00:00Z"))
    came = ingested(folder, mode="live")
    assert came.counts == good.counts | {"events": good.counts["events"] + 1}
    assert came.summary["total"]["clock_faults"] == 1
    assert came.summary["total"]["rejected"] == 0
    store = Store.open(came.store)
    marked = [
        row for row in store.arrivals(0, END).events.to_pylist() if row["available_basis"] == "receipt-clock-fault"
    ]
    assert [row["code"] for row in marked] == ["LOINC//8867-4"]
    assert marked[0]["available_time"].year == 2026  # when it was received, whatever its source says
    told = CliRunner().invoke(app, ["subjects", "--store", str(came.store)])
    assert "'receipt-clock-fault': 1" in told.output
    settings = road.settings({"paths.store": str(came.store), "ward.clock": NOON})
    client = TestClient(page.app(settings), base_url="http://127.0.0.1:8417", client=("127.0.0.1", 5000))
    assert "1 row from a clock ahead of ours, kept and marked" in client.get("/").text


def test_every_reason_says_what_to_do() -> None:
    from clinical_jepa.records.events import REASONS

    assert set(TO_DO) == set(REASONS)
