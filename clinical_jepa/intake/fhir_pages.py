"""What one page of a search says of itself. No fact is read here: which resources it lists, and where the next page is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

FHIR = {"Accept": "application/fhir+json"}  # how a server is asked for a resource

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Page:
    """``digests`` by ``(type, id)``. ``nameless`` counts entries without either, ``warnings`` the server's own remarks.

    ``newest`` is the latest ``meta.lastUpdated``; ``total`` how many the server counts on all pages.
    """

    digests: Mapping[tuple[str, str], str]
    nameless: int
    warnings: int
    newest: datetime | None
    next: str | None
    total: int | None


def is_searchset(body: bytes) -> bool:
    """True for one whole JSON Bundle that is the answer to a search."""
    bundle = _loaded(body)
    return bundle is not None and bundle.get("resourceType") == "Bundle" and bundle.get("type") == "searchset"


def is_resource(body: bytes) -> bool:
    """True for one whole JSON object that names its resource type."""
    resource = _loaded(body)
    return resource is not None and isinstance(resource.get("resourceType"), str)


def read(body: bytes) -> Page:
    """The page in ``body``, which ``is_searchset``. An entry of a strange shape counts as nameless: the bytes are kept."""
    bundle = _loaded(body) or {}
    digests: dict[tuple[str, str], str] = {}
    nameless, warnings, newest = 0, 0, None
    for entry in _listed(bundle, "entry"):
        resource = entry.get("resource")
        if not isinstance(resource, dict):
            nameless += 1
            continue
        kind, name = resource.get("resourceType"), resource.get("id")
        if kind == "OperationOutcome" and entry.get("search") == {"mode": "outcome"}:
            warnings += 1
        elif isinstance(kind, str) and isinstance(name, str):
            digests[kind, name] = digest(resource)
            newest = later(newest, updated(resource))
        else:
            nameless += 1
    total = bundle.get("total")
    return Page(
        digests=digests,
        nameless=nameless,
        warnings=warnings,
        newest=newest,
        next=_next(bundle),
        total=total if isinstance(total, int) else None,
    )


def digest(resource: Json) -> str:
    """A short name of everything a resource says: version numbers and dates of servers are not to be relied on."""
    try:
        plain = orjson.dumps(resource, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # characters or numbers that are none of JSON's
        plain = json.dumps(resource, sort_keys=True).encode()
    return hashlib.blake2b(plain, digest_size=8).hexdigest()


def digest_of(body: bytes) -> str:
    """The digest of the one resource in ``body``, which ``is_resource``."""
    return digest(_loaded(body) or {})


def updated(resource: Json) -> datetime | None:
    """``meta.lastUpdated``; None where it is absent or no instant."""
    meta = resource.get("meta")
    return instant(meta.get("lastUpdated")) if isinstance(meta, dict) else None


def instant(text: object) -> datetime | None:
    """The instant in UTC; None where the text is none, or has no zone."""
    try:
        parsed = datetime.fromisoformat(text) if isinstance(text, str) else None
        return None if parsed is None or parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def later(one: datetime | None, other: datetime | None) -> datetime | None:
    """The later of two instants, as far as there are any."""
    return max((moment for moment in (one, other) if moment is not None), default=None)


def written(moment: datetime) -> str:
    """An instant as FHIR writes it, in UTC, to the millisecond below."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _next(bundle: Json) -> str | None:
    for link in _listed(bundle, "link"):
        if link.get("relation") == "next" and isinstance(link.get("url"), str):
            return str(link["url"])
    return None


def _listed(bundle: Json, key: str) -> list[Json]:
    found = bundle.get(key)
    return [one if isinstance(one, dict) else {} for one in found] if isinstance(found, list) else []


def _loaded(body: bytes) -> Json | None:
    """The JSON object in ``body``; None where there is none.

    A character or number that is none of JSON's must not hide the page it is on, nor those after it: ``ingest`` says what
    is wrong with the resource.
    """
    try:
        loaded = orjson.loads(body)
    except orjson.JSONDecodeError:
        try:
            loaded = json.loads(body.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            return None
    return loaded if isinstance(loaded, dict) else None
