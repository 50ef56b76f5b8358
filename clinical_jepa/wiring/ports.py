"""An address that cannot be had is wrong use, said before anything is begun."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from clinical_jepa.records.errors import BadRequest


@contextmanager
def asked_for(who: str, host: str, port: int, *, setting: str) -> Iterator[None]:
    """``BadRequest`` where binding within it fails; ``setting`` says where another port is given. Errors of files pass."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        number = error.errno or 0  # below 0 where the host's name was not found
        why = os.strerror(number) if number > 0 else error.strerror or error
        raise BadRequest(
            f"{who} cannot have {host}:{port} ({why}); nothing was started. End the program that has it, or give another "
            f"{setting}"
        ) from error
