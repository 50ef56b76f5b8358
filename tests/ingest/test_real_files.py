"""Real records of every kind through one ingest."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinical_jepa.store.events import Store
from clinical_jepa.vocabulary.identity import subject_id
from tests.ingest.builders import LONG_AFTER, run

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def mimic(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store.open(tmp_path_factory.mktemp("mimic") / "store", create=True)


def test_the_mimic3_demo_is_ingested_whole_and_once(data: Path, mimic: Store) -> None:
    report = run(data / "mimic3_demo", mimic)
    assert (report.total.files, report.total.events, report.total.rejected) == (26, 238_430, 201)
    assert report.total.clamped == 22_351
    assert report.reasons == {"invalid": 127, "implausible": 74}
    assert mimic.subjects(2 * LONG_AFTER).num_rows == 100
    assert run(data / "mimic3_demo", mimic).total.skipped == 26


def test_waveforms_and_charts_of_a_subject_land_on_one_timeline(data: Path, mimic: Store) -> None:
    run(data / "mimic3_demo", mimic)
    run(data / "mimic3_waveforms" / "derived_wfdb", mimic, namespace="mimic3")
    for number in ("10013", "10061"):
        subject = subject_id("mimic3", number)
        both = mimic.history(subject, as_of=2 * LONG_AFTER)
        sources = {source.split(":")[0] for source in both.events["source"].to_pylist()}
        assert sources >= {"mimic3"}
        assert both.signals.num_rows > 0
        assert set(both.signals["channel"].to_pylist()) == {"PAP"}
        assert set(both.origins) == {subject}
