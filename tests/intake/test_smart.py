"""SMART Backend Services against a server that checks every claim and the signature by itself."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from clinical_jepa.intake import smart
from clinical_jepa.intake.allowed import require_secrecy
from clinical_jepa.intake.fhir_rest import TypeReport
from clinical_jepa.intake.smart import Tokens, covers
from clinical_jepa.records.errors import BadRequest, FetchFailed
from tests.intake.fhir_site import Caller, Clinic
from tests.intake.server import bent, half, json_reply, on, status
from tests.intake.smart_site import EC, RSA, Guard, Private, pem


def fault(name: str, ends: str) -> pytest.MarkDecorator:
    return pytest.mark.fault(source="smart", fault=name, ends=ends)


Known = Callable[..., Tokens]


@pytest.fixture
def guard(clinic: Clinic) -> Guard:
    made = Guard(key=RSA, site=clinic.site)
    clinic.extra = made.answer
    clinic.fill("Observation", 25)
    return made


@pytest.fixture
def known(caller: Caller, guard: Guard) -> Known:
    """The caller with credentials that the guard knows, unless a test gives others."""
    caller.bases = (caller.base, f"{guard.site.url}/auth")

    def with_key(
        key: Private = RSA, *, client_id: str = "the-ward", clock: Callable[[], float] = lambda: 0.0
    ) -> Tokens:
        who = smart.client(client_id, "system/*.rs", pem(key), name="THE_KEY")
        door = replace(caller.door(), clock=clock)
        caller.tokens = Tokens(door, caller.base, who, lambda: caller.wall)
        return caller.tokens

    return with_key


def polled(caller: Caller) -> TypeReport:
    (report,) = caller.poll()
    return report


@pytest.mark.parametrize("key", [RSA, EC], ids=["RS384", "ES384"])
def test_an_assertion_is_as_the_standard_wants_it(guard: Guard, known: Known, caller: Caller, key: Private) -> None:
    guard.key = key
    known(key)
    assert (polled(caller).new, guard.complaints, len(guard.given)) == (25, [], 1)


@pytest.mark.parametrize("hours", [-5, 5])
@fault("our clock wrong", "the assertion is dated by the server's clock and accepted")
def test_a_wrong_clock_here_does_not_spoil_the_assertion(
    guard: Guard, known: Known, caller: Caller, hours: int
) -> None:
    known()
    guard.site.clock += timedelta(hours=hours)
    assert (polled(caller).new, guard.complaints) == (25, [])


@fault("expired token", "one new token, then the same result")
def test_a_token_that_expires_in_the_middle_is_renewed_once(guard: Guard, known: Known, caller: Caller) -> None:
    known()
    pages = iter([None, None, guard.good.clear, None, None])
    sound = guard.answer

    def answer(request):  # type: ignore[no-untyped-def]
        act = next(pages, None) if request.path.endswith("/Observation") else None
        if act is not None:
            act()
        return sound(request)

    guard.site.answer, clinic_answer = (lambda request: answer(request) or clinic_answer(request)), guard.site.answer
    report = polled(caller)
    assert (report.problem, report.new, len(guard.given)) == ("", 25, 2)
    assert len(guard.used) == 2  # two assertions, two jti


@fault("token refused again", "stops after one renewal and says so; the cursor stays")
def test_a_second_refusal_ends_it(guard: Guard, known: Known, caller: Caller) -> None:
    known()
    guard.good = Nothing()
    report = polled(caller)
    assert "the credentials are not accepted" in report.problem
    assert len(guard.given) == 2


class Nothing(set):
    """Holds nothing, whatever is put in."""

    def add(self, _: object) -> None:
        pass


def test_a_token_is_kept_until_shortly_before_its_end(guard: Guard, known: Known) -> None:
    seconds = [0.0]
    tokens = known(clock=lambda: seconds[0])
    first = tokens.token()
    seconds[0] = 269.0
    assert tokens.token() == first
    seconds[0] = 270.0
    assert tokens.token() != first
    assert len(guard.given) == 2


@fault("invalid_client", "stops at once and names the error; nothing of key, assertion or token is said")
def test_a_client_that_is_not_known_is_told_so_without_secrets(
    guard: Guard, known: Known, caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    known(client_id="someone-else")
    said = polled(caller).problem
    assert "invalid_client" in said
    assert caller.waits == []
    secret = pem(RSA)
    told = said + caplog.text + repr(vars(caller.tokens))
    assert not any(line in told for line in secret.splitlines() if line.strip("-"))
    assert "eyJ" not in said + caplog.text


@fault("wrong key", "stops at once and names the error")
def test_a_key_that_the_server_does_not_know_is_refused(guard: Guard, known: Known, caller: Caller) -> None:
    known(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    assert "invalid_client" in polled(caller).problem
    assert guard.complaints == ["signature"]


TRIES = [
    ("503 at the token endpoint", lambda: status(503, "/auth/token", Retry_After="2")),
    ("truncation", lambda: bent("/auth/token", half)),
    ("answer without a token", lambda: on("/auth/token", lambda _: json_reply({}))),
]


@pytest.mark.parametrize(
    "plant", [pytest.param(plant, id=name, marks=fault(name, "asked again with a new jti")) for name, plant in TRIES]
)
def test_each_try_has_a_new_assertion(guard: Guard, known: Known, caller: Caller, plant: Callable) -> None:
    known()
    guard.site.faults = [plant()]
    assert (polled(caller).new, guard.complaints, len(caller.waits)) == (25, [], 1)


@fault("narrower scope", "said; the types that are no longer covered lose nothing")
def test_a_narrower_scope_is_known(guard: Guard, known: Known) -> None:
    guard.scope = "system/Patient.rs system/Observation.rs?category=vital-signs system/Flag.r"
    tokens = known()
    assert tokens.hidden(["Patient", "Observation", "Flag", "Device"]) == {"Observation", "Flag", "Device"}


def test_a_server_that_says_no_scope_grants_what_was_asked(guard: Guard, known: Known) -> None:
    guard.scope = None
    assert known().hidden(["Patient", "Observation"]) == frozenset()


@fault("token endpoint on a foreign host", "refused: nothing is sent there")
def test_a_token_endpoint_must_be_allowed(guard: Guard, known: Known, caller: Caller) -> None:
    guard.endpoint = "https://foreign.example/token"
    known()
    assert "foreign.example lies below no allowed base" in polled(caller).problem


@fault("token endpoint without encryption", "refused: nothing is sent there")
def test_no_token_travels_unencrypted(guard: Guard, known: Known, caller: Caller) -> None:
    guard.endpoint = "http://ehr.example/token"
    caller.bases = ()
    known()
    caller.bases = (caller.base, "http://ehr.example/")
    assert "use https" in polled(caller).problem


@pytest.mark.parametrize("url", ["http://ehr.example/fhir", "http://10.0.0.1/fhir", "http://localhost.evil.example/"])
def test_plain_http_is_for_this_machine_only(url: str) -> None:
    with pytest.raises(BadRequest, match="use https"):
        require_secrecy(url)


@pytest.mark.parametrize(
    "url", ["https://ehr.example/fhir", "http://127.0.0.1:80/fhir", "http://[::1]/", "http://localhost/"]
)
def test_secret_enough(url: str) -> None:
    require_secrecy(url)


@fault("algorithm not taken", "said before anything is signed")
def test_a_server_that_does_not_take_the_algorithm_is_named(guard: Guard, known: Known, caller: Caller) -> None:
    guard.algorithms = ("ES384",)
    known()
    assert "no RS384" in polled(caller).problem


@fault("no SMART configuration", "stops and says so")
def test_a_server_without_smart_is_said(guard: Guard, known: Known) -> None:
    guard.site.faults = [status(404, ".well-known")]
    with pytest.raises(FetchFailed, match=r"SMART configuration: 127\.0\.0\.1 answered 404"):
        known().token()


@pytest.mark.filterwarnings("ignore:Key size")
@pytest.mark.parametrize(
    "secret",
    [
        "",
        "not a key",
        '{"kty": "oct", "k": "c2VjcmV0"}',
        '{"kty": "RSA", broken',
        pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)),
        pem(ec.generate_private_key(ec.SECP256R1())),
    ],
)
def test_what_is_no_key_is_refused_without_showing_it(secret: str) -> None:
    with pytest.raises(BadRequest) as refused:
        smart.client("a", "b", secret, name="THE_KEY")
    assert "THE_KEY holds no private key" in str(refused.value)
    assert refused.value.__cause__ is None
    assert not secret or secret not in str(refused.value)


def test_a_public_key_is_no_private_key() -> None:
    from joserfc.jwk import RSAKey

    public = RSAKey.import_key(pem(RSA)).as_pem(private=False).decode()
    with pytest.raises(BadRequest, match="no private key"):
        smart.client("a", "b", public, name="THE_KEY")


def test_a_jwk_brings_its_own_id() -> None:
    import json

    from joserfc.jwk import ECKey

    value = ECKey.import_key(pem(EC)).as_dict(private=True) | {"kid": "of-the-jwk"}
    who = smart.client("a", "b", json.dumps(value), name="THE_KEY")
    assert (who.algorithm, who.key_id) == ("ES384", "of-the-jwk")
    assert value["d"] not in repr(who)
    assert smart.client("a", "b", json.dumps(value), name="THE_KEY", key_id="given").key_id == "given"


@pytest.mark.parametrize(
    ("granted", "kind", "covered"),
    [
        ("system/*.rs", "Observation", True),
        ("system/*.read", "Observation", True),
        ("system/*.*", "Observation", True),
        ("system/Observation.cruds", "Observation", True),
        ("launch system/Patient.rs system/Observation.rs", "Observation", True),
        ("system/Observation.r", "Observation", False),
        ("system/Observation.write", "Observation", False),
        ("system/ObservationX.rs", "Observation", False),
        ("patient/*.rs", "Observation", False),
        ("", "Observation", False),
    ],
)
def test_what_a_scope_covers(granted: str, kind: str, covered: bool) -> None:
    assert covers(granted, kind) == covered
