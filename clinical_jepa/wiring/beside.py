"""Work in a process beside this one that tells how far it is: serving keeps to one thread, so two at once fill two cores.

That process ends with this one, however this one ends, and with the step here that fails while it works.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from clinical_jepa.wiring.road import Progress

Result = TypeVar("Result")
Begin = Callable[..., "Waited"]  # a function that takes ``progress``, and its arguments
Waited = Callable[[Progress], Any]  # the result once it is there; until then how far it is

_LOOK_S = 0.2
_told: Any = None  # in the process beside: where it says how far it is


@contextmanager
def beside() -> Iterator[Begin]:
    """Begins work there, one after the other."""
    spawn = get_context("spawn")
    told = spawn.Array("q", [0, 0])
    ends, held = spawn.Pipe(
        duplex=False
    )  # of ``held`` nobody else has a copy: it closes when this process is killed, too
    with ends, held, ProcessPoolExecutor(1, mp_context=spawn, initializer=_begun, initargs=(told, ends)) as pool:
        try:
            yield lambda work, *arguments: _waited(pool.submit(_done, work, arguments), told)
        except BaseException:
            held.close()
            raise


def _waited(coming: Future[Result], told: Any) -> Callable[[Progress], Result]:
    def waited(progress: Progress) -> Result:
        while not wait([coming], timeout=_LOOK_S).done:
            done, total = told[:]
            if total:
                progress(done, total)
        return coming.result()

    return waited


def _begun(told: Any, ends: Connection) -> None:
    global _told  # noqa: PLW0603 - what is shared reaches a process only when it begins
    _told = told
    threading.Thread(target=_end, args=(ends,), daemon=True).start()


def _end(ends: Connection) -> None:
    """Whatever is under way here; what was committed of it is kept."""
    ends.poll(None)
    os._exit(1)


def _done(work: Callable[..., Result], arguments: tuple[Any, ...]) -> Result:
    _tell(0, 0)
    return work(*arguments, progress=_tell)


def _tell(done: int, total: int) -> None:
    _told[:] = [done, total]
