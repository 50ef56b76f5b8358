"""How a loop is asked to end: SIGTERM and Ctrl-C finish what is under way first."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_LOOK_S = 0.1


class Stop:
    """A flag and a sleep that ends with it.

    Not a ``threading.Event``: that takes a lock to be set, which its own thread may hold when a signal comes.
    """

    def __init__(self) -> None:
        self._asked = False

    def set(self) -> None:
        """Ask."""
        self._asked = True

    def is_set(self) -> bool:
        """Whether it was asked for."""
        return self._asked

    def wait(self, timeout: float) -> bool:
        """Sleeps for ``timeout`` seconds or until asked; whether it was asked for."""
        end = time.monotonic() + timeout
        while not self._asked and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _LOOK_S))
        return self._asked


@contextmanager
def stopping() -> Iterator[Stop]:
    """A ``Stop`` that SIGTERM and Ctrl-C ask for; a second Ctrl-C ends at once. Main thread only."""
    stop = Stop()

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    kept = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
