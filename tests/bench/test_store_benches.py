"""The benches of store and alignment run, on a small scale, and their figures can be missed."""

from __future__ import annotations

import subprocess
import sys
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


def test_peak_of_a_child_is_its_own_however_large_its_parent() -> None:
    program = "import sys; from clinical_jepa.bench.peak import peak; held = b'x' * int(sys.argv[1]); print(peak(), len(held))"
    large = b"x" * (400 << 20)  # what the child must not seem to hold
    few, many = (
        int(
            subprocess.run([sys.executable, "-c", program, str(held)], check=True, capture_output=True).stdout.split()[
                0
            ]
        )
        for held in (1, 100 << 20)
    )
    assert few < 100 << 20 < len(large) // 2
    assert few < many < 300 << 20


@pytest.mark.parametrize(
    ("few", "many", "met"),
    [
        (3.6, 3.9, [True, True]),
        (3.9, 4.1, [True, False]),  # flat, and too much
        (0.5, 0.7, [False, True]),  # little, and growing
    ],
)
def test_memory_is_held_to_growth_and_to_an_absolute_limit(
    few: float, many: float, met: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    peaks = {10_000_000: few, 100_000_000: many}
    monkeypatch.setattr(memory, "_peak", lambda work, folder, rows: round(peaks[rows] * 2**30))
    figures = memory.run(Path(), 10_000_000)
    assert [figure.met for figure in figures] == met * len(memory.WORK)
    assert [figure.ratio for figure in figures][1::2] == [pytest.approx(many)] * len(memory.WORK)


def test_growth_goes_by_the_least_peaks_and_the_limit_by_the_highest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peak that threads made by chance is taken again; one that stays is growth; and none is left out of the limit."""
    ingest = [500, 900, 510, 550]  # MiB: few, many, few, many
    read = [500, 900, 480, 700, 500, 5000]
    peaks = iter(ingest + read)
    monkeypatch.setattr(memory, "_peak", lambda work, folder, rows: next(peaks) << 20)
    figures = memory.run(Path())
    assert next(peaks, None) is None
    assert [figure.met for figure in figures] == [True, True, False, False]
    assert [figure.ratio for figure in figures] == pytest.approx([550 / 500, 900 / 1024, 700 / 480, 5000 / 1024])


@pytest.mark.slow
def test_memory_is_flat_while_the_input_grows_ten_times(tmp_path: Path) -> None:
    for figure in memory.run(tmp_path, 1_000_000):
        assert figure.met, figure.detail
