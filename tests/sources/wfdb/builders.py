"""Small WFDB records, written with the wfdb library; the reader under test has no part in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import wfdb

from clinical_jepa.sources.context import ReadContext

NAME = "p000123-2026-01-05-09-12"
BASE = "09:12:00.500 05/01/2026"
FRAMES_A_SECOND = 62.5


def context(root: Path, **options: object) -> ReadContext:
    return ReadContext(root=root, **options)  # type: ignore[arg-type]


def wave(count: int, *, seed: int = 0, rate: float = 125.0, mean: float = 0.0, size: float = 1.0) -> np.ndarray:
    """A signal that never stands still: a 1.2 Hz beat with noise."""
    noise = np.random.default_rng(seed).normal(0, 0.05, count)
    return mean + size * (np.sin(2 * np.pi * 1.2 * np.arange(count) / rate) + noise)


def segment(folder: Path, name: str, seconds: float, *, seed: int = 0, leads: tuple[str, ...] = ("II",)) -> int:
    """One segment: leads at 125 Hz and ABP at 62.5 Hz in one file. Returns its frames."""
    frames = round(seconds * FRAMES_A_SECOND)
    signals = [wave(2 * frames, seed=seed + number) for number, _ in enumerate(leads)]
    signals.append(wave(frames, seed=seed + 50, rate=FRAMES_A_SECOND, mean=80, size=20))
    wfdb.wrsamp(
        name,
        fs=FRAMES_A_SECOND,
        units=["mV"] * len(leads) + ["mmHg"],
        sig_name=[*leads, "ABP"],
        e_p_signal=signals,
        samps_per_frame=[2] * len(leads) + [1],
        fmt=["16"] * len(signals),
        write_dir=str(folder),
    )
    return frames


def master(folder: Path, parts: list[tuple[str, int]], *, name: str = NAME, base: str = BASE, signals: int = 2) -> Path:
    """A master header over ``(segment or "~", frames)``, fixed layout as written; returns its path."""
    frames = sum(length for _, length in parts)
    lines = [f"{name}/{len(parts)} {signals} {FRAMES_A_SECOND} {frames} {base}"]
    lines += [f"{part} {length}" for part, length in parts]
    path = folder / f"{name}.hea"
    path.write_text("\n".join(lines) + "\n")
    return path


def record(folder: Path, *, gap: float = 20.0, seconds: tuple[float, float] = (50.0, 70.0)) -> Path:
    """A master of two segments with a gap between them."""
    first = segment(folder, "p000123_0001", seconds[0], seed=1)
    second = segment(folder, "p000123_0002", seconds[1], seed=2)
    return master(folder, [("p000123_0001", first), ("~", round(gap * FRAMES_A_SECOND)), ("p000123_0002", second)])


def numerics(folder: Path, values: dict[str, list[float]], units: dict[str, str], *, name: str = f"{NAME}n") -> Path:
    """A numerics record, one frame a minute; NaN is written as the format's own "no value"."""
    wfdb.wrsamp(
        name,
        fs=1 / 60,
        units=[units.get(signal, "mmHg") for signal in values],
        sig_name=list(values),
        p_signal=np.array(list(values.values())).T,
        fmt=["16"] * len(values),
        adc_gain=[10.0] * len(values),
        baseline=[0] * len(values),
        write_dir=str(folder),
    )
    path = folder / f"{name}.hea"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([f"{lines[0]} {BASE}", *lines[1:]]) + "\n")
    return path


def spoil_checksum(header: Path) -> None:
    """Change the sum of the first signal in a single-segment header."""
    lines = header.read_text().splitlines()
    fields = lines[1].split()
    fields[6] = str(int(fields[6]) % 65536 + 1)
    header.write_text("\n".join([lines[0], " ".join(fields), *lines[2:]]) + "\n")
