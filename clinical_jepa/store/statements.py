"""The named statements of ``ledger.sql``: every value is bound, no SQL is put together anywhere."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path


@cache
def statements() -> dict[str, str]:
    """SQL by name."""
    text = Path(__file__).with_name("ledger.sql").read_text(encoding="utf-8")
    pieces = re.split(r"^-- name: (\w+)$", text, flags=re.MULTILINE)[1:]
    return dict(zip(pieces[::2], (piece.strip() for piece in pieces[1::2]), strict=True))
