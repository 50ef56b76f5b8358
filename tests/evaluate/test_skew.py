"""The check of the clock skew: it counts right, and catches an estimate that always answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from clinical_jepa.cli.app import app
from clinical_jepa.evaluate.checks.skew import check_skew, line
from clinical_jepa.evaluate.checks.skew_cases import case
from clinical_jepa.records.instant import HOUR, MINUTE
from clinical_jepa.timeline.clock_skew import Series, Skew, SkewConfig, clock_skew
from tests.acceptance.stitched import linked_subjects


def quiet(text: str) -> None:
    """Nobody listens."""


@pytest.mark.slow
def test_most_simulated_offsets_are_recovered_and_hardly_any_is_wrong_and_certain() -> None:
    report = check_skew(60, 4, tell=quiet)
    assert report.passed, report.sentence()
    assert report.recovered + report.refused + report.wrong >= report.cases == 60
    assert report.refused, "some hearts tell nothing"


def always(monitor: Series, chart: Series) -> Skew:
    """The planted fault: whatever it finds, it is sure of."""
    sure = SkewConfig(narrow=1e9, least=0, evidence=-1e9, agree=0)
    found = clock_skew(monitor, chart, sure)
    offset = found.offset or 0
    return Skew(verdict="shift", reason="", met=found.met, offset=offset, low=offset - MINUTE, high=offset + MINUTE)


def test_an_estimate_that_always_answers_is_caught() -> None:
    report = check_skew(30, 4, estimate=always, tell=quiet)
    assert not report.passed
    assert report.wrong >= 2
    assert report.believed == report.strangers


def test_an_estimate_that_never_answers_is_caught() -> None:
    report = check_skew(10, 4, estimate=lambda monitor, chart: Skew(verdict="refused", reason="", met=0), tell=quiet)
    assert (report.passed, report.refused, report.wrong) == (False, 10, 0)


def test_cases_are_what_they_say() -> None:
    kinds, cases = set(), [case(12, number) for number in range(40)]
    for one in cases:
        kinds.add(one.kind)
        assert abs(one.offset) <= 6 * HOUR
        assert (one.chart.times[-1] - one.chart.times[0]) >= 11 * HOUR
        assert one.monitor.times[0] <= one.chart.times[0] - one.offset + 15 * MINUTE
        assert one.monitor.times[-1] >= one.chart.times[-1] - one.offset - 15 * MINUTE
        assert set(np.diff(one.chart.times) % (15 * MINUTE)) == {0}
        assert (one.chart.values == np.round(one.chart.values)).all()
    again = case(12, 39)
    assert np.array_equal(again.chart.values, cases[-1].chart.values)
    assert len(kinds) >= 3


def test_a_verdict_is_said_with_offset_and_interval() -> None:
    one = Skew(verdict="shift", reason="why", met=40, offset=-90 * MINUTE, low=-92 * MINUTE, high=-88 * MINUTE)
    assert line(one) == "shift: why; chart minus monitor -90.0 min (-92.0 to -88.0), 40 charted values met"


def typed(*words: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(word) for word in words])
    return done.exit_code, done.stdout


def test_the_command_prints_the_figure_and_fails_where_the_check_does() -> None:
    code, said = typed("check", "skew", "--cases", "4", "--seed", "4")
    assert "of 4 simulated offsets recovered" in said
    assert code in (0, 1)


@pytest.mark.data
@pytest.mark.slow
def test_the_real_linked_subjects_are_not_shifted(data: Path, tmp_path: Path) -> None:
    linked_subjects(data, tmp_path)
    store = tmp_path / "store"
    code, said = typed("ingest", tmp_path / "mimic", tmp_path / "waveforms", "--namespace", "mimic3", "--store", store)
    assert code in (0, 3), said
    code, said = typed("check", "skew", "10013", "10061", "--store", store)
    assert code == 0, said
    verdicts = {row.partition(": ")[0]: row.partition(": ")[2] for row in said.splitlines()}
    assert set(verdicts) == {"10013", "10061"}
    assert all(text.startswith(("refused: ", "confirmed: ")) for text in verdicts.values()), said
