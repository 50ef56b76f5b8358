"""A stitched ward of real records goes the whole road: ingest, a few training steps, fit, ticks, page."""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pydicom
import pytest
from fastapi.testclient import TestClient
from markupsafe import escape

from clinical_jepa.evaluate.checks.agreement import heart_rate_agreement
from clinical_jepa.model.batch import GAP, stream
from clinical_jepa.monitor.tick import tick
from clinical_jepa.records.instant import BEGINNING, DAY, END
from clinical_jepa.records.ward import TickReport
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.wfdb import reader as wfdb
from clinical_jepa.store.events import Store
from clinical_jepa.timeline.columns import instants
from clinical_jepa.timeline.slices import slices
from clinical_jepa.wiring import compose, page, road
from clinical_jepa.wiring.settings import Settings
from tests.acceptance.stitched import MIMIC, assemble

# one worker: the ward takes minutes to make
pytestmark = [pytest.mark.slow, pytest.mark.data, pytest.mark.xdist_group("stitched")]

START = "2026-01-05T08:00Z"
TICKS = ("2026-01-05T14:00Z", "2026-01-05T14:15Z", "2026-01-06T08:00Z")


@dataclass(frozen=True)
class Stitched:
    """The ward after its ticks, and what each step said."""

    folder: Path
    settings: Settings
    came: tuple[dict[str, Any], dict[str, Any]]
    trained: dict[str, Any]
    fitted: dict[str, Any]
    reports: tuple[TickReport, ...]

    @property
    def store(self) -> Store:
        return compose.store(self.settings)

    def page(self) -> TestClient:
        return TestClient(page.app(self.settings), base_url="http://127.0.0.1:8417", client=("127.0.0.1", 5000))


@pytest.fixture(scope="module")
def ward(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Stitched:
    folder = tmp_path_factory.mktemp("stitched")
    mimic, others = assemble(data, folder)
    flags = {"paths.store": str(folder / "store"), "paths.model": str(folder / "model"), "ward.clock": TICKS[-1]}
    settings = road.settings(flags)
    came = (
        road.ingest_summary(road.settings(flags | {"site.namespace": "mimic3"}), [mimic], mode="history", stitch=START),
        road.ingest_summary(settings, [others], mode="history", stitch=START),
    )
    trained = road.pretrain(settings, steps=3)
    fitted = road.fit(settings)
    ready = compose.ward(settings)
    reports = tuple(tick(ready, compose.instant(at)) for at in TICKS)
    return Stitched(folder, settings, came, trained, fitted, reports)


def test_every_source_says_that_it_is_stitched(ward: Stitched) -> None:
    feeds = {feed.source for feed in ward.store.feeds(END)}
    assert {":".join(feed.split(":")[:2]) for feed in feeds} == {
        f"stitched:{kind}" for kind in ("fhir", "dicom", "wfdb", "mimic3")
    }


def test_all_of_each_set_came_and_no_subject_is_merged_across_sets(ward: Stitched) -> None:
    named = ward.store.subjects(END)
    known = {(row["namespace"], row["identifier"]): row["subject_id"] for row in named.to_pylist()}
    sets = {
        "mimic": {("mimic3", name) for name in patients_of_tables(ward.folder)},
        "fhir": {("mrn", name) for name in patients_of_fhir(ward.folder)},
        "dicom": {("mrn", name) for name in patients_of_pictures(ward.folder)},
    }
    assert set(known) == set().union(*sets.values())
    assert len(set(known.values())) == len(known) == sum(len(names) for names in sets.values())
    for kind, allowed in (("mimic", ("mimic3", "wfdb")), ("fhir", ("fhir",)), ("dicom", ("dicom",))):
        for name in sets[kind]:
            rows = ward.store.history(known[name], as_of=END)
            found = {
                source.split(":")[1]
                for table in (rows.events, rows.signals, rows.images)
                for source in table["source"].unique().to_pylist()
            }
            assert found <= set(allowed), (kind, found)


def test_refusals_are_named_and_nothing_of_the_tables_is_lost(ward: Stitched) -> None:
    mimic, others = ward.came
    assert mimic["reasons"] == {"implausible": 1}
    assert mimic["sources"]["mimic3"]["events"] > 10_000
    # a radiograph without a study date, and a headless one that names no patient
    assert others["reasons"] == {"no-time": 1, "no-subject": 1}
    assert others["sources"]["dicom"]["images"] == 7


@pytest.mark.parametrize("number", ["10013", "10061"])
def test_charts_and_waveforms_share_one_timeline(number: str, ward: Stitched) -> None:
    subject = ward.store.identify(number)
    rows = ward.store.history(subject, as_of=END)
    charts = rows.events.filter([s == "stitched:mimic3:CHARTEVENTS" for s in rows.events["source"].to_pylist()])
    assert charts.num_rows > 300
    assert set(rows.signals["channel"].to_pylist()) == {"PAP"}
    times, waves = instants(charts, "time"), instants(rows.signals, "time")
    assert times.min() < waves.min() < waves.max() < times.max()
    # as far after the admission as in the real files
    after = int(waves.min()) - compose.instant(START)
    assert after == first_sample(ward.folder, number) - real_admission(ward.folder, number)


def test_charted_and_monitor_heart_rate_still_meet_at_the_three_known_minutes(ward: Stitched) -> None:
    found = heart_rate_agreement(ward.store, [ward.store.identify(name) for name in ("10013", "10061")])
    assert (found.matched, found.within) == (3, 3)


def test_records_of_decades_become_a_bounded_number_of_arrivals(ward: Stitched) -> None:
    extents = ward.store.extents(END)
    oldest = min(extents, key=lambda subject: extents[subject][0])
    first, last = extents[oldest]
    assert first < compose.instant(START) - 20 * 365 * DAY
    history = ward.store.history(oldest, as_of=last)
    piece = slices(history, subjects=[oldest], since=BEGINNING, load=ward.store.samples)[oldest]
    found = stream([piece], last_arrival=np.array([BEGINNING]))
    news = int((found.kind != GAP).sum())
    # one gap in 32 days, and after each piece of news a day of quarter hours and a month of days
    assert len(found.time) <= (last - first) // (32 * DAY) + (1 + 96 + 32) * news


def test_it_trains_fits_and_ticks(ward: Stitched) -> None:
    assert ward.trained["steps"] == 3
    assert ward.trained["subjects"] >= 5
    assert sum(ward.fitted["positives"].values()) > 0
    assert ward.fitted["subjects"]["calibration"] >= 2
    for report in ward.reports:
        assert report.forecasts + report.abstentions == report.patients > 10
    assert all(report.forecasts > 0 for report in ward.reports)
    assert not any(report.already_done for report in ward.reports)
    ledger = compose.ledger(ward.settings)
    sizes = {len(ledger.memory(subject).blob) for subject in ledger.patients()}  # type: ignore[union-attr]
    assert len(sizes) == 1  # a history of decades takes no more room than one of hours


def test_the_page_lists_the_beds_with_their_names(ward: Stitched) -> None:
    client = ward.page()
    beds = client.get("/api/ward").json()["beds"]
    shown = client.get("/").text
    names = {ward.store.identifier(bed["subject_id"]) for bed in beds}
    assert {"10013", "10061"} <= names
    assert all(f'<span class="identifier">{name}</span>' in shown for name in names)
    assert all(str(escape(bed["bed"])) in shown for bed in beds if bed["bed"])
    assert sum(bed["bed"] is not None for bed in beds) >= 5
    for number in ("10013", "10061"):
        bed = client.get(f"/bed/{ward.store.identify(number)}")
        assert bed.status_code == 200
        assert "Heart rate" in bed.text
    assert "stitched:" in shown  # the feeds are named so


def patients_of_tables(folder: Path) -> set[str]:
    with gzip.open(folder / "mimic" / "tables" / "PATIENTS.csv.gz", "rt", newline="") as file:
        return {row["subject_id"] for row in csv.DictReader(file)} & set(MIMIC)


def patients_of_fhir(folder: Path) -> set[str]:
    found = set()
    for path in (folder / "others").rglob("*.gz"):
        text = gzip.decompress(path.read_bytes())
        bodies = [orjson.loads(line) for line in text.splitlines()] if "ndjson" in path.name else [orjson.loads(text)]
        entries = [one["resource"] for body in bodies for one in body.get("entry", [{"resource": body}])]
        found |= {one["id"] for one in entries if one["resourceType"] == "Patient"}
    return found


def patients_of_pictures(folder: Path) -> set[str]:
    found = set()
    for path in (folder / "others").rglob("*.dcm"):
        header = pydicom.dcmread(path, stop_before_pixels=True, force=True)
        if path.stem.startswith(("barre", "nih")):  # no preamble; no date
            continue
        found.add(str(header.PatientID).strip())
    return found


def real_admission(folder: Path, number: str) -> int:
    with gzip.open(folder / "mimic" / "tables" / "ADMISSIONS.csv.gz", "rt", newline="") as file:
        first = min(row["admittime"] for row in csv.DictReader(file) if row["subject_id"] == number)
    return compose.instant(first.replace(" ", "T") + "Z")


def first_sample(folder: Path, number: str) -> int:
    """Start of the first minute with samples (10013's record begins with 18 minutes of none)."""
    (header,) = (folder / "mimic" / "waveforms").glob(f"p0{number}-*[0-9].hea")
    context = ReadContext(root=folder, namespace="mimic3")
    return min(piece.time for batch in wfdb.read(header, context) for piece in batch.signals)
