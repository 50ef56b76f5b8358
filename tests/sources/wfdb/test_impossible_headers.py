"""Headers whose numbers leave no sample: each signal is refused with its reason, and its neighbours are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from clinical_jepa.records.batch import Rejection, SignalPiece
from clinical_jepa.sources.wfdb import reader
from tests.sources.wfdb.builders import context

FRAMES = 500


def record(folder: Path, *, gain: str = "200", form: str = "16", frames: int = FRAMES, held: int = FRAMES) -> Path:
    """A record of two signals in files of their own: ``II`` as said, ``V`` ordinary."""
    samples = np.arange(held, dtype="<i2")
    total = int(samples.sum()) % 65536
    for name in ("a", "b"):
        (folder / f"{name}.dat").write_bytes(samples.tobytes())
    signals = f"a.dat {form} {gain}/mV 16 0 0 {total} 0 II\nb.dat 16 200/mV 16 0 0 {total} 0 V\n"
    path = folder / "r.hea"
    path.write_text(f"r 2 250 {frames}\n{signals}")
    return path


def read(path: Path) -> tuple[list[SignalPiece], list[Rejection]]:
    batches = list(reader.read(path, context(path.parent)))
    return [one for batch in batches for one in batch.signals], [one for batch in batches for one in batch.rejections]


@pytest.mark.filterwarnings("error")
@pytest.mark.fault(source="wfdb", fault="impossible gain", ends="the signal is refused, the others are read")
@pytest.mark.parametrize("gain", ["1e-400", "-0.001e-330", "1e-320", "1e-37", "-1e-37", "1e300", "1e999"])
def test_a_gain_that_no_signal_has_is_refused(gain: str, tmp_path: Path) -> None:
    pieces, rejections = read(record(tmp_path, gain=gain))
    assert [(one.record, one.reason) for one in rejections] == [("r II", "invalid")]
    assert "gain" in rejections[0].message
    (piece,) = pieces
    assert np.array_equal(piece.samples, (np.arange(FRAMES) / 200).astype(np.float32))


@pytest.mark.parametrize("gain", ["0", "0.00", "-0", "0e-400", "0e5", ""])
def test_a_gain_of_0_stands_for_a_signal_that_is_not_calibrated(gain: str, tmp_path: Path) -> None:
    pieces, rejections = read(record(tmp_path, gain=gain))
    assert rejections == []
    assert np.array_equal(pieces[0].samples, (np.arange(FRAMES) / 200).astype(np.float32))


@pytest.mark.parametrize("gain", ["1e-20", "-200", "1e9"])
def test_an_odd_gain_that_a_number_can_hold_is_taken(gain: str, tmp_path: Path) -> None:
    pieces, rejections = read(record(tmp_path, gain=gain))
    assert (len(pieces), rejections) == (2, [])
    assert all(np.isfinite(piece.samples).all() for piece in pieces)


@pytest.mark.fault(source="wfdb", fault="impossible skew", ends="the signal is refused, the others are read")
@pytest.mark.parametrize("skew", [FRAMES, FRAMES + 1, 20 * FRAMES])
def test_a_skew_that_leaves_nothing_is_refused(skew: int, tmp_path: Path) -> None:
    pieces, rejections = read(record(tmp_path, form=f"16:{skew}"))
    assert [(one.record, one.reason) for one in rejections] == [("r II", "invalid")]
    assert f"skew of {skew} frames" in rejections[0].message
    assert len(pieces) == 1


def test_a_skew_that_leaves_one_frame_is_taken(tmp_path: Path) -> None:
    pieces, rejections = read(record(tmp_path, form=f"16:{FRAMES - 1}"))
    assert (len(pieces), rejections) == (2, [])


@pytest.mark.fault(source="wfdb", fault="length of 0", ends="the record is refused, and why in words")
def test_a_record_of_no_length_and_no_samples_says_so(tmp_path: Path) -> None:
    pieces, rejections = read(record(tmp_path, frames=0, held=0))
    assert pieces == []
    assert [one.reason for one in rejections] == ["unreadable"]
    assert "gives no length, and its data files hold not even one frame" in rejections[0].message
