"""Real records: MIMIC-III matched waveforms and the wfdb library's own samples (CLINICAL_JEPA_DATA)."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import wfdb

from clinical_jepa.records.batch import SourceBatch
from clinical_jepa.records.instant import SECOND, to_us
from clinical_jepa.sources.wfdb import reader
from clinical_jepa.sources.wfdb.annotations import parse
from tests.sources.wfdb.builders import context

pytestmark = pytest.mark.data


def read(path: Path) -> list[SourceBatch]:
    return list(reader.read(path, context(path.parent, namespace="mimic3")))


def instant(*parts: int) -> int:
    return to_us(datetime(*parts, tzinfo=UTC))


def signal(batches: list[SourceBatch], channel: str, *, start: int, frames: int, rate: float) -> np.ndarray:
    """The pieces of a channel laid out on one axis of ``frames`` samples from ``start``; NaN where none was given."""
    out = np.full(frames, np.nan, np.float32)
    for piece in (piece for batch in batches for piece in batch.signals if piece.channel == channel):
        assert piece.rate_hz == pytest.approx(rate)
        first = round((piece.time - start) * rate / SECOND)
        out[first : first + len(piece.samples)] = piece.samples
    return out


def test_the_readable_windows_of_p000020_are_read_and_its_absent_segments_named(data: Path) -> None:
    folder = data / "mimic3_waveforms" / "p000020"
    batches = read(folder / "p000020-2183-04-28-17-47.hea")
    refused = [(r.reason, r.record) for batch in batches for r in batch.rejections]
    assert refused == [("unreadable", "3544749_0005"), ("unreadable", "3544749_0008")]
    ecg = [piece for batch in batches for piece in batch.signals if piece.channel == "ECG"]
    assert [len(piece.samples) for piece in ecg[:4]] == [3811, 124, 8, 380]  # a piece a segment, in one minute
    assert [len(piece.samples) for piece in ecg[4:]] == [7407, 7500, 93, 7407, 7500, 7500, 7500, 93]
    assert sum(len(piece.samples) for piece in ecg) == (4416 - 93) + (7147593 - 7102593)
    assert ecg[0].time == instant(2183, 4, 28, 17, 48, 0, 230_000)
    assert ecg[4].time == instant(2183, 4, 29, 9, 35, 0, 230_000)
    assert batches[0].identities[0].identifier == "20"
    segment = wfdb.rdrecord(str(folder / "3544749_0007")).p_signal
    start = instant(2183, 4, 29, 9, 37, 0, 230_000)
    for channel, column in (("ECG", 0), ("ECG//AVF", 1), ("ABP", 2)):
        found = signal(batches, channel, start=instant(2183, 4, 28, 17, 47, 59, 486_000), frames=9_862_593, rate=125.0)
        first = round((start - instant(2183, 4, 28, 17, 47, 59, 486_000)) * 125 / SECOND)
        np.testing.assert_array_equal(found[first : first + 30_000], segment[:, column].astype(np.float32))


@pytest.mark.parametrize("name", ["p010013-2125-10-04-23-37", "p010061-2107-01-20-12-33"])
def test_derived_records_equal_the_matlab_file_they_come_from(data: Path, name: str) -> None:
    from scipy.io import loadmat

    cells = loadmat(data / "mimic3_waveforms" / "pap_mat" / f"{name}.mat")["signals"][0]
    year, month, day, hour, minute = map(int, name.split("-", 1)[1].split("-"))
    start = instant(year, month, day, hour, minute)
    batches = read(data / "mimic3_waveforms" / "derived_wfdb" / f"{name}.hea")
    assert [r for batch in batches for r in batch.rejections] == []
    pressure = signal(batches, "PAP", start=start, frames=750_001, rate=125.0)
    np.testing.assert_allclose(pressure, cells[0].ravel(), atol=1e-4, equal_nan=True)

    rows = [
        row for batch in read(data / "mimic3_waveforms" / "derived_wfdb" / f"{name}n.hea") for row in rows_of(batch)
    ]
    for code, cell in (("150045", 1), ("150046", 2), ("150047", 3), ("147842", 4)):
        expected = {k: value for k, value in enumerate(cells[cell].ravel().tolist()) if value != 0}
        found = {(row[1] - start) // (60 * SECOND): row[2] for row in rows if row[0] == f"MDC//{code}"}
        assert found == pytest.approx(expected, abs=1e-4)


def rows_of(batch: SourceBatch) -> list[tuple[str, int, float]]:
    return [
        (row["code"], to_us(row["time"].replace(tzinfo=UTC)), row["numeric_value"]) for row in batch.events.to_pylist()
    ]


def test_the_line_off_artefact_of_10061_is_marked(data: Path) -> None:
    batches = read(data / "mimic3_waveforms" / "derived_wfdb" / "p010061-2107-01-20-12-33.hea")
    pieces = [piece for batch in batches for piece in batch.signals]
    assert {piece.quality_reason for piece in pieces[:87]} == {None}
    assert {piece.quality_reason for piece in pieces[90:99]} == {"flat"}
    assert max(piece.quality for piece in pieces[90:99]) < 0.05


@pytest.mark.parametrize(
    ("folder", "name", "channel", "column", "rate"),
    [
        ("multi-segment/s25047", "s25047-2704-05-04-10-44", "ABP", 2, 125.0),
        ("multi-segment/041s", "041s", "ABP", 3, 125.0),
        ("multi-segment/041s", "041s", "ECG//III", 0, 500.0),
        (".", "03700181", "ABP", 1, 125.0),
        (".", "03700181", "ECG", 0, 500.0),
    ],
)
def test_dated_samples_equal_what_wfdb_reads(
    data: Path, tmp_path: Path, folder: str, name: str, channel: str, column: int, rate: float
) -> None:
    shutil.copytree(data / "wfdb_samples" / folder, tmp_path / "in", ignore=shutil.ignore_patterns("*.gz", "multi*"))
    original = tmp_path / "in" / f"{name}.hea"
    renamed = original.rename(original.with_name(f"p000001-{name}.hea"))  # these names hold no subject of ours
    batches = read(renamed)
    assert [r for batch in batches for r in batch.rejections] == []
    record = wfdb.rdrecord(str(data / "wfdb_samples" / folder / name), smooth_frames=False, m2s=True)
    expected = record.e_p_signal[column].astype(np.float32)
    start = to_us(record.base_datetime.replace(tzinfo=UTC))
    found = signal(batches, channel, start=start, frames=len(expected), rate=rate)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", ["100.atr", "1003.atr", "12726.wqrs", "03700181.gqrsh", "03700181.sqrs", "huge.qrs"])
def test_annotations_are_those_that_wfdb_reads(data: Path, name: str) -> None:
    path = data / "wfdb_samples" / name
    expected = wfdb.rdann(str(path.with_suffix("")), path.suffix[1:])
    found = [note for note in parse(path.read_bytes()).notes if note[0] > 0]  # wfdb drops every note at sample 0
    texts = [note.strip("\x00 ") for note in expected.aux_note]
    assert found == [note for note in zip(expected.sample.tolist(), texts, strict=True) if note[0] > 0]
