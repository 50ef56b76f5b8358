"""The header of a WFDB record (header(5) of the WFDB library) → a frozen description, read once for many windows.

Only what reading needs is kept. Bytes that are not ASCII are taken as Latin-1, so that ``µV`` stays a microvolt.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, time
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

_GAIN = re.compile(r"(-?\d*\.?\d*(?:e[-+]?\d+)?)(?:\((-?\d+)\))?(?:/(\S*))?", re.IGNORECASE)
_FORMAT = re.compile(r"(\d+)(?:x(\d+))?(?::(\d+))?(?:\+(\d+))?")
_RATE = re.compile(r"(\d*\.?\d+(?:e[-+]?\d+)?|\d+\.)(?:/.*)?", re.IGNORECASE)
_NAME = re.compile(r"[^/\\\x00]+")
_TIME = re.compile(r"(?:(?:(\d{1,2}):)?(\d{1,2}):)?(\d{1,2})(?:\.(\d{0,6}))?")
_DATE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")
DEFAULT_GAIN, DEFAULT_RATE = 200.0, 250.0
Part = TypeVar("Part")


class BadHeader(ValueError):
    """Why a header is none, in words that repeat nothing of it."""


@dataclass(frozen=True, kw_only=True)
class Signal:
    """One signal: ``physical = (digital - baseline) / gain`` in ``units``.

    ``per_frame`` samples a frame; ``skew`` frames by which it lies late in its file; ``offset`` bytes (FLAC: samples)
    before its file's first frame; ``checksum`` the 16-bit sum of its stored samples, None where the header has none.
    ``gain`` is 0 only where the header gives one so small that no number holds it.
    """

    file: str
    format: int
    per_frame: int
    skew: int
    offset: int
    gain: float
    baseline: int
    units: str
    first: int  # initial value, from which format 8 counts
    checksum: int | None
    name: str


@dataclass(frozen=True, kw_only=True)
class Header:
    """``frames`` is None where the header gives no length; ``segments`` (name, frames) is empty for one that has signals."""

    path: Path
    name: str
    rate_hz: float  # frames a second
    frames: int | None
    time: time | None
    date: date | None
    signals: tuple[Signal, ...]
    segments: tuple[tuple[str, int], ...]
    comments: tuple[str, ...]
    master: bool = False

    @cached_property
    def files(self) -> dict[str, tuple[int, ...]]:
        """The signal files in their order, with the places of their signals; signals without a file are left out."""
        found: dict[str, list[int]] = {}
        for place, signal in enumerate(self.signals):
            if signal.format:
                found.setdefault(signal.file, []).append(place)
        return {name: tuple(places) for name, places in found.items()}


def load(path: Path) -> Header:
    """The header at ``path``; ``BadHeader`` where it is none, ``OSError`` where it is not there."""
    return parse(path.read_bytes(), path)


def parse(content: bytes, path: Path) -> Header:
    """The header of a file's bytes; ``BadHeader`` with the number of the bad line where it is none."""
    lines, comments = [], []
    for number, raw in enumerate(content.decode("latin-1").splitlines(), start=1):
        line = raw.strip()
        if line.startswith("#"):
            comments.append(line[1:].strip())
        elif line:
            lines.append((number, line))
    if not lines:
        raise BadHeader("it holds no record line")
    name, count, segments, rest = _numbered(lines[0], _record_line)
    wanted = count if segments is None else segments
    if len(lines) - 1 < wanted:
        raise BadHeader("it ends before its last signal or segment")
    body = [_numbered(line, _signal if segments is None else _segment) for line in lines[1 : 1 + wanted]]
    return Header(
        path=path,
        name=name,
        comments=tuple(comments),
        signals=tuple(one for one in body if isinstance(one, Signal)),
        segments=tuple(one for one in body if isinstance(one, tuple)),
        master=segments is not None,
        **rest,
    )


def segmented(content: bytes) -> bool | None:
    """Whether the record line of a header's bytes says that it lists segments; None where that line is none."""
    lines = (line.strip() for line in content.decode("latin-1").splitlines())
    first = next((line for line in lines if line and not line.startswith("#")), "")
    try:
        return _numbered((1, first or "-"), _record_line)[2] is not None
    except BadHeader:
        return True if first and "/" in first.split()[0] else None


def _record_line(line: str) -> tuple[str, int, int | None, dict[str, Any]]:
    """(name, signals, segments or None, the other fields)."""
    words = line.split()
    name, slash, segments = words[0].partition("/")
    if len(words) < 2 or not words[1].isdigit() or (slash and not segments.isdigit()):
        raise BadHeader("its record line is none")
    rate = _RATE.fullmatch(words[2]) if len(words) > 2 else None
    if len(words) > 2 and rate is None:
        raise BadHeader("its record line gives no rate")
    clock = words[4] if len(words) > 4 else None
    if len(words) > 3 and not words[3].isdigit():
        raise BadHeader("its record line gives no length")
    rest = {
        "rate_hz": float(rate[1]) if rate else DEFAULT_RATE,
        "frames": int(words[3]) or None if len(words) > 3 else None,
        "time": _clock(clock) if clock else None,
        "date": _date(words[5]) if len(words) > 5 else None,
    }
    return name, int(words[1]), int(segments) if slash else None, rest


def _clock(text: str) -> time:
    """``SS``, ``MM:SS`` or ``HH:MM:SS``, with decimals of a second."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise BadHeader("its record line gives no time of day")
    hours, minutes, seconds, decimals = found.groups()
    return time(int(hours or 0), int(minutes or 0), int(seconds), int((decimals or "").ljust(6, "0")))


def _date(text: str) -> date:
    found = _DATE.fullmatch(text)
    if found is None:
        raise BadHeader("its record line gives no date")
    day, month, year = map(int, found.groups())
    return date(year, month, day)


def _numbered(line: tuple[int, str], read: Callable[[str], Part]) -> Part:
    number, text = line
    try:
        return read(text)
    except (ValueError, OverflowError) as error:
        why = str(error) if isinstance(error, BadHeader) else "a number or a time is none"
        raise BadHeader(f"line {number}: {why}") from error


def _segment(text: str) -> tuple[str, int]:
    words = text.split()
    if len(words) < 2 or not words[1].isdigit() or not _NAME.fullmatch(words[0]):
        raise BadHeader("no segment and its length")
    return words[0], int(words[1])


def _signal(text: str) -> Signal:
    words = text.split(None, 8)
    form = _FORMAT.fullmatch(words[1]) if len(words) > 1 else None
    gain = _GAIN.fullmatch(words[2]) if len(words) > 2 else _GAIN.fullmatch("")
    if form is None or gain is None or not _NAME.fullmatch(words[0]):
        raise BadHeader("no signal's file, format and gain")
    numbers = [int(word) for word in words[3:8]]
    zero = numbers[1] if len(numbers) > 1 else 0
    return Signal(
        file=words[0],
        format=int(form[1]),
        per_frame=int(form[2] or 1),
        skew=int(form[3] or 0),
        offset=int(form[4] or 0),
        gain=_gain(gain[1]),
        baseline=int(gain[2]) if gain[2] else zero,
        units=gain[3] or "mV",
        first=numbers[2] if len(numbers) > 2 else 0,
        checksum=numbers[3] if len(numbers) > 3 else None,
        name=words[8].strip() if len(words) > 8 else "",
    )


def _gain(text: str) -> float:
    """The gain that stands there; where it is written as 0, or none is, the format's default stands for "not calibrated"."""
    mantissa = text.lower().partition("e")[0]
    return float(text) if mantissa.strip("-.0") else DEFAULT_GAIN
