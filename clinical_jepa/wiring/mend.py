"""A refusal's original in the person's own editor, in a private file that is gone afterwards; what was changed is replayed."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from clinical_jepa.records.errors import BadRequest
from clinical_jepa.wiring import quarantine
from clinical_jepa.wiring.settings import Settings

_ENDS = (signal.SIGHUP, signal.SIGTERM)  # a terminal that is closed, a machine that shuts down
_SUFFIXES = {"fhir": ".json", "hl7v2": ".hl7"}  # of what says something alone; a document of JSON may have any layout


def mend(settings: Settings, start: str, *, mode: str, editor: str | None) -> tuple[bool, str]:
    """Opens the original in ``editor``; replays it where it was changed. Whether it was taken, and what became of it."""
    if not editor:
        raise BadRequest("no editor is named: set EDITOR (or VISUAL), e.g. EDITOR=nano; nothing was opened")
    row = quarantine.one(settings, start)
    rejection = row["rejection_id"]
    quarantine.require_whole(row)
    shown = _shown(row)
    with _ended_in_order(), tempfile.TemporaryDirectory(prefix="clinical-jepa-") as private:  # 0700: of nobody else
        file = Path(private) / f"{rejection}{_SUFFIXES[row['source']]}"
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        file.write_bytes(shown)
        status = _edit(editor, file)
        changed = file.is_file() and file.read_bytes() != shown
        if status:
            gone = "; what was changed is gone: its file was removed" if changed else ""
            raise BadRequest(
                f"the editor {editor!r} ended with status {status}: nothing was taken, the refusal is kept{gone}"
            )
        if not changed:
            return False, f"nothing was changed; the refusal {rejection} is kept"
        return quarantine.replay(settings, rejection, file, mode=mode)


def _shown(row: dict[str, Any]) -> bytes:
    """What is edited; ``BadRequest`` where it says nothing without the files beside it."""
    original = quarantine.original_of(row)
    if row["source"] not in _SUFFIXES:
        raise BadRequest(
            f"a line of {row['source']} says something only beside the rest of its set: mend it in {row['file']}, ingest the "
            f"set again, then: clinical-jepa quarantine drop {row['rejection_id']}"
        )
    if (
        row["source"] == "hl7v2" and b"\0" not in original
    ):  # its segments end in CR, of which editors make one long line
        return original.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return original


def _edit(editor: str, file: Path) -> int:
    """The status that the editor ended with."""
    try:
        with _left_to_the_editor():
            return subprocess.run([*shlex.split(editor), str(file)], check=False).returncode
    except (OSError, ValueError) as error:
        raise BadRequest(f"the editor {editor!r} cannot be run ({error}); nothing was changed") from error


@contextmanager
def _left_to_the_editor() -> Iterator[None]:
    """Ctrl-C is a key of the editor's while it runs, and ends neither it nor us."""
    before = signal.signal(signal.SIGINT, lambda *_: None)  # not SIG_IGN, which the editor would inherit
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Whoever ends us leaves no patient's data behind: the editor ends, and its file is removed first."""

    def end(number: int, _: FrameType | None) -> None:
        for one in _ENDS:
            signal.signal(one, signal.SIG_IGN)  # a second one must not stop the removal
        raise SystemExit(128 + number)

    before = {one: signal.getsignal(one) for one in _ENDS}
    before = {one: handler for one, handler in before.items() if handler is not signal.SIG_IGN}  # as under nohup
    for one in before:
        signal.signal(one, end)
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
