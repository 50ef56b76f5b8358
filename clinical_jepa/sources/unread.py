"""Files that the system does not let us read, or not just now: their unit is refused whole, and read once it can be read."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clinical_jepa.records.batch import Rejection

_FAILING = (errno.EIO, errno.ESTALE)  # a disk, or a folder of the network


class Unread(Exception):
    """A unit could not be read to its end; ``rejection`` says why. What was read of it so far is not to be kept."""

    def __init__(self, rejection: Rejection) -> None:
        super().__init__(rejection.message)
        self.rejection = rejection


@contextmanager
def readable(source: str, path: Path) -> Iterator[None]:
    """Within it the unit of ``source`` at ``path`` is opened and read: ``Unread`` where one of its files cannot be.

    Any other error of the system (a full disk, too many open files) is ours, and goes on as it is.
    """
    try:
        yield
    except OSError as error:
        name = Path(error.filename).name if isinstance(error.filename, str) else path.name
        message = _why(error, name)
        if message is None:
            raise
        raise Unread(
            Rejection(source=source, file=path.name, record="file", reason="unreadable", message=message)
        ) from error


def closed(path: Path) -> bool:
    """Whether this user may not open a file: who looks for files then goes by its name, so that it is refused, not overlooked."""
    try:
        path.open("rb").close()
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def _why(error: OSError, name: str) -> str | None:
    if isinstance(error, PermissionError):
        return f"no permission to read {name}: make it readable for this user, and ingest again"
    if isinstance(error, FileNotFoundError):
        return f"{name} was gone when it was to be read: put it back whole, and ingest again"
    if error.errno in _FAILING:
        return (
            f"the system cannot read {name} (input/output error): see to its disk or network folder, and ingest again"
        )
    return None
