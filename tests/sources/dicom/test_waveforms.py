"""ECG objects: values by the standard's formula and by pydicom's, time by offset and skew, derived groups left out."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import TwelveLeadECGWaveformStorage

from clinical_jepa.records.batch import SignalPiece, SourceBatch
from clinical_jepa.records.instant import SECOND, to_us
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.dicom import reader
from tests.sources.dicom.builders import dataset

START = to_us(datetime(2026, 1, 5, 9, 15, 30, tzinfo=UTC))
pytestmark = pytest.mark.filterwarnings("ignore:Invalid value for VR")


def channel(lead: str = "Lead II", unit: str = "uV", **changes: Any) -> Dataset:
    source, units, out = Dataset(), Dataset(), Dataset()
    source.CodeValue, source.CodingSchemeDesignator, source.CodeMeaning = "x", "99SITE", lead
    units.CodeValue, units.CodingSchemeDesignator, units.CodeMeaning = unit, "UCUM", unit
    out.ChannelSourceSequence, out.ChannelSensitivityUnitsSequence = Sequence([source]), Sequence([units])
    out.ChannelSensitivity, out.ChannelSensitivityCorrectionFactor, out.ChannelBaseline = 2.5, 1.02, 10
    for name, value in changes.items():
        setattr(out, name, value)
    return out


def group(samples: np.ndarray, channels: list[Dataset], rate: float = 250, **changes: Any) -> Dataset:
    """A multiplex group of int16 ``[samples, channels]``."""
    out = Dataset()
    out.WaveformOriginality, out.MultiplexGroupLabel = "ORIGINAL", "RHYTHM"
    out.NumberOfWaveformSamples, out.NumberOfWaveformChannels = samples.shape
    out.SamplingFrequency, out.WaveformBitsAllocated, out.WaveformSampleInterpretation = rate, 16, "SS"
    out.ChannelDefinitionSequence = Sequence(channels)
    out.WaveformData = samples.astype("<i2").tobytes()
    for name, value in changes.items():
        setattr(out, name, value)
    return out


def ecg(folder: Path, *groups: Dataset, **changes: Any) -> Path:
    made = dataset(None, Modality="ECG", AcquisitionDateTime="20260105091530", **changes)
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = TwelveLeadECGWaveformStorage
    made.WaveformSequence = Sequence(list(groups))
    made.save_as(folder / "ecg.dcm", enforce_file_format=True)
    return folder / "ecg.dcm"


def read(path: Path) -> tuple[SourceBatch, dict[str, list[SignalPiece]]]:
    (batch,) = reader.read(path, ReadContext(root=path.parent))
    by_channel: dict[str, list[SignalPiece]] = {}
    for piece in batch.signals:
        by_channel.setdefault(piece.channel, []).append(piece)
    return batch, by_channel


def noise(samples: int, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(2).integers(-800, 800, (samples, channels))


def test_values_are_those_of_the_formula_and_of_pydicom(tmp_path: Path) -> None:
    stored = noise(500, 2)
    path = ecg(tmp_path, group(stored, [channel("Lead V1"), channel("Lead I (Einthoven)")]))
    _, found = read(path)
    assert sorted(found) == ["ECG", "ECG//V1"]  # I ranks before V1
    np.testing.assert_allclose(found["ECG"][0].samples, (stored[:, 1] * 2.5 * 1.02 + 10) / 1000, rtol=1e-6)
    theirs = dcmread(path).waveform_array(0) / 1000
    np.testing.assert_allclose(found["ECG//V1"][0].samples, theirs[:, 0], rtol=1e-6)
    assert {piece.unit for piece in found["ECG"]} == {"mV"}


def test_pieces_are_at_most_60_s_and_meet_without_a_gap(tmp_path: Path) -> None:
    stored = noise(250 * 150)
    _, found = read(ecg(tmp_path, group(stored, [channel()])))
    pieces = found["ECG"]
    assert [piece.samples.size for piece in pieces] == [15000, 15000, 7500]
    assert [piece.time - START for piece in pieces] == [0, 60 * SECOND, 120 * SECOND]
    assert all(piece.available_time >= piece.time + piece.samples.size * SECOND // 250 for piece in pieces)


def test_offset_and_skews_move_the_start(tmp_path: Path) -> None:
    channels = [channel("Lead I", ChannelTimeSkew=0.25), channel("Lead II", ChannelSampleSkew=5)]
    path = ecg(tmp_path, group(noise(500, 2), channels, MultiplexGroupTimeOffset=2000))
    _, found = read(path)
    assert found["ECG"][0].time - START == 2 * SECOND + SECOND * 5 // 250
    assert found["ECG//I"][0].time - START == 2 * SECOND + SECOND // 4


def test_padding_is_nan_and_a_still_lead_is_off(tmp_path: Path) -> None:
    stored = np.column_stack([noise(1000)[:, 0], np.full(1000, 7)])
    stored[100:200, 0] = -32768
    padding = np.int16(-32768).tobytes()
    _, found = read(ecg(tmp_path, group(stored, [channel(), channel("Lead I")], WaveformPaddingValue=padding)))
    assert np.isnan(found["ECG"][0].samples).sum() == 100
    assert (found["ECG"][0].quality, found["ECG"][0].quality_reason) == (pytest.approx(0.9), "missing")
    assert (found["ECG//I"][0].quality, found["ECG//I"][0].quality_reason) == (0.0, "lead-off")


def test_a_lead_without_a_value_is_counted_and_gives_its_place_to_the_next(tmp_path: Path) -> None:
    stored = np.column_stack([np.full(500, -32768), noise(500)[:, 0]])
    padding = np.int16(-32768).tobytes()
    batch, found = read(ecg(tmp_path, group(stored, [channel(), channel("Lead V1")], WaveformPaddingValue=padding)))
    assert batch.ignored == {"dicom:lead without a value": 1}
    assert list(found) == ["ECG"]


@pytest.mark.parametrize("changes", [{"WaveformOriginality": "DERIVED"}, {"MultiplexGroupLabel": "MEDIAN BEAT"}])
def test_an_average_beat_is_counted_and_not_stored(tmp_path: Path, changes: dict) -> None:
    batch, found = read(ecg(tmp_path, group(noise(500), [channel()]), group(noise(300), [channel()], **changes)))
    assert batch.ignored == {"dicom:derived waveform group": 1}
    assert [len(pieces) for pieces in found.values()] == [1]


@pytest.mark.fault(
    source="dicom", fault="wrong unit", ends="the channel is refused as unknown-unit; the others are kept"
)
@pytest.mark.parametrize(
    ("channels", "changes", "reason"),
    [
        ([channel(unit="mm[Hg]"), channel("Lead I")], {}, "unknown-unit"),
        ([channel("Lead X"), channel("Lead I")], {}, "unmapped"),
    ],
)
def test_one_bad_channel_costs_one_channel(tmp_path: Path, channels: list, changes: dict, reason: str) -> None:
    batch, found = read(ecg(tmp_path, group(noise(500, 2), channels, **changes)))
    assert [r.reason for r in batch.rejections] == [reason]
    assert list(found) == ["ECG"]


@pytest.mark.parametrize(
    ("changes", "top", "reason"),
    [
        ({"NumberOfWaveformSamples": 900}, {}, "unreadable"),
        ({"SamplingFrequency": 0}, {}, "unreadable"),
        ({"WaveformBitsAllocated": 12}, {}, "unreadable"),
        ({}, {"PatientID": None}, "no-subject"),
    ],
)
def test_a_damaged_group_is_refused(tmp_path: Path, changes: dict, top: dict, reason: str) -> None:
    batch, found = read(ecg(tmp_path, group(noise(500), [channel()], **changes), **top))
    assert found == {}
    assert [r.reason for r in batch.rejections] == [reason]


@pytest.mark.fault(source="dicom", fault="missing time", ends="refused as no-time; nothing is placed on the timeline")
def test_an_ecg_without_a_time_is_refused(tmp_path: Path) -> None:
    path = ecg(tmp_path, group(noise(500), [channel()]))
    made = dcmread(path)
    del made.AcquisitionDateTime, made.AcquisitionDate
    made.save_as(path)
    batch, found = read(path)
    assert found == {}
    assert [r.reason for r in batch.rejections] == ["no-time"]
