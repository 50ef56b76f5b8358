"""``check agreement`` as typed: on the real records, on a simulated ward, and where it must fail."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner, Result

from clinical_jepa.cli.app import app
from clinical_jepa.simulate.ward import simulate
from tests.acceptance.stitched import only

MATCHED = (("10013", "96", "96.2"), ("10061", "106", "106.5"), ("10061", "107", "108.5"))


def typed(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("agreement")
    simulate(folder, subjects=7, hours=24, seed=7)
    done = typed("ingest", folder / "ward", "--store", folder / "store")
    assert done.exit_code in (0, 3), done.output
    return folder


@pytest.mark.slow
def test_a_simulated_ward_agrees_at_a_hundred_minutes_and_more(simulated: Path, tmp_path: Path) -> None:
    done = typed("check", "agreement", "--store", simulated / "store", "--out", tmp_path / "agreement.png")
    assert done.exit_code == 0, done.output
    within, matched = done.output.splitlines()[-1].split(" matched minutes")[0].split(" of ")
    assert int(matched) >= 100
    assert within == matched
    assert (tmp_path / "agreement.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_a_monitor_of_another_patient_is_found_out(simulated: Path, tmp_path: Path) -> None:
    """A planted fault: the charts of two subjects are swapped, each beside the other's monitor."""
    first, second = (orjson.loads(line)["id"] for line in (lines(simulated, "Patient")[i] for i in (0, 1)))
    swapped = tmp_path / "ward" / "fhir"
    swapped.mkdir(parents=True)
    for kind in ("Patient", "Observation"):
        content = b"\n".join(lines(simulated, kind))
        if kind == "Observation":
            content = content.replace(first.encode(), b"@").replace(second.encode(), first.encode())
            content = content.replace(b"@", second.encode())
        (swapped / f"{kind}.ndjson").write_bytes(content)
    (tmp_path / "ward" / "wfdb").symlink_to(simulated / "ward" / "wfdb")
    typed("ingest", swapped, tmp_path / "ward" / "wfdb" / first, "--store", tmp_path / "store")
    done = typed("check", "agreement", first.removeprefix("p"), "--store", tmp_path / "store")
    assert done.exit_code == 1, done.output
    assert "matched minutes agree within 5 bpm" in done.output.splitlines()[-1]


def test_no_matched_minute_is_a_failure_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "Patient.ndjson").write_bytes(
        b'{"resourceType": "Patient", "id": "p1", "meta": {"lastUpdated": "2026-01-05T08:00:00Z"}, "gender": "male"}\n'
    )
    typed("ingest", tmp_path / "Patient.ndjson", "--store", tmp_path / "store")
    done = typed("check", "agreement", "--store", tmp_path / "store")
    assert done.exit_code == 1
    assert "same namespace and zone" in done.output
    assert done.output.splitlines()[-1].startswith("0 of 0 matched minutes")


@pytest.mark.data
@pytest.mark.slow
def test_the_three_known_matches_of_10013_and_10061_are_printed(data: Path, tmp_path: Path) -> None:
    tables = tmp_path / "mimic"
    tables.mkdir()
    for path in (data / "mimic3_demo").glob("*.csv.gz"):
        if path.name.partition(".")[0] in ("PATIENTS", "ADMISSIONS", "ICUSTAYS", "CHARTEVENTS"):
            only(path, tables / path.name, {"10013", "10061"})
    done = typed(
        *("ingest", tables, data / "mimic3_waveforms" / "derived_wfdb"),
        *("--namespace", "mimic3", "--store", tmp_path / "store"),
    )
    assert done.exit_code in (0, 3), done.output
    done = typed("check", "agreement", "10013", "10061", "--store", tmp_path / "store", "--out", tmp_path / "a.png")
    assert done.exit_code == 0, done.output
    for subject, charted, monitor in MATCHED:
        assert any(line.split()[0] == subject and line.split()[2:4] == [charted, monitor] for line in rows(done))
    assert done.output.splitlines()[-1].startswith("3 of 3 matched minutes agree within 5 bpm")


def rows(done: Result) -> list[str]:
    return [line for line in done.output.splitlines() if len(line.split()) == 5]


def lines(folder: Path, kind: str) -> list[bytes]:
    return (folder / "ward" / "fhir" / f"{kind}.ndjson").read_bytes().splitlines()
