"""The bench of WFDB reading: on a short record here; its figures are of the long one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from clinical_jepa.bench import wfdb


def test_windows_are_far_faster_than_the_library_and_every_figure_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wfdb, "SECONDS", 300)
    monkeypatch.setattr(wfdb, "PATTERN", (1, 5))
    figures = {figure.name: figure for figure in wfdb.run(tmp_path)}
    windows = [figure for name, figure in figures.items() if "windows" in name]
    assert len(windows) == 4
    assert all(figure.met for figure in windows), windows
    whole = sorted(name for name in figures if "whole" in name)
    assert whole == [
        f"wfdb whole record, format {form}, against {peer}" for form in ("16", "212") for peer in ("numpy", "wfdb")
    ]


def test_readers_that_disagree_give_no_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wfdb, "SECONDS", 60)
    right = wfdb.windows.read
    monkeypatch.setattr(wfdb.windows, "read", lambda *where: [signal + np.float32(1e-6) for signal in right(*where)])
    with pytest.raises(AssertionError, match="disagree"):
        wfdb.run(tmp_path)
