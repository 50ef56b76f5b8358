"""The simulated ward's own truth against what ingest made of its files: everything there, nothing early."""

from __future__ import annotations

import polars as pl
import pytest

from clinical_jepa.simulate.ward import simulate
from clinical_jepa.store.events import Store
from clinical_jepa.vocabulary.identity import subject_id
from tests.ingest.builders import LONG_AFTER, run

KEY = ["subject_id", "code", "time"]


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, pl.DataFrame]:
    """The store of a small ward, and when each fact of its truth could first be known."""
    folder = tmp_path_factory.mktemp("ward")
    simulate(folder, subjects=1, hours=6, seed=3, records_only=12)
    store = Store.open(folder / "store", create=True)
    run(folder / "ward", store)
    truth = pl.read_parquet(folder / "truth" / "facts.parquet").with_columns(
        pl.col("identifier")
        .map_elements(lambda name: subject_id("mrn", name), return_dtype=pl.Int64)
        .alias("subject_id"),
        pl.col("time", "knowable_time").cast(pl.Datetime("us")),
    )
    return store, truth.group_by(KEY).agg(pl.col("knowable_time").min())


def events(store: Store) -> pl.DataFrame:
    frame = pl.from_arrow(store.arrivals(-LONG_AFTER, 2 * LONG_AFTER).events)
    assert isinstance(frame, pl.DataFrame)
    return frame.select(*KEY, "available_time")


def test_nothing_is_available_before_it_could_be_known(ward: tuple[Store, pl.DataFrame]) -> None:
    store, truth = ward
    both = events(store).join(truth, on=KEY, how="inner")
    assert both.height > 1_000
    assert both.filter(pl.col("available_time") < pl.col("knowable_time")).height == 0


def test_a_source_stamped_too_early_would_be_seen(ward: tuple[Store, pl.DataFrame]) -> None:
    store, truth = ward
    early = events(store).with_columns(pl.col("time").alias("available_time"))
    both = early.join(truth, on=KEY, how="inner")
    assert both.filter(pl.col("available_time") < pl.col("knowable_time")).height > 100


def test_every_charted_fact_of_the_truth_arrived(ward: tuple[Store, pl.DataFrame]) -> None:
    store, truth = ward
    charted = truth.filter(pl.col("code").str.contains("^(LOINC|RXNORM|FLUID|HOSPITAL|CONDITION)"))
    missing = charted.join(events(store), on=KEY, how="anti")
    # what is missing is what the ward plants to be refused, and what it says was entered in error
    assert missing.height <= store.rejections().num_rows + 2
    assert charted.height > 300
