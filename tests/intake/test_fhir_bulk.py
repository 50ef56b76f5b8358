"""Bulk export against a server of our own: whole and once, whatever happens on the way."""

from __future__ import annotations

import contextlib
import errno
import gzip
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clinical_jepa.intake import fhir_bulk, spool, state, visit
from clinical_jepa.intake.fhir_bulk import Exporting, ExportReport
from clinical_jepa.records.errors import BadRequest, FetchFailed
from tests.intake.bulk_site import Bulk
from tests.intake.fhir_site import Caller, Clinic
from tests.intake.server import Answering, Reply, Request, bent, dead, half, on, serving, silent_half, status

Fault = Callable[[Request, Answering], Reply | None]
LAST = "/Observation.1"


def fault(name: str, ends: str) -> pytest.MarkDecorator:
    return pytest.mark.fault(source="fhir-bulk", fault=name, ends=ends)


@pytest.fixture
def bulk(clinic: Clinic) -> Bulk:
    made = Bulk(clinic=clinic)
    clinic.extra = made.answer
    fill(clinic)
    return made


def fill(clinic: Clinic) -> None:
    clinic.fill("Patient", 3)
    clinic.fill("Observation", 25)


def exported(caller: Caller, **said: object) -> ExportReport:
    with state.opened(caller.folder) as held:
        run = held.new_run(caller.wall)
        one = visit.Visit(door=caller.door(), base=caller.base, state=held, run=run, now=lambda: caller.wall)
        return fhir_bulk.export(one, Exporting(**said))  # type: ignore[arg-type]


def lines(caller: Caller, kind: str = "") -> list[bytes]:
    bodies = [body for name, body in caller.files().items() if name.startswith(kind)]
    return sorted(line for body in bodies for line in body.splitlines())


def all_lines(clinic: Clinic) -> list[bytes]:
    return sorted(orjson.dumps(one) for one in clinic.held.values())


def test_an_export_comes_whole_and_is_cleaned_up(bulk: Bulk, caller: Caller) -> None:
    report = exported(caller)
    assert (report.files, report.kept, report.lines, report.notes, report.full) == (4, 0, 28, (), True)
    assert lines(caller) == all_lines(bulk.clinic)
    assert sorted(name.partition("-")[0] for name in caller.files()) == ["Observation"] * 3 + ["Patient"]
    assert (bulk.deleted_jobs, caller.waits) == (["1"], [5.0])


@fault("deletion", "the server's own file of deletions is kept")
@pytest.mark.parametrize("level", ["", "Patient", "Group/ward-7"])
def test_the_next_export_begins_at_the_last_ones_transaction_time(bulk: Bulk, caller: Caller, level: str) -> None:
    exported(caller, level=level, types=["Observation"])
    bulk.clinic.site.clock += timedelta(hours=1)
    caller.wall += 3 * 86_400  # our clock does not matter
    bulk.clinic.put("Observation", "new")
    bulk.gone = ["Observation/observation-003"]
    report = exported(caller, level=level, types=["Observation"])
    assert bulk.asked[-1]["_since"] == "2026-01-05T12:00:00.000Z"
    assert (report.lines, report.deleted, report.full) == (1, 1, False)
    assert caller.deletions() == ["Observation/observation-003"]
    assert {request.path for request in bulk.clinic.site.seen if "$export" in request.path} == {
        f"/fhir/{level}/$export".replace("//", "/")
    }
    assert exported(caller, level=level, types=["Observation"], full=True).full
    assert "_since" not in bulk.asked[-1]


def test_exports_of_other_types_have_cursors_of_their_own(bulk: Bulk, caller: Caller) -> None:
    exported(caller, types=["Patient"])
    exported(caller, types=["Observation"])
    assert all("_since" not in asked for asked in bulk.asked)


@pytest.mark.parametrize("packed", ["transport", "file"])
def test_compressed_files(bulk: Bulk, caller: Caller, packed: str) -> None:
    bulk.packed = packed
    assert exported(caller).notes == ()
    if packed == "transport":
        assert lines(caller) == all_lines(bulk.clinic)
    else:
        bodies = [gzip.decompress(path.read_bytes()) for path in caller.spool.rglob("*.ndjson.gz")]
        assert sorted(line for body in bodies for line in body.splitlines()) == all_lines(bulk.clinic)


@fault("truncated compression", "asked again, then the same result")
@pytest.mark.parametrize("packed", ["transport", "file"])
def test_compression_that_breaks_off_is_seen_without_a_count(bulk: Bulk, caller: Caller, packed: str) -> None:
    """Its last eight bytes alone tell that nothing is missing: the lines before them are whole."""
    bulk.packed = packed
    bulk.bend = lambda said: {**said, "output": [{"type": one["type"], "url": one["url"]} for one in said["output"]]}
    bulk.clinic.site.faults = [bent(LAST, lambda reply: replace(reply, body=reply.body[:-8], unsized=True))]
    exported(caller)
    assert len(bulk.clinic.site.asked(LAST)) == 2
    assert len([*caller.spool.rglob("*.ndjson*")]) == 4


def test_a_server_that_takes_the_question_as_a_resource_only(bulk: Bulk, caller: Caller) -> None:
    exported(caller)
    bulk.clinic.site.faults = [lambda request, _: Reply(status=405) if request.method == "GET" else None]
    exported(caller)
    assert bulk.asked[-1] == {"_outputFormat": "application/fhir+ndjson", "_since": "2026-01-05T12:00:00.000Z"}


def test_the_newest_servers_call_errors_outcome(bulk: Bulk, caller: Caller) -> None:
    bulk.errors = [{"resourceType": "OperationOutcome", "issue": [{"severity": "warning", "code": "informational"}]}]
    bulk.bend = lambda said: {**said, "outcome": said["error"]} | {"error": None}
    assert exported(caller).errors == 1


# a fault at kick-off, at the status address, at a file
PASSING = {
    "429 at kick-off": (lambda: [status(429, "$export", Retry_After="30")], [30.0, 5.0]),
    "500 at kick-off": (lambda: [status(500, "$export")], [0.5, 5.0]),
    "503 while it is prepared": (lambda: [status(503, "/job/1", Retry_After="2")], [2.0, 5.0]),
    "429 while it is prepared": (lambda: [status(429, "/job/1", Retry_After="2")], [2.0, 5.0]),
    "truncated manifest": (lambda: [skip(1, bent("/job/1", silent_half))], [5.0, 1.0]),
    "dropped connection": (lambda: [bent(LAST, dead)], [5.0, 0.5]),
    "truncation": (lambda: [bent(LAST, half)], [5.0, 0.5]),
    "truncation without a length": (lambda: [bent(LAST, silent_half)], [5.0]),
    "500 for a file": (lambda: [status(500, LAST)] * 2, [5.0, 0.5, 1.0]),
    "slow answer": (lambda: [bent(LAST, lambda reply: replace(reply, delay_s=0.8))], [5.0, 0.5]),
    "expired job": (lambda: [status(404, "/job/1")], [5.0]),
    "expired files": (lambda: [status(410, LAST)], [5.0, 5.0]),
}


def skip(count: int, planted: Fault) -> Fault:
    """``planted``, but not for the first ``count`` requests it is meant for."""
    left = [count]

    def later(request: Request, sound: Answering) -> Reply | None:
        if left[0] and "/job/" in request.path:
            left[0] -= 1
            return None
        return planted(request, sound)

    return later


@pytest.mark.parametrize(
    ("plant", "waits"),
    [
        pytest.param(
            *said,
            id=name,
            marks=fault(
                name, "a new export, once" if name.startswith("expired") else "asked again, then the same result"
            ),
        )
        for name, said in PASSING.items()
    ],
)
def test_a_passing_fault_leaves_no_trace(
    bulk: Bulk, caller: Caller, plant: Callable[[], list[Fault]], waits: list[float]
) -> None:
    bulk.clinic.site.faults = plant()
    assert exported(caller).notes == ()
    assert lines(caller) == all_lines(bulk.clinic)
    assert len(caller.files()) == 4
    assert caller.waits == waits
    assert bulk.clinic.site.faults == []


LASTING = {
    "no room for an export": (
        lambda: [status(429, "$export", Retry_After="7200")],
        "asks to be left alone for 7200 s",
        "stops and says for how long; the next run asks again",
    ),
    "export failed": (
        lambda: [on("/job/1", lambda _: Reply(status=400))],
        "The export failed at the server",
        "stops and says so; the next run asks for a new export",
    ),
    "export failed with 500": (
        lambda: [status(500, "/job/1")] * 4,
        "The export failed at the server",
        "stops and says so; the next run asks for a new export",
    ),
    "unreachable server": (
        lambda: [bent("/job/1", dead)] * 4,
        "could not be read",
        "stops and says so; the next run goes on with the same export",
    ),
    "429 without end": (
        lambda: [status(429, LAST)] * 4,
        "answers 429",
        "stops and says so; the next run goes on with the same export",
    ),
    "files refused": (
        lambda: [status(403, LAST)],
        "may not read this",
        "stops and says so; the next run goes on with the same export",
    ),
    "files on a foreign host": (
        lambda: [bent("/job/1", lambda reply: replace(reply, body=reply.body.replace(b"http://127", b"http://8")))],
        "below no allowed base",
        "refused: nothing is asked there",
    ),
    "file redirected to a foreign host": (
        lambda: [on(LAST, lambda _: Reply(status=302, headers={"Location": "http://foreign.example/"}))],
        "redirects are not followed",
        "refused: nothing is asked there; the next run goes on with the same export",
    ),
    "status on a foreign host": (
        lambda: [on("$export", lambda _: Reply(status=202, headers={"Content-Location": "http://foreign.example/"}))],
        "below no allowed base",
        "refused: nothing is asked there; the next run asks for a new export",
    ),
    "no status address": (
        lambda: [on("$export", lambda _: Reply(status=202))],
        "did not say where",
        "stops and says so; the next run asks for a new export",
    ),
}


@pytest.mark.parametrize(
    ("name", "plant", "said"),
    [pytest.param(name, *said[:2], id=name, marks=fault(name, said[2])) for name, said in LASTING.items()],
)
def test_a_lasting_fault_stops_and_says_so_and_the_next_run_is_whole(
    bulk: Bulk, caller: Caller, name: str, plant: Callable[[], list[Fault]], said: str
) -> None:
    if name == "files on a foreign host":
        bulk.polls = 0
    bulk.clinic.site.faults = plant()
    with pytest.raises((FetchFailed, BadRequest), match=said):
        exported(caller)
    bulk.clinic.site.faults = []
    if name == "files on a foreign host":  # an export that points elsewhere stays as it is, until its owner says
        with pytest.raises(BadRequest, match=said):
            exported(caller)
        return
    exported(caller)
    assert lines(caller) == all_lines(bulk.clinic)
    assert (len(bulk.asked) == 1) == (
        "the same export" in LASTING[name][2] or "alone" in said or "host" in name or "no status" in name
    )


@fault("killed in the middle", "goes on where it was: files that are here are not fetched again")
def test_files_that_are_here_are_not_fetched_again(bulk: Bulk, caller: Caller) -> None:
    bulk.clinic.site.faults = [status(403, LAST)]
    with pytest.raises(FetchFailed):
        exported(caller)
    report = exported(caller)
    assert (report.files, report.kept) == (3, 1)
    assert lines(caller) == all_lines(bulk.clinic)
    fetched = [path.rpartition("/")[2] for path in bulk.clinic.site.asked("/job/1/")]
    assert [name for name in fetched if "." in name] == [
        *("Observation.0", "Observation.1", "Observation.1", "Observation.2", "Patient.0")
    ]


@fault("disk full", "stops; nothing half-written stays; the next run goes on with the same export")
def test_a_full_disk_leaves_nothing_half(bulk: Bulk, caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(spool, "adopt", full)
    with pytest.raises(OSError, match="No space left"):
        exported(caller)
    assert caller.files() == {}
    monkeypatch.undo()
    exported(caller)
    assert (lines(caller), len(bulk.asked)) == (all_lines(bulk.clinic), 1)


@fault("never ready", "stops when patience ends; the next run waits on, for the same export")
def test_patience_ends_and_the_next_run_waits_on(bulk: Bulk, caller: Caller) -> None:
    bulk.polls, bulk.retry_after = 7, None
    with pytest.raises(FetchFailed, match="still at work"):
        exported(caller, patience_s=10.0)
    assert caller.waits == [0.5, 1.0, 2.0, 4.0]
    assert (exported(caller).lines, len(bulk.asked)) == (28, 1)


@fault("expired twice", "stops and says so; the next run asks for a new export")
def test_an_export_that_expires_twice(bulk: Bulk, caller: Caller) -> None:
    bulk.clinic.site.faults = [status(404, "/job/1"), status(404, "/job/2")]
    with pytest.raises(FetchFailed, match="expired at the server twice"):
        exported(caller)
    assert exported(caller).lines == 28
    assert len(bulk.asked) == 3


@fault("success with errors", "kept, counted and said; what came is whole")
def test_errors_beside_success_are_said_without_their_text(bulk: Bulk, caller: Caller) -> None:
    issue = {"severity": "error", "code": "processing", "diagnostics": "Patient Chalmers has no birth date"}
    bulk.errors = [{"resourceType": "OperationOutcome", "issue": [issue]}] * 3
    report = exported(caller)
    assert (report.errors, report.lines) == (3, 28)
    (note,) = report.notes
    assert "3 problems (processing)" in note
    assert "Chalmers" not in note
    assert len(lines(caller, "error")) == 3


@fault("fewer lines than announced", "fetched twice, kept, said; the next export begins where this one began")
def test_a_file_with_fewer_lines_than_announced(bulk: Bulk, caller: Caller) -> None:
    bulk.bend = lambda said: {**said, "output": [one | {"count": one["count"] + 1} for one in said["output"]]}
    report = exported(caller)
    assert "Patient file: 3 lines instead of 4" in report.notes
    assert lines(caller) == all_lines(bulk.clinic)
    exported(caller)
    assert "_since" not in bulk.asked[-1]


@fault("half-written file", "kept as it came and said; ingest quarantines the broken line")
def test_lines_that_are_broken_or_of_another_type_are_kept_and_said(bulk: Bulk, caller: Caller) -> None:
    bulk.polls = 0
    exported(caller, types=["Flag"])
    sound = bulk.written

    def written(asked: dict[str, str]) -> dict:
        files = sound(asked)
        files["Patient.0"][2][1:] = [b'{"resourceType": "Patient", "id": "br', b'{"resourceType": "Group", "id": "g"}']
        return files

    bulk.written = written  # type: ignore[method-assign]
    (note,) = exported(caller).notes
    assert note == "Patient file: 1 lines that are no JSON: ingest quarantines them, 1 lines of another type"


@pytest.mark.parametrize("needs", [True, False])
def test_a_token_goes_to_files_only_where_the_manifest_says(bulk: Bulk, caller: Caller, needs: bool) -> None:
    class Fixed:
        def token(self, *, refused: str | None = None) -> str:
            return "secret"

    bulk.needs_token, caller.tokens = needs, Fixed()
    exported(caller)
    sent = {request.headers.get("authorization") for request in bulk.clinic.site.seen if request.path.endswith(".0")}
    assert sent == {"Bearer secret" if needs else None}


@pytest.mark.slow
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sequence=st.lists(
        st.tuples(
            st.sampled_from(["500", "429", "dead", "half", "silent", "403", "404"]),
            st.sampled_from(["$export", "/job/1", "/Patient.0", "/Observation.0", "/Observation.2"]),
            st.integers(1, 5),
        ),
        max_size=4,
    )
)
def test_any_sequence_of_faults_recovered_from_is_as_if_none_had_been(
    tmp_path_factory: pytest.TempPathFactory, sequence: list[tuple[str, str, int]]
) -> None:
    folder: Path = tmp_path_factory.mktemp("bulk")
    clinic = Clinic()
    fill(clinic)
    clinic.extra = Bulk(clinic=clinic).answer
    plant: dict[str, Callable[[str], Fault]] = {
        "500": lambda part: status(500, part),
        "429": lambda part: status(429, part, Retry_After="1"),
        "dead": lambda part: bent(part, dead),
        "half": lambda part: bent(part, half),
        "silent": lambda part: bent(part, silent_half),
        "403": lambda part: status(403, part),
        "404": lambda part: status(404, part),
    }
    with serving(clinic.site):
        quiet = Caller(site=clinic.site, spool=folder / "calm")
        exported(quiet)
        caller = Caller(site=clinic.site, spool=folder / "shaken")
        for kind, part, times in sequence:
            # a file that breaks off without a sign as often as it is fetched is kept as it is, and said
            clinic.site.faults = [plant[kind](part) for _ in range(min(times, 3) if kind == "silent" else times)]
            with contextlib.suppress(FetchFailed):
                exported(caller, full=True)
        clinic.site.faults = []
        exported(caller, full=True)
    assert caller.files() == quiet.files()
