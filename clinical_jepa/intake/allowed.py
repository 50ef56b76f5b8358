"""Which addresses may be asked: those at or below a listed base, and no other, whatever a server's answer points at."""

from __future__ import annotations

import ipaddress
import posixpath
from collections.abc import Iterable
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from clinical_jepa.records.errors import BadRequest

_PORTS = {"http": 80, "https": 443}


def require(url: str, bases: Iterable[str]) -> str:
    """``url`` itself where it lies at or below one of ``bases``; ``BadRequest`` otherwise.

    Compared are scheme, host, port and whole path segments, after ``..`` and percent escapes are resolved. An address with
    a user or password in it is never allowed: it would end in logs. The message names the host only, no path or query.
    """
    asked = _parts(url)
    if asked is not None and any(_below(asked, base) for one in bases if (base := _parts(one)) is not None):
        return url
    host = asked.hostname if asked is not None else None
    raise BadRequest(
        f"an address at {host or 'an unreadable host'} lies below no allowed base; nothing was asked of it. "
        "List the base of the server if it is meant"
    )


def joined(url: str, link: str) -> str:
    """Where ``link``, found in an answer from ``url``, leads; empty, which is never allowed, where it leads nowhere."""
    try:
        return urljoin(url, link)
    except ValueError:
        return ""


def require_secrecy(url: str) -> None:
    """``BadRequest`` where a token sent to ``url`` could be read on its way: plain http beyond this machine."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise BadRequest(f"{parts.hostname} is asked without encryption: an access token is not sent there; use https")


def is_loopback(host: str) -> bool:
    """True for localhost and the loopback addresses: what listens there, or is sent there, stays on this machine."""
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _parts(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in _PORTS and parts.hostname and "@" not in parts.netloc and parts.port != 0
    except ValueError:
        return None
    return parts if valid else None


def _below(asked: SplitResult, base: SplitResult) -> bool:
    return _origin(asked) == _origin(base) and (_path(asked) + "/").startswith(_path(base).rstrip("/") + "/")


def _origin(parts: SplitResult) -> tuple[str, str | None, int]:
    return parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme]


def _path(parts: SplitResult) -> str:
    return posixpath.normpath("/" + unquote(unquote(parts.path)).replace("\\", "/").lstrip("/"))
