"""One recording in four formats is cut alike and judged alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import wfdb

from clinical_jepa.records.batch import SignalPiece
from clinical_jepa.sources.wfdb import reader as wfdb_reader
from tests.sources.dicom import test_waveforms as dicom
from tests.sources.fhir import builders as fhir
from tests.sources.fhir.test_sampled import ecg
from tests.sources.hl7v2 import builders as hl7
from tests.sources.hl7v2.test_waves import OBR, RATE, wave
from tests.sources.wfdb.builders import NAME, context

HZ, SECONDS = 125, 150
COUNT = HZ * SECONDS


def beats() -> np.ndarray:
    """An ECG in whole µV that every format holds exactly."""
    at = np.arange(COUNT) / HZ % 0.8
    line = np.random.default_rng(4).integers(-9, 9, COUNT)
    return np.round(1000 * np.exp(-0.5 * ((at - 0.2) / 0.015) ** 2)).astype(int) + line


def planted(first: int, last: int, values: np.ndarray | int) -> np.ndarray:
    samples = beats()
    samples[first:last] = values
    return samples


NOISE = np.random.default_rng(5).integers(-2000, 2000, 40 * HZ)
STRIPS = {
    "good": (beats(), [None, None, None]),
    "lead-off": (planted(0, 30 * HZ, 7), ["lead-off", None, None]),
    "saturated": (planted(65 * HZ, 67 * HZ, 3000), [None, "saturated", None]),
    "noise": (planted(60 * HZ, 100 * HZ, NOISE), [None, "noise", None]),
    "out-of-range": (planted(122 * HZ, 124 * HZ, 16_000), [None, None, "out-of-range"]),
}


def as_fhir(folder: Path, samples: np.ndarray) -> tuple[SignalPiece, ...]:
    text = " ".join(str(one) for one in samples)
    body = ecg(data=text, factor=0.001, period=1000 / HZ, origin=fhir.quantity(0, "mV"))
    return fhir.read(fhir.write(folder, "Observation.ndjson", body)).signals


def as_hl7(folder: Path, samples: np.ndarray) -> tuple[SignalPiece, ...]:
    text = "^".join(f"{one / 1000:.3f}" for one in samples)
    return hl7.read(hl7.message(hl7.PID, OBR, wave(text), RATE.format(HZ))).signals


def as_dicom(folder: Path, samples: np.ndarray) -> tuple[SignalPiece, ...]:
    lead = dicom.channel(ChannelSensitivity=1, ChannelSensitivityCorrectionFactor=1, ChannelBaseline=0)
    return dicom.read(dicom.ecg(folder, dicom.group(samples[:, None], [lead], rate=HZ)))[0].signals


def as_wfdb(folder: Path, samples: np.ndarray) -> tuple[SignalPiece, ...]:
    what = {"units": ["mV"], "sig_name": ["II"], "adc_gain": [1000.0], "baseline": [0], "fmt": ["16"]}
    wfdb.wrsamp(NAME, fs=HZ, d_signal=samples[:, None].astype(np.int64), write_dir=str(folder), **what)
    header = folder / f"{NAME}.hea"
    lines = header.read_text().splitlines()
    header.write_text("\n".join([f"{lines[0]} 09:12:00 05/01/2026", *lines[1:]]) + "\n")
    return tuple(piece for batch in wfdb_reader.read(header, context(folder)) for piece in batch.signals)


@pytest.mark.parametrize("strip", STRIPS)
@pytest.mark.parametrize("written", [as_fhir, as_hl7, as_dicom, as_wfdb])
def test_a_strip_is_cut_and_judged_alike_in_every_format(written: object, strip: str, tmp_path: Path) -> None:
    samples, reasons = STRIPS[strip]
    found = written(tmp_path, samples)  # type: ignore[operator]
    assert [piece.samples.size for piece in found] == [60 * HZ, 60 * HZ, 30 * HZ]
    assert [piece.quality_reason for piece in found] == reasons
    assert {(piece.channel, piece.unit, piece.rate_hz) for piece in found} == {("ECG", "mV", 125.0)}
    np.testing.assert_allclose(np.concatenate([piece.samples for piece in found]), samples / 1000, atol=1e-6)
    lost = {"good": 0, "lead-off": 30 / 60, "saturated": 2 / 60, "noise": 40 / 60, "out-of-range": 2 / 30}[strip]
    assert sum(1 - piece.quality for piece in found) == pytest.approx(lost, abs=0.01)
