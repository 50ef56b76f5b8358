"""When a result was true, when it could be known, and what its state says."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pyarrow.compute as pc
import pytest

from clinical_jepa.records.instant import HOUR, iso
from clinical_jepa.sources.context import DELAYS
from clinical_jepa.sources.hl7v2.times import day_start, instant
from tests.sources.hl7v2.builders import HEART_RATE, OBR, PID, message, obx, one_fact, read, rejection, result

UTC = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("20260105090000+0000", BERLIN, "2026-01-05T09:00:00Z"),
        ("20260105090000+0800", BERLIN, "2026-01-05T01:00:00Z"),
        ("20260105090000-0330", BERLIN, "2026-01-05T12:30:00Z"),
        ("20260105090000.1234", UTC, "2026-01-05T09:00:00.123400Z"),
        ("202601050900", BERLIN, "2026-01-05T08:00:00Z"),  # to the minute: as written
        ("2026010509", UTC, "2026-01-05T10:00:00Z"),  # to the hour and coarser: from its end
        ("20260105", UTC, "2026-01-06T00:00:00Z"),
        ("202601", UTC, "2026-02-01T00:00:00Z"),
        ("202612", UTC, "2027-01-01T00:00:00Z"),
        ("2026", UTC, "2027-01-01T00:00:00Z"),
        ("20240229", UTC, "2024-03-01T00:00:00Z"),
        ("20260701090000", BERLIN, "2026-07-01T07:00:00Z"),
        ("20260329013000", BERLIN, "2026-03-29T00:30:00Z"),
        ("20261025023000", BERLIN, "2026-10-25T00:30:00Z"),  # shown twice: the first
    ],
)
def test_times_as_instants(text: str, zone: ZoneInfo, expected: str) -> None:
    moment = instant(text, zone)
    assert moment is not None
    assert iso(moment) == expected


def test_a_reporting_time_that_is_shown_twice_is_the_second() -> None:
    first, second = instant("20261025023000", BERLIN), instant("20261025023000", BERLIN, late=True)
    assert first is not None
    assert second == first + HOUR


def test_a_local_time_that_never_was_lies_after_the_gap() -> None:
    assert iso(instant("20260329023000", BERLIN) or 0) == "2026-03-29T01:30:00Z"


@pytest.mark.parametrize(
    "text", ["2026-01-05", "20261305", "20260230", "196203520", "2026010524", "yesterday", "20260105090000+9900"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        instant(text, UTC)


def test_a_birth_counts_from_its_beginning() -> None:
    assert iso(day_start("1960", UTC) or 0) == "1960-01-01T00:00:00Z"


def test_naive_times_lie_in_the_site_s_zone() -> None:
    fact = one_fact(result(obx("80", when="20260105090000"), when="20260105093000"), zone=BERLIN)
    assert fact[1:3] == ("2026-01-05T08:00:00Z", "2026-01-05T08:30:00Z")


def test_the_offset_of_the_message_s_time_stands_for_its_naive_times() -> None:
    fact = one_fact(result(obx("80", when="20260105090000"), when="20260105093000-0500"), zone=BERLIN)
    assert fact[1:3] == ("2026-01-05T14:00:00Z", "2026-01-05T14:30:00Z")


def test_without_its_own_time_a_result_has_its_order_s() -> None:
    assert one_fact(result(obx("80", when="")))[1] == "2026-01-05T09:00:00Z"


@pytest.mark.fault(source="hl7v2", fault="missing time", ends="quarantined as no-time")
def test_the_message_s_time_is_never_a_result_s() -> None:
    refused = rejection(message(PID, OBR.replace("20260105090000+0000", ""), obx("80", when="")))
    assert (refused.reason, refused.record) == ("no-time", "message 1, OBX 1")


@pytest.mark.fault(source="hl7v2", fault="wrong time", ends="quarantined as invalid")
def test_a_time_that_is_none_is_refused() -> None:
    assert rejection(result(obx("80", when="soon"))).reason == "invalid"
    assert rejection(result(when="soon")).reason == "invalid"


def test_known_at_the_later_of_message_and_report() -> None:
    order = OBR + "|" * 15 + "20260105110000+0000"
    assert one_fact(message(PID, order, HEART_RATE))[2:4] == ("2026-01-05T11:00:00Z", "issued")
    order = OBR + "|" * 15 + "20260105091000+0000"
    assert one_fact(message(PID, order, HEART_RATE))[2:4] == ("2026-01-05T09:30:00Z", "issued")


def test_never_known_before_it_was_true() -> None:
    assert one_fact(result(when="20260105080000+0000"))[2:4] == ("2026-01-05T09:00:00Z", "clamped")


def test_without_any_reporting_time_the_declared_delay_counts() -> None:
    lab = obx("4.1", "mmol/L", "2823-3^K^LN")
    assert one_fact(result(lab, when=""), delays=DELAYS | {"lab": 2 * HOUR})[2:4] == ("2026-01-05T11:00:00Z", "delay")


@pytest.mark.parametrize(
    ("letter", "status"),
    [("F", "final"), ("P", "preliminary"), ("C", "corrected"), ("A", "amended"), ("X", "cancelled")]
    + [("D", "entered-in-error"), ("W", "entered-in-error"), ("f", "final")],
)
def test_states_with_an_official_meaning(letter: str, status: str) -> None:
    value = None if status in ("cancelled", "entered-in-error") else 80.0
    assert one_fact(result(obx("80", status=letter)))[4:] == (value, status)


@pytest.mark.parametrize("letter", ["B", "I", "O", "R", "S", "U", "V", "Q", ""])
@pytest.mark.fault(source="hl7v2", fault="unknown state", ends="quarantined as invalid, or as the site declares it")
def test_states_without_one_are_refused_unless_the_site_declares_them(letter: str) -> None:
    raw = result(obx("80", status=letter))
    assert rejection(raw).reason == "invalid"
    assert one_fact(raw, hl7_statuses={letter or "none": "preliminary"})[4:] == (80.0, "preliminary")


def test_a_result_that_nobody_asked_for_is_counted() -> None:
    batch = read(result(obx("", status="N")))
    assert (batch.events.num_rows, batch.rejections, batch.ignored) == (0, (), {"OBX not asked": 1})


@pytest.mark.fault(source="hl7v2", fault="deletion", ends="a version that retracts the fact, from its own time on")
@pytest.mark.fault(source="hl7v2", fault="correction", ends="a version of the same fact, from its own time on")
@pytest.mark.parametrize("letter", ["C", "A", "D", "W", "X"])
def test_a_correction_is_a_version_of_what_it_corrects(letter: str) -> None:
    later = result(obx("85", status=letter), control="C2", when="20260105100000+0000")
    events = read(result() + later).events
    assert len(set(events["fact_id"].to_pylist())) == 1
    assert len(set(events["event_id"].to_pylist())) == 2
    newest = events.filter(pc.equal(events["available_time"], pc.max(events["available_time"])))
    assert newest["status"].to_pylist() != ["final"]


def test_a_correction_that_takes_the_value_away_retracts_it() -> None:
    assert one_fact(result(obx('""', status="C")))[4:] == (None, "cancelled")


def test_a_result_with_its_own_identifier_may_change_its_time() -> None:
    def named(when: str, status: str) -> str:
        return obx("80", when=when, status=status) + "|" * 7 + "UID7^LAB"

    moved = result(named("20260105085500+0000", "C"), control="C2", when="20260105100000+0000")
    events = read(result(named("20260105090000+0000", "F")) + moved).events
    assert len(set(events["fact_id"].to_pylist())) == 1


def test_lines_of_a_report_are_facts_of_their_own() -> None:
    lines = [obx(text, "", "18748-4^Report^LN", "TX") for text in ("first", "second", "second")]
    batch = read(message(PID, OBR, *lines))
    assert sorted(batch.events["text_value"].to_pylist()) == ["first", "second", "second"]
    assert len(set(batch.events["event_id"].to_pylist())) == 2  # the same line twice is one fact
