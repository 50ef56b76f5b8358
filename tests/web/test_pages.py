"""What stands on the pages: order, abstention, expiry, escaping, headers, and the machine's view of the same."""

from __future__ import annotations

import io
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from clinical_jepa.records.alerts import AlertState
from clinical_jepa.records.forecasts import Band, Forecast, Reason
from clinical_jepa.records.instant import HOUR, MINUTE
from clinical_jepa.web.config import WebConfig
from clinical_jepa.web.state import WardState
from tests.web.conftest import open_page
from tests.web.fakes import NOW, FakeHeartbeat, alert
from tests.web.wards import ANSWERED, BAD_BED, BEDS, CALM, EXPIRED, IN_EVENT, NEW, RAISED, SCRIPT, STALE


def row(page: str, subject: int) -> str:
    """The table row of one subject."""
    return next(part for part in page.split("<tr") if f'href="/bed/{subject}"' in part and "risk-cell" in part)


def text(markup: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", markup).split())


def test_everybody_present_is_listed_by_risk(client: TestClient) -> None:
    page = client.get("/").text
    order = [int(found) for found in re.findall(r'<th scope="row"><a id="bed-(\d+)"', page)]
    assert set(order) == set(BEDS)
    assert order[:4] == [RAISED, ANSWERED, SCRIPT, CALM]


def test_a_forecast_is_shown_with_interval_making_and_validity(client: TestClient) -> None:
    shown = text(row(client.get("/").text, RAISED))
    assert "47 % 33 to 67" in shown
    assert "19:56 valid until 20:26" in shown


def test_an_abstention_is_named_and_explained(client: TestClient) -> None:
    shown = text(row(client.get("/").text, STALE))
    assert "Vital signs too old" in shown
    assert "! 5 h 1 min" in shown
    bed = text(client.get(f"/bed/{STALE}").text)
    assert "No number does not mean no risk" in bed
    assert "vasopressor started" in text(row(client.get("/").text, IN_EVENT))


def test_a_patient_without_forecast_says_so(client: TestClient) -> None:
    assert "No forecast in the last 8 h" in text(row(client.get("/").text, NEW))
    assert client.get(f"/bed/{NEW}").status_code == 200


def test_past_its_validity_nothing_looks_current(client: TestClient, state: WardState) -> None:
    expired = row(client.get("/").text, EXPIRED)
    assert "Expired 19:50" in text(expired)
    assert "risk-number" not in expired
    state.clock.instant = NOW + 3 * HOUR
    page = open_page(state).get("/").text
    assert 'class="risk-number"' not in page
    assert 'class="risk-bar"' not in page
    assert "valid until" not in page
    assert 'class="fan expired"' in open_page(state).get(f"/bed/{RAISED}").text


def test_the_last_minute_of_validity_still_counts(state: WardState) -> None:
    state.clock.instant = NOW + 26 * MINUTE
    assert "47 %" in text(row(open_page(state).get("/").text, RAISED))
    state.clock.instant += 1
    assert "Expired 20:26" in text(row(open_page(state).get("/").text, RAISED))


def test_an_alert_that_nobody_answered_says_so_when_it_is_over(state: WardState) -> None:
    raised = alert(CALM, raised=NOW - 3 * HOUR)
    state.ledger.alerts_.append(replace(raised, state=AlertState.EXPIRED, changed_at=NOW - HOUR))
    over = alert(SCRIPT, raised=NOW - 2 * HOUR, state=AlertState.RESOLVED, by="N. Osei")
    old = alert(STALE, raised=NOW - 9 * HOUR, state=AlertState.EXPIRED)
    state.ledger.alerts_ += [over, old]
    page = open_page(state).get("/").text
    assert "Not answered raised 17:00, expired 19:00" in text(row(page, CALM))
    assert "over since 18:09, raised 18:00, answered by N. Osei" in text(row(page, SCRIPT))
    assert "no-alert" in row(page, STALE)
    state.clock.instant += 30 * HOUR
    assert "answer was due Mon 5 Jan 20:26" in text(row(open_page(state).get("/").text, RAISED))  # no time of today
    state.clock.instant -= 30 * HOUR
    assert "Not answered raised 17:00, expired 19:00" in text(open_page(state).get(f"/bed/{CALM}").text)


def test_a_long_list_has_pages_and_what_waits_stands_on_every_one(state: WardState) -> None:
    listed: list[int] = []
    for number in (1, 2, 3):
        page = open_page(state, WebConfig(page_beds=3)).get(f"/?page={number}").text
        mine = [int(found) for found in re.findall(r'<th scope="row"><a id="bed-(\d+)"', page)]
        assert f"Beds {len(listed) + 1} to {len(listed) + len(mine)} of {len(BEDS)}, by risk" in page
        assert f'id="wait-{RAISED}"' in page
        assert re.search(rf'aria-current="page">{number}<', page)
        assert 'By risk <span class="count">4</span>' in page or number == 3  # of the part, not of the page
        listed += mine
    assert sorted(listed) == sorted(BEDS)
    assert listed[:4] == [RAISED, ANSWERED, SCRIPT, CALM]
    beyond = open_page(state, WebConfig(page_beds=3)).get("/?page=99").text
    assert 'aria-current="page">3<' in beyond
    assert open_page(state, WebConfig(page_beds=3)).get("/?page=0").status_code == 200
    assert 'class="pages"' not in open_page(state).get("/").text


def test_news2_stands_beside_the_risk_with_what_is_missing(client: TestClient) -> None:
    shown = text(row(client.get("/").text, RAISED))
    assert "≥ 10 high missing: ACVPU" in shown


def test_a_bed_called_script_is_text(client: TestClient) -> None:
    for path in ("/", f"/bed/{SCRIPT}"):
        page = client.get(path).text
        assert BAD_BED not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


@pytest.mark.parametrize("path", ["/", f"/bed/{RAISED}", "/login", "/health", "/static/ward.js", "/nowhere"])
def test_every_answer_has_a_strict_policy(client: TestClient, path: str) -> None:
    answer = client.get(path)
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/", f"/bed/{RAISED}", f"/bed/{EXPIRED}", "/login"])
def test_pages_need_nothing_inline_and_nothing_from_elsewhere(client: TestClient, path: str) -> None:
    page = client.get(path).text
    assert not re.search(r"<script(?! src=)|\sstyle=|\son\w+=|https?://(?!www\.w3\.org)", page)


def test_not_live_is_said_within_half_a_minute(client: TestClient, state: WardState) -> None:
    assert "NOT LIVE" not in client.get("/").text
    state.ledger.beats["watch"] = FakeHeartbeat(state.wall() - 21_000_000, NOW)
    page = client.get("/").text
    assert "NOT LIVE since" in page
    assert 'class="not-live"' in page
    assert client.get("/health").status_code == 503


def test_without_script_the_page_refreshes_itself_and_says_when_it_was_made(client: TestClient) -> None:
    page = client.get("/").text
    assert '<noscript><meta http-equiv="refresh"' in page
    assert "by the server&#39;s clock" in page or "by the server's clock" in page


def test_a_simulated_clock_is_named(state: WardState) -> None:
    assert "SIMULATED clock" in open_page(state).get("/").text
    real = replace(state, clock=replace(state.clock, simulated=False))
    assert "SIMULATED" not in open_page(real).get("/").text


def test_times_are_shown_in_the_sites_zone(state: WardState) -> None:
    page = open_page(state, WebConfig(zone="Europe/Berlin")).get("/").text
    assert "Mon 5 Jan Europe/Berlin" in page
    assert "20:56 valid until 21:26" in text(row(page, RAISED))


def test_the_bed_tells_why_and_to_whom(client: TestClient) -> None:
    shown = text(client.get(f"/bed/{RAISED}").text)
    assert "Lactate 3.9 mmol/L 40 min ▲ up, much" in shown
    assert "rapid response: delivered 19:27" in shown
    assert "risk above threshold" in shown
    assert "ABP 125 Hz, 62 to 108 mmHg, 10 s ended 12 min ago" in shown
    assert "000101 , 66 years, female" in shown


def test_an_alerts_reasons_are_as_of_its_own_forecast(client: TestClient) -> None:
    """Not of the bed's newest one, which may have abstained since."""
    assert "As of the forecast of 19:26" in text(client.get(f"/bed/{RAISED}").text)
    assert client.get(f"/api/bed/{RAISED}").json()["alerts"][0]["assessed_at"] == "2026-01-05T19:26:00Z"


def test_the_image_is_a_picture_of_the_pixels(client: TestClient, state: WardState) -> None:
    answer = client.get(f"/bed/{RAISED}/image.png")
    assert answer.headers["content-type"] == "image/png"
    seen = np.asarray(Image.open(io.BytesIO(answer.content)), dtype=float) / 255
    assert np.abs(seen - state.store.arrays["image"].reshape(300, 260)).max() <= 0.5 / 255 + 1e-6
    assert client.get(f"/bed/{CALM}/image.png").status_code == 404


def test_an_unknown_bed_is_a_clear_answer(client: TestClient) -> None:
    assert client.get("/bed/999999").status_code == 404
    assert client.get("/api/bed/999999").status_code == 404
    assert client.get("/bed/no-number").status_code == 422


def test_machines_read_the_same(client: TestClient) -> None:
    ward = client.get("/api/ward").json()
    assert ward["now"] == "2026-01-05T20:00:00Z"
    assert [bed["subject_id"] for bed in ward["beds"]][:2] == [RAISED, ANSWERED]
    assert ward["health"]["live"] is True
    bed = client.get(f"/api/bed/{RAISED}").json()
    assert bed["alert"]["due_at"] == "2026-01-05T20:26:00Z"
    assert bed["reasons"][0]["weight"] == pytest.approx(0.9)
    assert "000101" not in client.get("/api/ward").text


def test_machines_are_told_null_where_there_is_no_number(state: WardState) -> None:
    odd = Reason(code="LOINC//8867-4", value=math.nan, age=None, weight=math.nan)
    wide = Band(code="LOINC//8867-4", at=NOW, low=-math.inf, median=80.0, high=math.inf)
    told = state.ledger.told
    state.ledger.told = [
        replace(one, reasons=(odd,), bands=(wide,)) if isinstance(one, Forecast) else one for one in told
    ]
    bed = open_page(state).get(f"/api/bed/{RAISED}").json()
    assert (bed["reasons"][0]["value"], bed["reasons"][0]["weight"]) == (None, None)
    assert (bed["bands"][0]["low"], bed["bands"][0]["median"], bed["bands"][0]["high"]) == (None, 80.0, None)


SHOWN = "<b>3.3</b> mmol/L"


def test_what_arrives_later_is_not_shown_now(state: WardState) -> None:
    before = open_page(state).get(f"/bed/{CALM}").text
    later = dict(state.store.rows[0], subject_id=CALM, code="LOINC//2524-7", numeric_value=3.3)
    state.store.rows.append(later | {"time": NOW - HOUR, "available_time": NOW + 1, "event_id": "x" * 32})
    assert SHOWN not in open_page(state).get(f"/bed/{CALM}").text
    assert SHOWN not in before
    state.clock.instant = NOW + 1
    assert SHOWN in open_page(state).get(f"/bed/{CALM}").text
