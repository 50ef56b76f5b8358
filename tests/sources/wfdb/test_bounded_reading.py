"""A long record is read in windows, whatever its length: how much is asked of its files at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from clinical_jepa.sources.wfdb import reader, windows
from clinical_jepa.sources.wfdb.header import Header
from tests.sources.wfdb import builders

RATE, SIGNALS = 500, 2
SECONDS = 9_000  # 9 million samples
MOST = 4_000_000  # samples at once: 16 MB as float32


def test_no_more_than_a_window_is_asked_for_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = SECONDS * RATE
    beat = np.tile((100 * np.sin(np.arange(RATE) / RATE * 2 * np.pi)).astype("<i2")[:, None], (SECONDS, SIGNALS))
    (tmp_path / "long.dat").write_bytes(beat.tobytes())
    lines = [
        f"{builders.NAME} {SIGNALS} {RATE} {frames} {builders.BASE}",
        "long.dat 16 100/mV 16 0 0 0 0 II",
        "long.dat 16 100/mV 16 0 0 0 0 V",
    ]
    (tmp_path / f"{builders.NAME}.hea").write_text("\n".join(lines) + "\n")
    asked: list[int] = []
    digital = windows.digital

    def counted(header: Header, first: int, last: int, *, aligned: bool = True) -> list[np.ndarray | None]:
        asked.append((last - first) * SIGNALS)
        return digital(header, first, last, aligned=aligned)

    monkeypatch.setattr(windows, "digital", counted)
    batches = reader.read(tmp_path / f"{builders.NAME}.hea", builders.context(tmp_path))
    held = [sum(piece.samples.size for piece in batch.signals) for batch in batches]
    assert sum(held) == frames * SIGNALS
    assert max(held) <= 2 * MOST  # a batch holds what two windows gave at most
    assert max(asked) <= MOST
    assert sum(asked) == 2 * frames * SIGNALS  # once to compare it with its sums, once to keep it
