"""An authorisation server that checks assertions with the primitives of ``cryptography`` alone, and a clinic behind it."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tests.intake.server import Reply, Request, Site, json_reply

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP384R1())


def pem(key: Private) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@dataclass(kw_only=True)
class Guard:
    """Gives tokens for assertions signed by ``key`` and lets nobody in without one. ``good`` are the valid tokens."""

    key: Private
    client_id: str = "the-ward"
    scope: str | None = "system/*.rs"
    expires_in: int = 300
    endpoint: str = "/auth/token"
    algorithms: tuple[str, ...] = ("RS384", "ES384")
    site: Site = None  # type: ignore[assignment]
    good: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    given: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def answer(self, request: Request) -> Reply | None:
        if request.path.endswith("/.well-known/smart-configuration"):
            address = self.endpoint if "://" in self.endpoint else self.site.url + self.endpoint
            return json_reply(
                {
                    "token_endpoint": address,
                    "token_endpoint_auth_signing_alg_values_supported": list(self.algorithms),
                }
            )
        if request.path == self.endpoint:
            return self.token(request)
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.good:
            return json_reply({"resourceType": "OperationOutcome", "issue": [{"code": "login"}]}, 401)
        return None

    def token(self, request: Request) -> Reply:
        form = {key: values[-1] for key, values in parse_qs(request.body.decode()).items()}
        complaint = self.complaint(form)
        if complaint:
            self.complaints.append(complaint)
            return json_reply({"error": "invalid_client", "error_description": form["client_assertion"]}, 400)
        token = f"token-{len(self.given)}-{hashlib.sha256(form['client_assertion'].encode()).hexdigest()[:8]}"
        self.given.append(token)
        self.good.add(token)
        said: dict[str, Any] = {"access_token": token, "token_type": "bearer", "expires_in": self.expires_in}
        return json_reply(said if self.scope is None else said | {"scope": self.scope})

    def complaint(self, form: dict[str, str]) -> str:
        """What is wrong with a token request, by the standard's list; empty for a good one."""
        head, body, signature = form["client_assertion"].split(".")
        header, claims = orjson.loads(decoded(head)), orjson.loads(decoded(body))
        now = self.site.clock.timestamp()
        wrong = {
            "grant": form["grant_type"] != "client_credentials",
            "type": form["client_assertion_type"] != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "header": header["typ"] != "JWT" or not header["kid"] or header["alg"] not in self.algorithms,
            "who": not claims["iss"] == claims["sub"] == self.client_id,
            "aud": claims["aud"] != self.site.url + self.endpoint,
            "exp": not now < claims["exp"] <= now + 300,
            "jti": claims["jti"] in self.used,
            "signature": not self.signed(f"{head}.{body}".encode(), decoded(signature)),
        }
        self.used.add(claims["jti"])
        return " ".join(name for name, is_wrong in wrong.items() if is_wrong)

    def signed(self, message: bytes, signature: bytes) -> bool:
        public = self.key.public_key()
        try:
            if isinstance(public, rsa.RSAPublicKey):
                public.verify(signature, message, padding.PKCS1v15(), hashes.SHA384())
            else:
                r, s = (int.from_bytes(half, "big") for half in (signature[:48], signature[48:]))
                public.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA384()))
        except InvalidSignature:
            return False
        return True
