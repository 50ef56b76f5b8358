"""How long to wait before a server is asked again: as it says, else twice as long each time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})  # statuses that may be another in a while


@dataclass(frozen=True, kw_only=True)
class Manners:
    """``tries`` bounds failures without a word of the server, ``told_waits`` those where it says how long to wait.

    Seconds: ``timeout_s`` between two bytes, ``answer_s`` for one whole answer. ``most_bytes`` bounds an answer that is
    held in memory, decoded.
    """

    tries: int = 6
    told_waits: int = 60
    first_wait_s: float = 1.0
    longest_wait_s: float = 900.0
    timeout_s: float = 60.0
    answer_s: float = 3600.0
    most_bytes: int = 1 << 29

    def backoff(self, attempt: int) -> float:
        """Seconds after the ``attempt``-th failure (1, 2, …)."""
        return min(self.first_wait_s * 2.0 ** min(attempt - 1, 32), self.longest_wait_s)


def told(headers: Mapping[str, str]) -> float | None:
    """Seconds that ``Retry-After`` asks for; None where it is absent or no number and no date.

    A date is held against the server's own ``Date``, so that it does not matter which of the two clocks is wrong.
    """
    said = headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():  # "²" is a digit too, and no number
        return float(said)
    until = http_date(said)
    if until is None:
        return None
    since = http_date(headers.get("date", "")) or datetime.now(UTC)
    return max((until - since).total_seconds(), 0.0)


def http_date(text: str) -> datetime | None:
    """The instant of an HTTP date; None where it is none."""
    try:
        date = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError):
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)
