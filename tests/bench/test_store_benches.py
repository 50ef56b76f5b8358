"""The benches of store and alignment run, on a small scale, and their figures can be missed."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinical_jepa.bench import align, memory
from clinical_jepa.bench.figure import Figure


def test_a_figure_is_met_from_its_side() -> None:
    up, down = (Figure(name="x", ratio=2.0, limit=2.5, at_least=at_least, detail="") for at_least in (True, False))
    assert (up.met, down.met) == (False, True)


def test_alignment_is_measured_against_a_sort() -> None:
    table = align.sorted_store(60_000)
    assert table.num_rows == 60_000
    subjects = table["subject_id"].to_pylist()
    assert subjects == sorted(subjects)
    (figure,) = align.run(Path(), 60_000)
    assert figure.ratio > 0
    assert "60000 rows" in figure.detail


@pytest.mark.slow
def test_memory_is_flat_while_the_input_grows_ten_times(tmp_path: Path) -> None:
    for figure in memory.run(tmp_path, 1_000_000):
        assert figure.met, figure.detail
