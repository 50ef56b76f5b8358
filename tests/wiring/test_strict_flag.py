"""``--strict`` as it is typed reaches the reader."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from clinical_jepa.cli.app import app
from tests.sources.fhir.builders import observation, write


def test_what_only_full_validation_refuses_is_refused_where_strict_is_typed(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    write(source, "Observation.ndjson", observation(note={"text": "no list, as FHIR wants one"}))
    outcomes = {}
    for name, flags in {"lenient": (), "strict": ("--strict",)}.items():
        words = ["ingest", str(source), "--store", str(tmp_path / name), *flags, "--json"]
        done = CliRunner().invoke(app, words)
        outcomes[name] = (done.exit_code, json.loads(done.stdout)["reasons"])
    assert outcomes == {"lenient": (0, {}), "strict": (3, {"invalid": 1})}
