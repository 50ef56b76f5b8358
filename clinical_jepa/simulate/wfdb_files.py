"""WFDB records as a monitor's archive holds them: a variable-layout master with gaps, numerics, alarm annotations.

Headers and format 16 are written here by their specification (header(5), signal(5)), so that no library reads its own
mistakes back; annotations are written by wfdb.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from clinical_jepa.simulate.codes import NUMERICS
from clinical_jepa.simulate.config import moment
from clinical_jepa.simulate.monitor import FRAMES, Alarm
from clinical_jepa.simulate.patients import Array
from clinical_jepa.simulate.strips import Channel

_NO_VALUE = -32768
_NUMERIC_GAIN = 10


class Strip(NamedTuple):
    """Channels from a frame of the record on."""

    frame: int
    channels: list[Channel]


def record_name(mrn: str, start: int) -> str:
    """``p070001-2026-01-05-09-12``; ``start`` in seconds after the ward's start."""
    return f"p{mrn}-{moment(start):%Y-%m-%d-%H-%M}"


def write_waves(folder: Path, name: str, start: int, frames: int, strips: list[Strip]) -> None:
    """The master record of ``frames`` frames with its layout and segments; ``strips`` in order, not overlapping."""
    folder.mkdir(parents=True, exist_ok=True)
    lines, at = [f"{name}_layout 0"], 0
    shapes: dict[str, Channel] = {}
    for number, strip in enumerate(strips, 1):
        segment = f"{name}_{number:04d}"
        if strip.frame > at:
            lines.append(f"~ {strip.frame - at}")
        length = _segment(folder, segment, strip.channels)
        lines.append(f"{segment} {length}")
        shapes |= {channel.name: channel for channel in strip.channels}
        at = strip.frame + length
    if frames > at:
        lines.append(f"~ {frames - at}")
    head = f"{name}/{len(lines)} {len(shapes)} {FRAMES:g} {frames} {moment(start):%H:%M:%S %d/%m/%Y}"
    _text(folder / f"{name}.hea", [head, *lines])
    layout = [f"~ 0x{c.per_frame} {c.gain}(0)/{c.unit} 16 0 0 0 0 {c.name}" for c in shapes.values()]
    _text(folder / f"{name}_layout.hea", [f"{name}_layout {len(shapes)} {FRAMES:g} 0", *layout])


def _segment(folder: Path, segment: str, channels: list[Channel]) -> int:
    """Writes a segment's header and data; its length in frames."""
    columns, lines = [], []
    for channel in channels:
        digital = _digital(channel.samples, channel.gain)
        columns.append(digital.reshape(-1, channel.per_frame))
        shape = f"16x{channel.per_frame} {channel.gain}(0)/{channel.unit} 16 0"
        lines.append(f"{segment}.dat {shape} {digital[0]} {_checksum(digital)} 0 {channel.name}")
    frames = len(columns[0])
    np.concatenate(columns, axis=1).astype("<i2").tofile(folder / f"{segment}.dat")
    _text(folder / f"{segment}.hea", [f"{segment} {len(channels)} {FRAMES:g} {frames}", *lines])
    return frames


def write_numerics(folder: Path, name: str, start: int, values: Array) -> None:
    """The record ``<name>n``: one frame a minute, ``[minutes, signals]`` in the order of NUMERICS."""
    folder.mkdir(parents=True, exist_ok=True)
    digital = _digital(values, _NUMERIC_GAIN)
    digital.astype("<i2").tofile(folder / f"{name}n.dat")
    head = f"{name}n {digital.shape[1]} 0.0166666666667/125 {len(digital)} {moment(start):%H:%M:%S %d/%m/%Y}"
    lines = [
        f"{name}n.dat 16 {_NUMERIC_GAIN}(0)/{unit} 16 0 {column[0]} {_checksum(column)} 0 {signal}"
        for (signal, unit, _), column in zip(NUMERICS[: digital.shape[1]], digital.T, strict=True)
    ]
    _text(folder / f"{name}n.hea", [head, *lines])


def write_alarms(folder: Path, name: str, alarms: list[Alarm]) -> None:
    """``<name>.al``: a comment annotation with the alarm's words at its frame; no file without alarms."""
    if not alarms:
        return
    import wfdb

    wfdb.wrann(
        name,
        "al",
        np.array([alarm.frame for alarm in alarms]),
        symbol=['"'] * len(alarms),
        aux_note=[alarm.name for alarm in alarms],
        fs=FRAMES,
        write_dir=str(folder),
    )


def _digital(samples: Array, gain: int) -> Array:
    scaled = np.clip(np.round(samples * gain), -32767, 32767)
    return np.where(np.isfinite(scaled), scaled, _NO_VALUE).astype(np.int16)


def _checksum(digital: Array) -> int:
    """The 16-bit sum of all samples, signed."""
    return int(np.int64(digital.astype(np.int64).sum() & 0xFFFF).astype(np.uint16).astype(np.int16))


def _text(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
