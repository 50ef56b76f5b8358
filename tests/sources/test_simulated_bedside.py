"""What the readers of records and pictures say of a simulated ward, against the truth it was written from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from clinical_jepa.records.batch import SourceBatch
from clinical_jepa.simulate.ward import simulate
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.dicom import reader as dicom
from clinical_jepa.sources.wfdb import reader as wfdb

KEYS = ["subject_id", "code", "time"]


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bedside")
    simulate(folder, subjects=2, hours=8, seed=5)
    return folder


@pytest.fixture(scope="module")
def batches(ward: Path) -> list[SourceBatch]:
    context = ReadContext(root=ward / "ward")
    return [
        batch for reader in (wfdb, dicom) for path in reader.find(ward / "ward") for batch in reader.read(path, context)
    ]


@pytest.fixture(scope="module")
def truth(ward: Path) -> pl.DataFrame:
    facts = pl.read_parquet(ward / "truth" / "facts.parquet")
    context = ReadContext(root=ward)
    ids = {identifier: context.subject(identifier) for identifier in facts["identifier"].unique()}
    return facts.with_columns(pl.col("identifier").replace_strict(ids, return_dtype=pl.Int64).alias("subject_id"))


def found(batches: list[SourceBatch]) -> pl.DataFrame:
    """Events, pieces and pictures as rows of subject, code, time, available and value."""
    rows = [
        (piece.subject_id, f"SIGNAL//{piece.channel}", piece.time, piece.available_time)
        for batch in batches
        for piece in batch.signals
    ]
    rows += [
        (item.subject_id, f"IMAGE//{item.modality}", item.time, item.available_time)
        for batch in batches
        for item in batch.images
    ]
    moments = {"time": pl.Datetime("us"), "available_time": pl.Datetime("us")}
    others = pl.DataFrame(rows, schema=[*KEYS, "available_time"], orient="row").cast(moments)
    columns = [*KEYS, "available_time", "numeric_value"]
    events = [pl.DataFrame(pl.from_arrow(batch.events)).select(columns) for batch in batches]
    return pl.concat([*events, others.with_columns(numeric_value=pl.lit(None, pl.Float32))])


def test_nothing_is_refused(batches: list[SourceBatch]) -> None:
    assert [rejection for batch in batches for rejection in batch.rejections] == []


def test_every_fact_of_monitor_and_images_is_found_and_no_other(
    batches: list[SourceBatch], truth: pl.DataFrame
) -> None:
    expected = truth.filter(pl.col("code").str.contains("^(MDC|ALARM|SIGNAL|IMAGE)//"))
    assert {code.partition("//")[0] for code in expected["code"]} >= {"MDC", "SIGNAL", "IMAGE"}
    have = found(batches)
    assert have.height == expected.height
    joined = have.join(expected, on=KEYS, how="inner")
    assert joined.height == expected.height
    assert (joined["available_time"] >= joined["knowable_time"]).all()
    numbers = joined.filter(pl.col("numeric_value").is_not_null())
    np.testing.assert_allclose(numbers["numeric_value"], numbers["value"], rtol=1e-6)
