"""Records that a monitor's gateway is still writing: what is not whole yet waits instead of being refused."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clinical_jepa.sources.context import ReadContext


def growing(files: Iterable[Path], context: ReadContext) -> bool:
    """Whether one of the files was touched so lately, by wall time, that it may still grow. Never where none may."""
    if context.growing_s is None:
        return False
    touched = [path.stat().st_mtime for path in files if path.exists()]
    return bool(touched) and time.time() - max(touched) < context.growing_s


def half_written(path: Path, context: ReadContext) -> bool:
    """Whether a text file may still grow and ends inside a line: what it says so far may be wrong, not only short."""
    return path.is_file() and growing([path], context) and not path.read_bytes().endswith(b"\n")
