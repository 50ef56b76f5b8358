"""Where the data files of ``schemas/`` lie: inside the wheel, or beside the package in a checkout."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def schemas() -> Path:
    """The folder that holds codes/, tasks/ and the contracts."""
    inside = _PACKAGE / "schemas"
    return inside if inside.is_dir() else _PACKAGE.parent / "schemas"


@cache
def tables_hash(kind: str, kinds: tuple[str, ...]) -> str:
    """Sixteen hex characters that change with any code table that a source of this kind, one of ``kinds``, may read.

    Tables named for another kind (``wfdb.csv`` for FHIR) are left out; what is named for none is shared by all.
    """
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted((schemas() / "codes").glob("*.csv")):
        if path.stem.startswith(kind) or not path.stem.startswith(kinds):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()
