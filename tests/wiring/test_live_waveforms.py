"""``ingest --as live`` leaves what a gateway is still writing for a later run; ``--as history`` refuses it at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinical_jepa.wiring import compose, road
from clinical_jepa.wiring.settings import Paths, Settings
from tests.monitor.scenes import plain
from tests.sources.wfdb import builders


@pytest.mark.parametrize(
    ("mode", "reasons", "ignored"),
    [
        ("live", {}, {"still being written, left for a later run": 1}),
        ("history", {"unreadable": 1}, {}),
    ],
)
def test_a_half_written_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, reasons: dict[str, int], ignored: dict[str, int]
) -> None:
    monkeypatch.setattr(compose, "prepare", lambda: plain)
    folder = tmp_path / "gateway"
    folder.mkdir()
    builders.record(folder)
    data = folder / "p000123_0002.dat"
    data.write_bytes(data.read_bytes()[:-2])
    summary = road.ingest_summary(Settings(paths=Paths(store=str(tmp_path / "store"))), [folder], mode=mode)
    assert summary["reasons"] == reasons
    assert summary["ignored"] == ignored
    assert summary["total"]["signals"] == 2
