"""Named points at which a crash check may end the process: nothing happens here unless it asked, in its own process.

Durability is a promise about *every* instruction, and a random ``kill -9`` hardly ever meets the few between "written"
and "renamed" or between a send and its mark. So the code names those instants, and ``check crash`` installs a callback
that kills the process at a chosen one. In service the cost is one comparison with None; no environment variable and no
configuration can switch it on.
"""

from __future__ import annotations

from collections.abc import Callable

_callback: Callable[[str], None] | None = None


def install(callback: Callable[[str], None] | None) -> None:
    """Call ``callback`` with the name of every point reached in this process; None ends it."""
    global _callback  # noqa: PLW0603 - one process, one check
    _callback = callback


def reached(name: str) -> None:
    """A crash at this instant must leave everything valid."""
    if _callback is not None:
        _callback(name)
