"""Deterministic ids: subjects from their source's identifier, facts and rows from their content.

A subject id is a keyed hash, so that every source of one site arrives at the same id in any order and the id itself
tells nothing. A site sets its own key (``CLINICAL_JEPA_SITE_IDENTITY_KEY``, read by ``wiring``).
"""

from __future__ import annotations

import hashlib

OPEN_KEY = b"clinical-jepa"  # known to all: fit for simulated and public data only


def subject_id(namespace: str, identifier: str, *, key: bytes = OPEN_KEY) -> int:
    """A positive 48-bit id of ``identifier`` as issued by ``namespace``; numbers are stripped of leading zeros."""
    name = identifier.strip()
    name = name.lstrip("0") or "0" if name.isdigit() else name
    digest = hashlib.blake2b(f"{namespace}\x1f{name}".encode(), key=key[:64], digest_size=6).digest()
    return int.from_bytes(digest, "big")


def content_id(*parts: object) -> str:
    """32 hex characters that identify what the parts say; None and "" differ. File names may be of any bytes."""
    text = "\x1f".join(["\x00" if part is None else str(part) for part in parts])
    return hashlib.blake2b(text.encode(errors="surrogateescape"), digest_size=16).hexdigest()


def printable(name: str) -> str:
    r"""A file's name, or text that holds one, fit to be shown and stored: a byte that is no UTF-8 stands as ``\xff``."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")
