"""The DICOM bench: its files are what they claim, both ways give the same values, and a slow way is seen."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from clinical_jepa.bench import dicom
from clinical_jepa.bench.figure import Figure


@pytest.mark.parametrize("syntax", dicom.SYNTAXES)
def test_both_ways_decode_the_same_values(tmp_path: Path, syntax: str) -> None:
    path = dicom._written(tmp_path, "CT", syntax)
    np.testing.assert_array_equal(dicom._decode(path), dicom._plain_decode(path))
    assert dicom._plain_decode(path).shape == (512, 512)


def test_every_figure_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dicom, "SIZES", {"CT": 64})
    monkeypatch.setattr(dicom, "ROUNDS", (1, 1))
    figures = dicom.run(tmp_path)
    assert [figure.name for figure in figures[: len(dicom.SYNTAXES)]] == [
        f"DICOM decode, CT {name}" for name in dicom.SYNTAXES
    ]
    assert {figure.limit for figure in figures} == {dicom.DECODE_MAX, dicom.PREPARED_MAX}
    assert all(figure.ratio > 0 and "ms against" in figure.detail and not figure.at_least for figure in figures)


def test_a_slow_way_misses_its_limit(tmp_path: Path) -> None:
    figure = dicom._figure("slow", tmp_path, (lambda _: time.sleep(0.02), lambda _: time.sleep(0.01)), 1.15)
    assert figure.ratio == pytest.approx(2, rel=0.3)
    assert not figure.met
    assert Figure(name="fast", ratio=1.0, limit=1.15, at_least=False, detail="").met
