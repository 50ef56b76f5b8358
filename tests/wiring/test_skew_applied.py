"""From an estimate to aligned records: what is certain is written, applied at ingest, and nothing else is."""

from __future__ import annotations

import csv
import re
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from clinical_jepa.cli.app import app
from clinical_jepa.evaluate.checks.agreement import MONITOR, series
from clinical_jepa.records.errors import BadRequest
from clinical_jepa.records.instant import BEGINNING, END, MINUTE
from clinical_jepa.simulate.ward import simulate
from clinical_jepa.store.events import Store
from clinical_jepa.timeline.clock_skew import Skew
from clinical_jepa.wiring import skew
from tests.acceptance.stitched import linked_subjects

BEHIND = 97  # minutes that the spoilt monitors' clocks lie behind the chart's
BASE = re.compile(r"\d\d:\d\d:\d\d \d\d/\d\d/\d{4}$", re.MULTILINE)


def typed(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three patients of a simulated ward: its records, and the same with every monitor's clock behind."""
    root = tmp_path_factory.mktemp("ward")
    simulate(root / "true", subjects=3, hours=48, seed=5)
    shutil.copytree(root / "true" / "ward" / "wfdb", root / "wfdb")
    shutil.copytree(root / "true" / "ward" / "fhir", root / "fhir")
    for header in (root / "wfdb").rglob("*.hea"):
        header.write_text(BASE.sub(_behind, header.read_text()))
    return root


def _behind(found: re.Match[str]) -> str:
    form = "%H:%M:%S %d/%m/%Y"
    return f"{datetime.strptime(found[0], form) - timedelta(minutes=BEHIND):{form}}"


def store_of(root: Path, *folders: Path) -> Path:
    done = typed("ingest", *folders, "--store", root, "--as", "history")
    assert done.exit_code in (0, 3), done.output
    return root


def monitored(store: Path) -> dict[str, np.ndarray]:
    """By patient the times of the monitor's heart rates, then of its pieces of waveforms."""
    held = Store.open(store)
    found = {}
    for one in held.subjects(END)["subject_id"].to_pylist():
        seen = held.history(one, as_of=END)
        waves = np.sort(seen.signals["time"].cast("int64").to_numpy())
        found[held.identifier(one)] = np.concatenate([series(seen.events, MONITOR)[0], waves])
    return {name: times for name, times in found.items() if times.size}


@pytest.mark.slow
def test_an_offset_is_estimated_written_and_applied(
    ward: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "clock_offsets.csv"
    truth = monitored(store_of(tmp_path / "true", ward / "true" / "ward" / "wfdb"))
    store = store_of(tmp_path / "store", ward / "wfdb", ward / "fhir")
    said = typed("check", "skew", "--store", store, "--write", table).stdout
    written = {row["subject"] for row in csv.DictReader(table.read_text().splitlines())}
    refused = set(re.findall(r"^(\S+): refused", said, re.MULTILINE))
    assert written, said
    assert written | refused == set(truth)
    assert not written & refused
    monkeypatch.setenv("CLINICAL_JEPA_SITE_CLOCK_OFFSETS", str(table))
    moved = monitored(store_of(store, ward / "wfdb", ward / "fhir"))
    for name, times in truth.items():
        assert moved[name].size == times.size, "a value for each there was, and no second one"
        apart = np.abs(moved[name] - times).max() / MINUTE
        assert apart <= 2 if name in written else apart == BEHIND, name
    again = typed("check", "skew", *written, "--store", store, "--write", table).stdout
    assert again.count(": confirmed: ") == len(written), again
    assert "0 written" in again
    assert {row["subject"] for row in csv.DictReader(table.read_text().splitlines())} == written


REFUSED = Skew(verdict="refused", reason="wide", met=40, offset=5 * MINUTE, low=0, high=20 * MINUTE)
NARROW_AND_REFUSED = Skew(
    verdict="refused", reason="by chance", met=40, offset=5 * MINUTE, low=4 * MINUTE, high=6 * MINUTE
)
AGREES = Skew(verdict="confirmed", reason="agree", met=40, offset=0, low=-MINUTE, high=MINUTE)
CERTAIN = Skew(verdict="shift", reason="off", met=40, offset=5 * MINUTE, low=4 * MINUTE, high=6 * MINUTE)


def test_only_the_certain_estimate_of_a_clock_that_is_not_moved_yet_is_fit() -> None:
    plain = {"wfdb:numerics"}
    assert skew.unfit(CERTAIN, plain) is None
    assert [skew.unfit(one, plain) for one in (REFUSED, NARROW_AND_REFUSED, AGREES)] == ["wide", "by chance", "agree"]
    assert "already" in str(skew.unfit(CERTAIN, {"shifted:wfdb:numerics"}))
    assert "WFDB" in str(skew.unfit(CERTAIN, {"hl7v2", "wfdb:numerics"}))
    assert "WFDB" in str(skew.unfit(CERTAIN, {"stitched:wfdb:numerics"}))


def refused_is_never_written(store: Path, table: Path, monkeypatch: pytest.MonkeyPatch, found: Skew) -> None:
    """Holds where an estimate that is no certain shift leaves the table as it was; fails where it gets in."""
    said = [(one, found) for one in Store.open(store).subjects(END)["subject_id"].to_pylist()]
    monkeypatch.setattr("clinical_jepa.evaluate.checks.skew.skew_of_subjects", lambda *_: said)
    done = typed("check", "skew", "--store", store, "--write", table)
    assert not isinstance(done.exception, BadRequest), done.exception
    assert list(csv.DictReader(table.read_text().splitlines())) == []


@pytest.mark.slow
@pytest.mark.parametrize("found", [REFUSED, NARROW_AND_REFUSED, AGREES])
def test_a_refused_estimate_is_never_written_and_a_writer_that_believes_it_is_caught(
    ward: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: Skew
) -> None:
    store, table = store_of(tmp_path / "store", ward / "wfdb"), tmp_path / "offsets.csv"
    refused_is_never_written(store, table, monkeypatch, found)
    monkeypatch.setattr(skew, "unfit", lambda *_: None)  # the planted fault
    with pytest.raises(AssertionError):
        refused_is_never_written(store, table, monkeypatch, found)


@pytest.mark.slow
def test_a_table_that_cannot_be_believed_moves_nothing(
    ward: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "offsets.csv"
    for content in (
        "subject;offset\n",
        "subject,record,from,to,offset_s,low_s,high_s,basis\n7,,,,300,0,1200,wide\n",
        None,
    ):
        table.unlink(missing_ok=True)
        if content is not None:
            table.write_text(content)
        monkeypatch.setenv("CLINICAL_JEPA_SITE_CLOCK_OFFSETS", str(table))
        done = typed("ingest", ward / "wfdb", "--store", tmp_path / "store")
        assert isinstance(done.exception, BadRequest), done.output
    monkeypatch.delenv("CLINICAL_JEPA_SITE_CLOCK_OFFSETS")
    assert not (tmp_path / "store").exists() or not Store.open(tmp_path / "store").arrivals(BEGINNING, END).events


@pytest.mark.data
@pytest.mark.slow
def test_the_real_linked_subjects_stay_where_they_are(data: Path, tmp_path: Path) -> None:
    linked_subjects(data, tmp_path)
    told = ("--namespace", "mimic3", "--store", tmp_path / "store")
    assert typed("ingest", tmp_path / "mimic", tmp_path / "waveforms", *told).exit_code in (0, 3)
    table = tmp_path / "offsets.csv"
    said = typed("check", "skew", "10013", "10061", "--store", tmp_path / "store", "--write", table).stdout
    assert re.findall(r"^(\d+): not written: ", said, re.MULTILINE) == ["10013", "10061"], said
    assert len(table.read_text().splitlines()) == 1
