"""When a historical fact could have been known, and which rule says so (docs/explanation/time.md).

Live ingest replaces the answer by its own commit time; this is for ``--as history``.
"""

from __future__ import annotations


def availability(
    time: int, *, reported: int | None = None, updated: int | None = None, delay: int | None = None
) -> tuple[int, str]:
    """``(available_time, basis)``: reporting time > declared update time > declared delay > ``time`` itself.

    ``time`` is the end of a period, or the start of a rate. Never earlier than ``time``: an earlier reporting time is
    clamped, and marked so. Callers pass ``updated`` only where the site declares it true.
    """
    for instant, basis in ((reported, "issued"), (updated, "last-updated")):
        if instant is not None:
            return (instant, basis) if instant >= time else (time, "clamped")
    if delay is not None:
        return time + delay, "delay"
    return time, "assumed"
