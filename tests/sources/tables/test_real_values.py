"""Values of the open data sets against pandas, and against another pipeline's reading of the same patients."""

from __future__ import annotations

import zipfile
from collections import Counter
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from clinical_jepa.records.batch import SourceBatch
from clinical_jepa.sources.columnar.codemap import code_map
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.tables.data_sets import DataSet, reader
from clinical_jepa.vocabulary.identity import subject_id
from tests.sources.tables.builders import together

pytestmark = pytest.mark.data


def some(data: Path, folder: Path, archive: str, inner: str, count: int) -> Path:
    """A folder of every so manieth stay of a published zip."""
    out = folder / inner
    out.mkdir()
    with zipfile.ZipFile(data / archive) as published:
        names = [name for name in published.namelist() if name.endswith((".txt", ".psv"))]
        for name in names[:: len(names) // count][:count]:
            (out / Path(name).name).write_bytes(published.read(name))
    return out


def read(data_set: DataSet, path: Path) -> SourceBatch:
    return together(reader(data_set).read(path, ReadContext(root=path.parent)))


def ours(batch: SourceBatch) -> Counter[tuple[object, ...]]:
    """(stay, µs, code, value) of every number."""
    events, names = batch.events, {one.subject_id: one.identifier for one in batch.identities}
    rows = zip(
        [names[subject] for subject in events["subject_id"].to_pylist()],
        events["time"].cast(pa.int64()).to_pylist(),
        events["code"].to_pylist(),
        events["numeric_value"].to_pylist(),
        strict=True,
    )
    return Counter((who, time, code, round(value, 2)) for who, time, code, value in rows if value is not None)


def test_values_of_2012_equal_pandas(data: Path, tmp_path: Path) -> None:
    folder = some(data, tmp_path, "cinc2012/set-a.zip", "set-a", 40)
    batch = read("cinc2012", folder)
    codes = {
        row["item"]: row["code"] for row in code_map("cinc2012") if row["column"] == "value" and row["table"] == "set"
    }
    theirs: Counter[tuple[object, ...]] = Counter()
    for path in folder.iterdir():
        frame = pd.read_csv(path).drop_duplicates()
        minutes = frame["Time"].str.split(":").map(lambda parts: int(parts[0]) * 60 + int(parts[1]))
        for minute, name, value in zip(minutes, frame["Parameter"], frame["Value"], strict=True):
            if name in codes and not (value == -1 and name in ("Height", "Weight")):
                scaled = value * 100 if name == "FiO2" else value
                theirs[
                    path.stem,
                    minute * 60_000_000,
                    codes[name],
                    round(float(pd.Series([scaled], dtype="float32")[0]), 2),
                ] += 1
    found = ours(batch)
    assert found.total() > 10_000
    assert not found - theirs
    assert (theirs - found).total() == sum(one.reason == "implausible" for one in batch.rejections)


def test_values_of_2019_equal_pandas(data: Path, tmp_path: Path) -> None:
    folder = some(data, tmp_path, "cinc2019/training_setA.zip", "training_setA", 40)
    batch = read("cinc2019", folder)
    codes = {row["item"]: row["code"] for row in code_map("cinc2019")}
    theirs: Counter[tuple[object, ...]] = Counter()
    for path in folder.iterdir():
        frame = pd.read_csv(path, sep="|", dtype="float32")
        for name, code in codes.items():
            for hour, value in zip(frame["ICULOS"], frame[name], strict=True):
                if not pd.isna(value):
                    theirs[path.stem, int(hour) * 3_600_000_000, code, round(float(value), 2)] += 1
    found = ours(batch)
    assert found.total() > 5_000
    assert not found - theirs
    assert (theirs - found).total() == sum(one.reason == "implausible" for one in batch.rejections)


def test_laboratory_values_of_mimic_4_equal_another_pipelines(data: Path) -> None:
    """The demo was published as MEDS by others: same subjects, times, items, values."""
    codes = {
        row["item"]: row["code"] for row in code_map("mimic4") if row["table"] == "labevents" and not row["specimen"]
    }
    meds = pl.read_parquet(data / "mimic4_demo_meds" / "mimic_iv_demo_meds_events.parquet")
    meds = meds.with_columns(pl.col("code").str.split("//").list.get(1, null_on_oob=True).alias("item"))
    meds = meds.filter(
        pl.col("code").str.starts_with("LAB//"), pl.col("item").is_in(list(codes)), pl.col("value").is_not_null()
    )
    theirs = Counter(
        (str(who), time, codes[item], round(value, 2))
        for who, time, item, value in meds.select(
            "subject_id", pl.col("time").dt.timestamp("us"), "item", "value"
        ).rows()
    )
    batch = read("mimic4", data / "mimic4_demo" / "hosp" / "labevents.csv.gz")
    gases = {row["code"] for row in code_map("mimic4") if row["specimen"]}
    found = Counter({key: count for key, count in ours(batch).items() if key[2] not in gases})
    assert found.total() > 70_000
    assert not theirs - found
    assert found.keys() == theirs.keys()  # they keep one of rows that say the same
    assert (found - theirs).total() == 13


def test_result_times_of_mimic_4_are_its_store_times(data: Path) -> None:
    path = data / "mimic4_demo" / "hosp" / "labevents.csv.gz"
    batch = read("mimic4", path)
    frame = pd.read_csv(path, parse_dates=["charttime", "storetime"], low_memory=False)
    known = set((frame["storetime"].where(frame["storetime"] >= frame["charttime"], frame["charttime"])).dropna())
    events = batch.events.to_pandas()
    told = events[events["available_basis"].isin(["issued", "clamped"])]
    assert len(told) > 70_000
    assert set(told["available_time"]) <= known
    assert (events["available_time"] >= events["time"]).all()


def test_results_of_eicu_equal_pandas(data: Path) -> None:
    path = data / "eicu_demo" / "lab.subset-169-stays.csv.gz"
    batch = read("eicu", path)
    frame = pd.read_csv(path)
    sodium = frame[frame["labname"] == "sodium"]
    theirs = Counter(
        (str(row.patientunitstayid), row.labresultoffset * 60_000_000, round(row.labresult, 2))
        for row in sodium.itertuples()
    )
    found = Counter((who, time, value) for who, time, code, value in ours(batch).elements() if code == "LOINC//2951-2")
    assert found == theirs
    late = pd.Series(batch.events["available_time"].to_pandas() - batch.events["time"].to_pandas())
    assert (late >= pd.Timedelta(0)).all()
    assert late.median() > pd.Timedelta(minutes=10)


def test_deaths_and_stays_of_eicu_equal_its_patients(data: Path) -> None:
    path = data / "eicu_demo" / "patient.csv.gz"
    batch = read("eicu", path)
    frame = pd.read_csv(path)
    codes = Counter(code.partition("//")[0] for code in batch.events["code"].to_pylist())
    dead = (frame["unitdischargestatus"] == "Expired") | (frame["hospitaldischargestatus"] == "Expired")
    assert codes["MEDS_DEATH"] == int(dead.sum())
    assert codes["ICU_ADMISSION"] == codes["PERSON"] == len(frame) == 2_520
    assert len(set(batch.events["subject_id"].to_pylist())) == 2_520
    persons = {row["text_value"] for row in batch.events.to_pylist() if row["code"] == "PERSON"}
    assert len(persons) == frame["uniquepid"].nunique() == 1_841
    assert subject_id("eicu~relative", "141764") in set(batch.events["subject_id"].to_pylist())
