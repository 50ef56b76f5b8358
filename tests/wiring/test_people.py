"""What a person meets first: exit statuses as documented, help that is whole, settings that are refused before work begins."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest
from typer.main import get_command

from clinical_jepa.cli.app import app
from clinical_jepa.records.errors import BadRequest
from clinical_jepa.wiring import page, road
from clinical_jepa.wiring.ward import readable
from tests.conftest import ROOT, command
from tests.wiring.test_verbs import observation, patient, typed

REFERENCE = (ROOT / "docs" / "reference" / "command-line.md").read_text(encoding="utf-8")


def ward(folder: Path, unit: str | None) -> Path:
    folder.mkdir()
    (folder / "Patient.ndjson").write_text(patient("p1", "1980-01-01"))
    (folder / "Observation.ndjson").write_text(observation(unit))
    return folder


def test_the_exit_statuses_of_ingest_are_those_of_the_reference(tmp_path: Path) -> None:
    documented = dict(re.findall(r"^\| (\d+) \| (.+) \|$", REFERENCE, re.MULTILINE))
    assert set(documented) == {"0", "1", "2", "3", "130"}
    store, good, bad, empty = (
        tmp_path / "store",
        ward(tmp_path / "good", "/min"),
        ward(tmp_path / "bad", None),
        tmp_path,
    )
    (tmp_path / "empty").mkdir()
    assert typed("ingest", good, "--store", store).exit_code == 0
    first = typed("ingest", bad, "--store", store)
    assert first.exit_code == 3
    assert "from earlier runs" not in first.output
    again = typed("ingest", bad, "--store", store)  # this run refuses nothing, and says what stands there
    assert again.exit_code == 0
    assert "in quarantine from earlier runs: 1 (see: clinical-jepa quarantine list)" in again.output
    assert typed("ingest", good, tmp_path / "empty", "--store", store).exit_code == 3
    command("ingest", str(tmp_path / "empty"), "--store", str(store), cwd=empty, allowed=(2,))
    (store / "manifest.json").write_text("{}")
    command("ingest", str(good), "--store", str(store), cwd=tmp_path, allowed=(1,))


def test_every_line_of_every_listing_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    groups = [(), *((name,) for name, verb in get_command(app).commands.items() if hasattr(verb, "commands"))]  # type: ignore[attr-defined]
    cut = []
    for group in groups:
        lines = typed(*group, "--help").output.splitlines()
        cut += [line for line in lines if line.endswith("...") and not line.startswith("Usage")]
    assert len(groups) > 5
    assert cut == []


def test_the_program_says_its_version() -> None:
    said = typed("--version")
    assert (said.exit_code, said.output) == (0, "clinical-jepa 0.1.0\n")


def test_subjects_explains_its_columns(tmp_path: Path) -> None:
    store = tmp_path / "store"
    typed("ingest", ward(tmp_path / "good", "/min"), "--store", store)
    columns = typed("subjects", "--store", store).output.splitlines()[0].split()
    assert len(columns) == 8
    told = typed("subjects", "--help").output
    page_ = (ROOT / "docs" / "how-to" / "use-real-records.md").read_text(encoding="utf-8")
    for column in columns:
        assert re.search(rf"\b{column}\b", told), column
        assert f"`{column}`" in page_, column


@pytest.mark.parametrize("zone", ["Europe/Berln", "Europe", "", "../etc/passwd"])
@pytest.mark.parametrize("verb", [("config", "show"), ("doctor",), ("subjects",)])
def test_a_zone_that_is_none_is_refused_by_every_verb(
    zone: str, verb: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLINICAL_JEPA_SITE_ZONE", zone)
    refused = typed(*verb).exception
    assert isinstance(refused, BadRequest)
    assert f"environment: site.zone: no zone is called {zone!r}" in str(refused)


def test_a_taken_port_is_said_before_the_page_is_announced(tmp_path: Path) -> None:
    typed("ingest", ward(tmp_path / "good", "/min"), "--store", tmp_path / "store")
    told: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        settings = road.settings({"paths.store": str(tmp_path / "store"), "web.port": taken})
        with pytest.raises(BadRequest, match=rf"127\.0\.0\.1:{taken} \(Address already in use\); nothing was started"):
            page.serve(settings, live=True, tell=told.append)
    assert told == []


@pytest.mark.parametrize("verb", [("receive", "mllp"), ("pacs", "receive")])
def test_a_taken_port_is_wrong_use_of_whatever_listens(verb: tuple[str, ...], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        said = typed(*verb, "--spool", tmp_path / "spool", "--port", taken)
    assert isinstance(said.exception, BadRequest), said.exception
    assert f"127.0.0.1:{taken} (Address already in use); nothing was started" in str(said.exception)
    assert "listening" not in said.output + said.stderr


def test_a_host_that_is_none_is_wrong_use_too(tmp_path: Path) -> None:
    said = typed("receive", "mllp", "--spool", tmp_path / "spool", "--host", "no such host", "--port", 0)
    assert isinstance(said.exception, BadRequest), said.exception


def test_a_model_that_is_not_there_is_wrong_use(tmp_path: Path) -> None:
    typed("ingest", ward(tmp_path / "good", "/min"), "--store", tmp_path / "store")
    said = typed("fit", "--model", tmp_path / "nomodel", "--store", tmp_path / "store")
    assert isinstance(said.exception, BadRequest), said.exception
    assert "no model here" in str(said.exception)


def test_a_person_reads_the_instant_of_a_tick() -> None:
    instant = 1_767_643_200_000_000
    assert readable({"now": instant, "patients": 3}) == {"now": "2026-01-05T20:00:00Z", "patients": 3}


def test_the_advice_about_a_known_unit_that_needs_more_to_be_converted_asks_for_no_unit(tmp_path: Path) -> None:
    said = typed("ingest", ward(tmp_path / "bad", "ug/min"), "--store", tmp_path / "store").output
    assert "unknown-unit 1" in said
    assert "a known one that needs more to be converted (ug/min to ug/kg/min: the weight): nothing to mend" in said


def test_a_list_of_refusals_that_is_cut_says_so(tmp_path: Path) -> None:
    bad = ward(tmp_path / "bad", None)
    line = observation(None)
    (bad / "Observation.ndjson").write_text("".join(line.replace('"o1"', f'"o{n}"') for n in range(50)))
    typed("ingest", bad, "--store", tmp_path / "store")
    assert "shown" not in typed("quarantine", "list", "--store", tmp_path / "store").output
    (bad / "Observation.ndjson").write_text(line.replace('"o1"', '"o50"'))
    typed("ingest", bad, "--store", tmp_path / "store")
    assert "50 of 51 shown; all with --json" in typed("quarantine", "list", "--store", tmp_path / "store").output
