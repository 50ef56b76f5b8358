"""The MIMIC-III demo, against pandas reading the same files."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from clinical_jepa.records.batch import SourceBatch
from clinical_jepa.vocabulary.identity import subject_id
from clinical_jepa.vocabulary.tables import schemas
from tests.sources.tables.builders import read

pytestmark = pytest.mark.data

# rows of the file, rows kept, rejected: every line is one of kept, rejected, counted
TABLES = {
    "CHARTEVENTS": (758_355, 129_816, 169),
    "LABEVENTS": (76_074, 58_444, 1),
    "OUTPUTEVENTS": (11_320, 9_047, 0),
    "INPUTEVENTS_CV": (34_799, 11_238, 29),
}


@pytest.fixture(scope="module")
def folder(data: Path) -> Path:
    return data / "mimic3_demo"


@pytest.fixture(scope="module")
def charted(folder: Path) -> SourceBatch:
    return read(folder, "CHARTEVENTS")


@pytest.fixture(scope="module")
def chart(folder: Path) -> pd.DataFrame:
    times = ["charttime", "storetime"]
    frame = pd.read_csv(folder / "CHARTEVENTS.csv.gz", parse_dates=times, low_memory=False)
    with (schemas() / "codes" / "mimic3.csv").open(newline="") as file:
        lines = {int(row["item"]): row for row in csv.DictReader(file) if row["table"] == "CHARTEVENTS"}
    frame["code"] = frame["itemid"].map({item: row["code"] for item, row in lines.items()})
    frame["documented"] = frame["itemid"].map({item: row["unit"] for item, row in lines.items()})
    return frame


@pytest.mark.parametrize("table", TABLES)
def test_every_line_is_kept_refused_or_counted(folder: Path, charted: SourceBatch, table: str) -> None:
    lines, kept, refused = TABLES[table]
    batch = charted if table == "CHARTEVENTS" else read(folder, table)
    assert len(pd.read_csv(folder / f"{table}.csv.gz", usecols=["row_id"])) == lines
    assert (batch.events.num_rows, len(batch.rejections)) == (kept, refused)
    assert kept + refused + sum(batch.ignored.values()) == lines


def test_charted_values_equal_pandas(charted: SourceBatch, chart: pd.DataFrame) -> None:
    mapped = chart[chart["code"].notna() & chart["valuenum"].notna() & (chart["error"] != 1)]
    value = mapped["valuenum"].to_numpy()
    value = np.where(mapped["documented"] == "[degF]", (value - 32) / 1.8, value)
    value = np.where((mapped["documented"] == "1") & (mapped["code"] == "LOINC//3150-6"), value * 100, value)
    value = np.where(mapped["documented"] == "[lb_av]", value * 0.45359237, value)
    value = np.where(mapped["documented"] == "[in_i]", value * 2.54, value)
    subjects = {number: subject_id("mimic3", str(number)) for number in mapped["subject_id"].unique()}
    theirs = Counter(
        zip(
            mapped["subject_id"].map(subjects),
            mapped["charttime"].dt.as_unit("us").astype("int64"),
            mapped["code"],
            np.round(value, 3).tolist(),
            strict=True,
        )
    )
    events = charted.events
    ours = Counter(
        zip(
            events["subject_id"].to_pylist(),
            events["time"].cast(pa.int64()).to_pylist(),
            events["code"].to_pylist(),
            [round(number, 3) for number in events["numeric_value"].cast(pa.float64()).to_pylist()],
            strict=True,
        )
    )
    implausible = sum(one.reason == "implausible" for one in charted.rejections)
    assert theirs.total() - ours.total() == implausible == 42
    unmatched = ours - theirs  # rounding of float32 at half a thousandth
    assert unmatched.total() <= 0.001 * ours.total()


def test_store_times_before_chart_times_are_clamped_and_counted(charted: SourceBatch, chart: pd.DataFrame) -> None:
    early = chart["storetime"] < chart["charttime"]
    assert int(early.sum()) == 95_657
    assert early.mean() == pytest.approx(0.126, abs=0.0005)
    bases = charted.events["available_basis"].to_pylist()
    refused = {int(one.record.split()[1]) for one in charted.rejections}
    kept = chart["code"].notna() & chart["valuenum"].notna() & ~chart["row_id"].isin(refused)
    assert bases.count("clamped") == int((early & kept).sum())
    time, available = (charted.events[name].cast(pa.int64()).to_numpy() for name in ("time", "available_time"))
    assert (available >= time).all()
    assert (available == time)[np.array(bases) == "clamped"].all()


def test_nothing_is_available_before_the_table_says_it_was_stored(charted: SourceBatch, chart: pd.DataFrame) -> None:
    stored = chart.loc[chart["code"].notna(), ["storetime"]]["storetime"].dt.as_unit("us").astype("int64")
    late = np.array(charted.events["available_basis"].to_pylist()) == "issued"
    available = charted.events["available_time"].cast(pa.int64()).to_numpy()[late]
    assert set(available.tolist()) <= set(stored.tolist())


def test_the_charted_extract_of_two_subjects_is_found_in_what_was_read(charted: SourceBatch, data: Path) -> None:
    extract = pd.read_csv(data / "mimic3_waveforms" / "charted_extract.csv", parse_dates=["charttime", "storetime"])
    with (schemas() / "codes" / "mimic3.csv").open(newline="") as file:
        lines = {int(row["item"]): row for row in csv.DictReader(file) if row["table"] == "CHARTEVENTS"}
    frame = charted.events.select(["subject_id", "time", "code", "numeric_value", "available_time"]).to_pandas()
    found = 0
    for row in extract[extract["itemid"].isin(lines)].itertuples():
        value = (row.valuenum - 32) / 1.8 if lines[row.itemid]["unit"] == "[degF]" else row.valuenum
        same = frame[
            (frame["subject_id"] == subject_id("mimic3", str(row.subject_id)))
            & (frame["time"] == row.charttime)
            & (frame["code"] == lines[row.itemid]["code"])
            & (frame["available_time"] == max(row.charttime, row.storetime))
            & np.isclose(frame["numeric_value"], value, atol=1e-3)
        ]
        assert len(same) >= 1, (row.itemid, row.charttime)
        found += 1
    assert found > 100


def test_stays_and_diagnoses_equal_their_tables(folder: Path) -> None:
    admissions = pd.read_csv(folder / "ADMISSIONS.csv.gz", parse_dates=["admittime", "dischtime"])
    events = read(folder, "ADMISSIONS").events.to_pandas()
    assert sorted(events.loc[events["code"].str.startswith("HOSPITAL_ADMISSION"), "time"]) == sorted(
        admissions["admittime"]
    )
    assert (events["code"] == "MEDS_DEATH").sum() == 40
    diagnoses = read(folder, "DIAGNOSES_ICD").events.to_pandas()
    assert len(diagnoses) == 1_761
    discharged = admissions.set_index("hadm_id")["dischtime"]
    assert (diagnoses["available_time"] == diagnoses["encounter_id"].astype(int).map(discharged).to_numpy()).all()


def test_the_oldest_are_90_and_nobody_is_older_than_120(folder: Path) -> None:
    births = [row for row in read(folder, "PATIENTS").events.to_pylist() if row["code"] == "MEDS_BIRTH"]
    ages = [(row["available_time"] - row["time"]).days / 365.25 for row in births]
    assert len(ages) == 100
    assert max(ages) < 120
    assert sum(row["text_value"] == "older than 89" for row in births) == 8


def test_a_running_vasopressor_ends_at_0(folder: Path) -> None:
    events = read(folder, "INPUTEVENTS_MV").events.to_pandas()
    norepinephrine = events[events["code"] == "RXNORM//7512"].sort_values(["subject_id", "time"])
    last = norepinephrine.groupby("subject_id").tail(1)
    assert (last["numeric_value"] == 0).mean() > 0.9
    assert norepinephrine.groupby(["subject_id", "time"])["numeric_value"].nunique().max() <= 2
