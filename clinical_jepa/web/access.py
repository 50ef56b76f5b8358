"""Who is at the page: a development login that exists only on loopback, signed sessions, signed forms, strict headers.

A session is ``payload.signature``: the payload (base64 JSON) holds the name, the start, and a nonce to which forms are
bound. There are no passwords, so nothing here may ever listen beyond this machine.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import unicodedata
from dataclasses import dataclass

from clinical_jepa.intake.allowed import is_loopback
from clinical_jepa.records.errors import BadRequest
from clinical_jepa.records.instant import SECOND

COOKIE = "ward_session"
NAME_LENGTH = 60
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, kw_only=True)
class Session:
    """``name`` is empty before the login."""

    name: str
    nonce: str
    started: int  # µs, wall


def from_here(host: str) -> bool:
    """Whether a caller, or a ``Host`` with or without a port, is this machine."""
    name = host.strip()
    if name.startswith("["):
        return is_loopback(name[1:].partition("]")[0])
    return is_loopback(name.partition(":")[0] if name.count(":") == 1 else name)


def require_loopback(host: str) -> None:
    """``BadRequest`` unless the page will listen on this machine only."""
    if not from_here(host):
        raise BadRequest(
            f"the ward page was asked to listen on {host!r}, but its only login is the development one, which has no password; "
            "nothing was started. Use --host 127.0.0.1 and reach it through a tunnel that checks who you are"
        )


def new_session(name: str, wall: int) -> Session:
    """A fresh session, with a new nonce so that older forms no longer count."""
    return Session(name=name, nonce=secrets.token_urlsafe(18), started=wall)


def clean_name(text: str) -> str | None:
    """A name as it will stand beside an acknowledgement, or None where it cannot."""
    name = " ".join(text.split())
    if not 2 <= len(name) <= NAME_LENGTH or any(unicodedata.category(letter).startswith("C") for letter in name):
        return None
    return name


@dataclass(frozen=True, kw_only=True)
class Seal:
    """Signs what comes back from a browser."""

    key: bytes

    def cookie(self, session: Session) -> str:
        """The session as a cookie value."""
        payload = base64.urlsafe_b64encode(json.dumps([session.name, session.nonce, session.started]).encode()).decode()
        return f"{payload}.{self._sign('session', payload)}"

    def session(self, cookie: str | None, *, wall: int, lasts_s: int) -> Session | None:
        """The session a cookie holds; None where it is absent, forged or too old."""
        payload, _, signature = (cookie or "").partition(".")
        if not payload or not hmac.compare_digest(signature.encode(), self._sign("session", payload).encode()):
            return None
        name, nonce, started = json.loads(base64.urlsafe_b64decode(payload))
        if not 0 <= wall - started <= lasts_s * SECOND:
            return None
        return Session(name=name, nonce=nonce, started=started)

    def form_token(self, session: Session) -> str:
        """What every form of this session must carry."""
        return self._sign("form", session.nonce)

    def accepts(self, session: Session, token: str) -> bool:
        """True for the session's own form token."""
        return hmac.compare_digest(token.encode(), self.form_token(session).encode())

    def _sign(self, purpose: str, text: str) -> str:
        return hmac.new(self.key, f"{purpose}\x1f{text}".encode(), hashlib.sha256).hexdigest()


def seal(secret: str) -> Seal:
    """The seal of a configured secret, or of a new one for this process."""
    return Seal(key=secret.encode() if secret else secrets.token_bytes(32))
