"""pydicom repeats invalid values of a file, a patient's among them, in warnings and logs: not while we read."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_LOGS = ("pydicom", "pydicom.pixels.decoders.base")
_lock = threading.Lock()
_inside: list[warnings.catch_warnings] = []  # one entry a reader; only the first one's holds the state to restore
_before: dict[str, bool] = {}


@contextmanager
def quiet() -> Iterator[None]:
    """Silence for as long as any thread is inside; the last one out restores what was."""
    with _lock:
        held = warnings.catch_warnings()
        if not _inside:
            held.__enter__()
            warnings.simplefilter("ignore")
            _before.update((name, logging.getLogger(name).disabled) for name in _LOGS)
            for name in _LOGS:
                logging.getLogger(name).disabled = True
        _inside.append(held)
    try:
        yield
    finally:
        with _lock:
            if len(_inside) == 1:
                for name, disabled in _before.items():
                    logging.getLogger(name).disabled = disabled
                _inside[0].__exit__(None, None, None)
                _inside.clear()
            else:
                _inside.pop()
