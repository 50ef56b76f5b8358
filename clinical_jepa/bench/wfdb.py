"""Reading WFDB against the wfdb library and against what numpy alone can do, on one record of 6 h × 4 channels × 250 Hz.

Each comparison runs both sides in turn, several times, and takes the best of each: other work on the machine slows both.
Values are compared too: a fast wrong answer is no figure.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np

from clinical_jepa.bench.figure import Figure
from clinical_jepa.sources.wfdb import header, windows

SECONDS, RATE, CHANNELS = 6 * 3600, 250, 4
WINDOW = 5 * RATE
PATTERN = (1, 5, 50, 500)
FORMATS = ("16", "212")
ROUNDS = 5
GAIN, BASELINE = 200.0, 12


def run(folder: Path) -> list[Figure]:
    """Writes the record in formats 16 and 212 below ``folder`` and measures windows and whole records of both."""
    found = []
    for form in FORMATS:
        path = _record(folder, form)
        found += [_windows(path, form, count) for count in PATTERN]
        found += _whole(path, form)
    return found


def _record(folder: Path, form: str) -> Path:
    import wfdb

    name = f"bench{form}"
    samples = np.random.default_rng(0).integers(-1000, 1000, (SECONDS * RATE, CHANNELS))
    wfdb.wrsamp(
        name,
        fs=RATE,
        units=["mV"] * CHANNELS,
        sig_name=["I", "II", "V", "MCL"],
        d_signal=samples,
        fmt=[form] * CHANNELS,
        adc_gain=[GAIN] * CHANNELS,
        baseline=[BASELINE] * CHANNELS,
        write_dir=str(folder),
    )
    return folder / f"{name}.hea"


def _windows(path: Path, form: str, count: int) -> Figure:
    firsts = np.random.default_rng(count).integers(0, SECONDS * RATE - WINDOW, count).tolist()

    def ours() -> list[list[np.ndarray]]:
        described = header.load(path)
        return [windows.read(described, first, first + WINDOW) for first in firsts]

    def theirs() -> list[list[np.ndarray]]:
        return [_library(path, first, first + WINDOW) for first in firsts]

    last = firsts[-1]
    _same(windows.read(header.load(path), last, last + WINDOW), _library(path, last, last + WINDOW))
    mine, peer = _best(ours, theirs, rounds=ROUNDS if count < max(PATTERN) else 2)
    return Figure(
        name=f"wfdb windows, format {form}, {count} of 5 s",
        ratio=peer / mine,
        limit=5.0,
        at_least=True,
        detail=f"{mine * 1e3:.2f} ms; wfdb.rdrecord {peer * 1e3:.2f} ms; header included on both sides",
    )


def _whole(path: Path, form: str) -> list[Figure]:
    end = SECONDS * RATE

    def ours() -> list[np.ndarray]:
        return windows.read(header.load(path), 0, end)

    def theirs() -> list[np.ndarray]:
        return _library(path, 0, end)

    def bare() -> list[np.ndarray]:
        return _numpy(path.with_suffix(".dat"), form)

    _same(ours(), theirs())
    _same(ours(), bare())
    mine, peer, limit = _best(ours, theirs, bare, rounds=ROUNDS)
    took = f"{mine:.3f} s"
    return [
        Figure(
            name=f"wfdb whole record, format {form}, against wfdb",
            ratio=peer / mine,
            limit=1.0,
            at_least=True,
            detail=f"{took}; wfdb.rdrecord {peer:.3f} s",
        ),
        Figure(
            name=f"wfdb whole record, format {form}, against numpy",
            ratio=mine / limit,
            limit=1.5,
            at_least=False,
            detail=f"{took}; numpy read and scale {limit:.3f} s",
        ),
    ]


def _library(path: Path, first: int, last: int) -> list[np.ndarray]:
    import wfdb

    record = wfdb.rdrecord(str(path.with_suffix("")), sampfrom=first, sampto=last, smooth_frames=False)
    return list(record.e_p_signal)


def _numpy(path: Path, form: str) -> list[np.ndarray]:
    """The plainest reading and scaling of this one record, without headers, invalid samples or checks."""
    raw = np.fromfile(path, "<i2" if form == "16" else np.uint8)
    if form == "212":
        raw = raw.astype(np.int16)
        flat = np.empty(len(raw) // 3 * 2, np.int16)
        flat[0::2] = raw[0::3] | ((raw[1::3] & 15) << 8)
        flat[1::2] = raw[2::3] | ((raw[1::3] >> 4) << 8)
        flat[flat > 2047] -= 4096
        raw = flat
    rows = raw.reshape(-1, CHANNELS)
    return [((rows[:, channel] - float(BASELINE)) / GAIN).astype(np.float32) for channel in range(CHANNELS)]


def _same(mine: list[np.ndarray], other: list[np.ndarray]) -> None:
    if not all(np.array_equal(a, b.astype(np.float32), equal_nan=True) for a, b in zip(mine, other, strict=True)):
        raise AssertionError("two readers of one record disagree; no figure is worth anything")


def _best(*ways: Callable[[], object], rounds: int) -> list[float]:
    """Seconds of each way: the best of some rounds in which they take turns."""
    times: list[list[float]] = [[] for _ in ways]
    for _ in range(rounds):
        for way, taken in zip(ways, times, strict=True):
            start = perf_counter()
            way()
            taken.append(perf_counter() - start)
    return [min(taken) for taken in times]
