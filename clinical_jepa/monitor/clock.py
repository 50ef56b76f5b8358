"""The ward clock: the one answer to "what time is it on the ward?" for every process that runs it.

Wall time, or a simulated one, ``START[xSPEED]``: a simulated ward is deterministic, and historical patients lie in
another century. A simulated clock starts when the first process asks, and keeps its anchor in the store folder, so that
ingest, tick, watch, relay and page agree.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from clinical_jepa.records.errors import BadRequest, BrokenStore
from clinical_jepa.records.instant import iso, to_us

ANCHOR = "clock.json"
_FORM = re.compile(r"(?P<start>\d{4}-\d{2}-\d{2}T[^x]+?)(?:x(?P<speed>\d+(?:\.\d+)?))?")


def wall_us() -> int:
    """Wall time in µs since the epoch."""
    return time.time_ns() // 1000


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A simulated clock as written: where it starts, and ward seconds in a second of the wall."""

    start: int
    speed: float


@dataclass(kw_only=True)
class WardClock:
    """``now`` never runs backwards in one process, even where the wall clock does."""

    start: int = 0
    anchor: int = 0  # wall time at which the ward's was ``start``
    speed: float = 1.0
    simulated: bool = False
    wall: Callable[[], int] = wall_us
    _last: int | None = field(default=None, repr=False)

    def now(self) -> int:
        """The ward's time in µs since the epoch."""
        wall = self.wall()
        now = self.start + int((wall - self.anchor) * self.speed) if self.simulated else wall
        self._last = now if self._last is None else max(now, self._last)
        return self._last

    def wall_seconds_until(self, instant: int) -> float:
        """How long to wait for a ward instant, in seconds of the wall; 0 when it is past."""
        return max(0.0, (instant - self.now()) / self.speed / 1e6)

    @property
    def description(self) -> str:
        """For a person: ``wall time``, or where the simulated clock started and how fast it runs."""
        return f"simulated clock from {iso(self.start)} at {self.speed:g} × speed" if self.simulated else "wall time"


def parse(text: str) -> Setting | None:
    """None for ``wall``; the setting of ``2026-01-05T08:00Z`` or ``2026-01-05T08:00Zx60``; ``BadRequest`` otherwise."""
    if text == "wall":
        return None
    match = _FORM.fullmatch(text)
    try:
        if match is None:
            raise ValueError("not START[xSPEED]")
        start = to_us(datetime.fromisoformat(match["start"]))
        speed = float(match["speed"] or 1)
    except ValueError as error:
        raise BadRequest(
            f"--clock {text!r}: write wall, or a start with its zone and perhaps a speed, like 2026-01-05T08:00Zx60 ({error})"
        ) from error
    if speed <= 0:
        raise BadRequest(f"--clock {text!r}: a clock needs a speed above 0")
    return Setting(start=start, speed=speed)


def open_clock(text: str, folder: Path, wall: Callable[[], int] = wall_us) -> WardClock:
    """The clock of this setting; a simulated one is anchored in ``folder`` by whoever comes first.

    ``BadRequest`` when another simulated clock was started there.
    """
    setting = parse(text)
    if setting is None:
        return WardClock(wall=wall)
    path = folder / ANCHOR
    if not path.is_file():
        _anchor(path, setting, wall())
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        found, anchor = Setting(start=kept["start"], speed=kept["speed"]), int(kept["wall"])
    except (ValueError, KeyError, TypeError) as error:
        raise BrokenStore(f"{path} is no anchor of a clock; remove it to start the ward clock anew") from error
    if found != setting:
        raise BadRequest(
            f"this ward's clock was started at {iso(found.start)} with speed {found.speed:g}, not as {text!r}; "
            f"use that, or remove {path} to start anew"
        )
    return WardClock(start=setting.start, anchor=anchor, speed=setting.speed, simulated=True, wall=wall)


def _anchor(path: Path, setting: Setting, wall: int) -> None:
    """Written aside and linked, so that of several processes one wins and none reads half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{ANCHOR}.{os.getpid()}")
    aside.write_text(json.dumps({"start": setting.start, "speed": setting.speed, "wall": wall}), encoding="utf-8")
    try:
        os.link(aside, path)
    except FileExistsError:
        pass
    finally:
        aside.unlink()
