"""Many refusals are listed and dropped by what they have in common; one is mended in the person's own editor."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from clinical_jepa.cli.app import app
from clinical_jepa.records.batch import Rejection, SourceBatch
from clinical_jepa.records.errors import BadRequest
from clinical_jepa.records.events import EVENTS
from clinical_jepa.store.events import Store
from tests.store.builders import put
from tests.wiring.test_people import ward
from tests.wiring.test_verbs import observation, typed

HL7 = b"MSH|^~\\&|a|b|c|d|20260105080100||ORU^R01|1|P|2.5\rPID|1||p1^^^mrn\r"


def refusal(number: int, source: str, reason: str, file: str, original: bytes | None = b"{") -> Rejection:
    place = f"line {number}"
    return Rejection(source=source, file=file, record=place, reason=reason, message="no", original=original)


@pytest.fixture
def many(tmp_path: Path) -> Path:
    refused = (
        *(refusal(number, "fhir", "no-unit", "a/Observation.ndjson") for number in range(3)),
        refusal(3, "fhir", "invalid", "a/Observation.ndjson"),
        refusal(4, "hl7v2", "no-unit", "ab/x.hl7", HL7),
        refusal(5, "mimic3:LABEVENTS", "no-unit", "LABEVENTS.csv", b"1,2,3\n"),
        refusal(6, "dicom", "no-pixels", "a.dcm", None),
        refusal(7, "stitched:fhir", "no-unit", "Observation.ndjson"),
    )
    put(
        Store.open(tmp_path / "many", create=True),
        SourceBatch(events=EVENTS.empty_table(), rejections=refused),
        now=50,
    )
    return tmp_path / "many"


def listed(store: Path, *options: str) -> list[dict[str, str]]:
    found = json.loads(typed("quarantine", "list", *options, "--store", store, "--json").stdout)
    assert sum(row["count"] for row in found["counts"]) == len(found["rows"])
    return list(found["rows"])


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        (("--reason", "no-unit"), {0, 1, 2, 4, 5, 7}),
        (("--reason", "no-unit", "--source", "fhir"), {0, 1, 2}),
        (("--file", "a"), {0, 1, 2, 3}),  # the folder, neither ab nor a.dcm
        (("--file", "a/"), {0, 1, 2, 3}),
        (("--file", "a/Observation.ndjson", "--reason", "invalid"), {3}),
        (("--file", "Observation.ndjson"), {7}),
        (("--source", "nobody"), set()),
    ],
)
def test_what_list_shows_under_some_options_is_what_drop_forgets(
    options: tuple[str, ...], lines: set[int], many: Path
) -> None:
    every = {row["record"] for row in listed(many)}
    chosen = {row["record"] for row in listed(many, *options)}
    assert chosen == {f"line {number}" for number in lines}
    before = Store.open(many).watermark
    done = typed("quarantine", "drop", *options, "--store", many)
    assert {row["record"] for row in listed(many)} == every - chosen
    if not lines:
        assert isinstance(done.exception, BadRequest)
        assert "no refusal of --source nobody; nothing was dropped" in str(done.exception)
    elif len(lines) > 1:
        assert done.stdout == f"dropped {len(lines)} refusals\n"
        assert Store.open(many).watermark == before + 1


@pytest.mark.parametrize("arguments", [(), ("0", "--reason", "no-unit")])
def test_a_drop_needs_one_choice(arguments: tuple[str, ...], many: Path) -> None:
    done = typed("quarantine", "drop", *arguments, "--store", many)
    assert "nothing was dropped" in str(done.exception)
    assert isinstance(done.exception, BadRequest)
    assert len(listed(many)) == 8


@pytest.mark.parametrize("verb", ["list", "drop"])
def test_a_reason_that_is_none_is_wrong_use(verb: str, many: Path) -> None:
    done = typed("quarantine", verb, "--reason", "no_unit", "--store", many)
    assert isinstance(done.exception, BadRequest)
    assert "no-unit" in str(done.exception)


def test_on_a_terminal_many_are_dropped_only_after_a_yes(many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def answered(said: str, *options: str) -> Result:
        command = ["quarantine", "drop", "--source", "fhir", *options, "--store", str(many)]
        return CliRunner().invoke(app, command, input=said)

    monkeypatch.setattr("clinical_jepa.cli.options.on_a_terminal", lambda: True)
    assert "forget 4 refusals" in answered("n\n").stdout
    assert len(listed(many)) == 8
    assert "dropped 4 refusals" in answered("", "--yes").stdout


@pytest.fixture(autouse=True)
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where private files are made: nothing may be left there."""
    (tmp_path / "private").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "private"))
    monkeypatch.delenv("VISUAL", raising=False)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with a heart rate that came without its unit."""
    typed("ingest", ward(tmp_path / "in", None), "--store", tmp_path / "store")
    return tmp_path / "store"


def mended(store: Path, editor: str | None, start: str = "") -> Result:
    start = start or listed(store)[0]["rejection_id"]
    done = CliRunner().invoke(app, ["quarantine", "mend", start, "--store", str(store)], env={"EDITOR": editor})
    assert list((store.parent / "private").iterdir()) == []
    return done


def events(store: Path) -> int:
    return int(json.loads(typed("subjects", "--store", store, "--json").stdout)["subjects"][0]["events"])


def test_what_is_mended_in_the_editor_is_ingested_and_no_copy_is_left(store: Path) -> None:
    before = events(store)
    done = mended(store, """sed -i 's|"value": 80|"value": 80, "code": "/min"|'""")
    assert (done.exit_code, done.stdout) == (0, "ingested 1 events; the refusal is dropped\n")
    assert (events(store), listed(store)) == (before + 1, [])


def test_a_document_of_json_may_be_laid_out_anew(store: Path, tmp_path: Path) -> None:
    editor = tmp_path / "editor"
    editor.write_text(
        "#!/usr/bin/env python3\n"
        "import json, os, stat, sys\n"
        "from pathlib import Path\n"
        "file = Path(sys.argv[1])\n"
        "assert stat.S_IMODE(file.stat().st_mode) == 0o600\n"
        "assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700\n"
        "body = json.loads(file.read_text())\n"
        "body['valueQuantity']['code'] = '/min'\n"
        "(file.parent / 'copy~').write_text(file.read_text())\n"
        "file.write_text(json.dumps(body, indent=2))\n"
    )
    editor.chmod(0o700)
    assert mended(store, str(editor)).exit_code == 0
    assert listed(store) == []


@pytest.mark.parametrize("editor", ["true", "sed -i s/a/a/", "rm"])
def test_without_a_change_the_refusal_stays(editor: str, store: Path) -> None:
    done = mended(store, editor)
    assert done.exit_code == 3
    assert "nothing was changed" in done.stdout
    assert len(listed(store)) == 1


def test_what_is_refused_again_stays_beside_the_first(store: Path) -> None:
    done = mended(store, """sed -i 's|"value": 80|"value": 90|'""")
    assert (done.exit_code, "refused again; the refusal is kept" in done.stdout) == (3, True)
    assert [row["reason"] for row in listed(store)] == ["no-unit", "no-unit"]


@pytest.mark.parametrize(("editor", "said"), [("false", "status 1"), ("/no/such", "cannot be run"), (None, "EDITOR")])
def test_an_editor_that_fails_takes_nothing(editor: str | None, said: str, store: Path) -> None:
    done = mended(store, editor)
    assert isinstance(done.exception, BadRequest)
    assert said in str(done.exception)
    assert len(listed(store)) == 1


def test_hl7_is_shown_segment_by_segment(many: Path, tmp_path: Path) -> None:
    (row,) = listed(many, "--source", "hl7v2")
    done = mended(many, f"cp --target-directory={tmp_path}", row["rejection_id"])
    assert "nothing was changed" in done.stdout
    seen = tmp_path / f"{row['rejection_id']}.hl7"
    assert seen.read_bytes() == HL7.replace(b"\r", b"\n")


@pytest.mark.parametrize("source", ["mimic3:LABEVENTS", "dicom", "stitched:fhir"])
def test_what_says_nothing_alone_is_mended_elsewhere(source: str, many: Path) -> None:
    (row,) = listed(many, "--source", source)
    done = mended(many, "true", row["rejection_id"])
    assert isinstance(done.exception, BadRequest)
    assert "mend" in str(done.exception)


def test_what_was_shifted_whole_is_not_replayed_without_its_shift(many: Path, tmp_path: Path) -> None:
    (row,) = listed(many, "--source", "stitched:fhir")
    (tmp_path / "mended.ndjson").write_text(observation("/min"))
    done = typed("quarantine", "replay", row["rejection_id"], tmp_path / "mended.ndjson", "--store", many)
    assert isinstance(done.exception, BadRequest)
    assert "--stitch again" in str(done.exception)
    assert Store.open(many).rows == 0


def test_a_condition_is_mended_beside_its_encounters(store: Path, tmp_path: Path) -> None:
    """Alone, a discharge diagnosis of a stay that has not ended would be known."""
    named = {"condition": {"reference": "Condition/c1"}, "use": {"coding": [{"code": "DD"}]}}
    period = {"start": "2026-01-05T09:00:00Z"}
    stay = {"resourceType": "Encounter", "id": "e1", "subject": {"reference": "Patient/p1"}, "status": "in-progress"}
    stay |= {"class": {"code": "IMP"}, "period": period, "diagnosis": [named]}
    found = {
        "resourceType": "Condition",
        "id": "c1",
        "subject": {"reference": "Patient/p1"},
        "recordedDate": period["start"],
    }
    found |= {"code": {"coding": [{"system": "http://loinc.org", "code": "2524-7"}]}}
    (tmp_path / "in" / "Encounter.ndjson").write_text(json.dumps(stay) + "\n")
    (tmp_path / "in" / "Condition.ndjson").write_text(json.dumps(found) + "\n")
    typed("ingest", tmp_path / "in", "--store", store)
    (row,) = listed(store, "--file", "Condition.ndjson")
    before = events(store)
    (tmp_path / "mended.json").write_text(json.dumps(found | {"onsetDateTime": period["start"]}))
    for done in (
        mended(store, "sed -i s/09:00:00/09:00:01/", row["rejection_id"]),
        typed("quarantine", "replay", row["rejection_id"], tmp_path / "mended.json", "--store", store),
    ):
        assert isinstance(done.exception, BadRequest)
        assert "Encounters beside it" in str(done.exception)
    assert (events(store), len(listed(store, "--file", "Condition.ndjson"))) == (before, 1)
    over = stay | {"status": "finished", "period": period | {"end": "2026-01-05T12:00:00Z"}}
    (tmp_path / "both").mkdir()
    (tmp_path / "both" / "Encounter.ndjson").write_text(json.dumps(over) + "\n")
    (tmp_path / "both" / "Condition.ndjson").write_text(json.dumps(found) + "\n")
    (tmp_path / "both" / "Patient.ndjson").write_bytes((tmp_path / "in" / "Patient.ndjson").read_bytes())
    typed("quarantine", "replay", row["rejection_id"], tmp_path / "both", "--store", store)
    assert listed(store, "--file", "Condition.ndjson") == []


def test_a_mended_file_of_the_source_takes_the_place_of_its_refusals(store: Path, tmp_path: Path) -> None:
    """As the how-to says: drop what was refused of a file, then ingest the mended one; what is still wrong comes back."""
    lines = [observation(None).replace('"o1"', f'"o{number}"') for number in (1, 2)]
    file = tmp_path / "in" / "Observation.ndjson"
    file.write_text("".join(lines))
    typed("ingest", tmp_path / "in", "--store", store)
    assert len(listed(store, "--file", "Observation.ndjson")) == 2
    typed("quarantine", "drop", "--file", "Observation.ndjson", "--store", store)
    file.write_text(lines[0].replace('"value": 80', '"value": 80, "code": "/min"') + lines[1])
    typed("ingest", tmp_path / "in", "--store", store)
    assert [row["record"] for row in listed(store)] == ["line 2"]
