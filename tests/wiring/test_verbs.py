"""Each verb can be told which ward is meant, and a look changes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner, Result

from clinical_jepa.cli.app import app


def typed(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def verbs() -> dict[str, set[str]]:
    """Options by verb; a verb of a group as ``group verb``."""
    found = {}
    for name, verb in get_command(app).commands.items():  # type: ignore[attr-defined]
        for inner, leaf in getattr(verb, "commands", {"": verb}).items():
            found[f"{name} {inner}".strip()] = {one for option in leaf.params for one in option.opts}
    return found


def test_a_verb_that_takes_a_store_takes_a_configuration_too() -> None:
    missing = [verb for verb, options in verbs().items() if "--store" in options and "--config" not in options]
    assert missing == []


def test_a_replay_can_be_told_all_that_the_ingest_was_told_about_the_source() -> None:
    source = {"--as", "--namespace", "--zone", "--clock", "--config", "--store"}
    assert source <= verbs()["ingest"]
    assert source <= verbs()["quarantine replay"]
    assert {"--model", "--config"} <= verbs()["doctor"]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with one patient, and one record in quarantine."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "Patient.ndjson").write_text(patient("p1", "1980-01-01"))
    (folder / "Observation.ndjson").write_text(observation(unit=None))
    done = typed("ingest", folder, "--store", tmp_path / "store", "--namespace", "elsewhere")
    assert done.exit_code == 3, done.output
    return tmp_path / "store"


def patient(name: str, born: str) -> str:
    return json.dumps({"resourceType": "Patient", "id": name, "gender": "male", "birthDate": born} | UPDATED) + "\n"


def observation(unit: str | None) -> str:
    quantity = {"value": 80, "system": "http://unitsofmeasure.org"} | ({"code": unit} if unit else {})
    code = {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}
    told = {"status": "final", "effectiveDateTime": "2026-01-05T08:00:00Z", "issued": "2026-01-05T08:01:00Z"}
    subject = {"reference": "Patient/p1"}
    kind = {"resourceType": "Observation", "id": "o1", "code": code, "subject": subject, "valueQuantity": quantity}
    return json.dumps(kind | told | UPDATED) + "\n"


UPDATED = {"meta": {"lastUpdated": "2026-01-05T08:02:00Z"}}


def test_a_mended_record_comes_back_under_its_own_subject(store: Path, tmp_path: Path) -> None:
    (refused,) = json.loads(typed("quarantine", "list", "--store", store, "--json").stdout)["rows"]
    mended = tmp_path / "mended"
    mended.mkdir()
    (mended / "Patient.ndjson").write_text(patient("p1", "1980-01-01"))
    (mended / "Observation.ndjson").write_text(observation(unit="/min"))
    done = typed("quarantine", "replay", refused["rejection_id"], mended, "--store", store, "--namespace", "elsewhere")
    assert "the refusal is dropped" in done.output, done.output
    (known,) = json.loads(typed("subjects", "--store", store, "--json").stdout)["subjects"]
    assert known["namespace"] == "elsewhere"


def test_a_configuration_file_says_which_store(store: Path, tmp_path: Path) -> None:
    config = tmp_path / "ward.toml"
    config.write_text(f'[paths]\nstore = "{store.as_posix()}"\n')
    assert len(json.loads(typed("subjects", "--config", config, "--json").stdout)["subjects"]) == 1


def test_a_compaction_tells_what_became_of_the_files_and_changes_no_answer(store: Path, tmp_path: Path) -> None:
    other = tmp_path / "more"
    other.mkdir()
    (other / "Patient.ndjson").write_text(patient("p2", "1990-01-01"))
    assert typed("ingest", other, "--store", store, "--namespace", "elsewhere").exit_code == 0
    before = typed("subjects", "--store", store, "--json").output
    told = json.loads(typed("compact", "--store", store, "--json").output)
    assert told["files_before"] > told["files"] == 1
    assert told["rows"] > 2
    assert typed("subjects", "--store", store, "--json").output == before


def test_the_doctor_makes_nothing(store: Path) -> None:
    before = sorted(store.rglob("*"))
    rows = json.loads(typed("doctor", "--store", store, "--model", store / "none", "--json").stdout)
    assert next(row for row in rows if row["what"] == "ledger")["seen"] == "none yet"
    assert sorted(store.rglob("*")) == before
