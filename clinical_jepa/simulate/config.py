"""What kind of ward is simulated, and the clock that all its files share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
MINUTE_US = 60_000_000
MONITORED = 1_999  # numbers 1 … 1,999 of a seed are monitored, 2,000 … 9,999 have records only


@dataclass(frozen=True, kw_only=True)
class SimulateConfig:
    """``subjects`` with monitor and images, ``records_only`` without; ``ValueError`` where the numbers run out."""

    subjects: int = 40
    hours: int = 48
    seed: int = 7
    records_only: int = 0

    def __post_init__(self) -> None:
        limits = {"subjects": MONITORED, "records_only": 9_999 - MONITORED, "hours": 24 * 60, "seed": 10**9}
        for name, most in limits.items():
            value = getattr(self, name)
            least = 1 if name == "hours" else 0
            if not least <= value <= most:
                raise ValueError(f"a ward is simulated with {name} from {least} to {most:,}, not {value}")

    @property
    def minutes(self) -> int:
        """Length of the simulation in minutes."""
        return 60 * self.hours


def identifier(seed: int, number: int) -> str:
    """The record number of a patient; no two seeds share one, so wards can be mixed."""
    return f"{seed * 10_000 + number:06d}"


_START_US = int(START.timestamp()) * 1_000_000


def us(seconds: float) -> int:
    """µs since 1970 UTC of a moment given in seconds after the ward's start."""
    return _START_US + round(seconds * 1_000_000)


class WardClock:
    """Writes moments (whole seconds after the start) as FHIR dateTimes, quickly."""

    def __init__(self, hours_offset: int) -> None:
        self._zone = f"{'+' if hours_offset >= 0 else '-'}{abs(hours_offset):02d}:00"
        self._first = START + timedelta(hours=hours_offset)
        self._minutes: dict[int, str] = {}

    def iso(self, second: int) -> str:
        """``2026-01-05T09:12:30+00:00``."""
        minute, rest = divmod(second, 60)
        text = self._minutes.get(minute)
        if text is None:
            text = (self._first + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M")
            self._minutes[minute] = text
        return f"{text}:{rest:02d}{self._zone}"


def moment(second: float) -> datetime:
    """The UTC datetime of a moment given in seconds after the start."""
    return START + timedelta(seconds=second)
