"""Each fault a FHIR server can show, planted alone, ends as its mark says; recovered from, it is as if none had been."""

from __future__ import annotations

import errno
import gzip
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clinical_jepa.intake import spool, state
from clinical_jepa.records.errors import BadRequest, FetchFailed
from tests.intake.fhir_site import QUICK, Caller, Clinic
from tests.intake.server import (
    NOON,
    Answering,
    Reply,
    Request,
    Site,
    bent,
    dead,
    half,
    on,
    serving,
    silent_half,
    status,
)
from tests.permissions import modes_hold

Fault = Callable[[Request, Answering], Reply | None]
PATH = "/fhir/Observation"
EVERYTHING = {f"Observation/observation-{number:03d}/1": 1 for number in range(25)}


def html(_: Request) -> Reply:
    return Reply(body=b"<html>please log in</html>", headers={"Content-Type": "text/html"})


def cut_gzip(reply: Reply) -> Reply:
    packed = gzip.compress(reply.body)
    return replace(reply, body=packed[: len(packed) // 2], headers={"Content-Encoding": "gzip"}, unsized=True)


def case(name: str, faults: list[Fault], waits: list[float], ends: str = "") -> object:
    ends = ends or "asked again with back-off, then the same result"
    return pytest.param(faults, waits, id=name, marks=pytest.mark.fault(source="fhir-server", fault=name, ends=ends))


# the server's clock stands at noon; what it sends for one wait is in the second list
PASSING = [
    case("429", [status(429, PATH, Retry_After="7")], [7.0], "waits as told, then the same result"),
    case(
        "429 until a date",
        [status(429, PATH, Retry_After="Mon, 05 Jan 2026 12:00:09 GMT")],
        [9.0],
        "waits as told by the server's own clock, then the same result",
    ),
    case("429 without a word", [status(429, PATH)] * 2, [0.5, 1.0]),
    case("500", [status(500, PATH)] * 3, [0.5, 1.0, 2.0]),
    case("502", [status(502, PATH)], [0.5]),
    case("503", [status(503, PATH, Retry_After="3")], [3.0], "waits as told, then the same result"),
    case("504", [status(504, PATH)], [0.5]),
    case("dropped connection", [bent(PATH, dead)], [0.5]),
    case("truncation", [bent(PATH, half)], [0.5]),
    case("truncation without a length", [bent(PATH, silent_half)], [0.5]),
    case("truncated compression", [bent(PATH, cut_gzip)], [0.5]),
    case("slow answer", [bent(PATH, lambda reply: replace(reply, delay_s=0.8))], [0.5]),
    case("a page of another kind", [on(PATH, html)], [0.5]),
    case("unknown encoding", [on(PATH, lambda _: Reply(body=b"x", headers={"Content-Encoding": "br"}))], [0.5]),
]


@pytest.mark.parametrize("page", [1, 3])
@pytest.mark.parametrize(("faults", "waits"), PASSING)
def test_a_passing_fault_leaves_no_trace(
    clinic: Clinic, caller: Caller, faults: list[Fault], waits: list[float], page: int
) -> None:
    clinic.fill("Observation", 25)

    clinic.site.faults = [at(page, fault) for fault in faults]
    (report,) = caller.poll()
    assert (report.problem, report.new) == ("", 25)
    assert caller.resources() == EVERYTHING
    assert caller.waits == waits
    assert clinic.site.faults == []


def at(page: int, fault: Fault) -> Fault:
    """``fault``, for the given page of ten (from 1) only."""
    return lambda request, sound: (
        fault(request, sound) if int(request.query.get("offset", 0)) == 10 * (page - 1) else None
    )


def stop(name: str, faults: list[Fault], said: str, ends: str) -> object:
    return pytest.param(faults, said, id=name, marks=pytest.mark.fault(source="fhir-server", fault=name, ends=ends))


FOREIGN = "http://foreign.example/fhir/Observation"
LASTING = [
    stop(
        "500 without end", [status(500, PATH)] * 4, "answers 500", "stops and says so; pages are kept, the cursor stays"
    ),
    stop(
        "429 for hours",
        [status(429, PATH, Retry_After="7200")],
        "asks to be left alone for 7200 s",
        "stops and says for how long; pages are kept, the cursor stays",
    ),
    stop("403", [status(403, PATH)], "may not read this", "that type stops, the others are read; the cursor stays"),
    stop("404", [status(404, PATH)], "answered 404", "that type stops, the others are read; the cursor stays"),
    stop(
        "redirect to a foreign host",
        [on(PATH, lambda _: Reply(status=302, headers={"Location": FOREIGN}))],
        "redirects are not followed",
        "refused: nothing is asked of the other host; the cursor stays",
    ),
    stop(
        "next page on a foreign host",
        [
            bent(
                PATH,
                lambda reply: replace(
                    reply, body=reply.body.replace(b'"next","url":"http://127', b'"next","url":"http://8')
                ),
            )
        ],
        "below no allowed base",
        "refused: nothing is asked of the other host; the cursor stays",
    ),
    stop(
        "next page outside the base",
        [bent(PATH, lambda reply: replace(reply, body=reply.body.replace(b"/fhir/Observation?", b"/fhir/../admin?")))],
        "below no allowed base",
        "refused: nothing is asked there; the cursor stays",
    ),
    stop("pages in a circle", [], "in a circle", "stops and says so; pages are kept, the cursor stays"),
    stop("401 without credentials", [status(401, PATH)], "credentials are not accepted", "stops and says so"),
]


@pytest.mark.parametrize(("faults", "said"), LASTING)
def test_a_lasting_fault_stops_and_says_so_and_the_next_run_goes_on(
    clinic: Clinic, caller: Caller, faults: list[Fault], said: str
) -> None:
    clinic.fill("Observation", 25)
    clinic.fill("Patient", 2)
    sound = clinic.page
    if said == "in a circle":
        clinic.page = lambda kind, request: sound(kind, replace(request, query=request.query | {"offset": "0"}))  # type: ignore[method-assign]
    clinic.site.faults = [at(1 if "below no allowed" in said else 2, fault) for fault in faults]
    first = caller.poll("Observation", "Patient")
    assert said in first[0].problem
    assert (
        "127.0.0.1" in first[0].problem
        or "foreign" in first[0].problem
        or "8.0.0.1" in first[0].problem
        or said == "in a circle"
    )
    assert "Observation?" not in first[0].problem  # no path, no query
    lasting_for_all = "alone" in said or "answers" in said or "credentials" in said
    assert (first[1].new == 0) == lasting_for_all
    assert {key for key in caller.resources() if "Observation" in key} == set(list(EVERYTHING)[:10])
    with state.opened(caller.folder) as held:
        assert held.cursor("Observation") is None
    clinic.site.faults, clinic.page = [], sound  # type: ignore[method-assign]
    second = caller.poll("Observation", "Patient")
    assert [report.problem for report in second] == ["", ""]
    assert {key for key in caller.resources() if "Observation" in key} == set(EVERYTHING)
    assert not any("foreign" in request.headers.get("host", "") for request in clinic.site.seen)


@pytest.mark.fault(
    source="fhir-server", fault="unreachable server", ends="stops after its tries and says so; a later run is whole"
)
def test_a_server_that_is_gone_costs_no_more_than_one_round_of_tries(tmp_path: Path) -> None:
    site = Site(answer=lambda _: Reply())
    with serving(site):
        pass
    caller = Caller(site=site, spool=tmp_path)
    reports = caller.poll("Patient", "Observation", "Flag")
    assert "could not be read (ConnectError)" in reports[0].problem
    assert [report.problem for report in reports[1:]] == ["not asked for: the server was not to be reached"] * 2
    assert caller.waits == [0.5, 1.0, 2.0]


@pytest.mark.fault(
    source="fhir-server",
    fault="disk full",
    ends="stops; nothing half-written stays, the cursor stays, a later run is whole",
)
def test_a_full_disk_leaves_nothing_half(clinic: Clinic, caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    clinic.fill("Observation", 25)
    real, left = spool.put, [1]

    def full(folder: Path, name: str, content: bytes) -> tuple[Path, bool]:
        if not left:
            raise OSError(errno.ENOSPC, "No space left on device")
        left.pop()
        return real(folder, name, content)

    monkeypatch.setattr(spool, "put", full)
    with pytest.raises(OSError, match="No space left"):
        caller.poll()
    assert len(caller.files()) == 1
    monkeypatch.undo()
    caller.poll()
    assert caller.resources() == EVERYTHING


@pytest.mark.fault(
    source="fhir-server", fault="duplicate", ends="pages that repeat and overlap: each resource known once"
)
def test_pages_that_repeat_and_overlap(clinic: Clinic, caller: Caller) -> None:
    clinic.fill("Observation", 25)
    clinic.total = lambda _: None
    sound = clinic.page
    clinic.page = lambda kind, request: _shifted(sound, kind, request)  # type: ignore[method-assign]
    (report,) = caller.poll()
    assert (report.new, report.problem) == (25, "")
    assert set(caller.resources()) == set(EVERYTHING)
    assert [report.new for report in caller.poll(full=True)] == [0]


def _shifted(sound: Callable[[str, Request], dict], kind: str, request: Request) -> dict:
    """Pages of ten that each begin three resources before the last one's end."""
    offset = int(request.query.get("offset", 0))
    page = sound(kind, request)
    for link in page["link"]:
        link["url"] = link["url"].replace(f"offset={offset + 10}", f"offset={offset + 7}")
    return page


@pytest.mark.fault(
    source="fhir-server", fault="change between pages", ends="all pages are read again until nothing new comes"
)
def test_a_change_between_pages_hides_no_resource(clinic: Clinic, caller: Caller) -> None:
    """The first resource changes after page 1: it moves to the end, and the eleventh slips onto the page already read."""
    clinic.fill("Observation", 25)
    changed: list[int] = []

    def change(request: Request) -> None:
        if request.query.get("offset") == "10" and not changed:
            changed.append(1)
            clinic.put("Observation", "observation-000", clinic.site.clock, status="amended")

    clinic.before_page = change
    (report,) = caller.poll()
    assert (report.new, report.problem, report.notes) == (26, "", ())
    assert set(caller.resources()) == set(EVERYTHING) | {"Observation/observation-000/2"}


@pytest.mark.fault(
    source="fhir-server", fault="deletion between pages", ends="all pages are read again until nothing new comes"
)
def test_a_deletion_between_pages_hides_no_resource(clinic: Clinic, caller: Caller) -> None:
    clinic.fill("Observation", 25)

    def delete(request: Request) -> None:
        if request.query.get("offset") == "10":
            clinic.held.pop(("Observation", "observation-000"), None)

    clinic.before_page = delete
    (report,) = caller.poll()
    assert (report.new, report.problem) == (25, "")


@pytest.mark.fault(
    source="fhir-server",
    fault="no rest between pages",
    ends="taken after three looks, and said; the next run reads all again",
)
def test_a_server_that_never_rests_is_taken_as_it_is_and_said(clinic: Clinic, caller: Caller) -> None:
    clinic.fill("Observation", 25)
    caller.poll()
    number = iter(range(1000))
    clinic.site.clock += timedelta(minutes=1)
    clinic.fill("Observation", 25, clinic.site.clock)
    clinic.before_page = lambda _: clinic.put("Observation", f"more-{next(number)}", clinic.site.clock)
    (report,) = caller.poll()
    assert any("kept changing" in note for note in report.notes)
    assert report.problem == ""
    clinic.before_page = lambda _: None
    assert [report.full for report in caller.poll()] == [True]


@pytest.mark.fault(source="fhir-server", fault="total too high", ends="looked at twice, then taken as it is, and said")
def test_a_server_that_counts_more_than_it_lists(clinic: Clinic, caller: Caller) -> None:
    clinic.fill("Observation", 25)
    clinic.total = lambda count: count + 2
    (report,) = caller.poll()
    assert any("counts more Observation than it lists" in note for note in report.notes)
    assert (report.problem, report.new, report.pages) == ("", 25, 6)


CLOCKS = [
    pytest.param(
        hours,
        marks=pytest.mark.fault(
            source="fhir-server", fault=name, ends="cursor by the server's stamps: nothing is missed"
        ),
    )
    for hours, name in ((-3, "server clock behind"), (3, "server clock ahead"))
]


@pytest.mark.parametrize("hours", CLOCKS)
def test_whatever_the_servers_clock_says_nothing_is_missed(clinic: Clinic, caller: Caller, hours: int) -> None:
    clinic.site.clock = NOON + timedelta(hours=hours)
    clinic.fill("Observation", 5, clinic.site.clock - timedelta(minutes=5))
    caller.poll()
    for step in range(1, 4):
        clinic.site.clock += timedelta(minutes=1)
        caller.wall += 60
        clinic.put("Observation", f"later-{step}")
        caller.poll(overlap_s=0.0)
    assert {f"Observation/later-{step}/1" for step in range(1, 4)} <= set(caller.resources())


@pytest.mark.fault(
    source="fhir-server", fault="stamp in the future", ends="the cursor waits at the server's clock: nothing is missed"
)
def test_a_stamp_in_the_future_does_not_carry_the_cursor_away(clinic: Clinic, caller: Caller) -> None:
    clinic.put("Observation", "from-2031", NOON + timedelta(days=1800))
    caller.poll()
    clinic.site.clock += timedelta(minutes=10)
    clinic.put("Observation", "next")
    caller.poll()
    assert "Observation/next/1" in caller.resources()


@pytest.mark.fault(
    source="fhir-server", fault="two fetches at once", ends="the second is refused before it asks anything"
)
def test_a_second_fetch_of_the_same_source_is_refused(clinic: Clinic, caller: Caller) -> None:
    with state.opened(caller.folder), pytest.raises(BadRequest, match="another fetch"):
        caller.poll()
    assert clinic.site.seen == []


@pytest.mark.fault(
    source="fhir-server", fault="damaged state", ends="refused, with what to do; after that everything comes again once"
)
def test_damaged_state_is_named_and_costs_one_full_reading(clinic: Clinic, caller: Caller) -> None:
    clinic.fill("Observation", 25)
    caller.poll()
    before = caller.files()
    (caller.folder / state.FILE).write_bytes(b"not a database at all" * 100)
    with pytest.raises(FetchFailed, match="remove it"):
        caller.poll()
    (caller.folder / state.FILE).unlink()
    caller.poll()
    assert caller.files() == before


def test_state_that_this_user_may_not_open_is_named_too(clinic: Clinic, caller: Caller) -> None:
    clinic.fill("Observation", 25)
    caller.poll()
    (caller.folder / state.FILE).chmod(0)
    with modes_hold(), pytest.raises(FetchFailed, match="unable to open database file"):
        caller.poll()
    (caller.folder / state.FILE).chmod(0o600)
    caller.poll()


def test_an_answer_too_large_for_memory_is_refused(clinic: Clinic, caller: Caller) -> None:
    clinic.fill("Observation", 25)
    caller.manners = replace(QUICK, most_bytes=100)
    (report,) = caller.poll()
    assert "more than 100 bytes" in report.problem


@pytest.mark.fault(
    source="fhir-server", fault="an answer that drips", ends="given up after its time, then as any other failure"
)
def test_an_answer_that_never_ends_is_given_up(clinic: Clinic, caller: Caller) -> None:
    clinic.fill("Observation", 25)
    caller.manners = replace(QUICK, answer_s=-1.0)  # whatever comes, comes too late
    (report,) = caller.poll()
    assert "comes too slowly" in report.problem
    assert caller.waits == [0.5, 1.0, 2.0]


SEQUENCE = st.lists(
    st.tuples(
        st.sampled_from(["500", "429", "dead", "half", "silent", "html", "403", "foreign"]),
        st.integers(0, 2),
        st.integers(1, 6),
    ),
    max_size=6,
)


@pytest.mark.slow
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sequence=SEQUENCE)
def test_any_sequence_of_faults_recovered_from_is_as_if_none_had_been(
    tmp_path_factory: pytest.TempPathFactory, sequence: list[tuple[str, int, int]]
) -> None:
    calm, shaken = (tmp_path_factory.mktemp(name) for name in ("calm", "shaken"))
    kinds = {
        "500": lambda part: status(500, part),
        "429": lambda part: status(429, part, Retry_After="1"),
        "dead": lambda part: bent(part, dead),
        "half": lambda part: bent(part, half),
        "silent": lambda part: bent(part, silent_half),
        "html": lambda part: on(part, html),
        "403": lambda part: status(403, part),
        "foreign": lambda part: on(part, lambda _: Reply(status=307, headers={"Location": FOREIGN})),
    }
    clinic = Clinic()
    clinic.fill("Observation", 25)
    clinic.fill("Patient", 12)
    with serving(clinic.site):
        quiet = Caller(site=clinic.site, spool=calm)
        quiet.poll("Patient", "Observation")
        caller = Caller(site=clinic.site, spool=shaken)
        for kind, page, times in sequence:
            fault = kinds[kind](PATH)
            clinic.site.faults = [at(page + 1, fault)] * times
            caller.poll("Patient", "Observation")
        clinic.site.faults = []
        caller.poll("Patient", "Observation")
    assert caller.files() == quiet.files()
