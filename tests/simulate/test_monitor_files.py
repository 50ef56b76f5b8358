"""WFDB and DICOM as other people's libraries read them, against the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pydicom
import pytest
import wfdb
from wfdb.processing import xqrs_detect


def masters(root: Path) -> list[Path]:
    found = sorted((root / "ward" / "wfdb").rglob("*.hea"))
    return [path.with_suffix("") for path in found if "_" not in path.stem and not path.stem.endswith("n")]


def state(root: Path, mrn: str) -> pl.DataFrame:
    return pl.read_parquet(root / "truth" / "state.parquet").filter(pl.col("identifier") == mrn).sort("time")


def truth_at(root: Path, record: Path, minute: int) -> dict:
    start = np.datetime64(wfdb.rdheader(str(record)).base_datetime, "us")
    rows = state(root, record.stem.split("-")[0][1:])
    return rows.filter(pl.col("time") == start + np.timedelta64(minute + 1, "m")).row(0, named=True)


def segments(record: Path) -> list[tuple[int, wfdb.Record]]:
    """(frame in the master, record) of each segment, each signal at its own rate."""
    header, at, found = wfdb.rdheader(str(record)), 0, []
    for name, length in zip(header.seg_name, header.seg_len, strict=True):
        if name != "~" and length:
            found.append((at, wfdb.rdrecord(str(record.with_name(name)), smooth_frames=False)))
        at += length
    assert at == header.sig_len
    return found


def test_masters_numerics_and_segments_are_read_by_wfdb(root: Path) -> None:
    assert len(masters(root)) == 3
    for record in masters(root):
        header = wfdb.rdheader(str(record))
        assert header.fs == 62.5
        assert record.stem.endswith(f"{header.base_datetime:%Y-%m-%d-%H-%M}")
        at, first = segments(record)[0]
        piece = wfdb.rdrecord(str(record), sampfrom=max(at - 100, 0), sampto=at + 1000, smooth_frames=False)
        assert piece.sig_name[:1] == ["II"]
        lengths = [len(signal) for signal in piece.e_p_signal]
        assert lengths == [len(piece.e_p_signal[-1]) * count for count in piece.samps_per_frame]
        assert np.isnan(piece.e_p_signal[0][: 2 * min(at, 100)]).all()  # the gap before the first segment
        assert set(first.sig_name) <= {"II", "ABP", "PLETH"}
        assert len(wfdb.rdrecord(f"{record}n").p_signal) == header.sig_len // 3750


def test_checksums_are_those_of_the_samples(root: Path) -> None:
    for path in sorted((root / "ward" / "wfdb").rglob("*_0001.hea")) + [
        p.with_name(f"{p.name}n.hea") for p in masters(root)
    ]:
        record = wfdb.rdrecord(str(path.with_suffix("")), physical=False, smooth_frames=False)
        sums = [int(signal.astype(np.int64).sum()) for signal in record.e_d_signal]
        assert all((have - int(want)) % 65536 == 0 for have, want in zip(sums, record.checksum, strict=True))


def test_numerics_follow_the_state_and_zero_is_no_value(root: Path) -> None:
    empty = 0
    for record in masters(root):
        numerics = wfdb.rdrecord(f"{record}n")
        rows = state(root, record.stem.split("-")[0][1:])
        hr = numerics.p_signal[:, numerics.sig_name.index("HR")]
        there = hr > 0
        empty += int((~there).sum())
        assert np.median(np.abs(hr - rows["hr"].to_numpy())[there]) < 2
        assert np.abs(hr - rows["hr"].to_numpy())[there].max() < 6
    assert empty > 0


def test_the_ecg_beats_at_the_heart_rate_of_the_truth(root: Path) -> None:
    errors = []
    for record in masters(root):
        for at, segment in segments(record)[:4]:
            samples = segment.e_p_signal[0]
            if len(samples) < 7000 or np.ptp(np.nan_to_num(samples)) < 0.3 or np.isnan(samples).any():
                continue
            peaks = xqrs_detect(samples[:7500], fs=125, verbose=False)
            errors.append(60 * 125 / np.median(np.diff(peaks)) - truth_at(root, record, at // 3750)["hr"])
    assert len(errors) >= 5
    assert np.median(np.abs(errors)) < 3
    assert np.mean(np.abs(errors) < 5) > 0.8


def test_the_arterial_wave_has_the_mean_and_pulse_pressure_of_the_truth(root: Path) -> None:
    checked = 0
    for record in masters(root):
        for at, segment in segments(record):
            if "ABP" not in segment.sig_name:
                continue
            samples = segment.e_p_signal[segment.sig_name.index("ABP")][:7500]
            if len(samples) < 7500 or np.isnan(samples).any() or samples.max() > 250 or samples.min() < 10:
                continue
            true = truth_at(root, record, at // 3750)
            assert abs(samples.mean() - true["map"]) < 4
            spread = np.median(
                np.ptp(samples.reshape(30, 250), axis=1)
            )  # of two seconds each: fibrillation has long beats
            assert spread == pytest.approx(true["sbp"] - true["dbp"], rel=0.25, abs=4)
            checked += 1
    assert checked >= 3


def test_alarms_are_read_by_wfdb_and_stand_in_the_truth(root: Path) -> None:
    facts = pl.read_parquet(root / "truth" / "facts.parquet").filter(pl.col("code").str.starts_with("ALARM//"))
    found = 0
    for record in masters(root):
        if record.with_suffix(".al").exists():
            notes = wfdb.rdann(str(record), "al")
            assert notes.fs == 62.5
            found += len(notes.sample)
    assert found == facts.height


def test_images_are_read_by_pydicom_and_whiten_with_the_lungs(root: Path) -> None:
    images = pl.read_parquet(root / "truth" / "images.parquet")
    assert images.height > 0
    for row in images.iter_rows(named=True):
        dataset = pydicom.dcmread(root / "ward" / row["file"])
        assert dataset.PatientID == row["identifier"]
        assert dataset.pixel_array.shape == (256, 224)
        assert dataset.Modality in ("CR", "DX")
        assert f"{row['time']:%Y%m%d%H%M%S}" == dataset.StudyDate + dataset.StudyTime
        times = [
            dataset[f"{name}Date"].value + dataset[f"{name}Time"].value
            for name in ("Study", "Acquisition", "InstanceCreation")
        ]
        assert times == sorted(times)
        assert float(dataset.ImagerPixelSpacing[0]) > 0
