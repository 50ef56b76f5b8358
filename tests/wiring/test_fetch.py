"""``fetch`` and ``data pull`` as typed, against a server on the loopback; then ``ingest`` of what came."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner, Result

from clinical_jepa.cli.app import app
from clinical_jepa.records.errors import BadRequest, FetchFailed
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.fhir import reader
from clinical_jepa.vocabulary.identity import content_id
from tests.intake.bulk_site import Bulk
from tests.intake.fhir_site import Clinic
from tests.intake.server import NOON, Answering, Reply, Request, json_reply, serving
from tests.intake.smart_site import RSA, Guard, pem

EXAMPLES = Path(__file__).parents[2] / "clinical_jepa" / "sources" / "fhir" / "examples" / "ward"


@pytest.fixture
def clinic() -> Iterator[Clinic]:
    made = Clinic()
    with serving(made.site):
        yield made


@pytest.fixture
def ward(clinic: Clinic, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Clinic:
    """A clinic with the example ward, allowed by the environment."""
    for path in EXAMPLES.glob("*.ndjson"):
        for number, line in enumerate(path.read_bytes().splitlines()):
            body = orjson.loads(line)
            meta = {"lastUpdated": (NOON - timedelta(hours=1, seconds=-number)).isoformat()}
            body["meta"] = meta | body.get("meta", {})
            clinic.held[body["resourceType"], body["id"]] = body
    monkeypatch.setenv("CLINICAL_JEPA_FETCH_BASES", f"{clinic.site.url}/fhir,{clinic.site.url}/auth")
    monkeypatch.chdir(tmp_path)
    return clinic


def typed(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def subjects(store: str) -> dict[str, str]:
    """Facts by subject, as the command line tells them."""
    told = json.loads(typed("subjects", "--store", store, "--json").output)
    return {
        row.pop("subject", str(number)): json.dumps(row, sort_keys=True) for number, row in enumerate(told["subjects"])
    }


def test_poll_and_export_bring_what_the_files_hold(ward: Clinic) -> None:
    bulk = Bulk(clinic=ward)
    ward.extra = bulk.answer
    base = f"{ward.site.url}/fhir"
    for verb, spool in (("fhir", "polled"), ("fhir-bulk", "exported")):
        done = typed("fetch", verb, base, "--spool", spool, "--json")
        assert done.exit_code == 0, done.output
        folder = json.loads(done.output)["folder"]
        assert list(Path(folder).rglob("CapabilityStatement-*.json"))
        assert typed("ingest", folder, "--store", f"{spool}-store", "--as", "history").exit_code in (0, 3)
    assert typed("ingest", ward_files(ward, Path("files")), "--store", "files-store", "--as", "history").exit_code in (
        0,
        3,
    )
    expected = subjects("files-store")
    assert expected
    assert subjects("exported-store") == expected
    assert subjects("polled-store") == expected


@pytest.mark.data
@pytest.mark.slow
def test_a_real_record_comes_over_a_network_as_it_does_from_files(clinic: Clinic, data: Path, ward: Clinic) -> None:
    """One Synthea patient of every type, in pages of at most 200 that reach the disk as they were sent."""
    clinic.held.clear()
    for path in (data / "fhir_synthea_r4" / "bulk_ndjson_2021_ktmtwm").glob("*.ndjson*"):
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for number, line in enumerate(content.splitlines()):
            body = orjson.loads(line)
            stamped = {"lastUpdated": (NOON - timedelta(days=1, seconds=number)).isoformat()}
            body["meta"] = stamped | body.get("meta", {})
            clinic.held[body["resourceType"], body["id"]] = body
    kinds = {kind for kind, _ in clinic.held}
    assert len(clinic.held) == 989  # 1,005 lines, some of one id
    done = typed("fetch", "fhir", f"{clinic.site.url}/fhir", "--types", ",".join(kinds), "--json")
    assert done.exit_code == 0, done.output
    assert sum(one["new"] for one in json.loads(done.output)["types"]) == 989
    for source, store in ((json.loads(done.output)["folder"], "polled"), (ward_files(clinic, Path("files")), "files")):
        assert typed("ingest", source, "--store", store, "--as", "history").exit_code in (0, 3)
    assert subjects("polled") == subjects("files") != {}


def ward_files(ward: Clinic, folder: Path) -> Path:
    """The clinic's resources as plain NDJSON, one file a type: what fetching must equal."""
    folder.mkdir()
    for (kind, _), body in ward.held.items():
        with (folder / f"{kind}.ndjson").open("ab") as file:
            file.write(orjson.dumps(body) + b"\n")
    return folder


def test_a_second_poll_says_that_nothing_is_new(ward: Clinic) -> None:
    base = f"{ward.site.url}/fhir"
    typed("fetch", "fhir", base)
    summary = json.loads(typed("fetch", "fhir", base, "--json").output)
    assert sum(one["new"] for one in summary["types"]) == 0
    assert summary["problems"] == summary["notes"] == []


def test_what_is_gone_from_the_server_is_withdrawn_in_the_store(ward: Clinic) -> None:
    """From the instant at which the server was found without it; what was believed before stays believed."""
    base = f"{ward.site.url}/fhir"
    typed("fetch", "fhir", base)
    typed("ingest", "spool", "--store", "store", "--as", "history")
    del ward.held["Observation", "hr1"]
    ward.site.clock = NOON + timedelta(hours=1)
    assert json.loads(typed("fetch", "fhir", base, "--full", "--json").output)["types"][2]["deleted"] == 1
    (told,) = Path("spool").rglob("deleted-*.json")
    done = typed("ingest", "spool", "--store", "store", "--as", "history", "--json")
    assert json.loads(done.output)["total"]["rejected"] == 0, done.output
    context = ReadContext(root=Path("spool"))
    (withdrawn,) = [one for batch in reader.read(told, context) for one in batch.retractions]
    assert withdrawn.record_id == content_id("fhir", "Observation/hr1")
    assert withdrawn.time == withdrawn.available_time == int((NOON + timedelta(hours=1)).timestamp() * 1e6)


def test_only_listed_servers_are_asked(ward: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLINICAL_JEPA_FETCH_BASES", "https://ehr.example/fhir")
    refused = typed("fetch", "fhir", f"{ward.site.url}/fhir")
    assert isinstance(refused.exception, BadRequest)
    monkeypatch.delenv("CLINICAL_JEPA_FETCH_BASES")
    assert isinstance(typed("fetch", "fhir", f"{ward.site.url}/fhir").exception, BadRequest)
    assert ward.site.seen == []


@pytest.mark.parametrize("types", ["observation", "Observation/1", "Patient,../x", "Observation?x=1"])
def test_types_are_types(ward: Clinic, types: str) -> None:
    assert isinstance(typed("fetch", "fhir", f"{ward.site.url}/fhir", "--types", types).exception, BadRequest)
    assert not [path for path in ward.site.asked() if "metadata" not in path]


def test_a_type_that_is_refused_is_a_failure_and_the_rest_comes(ward: Clinic) -> None:
    ward.extra = lambda request: json_reply({}, 403) if request.path.endswith("/Observation") else None
    done = typed("fetch", "fhir", f"{ward.site.url}/fhir", "--types", "Observation,Patient")
    assert done.exit_code == 1
    assert "problem: Observation: 127.0.0.1 answered 403" in " ".join(done.output.split())
    assert list(Path("spool").rglob("Patient-*.json"))


@pytest.mark.parametrize("way", ["variable", "file"])
def test_credentials_come_from_the_environment_and_a_narrower_scope_is_said(
    ward: Clinic, monkeypatch: pytest.MonkeyPatch, way: str, tmp_path: Path
) -> None:
    guard = Guard(key=RSA, site=ward.site, scope="system/Patient.rs")
    ward.site.clock = datetime.now(NOON.tzinfo)
    ward.extra = guard.answer
    secret = pem(RSA)
    if way == "file":
        (tmp_path / "key.pem").write_text(secret)
        secret = str(tmp_path / "key.pem")
    monkeypatch.setenv("SMART_PRIVATE_KEY", secret)
    monkeypatch.setenv("CLINICAL_JEPA_FETCH_CLIENT_ID", "the-ward")
    done = typed("fetch", "fhir", f"{ward.site.url}/fhir", "--types", "Patient,Observation")
    assert done.exit_code == 3, done.output
    assert "Observation not, or not in full" in done.output
    assert guard.complaints == []


@pytest.mark.parametrize("secret", [None, "no-such-file", "-----BEGIN PRIVATE KEY-----\nbroken"])
def test_a_key_that_is_not_there_is_said_without_showing_it(
    ward: Clinic, monkeypatch: pytest.MonkeyPatch, secret: str | None
) -> None:
    monkeypatch.setenv("CLINICAL_JEPA_FETCH_CLIENT_ID", "the-ward")
    if secret is not None:
        monkeypatch.setenv("SMART_PRIVATE_KEY", secret)
    refused = typed("fetch", "fhir", f"{ward.site.url}/fhir")
    assert isinstance(refused.exception, BadRequest)
    assert "SMART_PRIVATE_KEY" in str(refused.exception)
    assert secret is None or secret not in str(refused.exception)


def killed(ward: Clinic, folder: Path, *verb: str, stall: str) -> None:
    """The verb in a process of its own, killed while the server keeps it waiting at an address with ``stall`` in it."""
    held = [True]

    def stalled(request: Request, sound: Answering) -> Reply | None:
        if stall in f"{request.path}?{request.query}" and held.pop():
            return replace(sound(request), delay_s=20.0)
        return None

    ward.site.faults = [stalled]
    program = [sys.executable, "-c", "from clinical_jepa.cli import main; main()", *verb]
    process = subprocess.Popen(program, cwd=folder, env=os.environ, stderr=subprocess.PIPE)
    until = time.monotonic() + 60
    while held:
        assert time.monotonic() < until
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()


@pytest.mark.fault(
    source="fhir-bulk",
    fault="kill -9 in the middle",
    ends="goes on where it was: files that are here are not fetched again",
)
def test_an_export_killed_in_the_middle_goes_on(ward: Clinic, tmp_path: Path) -> None:
    ward.extra = Bulk(clinic=ward, polls=0).answer
    verb = ("fetch", "fhir-bulk", f"{ward.site.url}/fhir")
    killed(ward, tmp_path, *verb, stall="/job/1/Observation.0")
    before = {path.name for path in (tmp_path / "spool").rglob("*.ndjson")}
    assert before
    done = typed(*verb, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["export"]["kept"] == len(before)
    fetched = [path for path in ward.site.asked("/job/1/") if "." in path]
    assert len(fetched) == len(set(fetched)) + 1  # the one under way, twice
    lines = b"".join(path.read_bytes() for path in (tmp_path / "spool").rglob("*.ndjson")).splitlines()
    assert sorted(lines) == sorted(orjson.dumps(body) for body in ward.held.values())


@pytest.mark.fault(source="fhir-server", fault="kill -9 in the middle", ends="pages that are here are not kept twice")
def test_a_poll_killed_in_the_middle_goes_on(ward: Clinic, tmp_path: Path) -> None:
    ward.fill("Observation", 450)
    verb = ("fetch", "fhir", f"{ward.site.url}/fhir", "--types", "Patient,Observation")
    killed(ward, tmp_path, *verb, stall="'offset': '200'")
    before = [path.name for path in (tmp_path / "spool").rglob("*-*.json")]
    assert len(before) == 3  # statement, patients, the first page
    assert typed(*verb).exit_code == 0
    calm = typed(*verb, "--spool", "calm")
    assert calm.exit_code == 0
    after = sorted(path.name for path in (tmp_path / "spool").rglob("*-*.json") if "Capability" not in path.name)
    assert after == sorted(path.name for path in (tmp_path / "calm").rglob("*-*.json") if "Capability" not in path.name)


def test_a_server_that_is_gone_ends_with_a_message(ward: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clinical_jepa.intake.waiting.Manners.backoff", lambda *_: 0.0)
    monkeypatch.setenv("CLINICAL_JEPA_FETCH_BASES", "http://127.0.0.1:9/fhir")
    gone = typed("fetch", "fhir", "http://127.0.0.1:9/fhir", "--types", "Patient,Observation")
    assert gone.exit_code == 1
    assert "could not be read (ConnectError)" in gone.output
    assert isinstance(typed("fetch", "fhir-bulk", "http://127.0.0.1:9/fhir").exception, FetchFailed)


def test_pull_from_a_folder_and_the_list_of_sets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert "mimic3-demo" in typed("data", "list").output
    (tmp_path / "have").mkdir()
    (tmp_path / "have" / "100.hea").write_bytes(b"not the published header")
    (tmp_path / "have" / "RECORDS.hea").write_bytes(b"anything")
    done = typed("data", "pull", "mitdb", "--from", "have")
    assert done.exit_code == 1
    assert "100.hea: the bytes in the folder are not those published" in done.output
    assert "1 files have no checksum that this program knew beforehand" in done.output
    assert (tmp_path / "data" / "mitdb" / "RECORDS.hea").is_file()
    assert isinstance(typed("data", "pull", "mitdb", "--from", "nowhere").exception, BadRequest)


@pytest.mark.data
def test_pull_from_the_real_folder(data: Path, tmp_path: Path) -> None:
    done = typed("data", "pull", "mitdb", "--from", data / "mitdb", "--to", tmp_path, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["pulled"]["files"] == 12
