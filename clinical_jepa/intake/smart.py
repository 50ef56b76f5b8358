"""SMART Backend Services: a signed assertion for each access token, no secret on the wire, none in a message.

The private key signs here and goes nowhere. A token is kept until shortly before it expires, or until a server refuses it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import orjson

from clinical_jepa.intake.allowed import require_secrecy
from clinical_jepa.intake.door import Door, Question, Refused, ask, host
from clinical_jepa.intake.waiting import http_date
from clinical_jepa.records.errors import BadRequest, FetchFailed

if TYPE_CHECKING:
    from joserfc.jwk import ECKey, RSAKey

_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_S = 240  # servers accept at most five minutes
_EARLY_S = 30.0  # a token is renewed so long before its end
_SCOPE = re.compile(r"system/(?P<type>\*|[A-Za-z]+)\.(?P<rights>read|\*|c?r?u?d?s?)")


@dataclass(frozen=True, kw_only=True)
class Client:
    """Who asks. ``algorithm`` is RS384 or ES384, by the key; the key is in no ``repr``."""

    client_id: str
    scope: str
    algorithm: str
    key_id: str
    key: RSAKey | ECKey = field(repr=False)


def client(client_id: str, scope: str, secret: str, *, name: str, key_id: str = "") -> Client:
    """The client whose private key is ``secret``, a PEM or a JWK; ``name`` is what messages call it.

    ``BadRequest`` where it is no private RSA key of 2048 bits or more, and no private key on P-384.
    """
    from joserfc.jwk import ECKey, RSAKey

    problem = f"{name} holds no private key that SMART can use: PEM or JWK, RSA of at least 2048 bits or EC on P-384"
    key: RSAKey | ECKey | None = None
    for kind in (RSAKey, ECKey):
        try:
            key = kind.import_key(orjson.loads(secret) if secret.lstrip().startswith("{") else secret)
            break
        except Exception:  # noqa: S112 - whatever a library says of a secret may hold it
            continue
    if key is None or not key.is_private:
        raise BadRequest(problem)
    public = key.as_dict(private=False)
    size = key.raw_value.key_size
    if (key.key_type, size) != ("EC", 384) and (key.key_type != "RSA" or size < 2048):
        raise BadRequest(problem)
    return Client(
        client_id=client_id,
        scope=scope,
        algorithm="ES384" if key.key_type == "EC" else "RS384",
        key_id=key_id or str(public.get("kid") or key.thumbprint()),
        key=key,
    )


class Tokens:
    """The access tokens of one client for one server. ``wall`` is our clock in seconds."""

    def __init__(self, door: Door, base: str, client: Client, wall: Callable[[], float]) -> None:
        self._door, self._base, self._client, self._wall = door, base.rstrip("/"), client, wall
        self._endpoint = ""
        self._ahead_s = 0.0  # of the server's clock
        self._token = ""
        self._until = 0.0
        self.granted = ""

    def token(self, *, refused: str | None = None) -> str:
        """A token for the next while. ``FetchFailed`` where the server gives none, ``BadRequest`` where none may be asked."""
        if self._token == refused or self._door.clock() >= self._until:
            self._renew()
        return self._token

    def hidden(self, types: Iterable[str]) -> frozenset[str]:
        """Which of these types the scope that was granted does not let this client read in full."""
        self.token()
        return frozenset(kind for kind in types if not covers(self.granted, kind))

    def _renew(self) -> None:
        try:
            if not self._endpoint:
                self._discover()
            given = self._given()
        except Refused as error:  # no question of this server can be asked: not a matter of one type
            raise FetchFailed(str(error)) from None
        lasts = given.get("expires_in")
        seconds = float(lasts) if isinstance(lasts, int | float) and lasts > 0 else 300.0
        self._token = str(given["access_token"])
        self._until = self._door.clock() + max(seconds - _EARLY_S, seconds / 2)
        self.granted = str(given.get("scope") or self._client.scope)

    def _given(self) -> dict[str, Any]:
        question = Question(
            url=self._endpoint,
            what="access token",
            method="POST",
            headers={"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"},
            content=self._form,
            authorised=False,
            whole=_has_token,
        )
        answer: dict[str, Any] = orjson.loads(ask(self._door, question).body)
        return answer

    def _discover(self) -> None:
        require_secrecy(self._base)
        answer = ask(
            self._door,
            Question(
                url=f"{self._base}/.well-known/smart-configuration",
                what="SMART configuration",
                headers={"Accept": "application/json"},
                authorised=False,
                whole=_is_object,
            ),
        )
        said = orjson.loads(answer.body)
        endpoint = said.get("token_endpoint")
        if not isinstance(endpoint, str):
            raise FetchFailed(f"SMART configuration: {host(self._base)} names no token endpoint")
        require_secrecy(endpoint)
        algorithms = said.get("token_endpoint_auth_signing_alg_values_supported")
        if isinstance(algorithms, list) and self._client.algorithm not in algorithms:
            raise BadRequest(
                f"{host(self._base)} takes no {self._client.algorithm} signatures; use a key of another kind"
                " (RSA for RS384, EC on P-384 for ES384)"
            )
        date = http_date(answer.headers.get("date", ""))
        self._ahead_s = 0.0 if date is None else (date - datetime.fromtimestamp(self._wall(), UTC)).total_seconds()
        self._endpoint = endpoint

    def _form(self) -> bytes:
        form = {
            "grant_type": "client_credentials",
            "scope": self._client.scope,
            "client_assertion_type": _ASSERTION,
            "client_assertion": self._assertion(),
        }
        return urlencode(form).encode()

    def _assertion(self) -> str:
        """A new one each time, valid by the server's clock: ours may be wrong, and servers refuse what lasts too long."""
        from joserfc import jwt

        now = int(self._wall() + self._ahead_s)
        header = {"alg": self._client.algorithm, "kid": self._client.key_id, "typ": "JWT"}
        claims: dict[str, Any] = {
            "iss": self._client.client_id,
            "sub": self._client.client_id,
            "aud": self._endpoint,
            "exp": now + _ASSERTION_S,
            "jti": secrets.token_urlsafe(32),
        }
        return jwt.encode(header, claims, self._client.key, algorithms=[self._client.algorithm])


def covers(granted: str, kind: str) -> bool:
    """True where a granted scope lets the whole of a type be read and searched. One with a query is narrower."""
    for scope in granted.split():
        found = _SCOPE.fullmatch(scope)
        if (
            found
            and found["type"] in ("*", kind)
            and (found["rights"] in ("read", "*") or {"r", "s"} <= {*found["rights"]})
        ):
            return True
    return False


def _is_object(body: bytes) -> bool:
    try:
        return isinstance(orjson.loads(body), dict)
    except orjson.JSONDecodeError:
        return False


def _has_token(body: bytes) -> bool:
    return _is_object(body) and isinstance(orjson.loads(body).get("access_token"), str)
