"""Waveform records: values against the wfdb library's own, times, gaps, leads and refusals."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import wfdb
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_jepa.records.batch import Rejection, SignalPiece
from clinical_jepa.records.instant import HOUR, MINUTE, SECOND, to_us
from clinical_jepa.sources.wfdb import reader
from tests.sources.wfdb import builders
from tests.sources.wfdb.builders import NAME, context

START = to_us(datetime(2026, 1, 5, 9, 12, 0, 500_000, tzinfo=UTC))
EXAMPLES = Path(reader.__file__).parent / "examples"


def read(path: Path, **options: object) -> tuple[list[SignalPiece], list[Rejection]]:
    batches = list(reader.read(path, context(path.parent, **options)))
    return [piece for batch in batches for piece in batch.signals], [r for batch in batches for r in batch.rejections]


def by_channel(pieces: list[SignalPiece], channel: str) -> list[SignalPiece]:
    return [piece for piece in pieces if piece.channel == channel]


def test_a_master_is_one_unit_and_its_segments_are_none(tmp_path: Path) -> None:
    path = builders.record(tmp_path)
    numerics = builders.numerics(tmp_path, {"HR": [80.0]}, {"HR": "bpm"})
    builders.segment(tmp_path, "p000200-2026-01-05-10-00", 2)
    assert reader.find(tmp_path) == [path, numerics, tmp_path / "p000200-2026-01-05-10-00.hea"]
    assert reader.find(path) == [path]


def test_pieces_hold_the_samples_that_wfdb_reads_at_their_own_rates(tmp_path: Path) -> None:
    pieces, rejections = read(builders.record(tmp_path))
    assert rejections == []
    first = wfdb.rdrecord(str(tmp_path / "p000123_0001"), smooth_frames=False).e_p_signal
    second = wfdb.rdrecord(str(tmp_path / "p000123_0002"), smooth_frames=False).e_p_signal
    for channel, signal, rate in (("ECG", 0, 125.0), ("ABP", 1, 62.5)):
        found = by_channel(pieces, channel)
        assert [(piece.time - START) / SECOND for piece in found] == [0, 70, 120]
        assert [len(piece.samples) / rate for piece in found] == [50, 50, 20]
        assert {piece.rate_hz for piece in found} == {rate}
        samples = np.concatenate([piece.samples for piece in found])
        np.testing.assert_array_equal(samples, np.concatenate([first[signal], second[signal]]).astype(np.float32))
        for piece in found:
            assert piece.samples.dtype == np.float32
            assert piece.available_time == piece.time + round(len(piece.samples) / rate * SECOND)
            assert (piece.quality, piece.quality_reason) == (1.0, None)


def test_a_piece_lies_within_one_segment_and_one_minute(tmp_path: Path) -> None:
    pieces, _ = read(builders.record(tmp_path, seconds=(10.0, 70.0), gap=6.0))
    found = [((piece.time - START) / SECOND, len(piece.samples) / 125) for piece in by_channel(pieces, "ECG")]
    assert found == [(0, 10), (16, 44), (60, 26)]
    assert {(piece.quality, piece.quality_reason) for piece in pieces} == {(1.0, None)}


def test_base_time_is_read_in_the_sites_zone(tmp_path: Path) -> None:
    pieces, _ = read(builders.record(tmp_path), zone=ZoneInfo("Europe/Berlin"))
    assert pieces[0].time == START - HOUR


def test_the_best_lead_with_a_value_is_ecg_and_another_keeps_its_name(tmp_path: Path) -> None:
    frames = builders.segment(tmp_path, "s1", 10, leads=("AVF", "II"))
    path = builders.master(tmp_path, [("s1", frames)], signals=3)
    pieces, _ = read(path)
    assert sorted(piece.channel for piece in pieces) == ["ABP", "ECG", "ECG//AVF"]
    lead_ii = wfdb.rdrecord(str(tmp_path / "s1"), smooth_frames=False).e_p_signal[1]
    np.testing.assert_array_equal(by_channel(pieces, "ECG")[0].samples, lead_ii.astype(np.float32))


@pytest.mark.fault(source="wfdb", fault="duplicate", ends="the same rows under the same ids")
def test_reading_twice_gives_the_same_ids(tmp_path: Path) -> None:
    path = builders.record(tmp_path)
    ids = [piece.event_id for piece in read(path)[0]]
    assert ids == [piece.event_id for piece in read(path)[0]]
    assert len(set(ids)) == len(ids)


@pytest.mark.fault(source="wfdb", fault="truncation", ends="that segment is refused as unreadable, the others are kept")
@pytest.mark.parametrize("cut", [0, 1, 5000, -1])
def test_a_truncated_segment_is_refused_and_the_rest_read(tmp_path: Path, cut: int) -> None:
    path = builders.record(tmp_path)
    data = tmp_path / "p000123_0001.dat"
    data.write_bytes(data.read_bytes()[:cut])
    pieces, rejections = read(path)
    assert [(r.reason, r.file, r.record) for r in rejections] == [("unreadable", "p000123_0001.hea", "p000123_0001")]
    assert "other segments were read" in rejections[0].message
    assert [(piece.time - START) / SECOND for piece in by_channel(pieces, "ECG")] == [70, 120]


@pytest.mark.fault(
    source="wfdb", fault="wrong checksum", ends="that segment is refused as unreadable, the others are kept"
)
def test_a_segment_that_fails_its_checksum_is_refused(tmp_path: Path) -> None:
    path = builders.record(tmp_path)
    builders.spoil_checksum(tmp_path / "p000123_0002.hea")
    pieces, rejections = read(path)
    assert [(r.reason, r.record) for r in rejections] == [("unreadable", "p000123_0002")]
    assert "checksum" in rejections[0].message
    assert [(piece.time - START) / SECOND for piece in by_channel(pieces, "ECG")] == [0]


@pytest.mark.fault(source="wfdb", fault="absent segment", ends="a gap in time, and a refusal that names it")
@pytest.mark.parametrize("suffix", [".dat", ".hea"])
def test_an_absent_segment_is_refused(tmp_path: Path, suffix: str) -> None:
    path = builders.record(tmp_path)
    (tmp_path / f"p000123_0001{suffix}").unlink()
    pieces, rejections = read(path)
    assert [(r.reason, r.record) for r in rejections] == [("unreadable", "p000123_0001")]
    assert "absent" in rejections[0].message
    assert pieces


@pytest.mark.parametrize("base", ["25:12:00 05/01/2026", "09:12:00 31/02/2026"])
def test_a_record_that_cannot_be_placed_is_refused_whole(tmp_path: Path, base: str) -> None:
    frames = builders.segment(tmp_path, "s1", 2)
    pieces, rejections = read(builders.master(tmp_path, [("s1", frames)], name=NAME, base=base))
    assert pieces == []
    assert [r.reason for r in rejections] == ["unreadable"]


@pytest.mark.fault(source="wfdb", fault="header damaged", ends="the record is refused as unreadable")
def test_a_header_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / f"{NAME}.hea"
    path.write_text("<html>404</html>\n")
    assert reader.find(tmp_path) == [path]
    assert [r.reason for r in read(path)[1]] == ["unreadable"]


def test_zeros_before_a_subject_of_mimic_are_no_part_of_its_identifier(tmp_path: Path) -> None:
    path = builders.record(tmp_path)
    (batch, *_) = reader.read(path, context(tmp_path, namespace="mimic3"))
    assert [identity.identifier for identity in batch.identities] == ["123"]


def rename(header: Path, old: str, new: str) -> None:
    """The signal under another name; the library writes no two signals of one name, though recorders do."""
    header.write_text(header.read_text().replace(f" {old}\n", f" {new}\n"))


def test_signals_outside_the_table_are_kept_under_their_own_names(tmp_path: Path) -> None:
    frames = builders.segment(tmp_path, "s1", 90, leads=("II", "Mystery 1", "Mystery 2"))
    rename(tmp_path / "s1.hea", "Mystery 2", "Mystery 1")
    pieces, rejections = read(builders.master(tmp_path, [("s1", frames)], signals=4))
    assert rejections == []
    assert {piece.channel for piece in pieces} == {"ECG", "ABP", "SIGNAL//MYSTERY_1", "SIGNAL//MYSTERY_1#2"}
    expected = wfdb.rdrecord(str(tmp_path / "s1"), smooth_frames=False).e_p_signal
    for channel, signal in (("SIGNAL//MYSTERY_1", 1), ("SIGNAL//MYSTERY_1#2", 2)):
        samples = np.concatenate([piece.samples for piece in by_channel(pieces, channel)])
        np.testing.assert_array_equal(samples, expected[signal].astype(np.float32))
        assert {piece.unit for piece in by_channel(pieces, channel)} == {"mV"}


def test_two_signals_of_one_name_are_two_channels(tmp_path: Path) -> None:
    frames = builders.segment(tmp_path, "s1", 5, leads=("V", "V1", "V2"))
    rename(tmp_path / "s1.hea", "V1", "V")
    rename(tmp_path / "s1.hea", "V2", "V")
    pieces, _ = read(builders.master(tmp_path, [("s1", frames)], signals=4))
    assert sorted(piece.channel for piece in pieces) == ["ABP", "ECG", "ECG//V", "ECG//V#2"]


@pytest.mark.fault(
    source="wfdb", fault="wrong unit", ends="that signal is refused as unknown-unit, the others are kept"
)
def test_a_unit_without_a_certain_conversion_is_refused(tmp_path: Path) -> None:
    frames = builders.segment(tmp_path, "s1", 5)
    header = tmp_path / "s1.hea"
    header.write_text(header.read_text().replace("/mmHg", "/furlong"))
    pieces, rejections = read(builders.master(tmp_path, [("s1", frames)]))
    assert [r.reason for r in rejections] == ["unknown-unit"]
    assert {piece.channel for piece in pieces} == {"ECG"}


@settings(max_examples=15, deadline=None)
@given(seconds=st.lists(st.floats(0.2, 150), min_size=1, max_size=3), gap=st.floats(0.1, 130))
def test_pieces_are_at_most_a_minute_never_overlap_and_lose_no_sample(
    tmp_path_factory: pytest.TempPathFactory, seconds: list[float], gap: float
) -> None:
    folder = tmp_path_factory.mktemp("law")
    parts: list[tuple[str, int]] = []
    for number, length in enumerate(seconds):
        frames = max(1, round(length * 62.5))
        builders.segment(folder, f"s{number}", frames / 62.5, seed=number)
        parts += [(f"s{number}", frames), ("~", max(1, round(gap * 62.5)))]
    pieces, rejections = read(builders.master(folder, parts))
    assert rejections == []
    for channel, per_frame in (("ECG", 2), ("ABP", 1)):
        found = by_channel(pieces, channel)
        ends = [piece.available_time for piece in found]
        assert all(end - piece.time <= MINUTE for end, piece in zip(ends, found, strict=True))
        assert all(piece.time >= end for end, piece in zip(ends, found[1:], strict=False))
        kept = sum(int(np.isfinite(piece.samples).sum()) for piece in found)
        assert kept == per_frame * sum(frames for name, frames in parts if name != "~")


def test_the_committed_example_reads_without_a_refusal() -> None:
    pieces, rejections = read(EXAMPLES / f"{NAME}.hea")
    assert rejections == []
    assert {piece.channel for piece in pieces} == {"ECG", "ABP"}
