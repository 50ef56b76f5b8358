"""Who may answer an alert: a named person, on this machine, through a form of the page."""

from __future__ import annotations

import re

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from clinical_jepa.records.alerts import Acknowledgement, AlertState
from clinical_jepa.records.errors import BadRequest, LedgerFailed
from clinical_jepa.web.access import COOKIE, Seal, clean_name, from_here, new_session
from clinical_jepa.web.app import create_app
from clinical_jepa.web.config import WebConfig
from clinical_jepa.web.state import WardState
from tests.web.conftest import open_page
from tests.web.fakes import NOW, alert
from tests.web.wards import ANSWERED, RAISED

ALERT = alert(RAISED, raised=NOW).alert_id
ACKNOWLEDGE = f"/alerts/{ALERT}/acknowledge"


def token(client: TestClient, path: str = "/login") -> str:
    found = re.search(r'name="token" value="([0-9a-f]+)"', client.get(path).text)
    assert found
    return found.group(1)


def sign_in(client: TestClient, name: str = "N. Osei, charge nurse", target: str = "/") -> None:
    answer = client.post("/login", data={"token": token(client), "name": name, "next": target})
    assert answer.status_code == 303


def test_a_named_person_acknowledges_and_it_is_kept(client: TestClient, state: WardState) -> None:
    sign_in(client)
    answer = client.post(ACKNOWLEDGE, data={"token": token(client, f"/bed/{RAISED}")})
    assert answer.status_code == 303
    assert [(ack.alert_id, ack.by, ack.at) for ack in state.ledger.pending] == [(ALERT, "N. Osei, charge nurse", NOW)]
    for page in (client.get(answer.headers["location"]).text, open_page(state).get("/").text):
        assert "by N. Osei, charge nurse, 20:00" in page


def test_nobody_answers_without_a_name(client: TestClient, state: WardState) -> None:
    form = token(client)  # a session that did not sign in
    assert client.post(ACKNOWLEDGE, data={"token": form}).status_code == 403
    assert open_page(state).post(ACKNOWLEDGE).status_code == 403
    assert state.ledger.pending == []


@pytest.mark.parametrize("forged", ["", "0" * 64, "ä"])
def test_a_form_of_another_session_is_refused(client: TestClient, state: WardState, forged: str) -> None:
    sign_in(client)
    assert client.post(ACKNOWLEDGE, data={"token": forged}).status_code == 403
    other = open_page(state)
    sign_in(other, "somebody else")
    assert client.post(ACKNOWLEDGE, data={"token": token(other, f"/bed/{RAISED}")}).status_code == 403
    assert client.post(ACKNOWLEDGE, content=token(client, f"/bed/{RAISED}")).status_code == 403
    assert state.ledger.pending == []


def test_the_form_before_the_login_is_worth_nothing_after_it(client: TestClient, state: WardState) -> None:
    old = token(client)
    sign_in(client)
    assert client.post(ACKNOWLEDGE, data={"token": old}).status_code == 403
    assert state.ledger.pending == []


def test_the_first_answer_stands(client: TestClient, state: WardState) -> None:
    sign_in(client, "first")
    client.post(ACKNOWLEDGE, data={"token": token(client, f"/bed/{RAISED}")})
    other = open_page(state)
    sign_in(other, "second")
    assert other.post(ACKNOWLEDGE, data={"token": token(other, f"/bed/{RAISED}")}).status_code == 303
    assert [ack.by for ack in state.ledger.pending] == ["first"]
    taken = f"/alerts/{alert(ANSWERED, raised=NOW).alert_id}/acknowledge"
    assert other.post(taken, data={"token": token(other, f"/bed/{RAISED}")}).status_code == 303
    assert [ack.by for ack in state.ledger.pending] == ["first"]


def test_a_closed_or_unknown_alert_is_not_answered(client: TestClient, state: WardState) -> None:
    sign_in(client)
    form = token(client, f"/bed/{RAISED}")
    state.ledger.alerts_[0] = alert(RAISED, raised=NOW - 34, state=AlertState.RESOLVED)
    assert client.post(ACKNOWLEDGE, data={"token": form}).status_code == 409
    assert client.post("/alerts/none/acknowledge", data={"token": form}).status_code == 409
    assert state.ledger.pending == []


def test_an_answer_that_the_ledger_cannot_keep_is_not_taken_for_kept(
    client: TestClient, state: WardState, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(acknowledgement: Acknowledgement) -> None:
        raise LedgerFailed("no space left for the ledger")

    sign_in(client)
    form = token(client, f"/bed/{RAISED}")
    monkeypatch.setattr(state.ledger, "acknowledge", full)
    answer = client.post(ACKNOWLEDGE, data={"token": form})
    assert (answer.status_code, "Not acknowledged" in answer.text) == (503, True)
    assert "no space left for the ledger" in answer.text


def test_the_page_refuses_to_listen_beyond_this_machine(state: WardState) -> None:
    for host in ("0.0.0.0", "::", "10.0.0.7", "ward.example", ""):
        with pytest.raises(BadRequest, match="development"):
            create_app(state, config=WebConfig(host=host))
    create_app(state, config=WebConfig(host="::1"))


def test_others_are_refused_whatever_they_ask(state: WardState) -> None:
    app = create_app(state, config=WebConfig())
    assert TestClient(app, base_url="http://127.0.0.1", client=("10.0.0.7", 1)).get("/").status_code == 403
    rebound = TestClient(app, base_url="http://evil.example", client=("127.0.0.1", 1))  # a name made to point here
    assert rebound.get("/").status_code == 403
    assert "ICU" not in rebound.get("/").text


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_the_login_leads_nowhere_else(client: TestClient, target: str) -> None:
    answer = client.post("/login", data={"token": token(client), "name": "somebody", "next": target})
    assert answer.headers["location"] == "/"


def test_signing_out_forgets(client: TestClient) -> None:
    sign_in(client)
    assert "Signed in as" in client.get("/").text
    assert client.post("/logout", data={"token": token(client, "/")}).status_code == 303
    assert "Signed in as" not in client.get("/").text


def test_a_login_names_itself_a_development_login(client: TestClient) -> None:
    assert "Development login: anyone on this machine" in client.get("/login").text
    assert client.post("/login", data={"token": token(client), "name": "x"}).text.count("Give your name") == 1


def test_the_cookie_is_kept_from_scripts_and_other_sites(client: TestClient) -> None:
    cookie = client.get("/login").headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie


@given(st.text(min_size=2, max_size=30), st.integers(0, 400), st.integers(1, 255))
def test_a_changed_cookie_is_no_session(name: str, position: int, change: int) -> None:
    seal = Seal(key=b"k")
    session = new_session(name, 1_000)
    cookie = seal.cookie(session)
    assert seal.session(cookie, wall=2_000, lasts_s=60) == session
    at = position % len(cookie)
    changed = cookie[:at] + chr(ord(cookie[at]) ^ change) + cookie[at + 1 :]
    assert seal.session(changed, wall=2_000, lasts_s=60) is None
    assert Seal(key=b"other").session(cookie, wall=2_000, lasts_s=60) is None


def test_a_session_ends() -> None:
    seal = Seal(key=b"k")
    cookie = seal.cookie(new_session("name", 0))
    assert seal.session(cookie, wall=60_000_000, lasts_s=60) is not None
    assert seal.session(cookie, wall=60_000_001, lasts_s=60) is None
    assert seal.session(None, wall=0, lasts_s=60) is None


def test_the_old_cookie_is_no_use_to_another_server(state: WardState) -> None:
    first, second = open_page(state, WebConfig()), open_page(state, WebConfig())
    sign_in(first)
    second.cookies.set(COOKIE, first.cookies[COOKIE])
    assert "Signed in as" not in second.get("/").text


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8417", "127.0.0.1", "127.8.9.1:80", "[::1]:8417", "::1"])
def test_loopback_names(host: str) -> None:
    assert from_here(host)


@pytest.mark.parametrize(
    "host", ["", "0.0.0.0", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "[::]:80"]
)
def test_other_names(host: str) -> None:
    assert not from_here(host)


def test_names_are_single_lines_of_letters() -> None:
    assert clean_name("  N.   Osei ") == "N. Osei"
    assert clean_name("a\x00b") is None
    assert clean_name("x" * 61) is None
    assert clean_name("ab\u202ecd") is None  # a text-direction override
