"""Delivery into a file: one JSON line a message, on disk before the message counts as delivered."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clinical_jepa.records.alerts import Message


def to_file(path: Path) -> Callable[[Message], None]:
    """A channel that appends to ``path``; it returns when the line is on disk."""

    def deliver(message: Message) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            line = message.payload + b"\n"
            # a kill in the middle of a line leaves a torn one: it is ended here, and skipped by ``read``
            file.write(line if _ends_a_line(file) else b"\n" + line)
            file.flush()
            os.fsync(file.fileno())

    return deliver


def read(path: Path) -> list[dict[str, Any]]:
    """What the receiver holds: each key once, in order of first arrival; torn lines are no messages."""
    received: dict[str, dict[str, Any]] = {}
    for line in path.read_bytes().splitlines() if path.is_file() else ():
        try:
            content = json.loads(line)
        except ValueError:
            continue
        received.setdefault(content["key"], content)
    return list(received.values())


def _ends_a_line(file: Any) -> bool:
    end = file.seek(0, os.SEEK_END)
    if end == 0:
        return True
    file.seek(end - 1)
    return bool(file.read(1) == b"\n")
