"""Each flow runs as Prefect runs it, and says the same as the command line's functions."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT, SmallWard

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("prefect"), pytest.mark.usefixtures("prefect_server")]


@pytest.fixture
def ward(small_ward: SmallWard, tmp_path: Path) -> SmallWard:
    """A copy of the small ward that a flow may write to."""
    for name in ("store", "model"):
        shutil.copytree(getattr(small_ward, name), tmp_path / name)
    return SmallWard(tmp_path, small_ward.ward, small_ward.truth, tmp_path / "store", tmp_path / "model")


def artifact(key: str) -> str:
    from prefect.artifacts import Artifact

    found = Artifact.get(key)
    assert found is not None
    return str(found.data)


def test_ingest_says_what_came_and_what_was_refused(small_ward: SmallWard, tmp_path: Path) -> None:
    from flows.ingest import ingest

    store = tmp_path / "new"
    first = ingest([str(small_ward.ward / "fhir")], store=str(store), mode="history")
    assert first[0]["total"]["events"] > 1000
    assert first[0]["total"]["rejected"] == 3
    text = artifact("ingest")
    assert "no-unit" in text
    patient = json.loads((small_ward.ward / "fhir" / "Patient.ndjson").read_text().splitlines()[0])
    assert patient["id"] not in text, "artifacts hold no patient data"
    again = ingest([str(small_ward.ward / "fhir")], store=str(store), mode="history")
    assert again[0]["total"]["events"] == 0


def test_backtest_equals_the_plain_function(ward: SmallWard) -> None:
    from clinical_jepa.wiring import road
    from clinical_jepa.wiring import ward as plain
    from flows.backtest import backtest

    settings = road.settings({"paths.store": str(ward.store), "paths.model": str(ward.model)})
    told = backtest(store=str(ward.store), model=str(ward.model))
    assert repr(told) == repr(plain.backtest(settings))
    assert "alerts_per_patient_day" in artifact("backtest")


def test_monitor_makes_up_for_missed_ticks(ward: SmallWard, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.monitor import monitor

    monkeypatch.setenv("CLINICAL_JEPA_WARD_CLOCK", "2026-01-05T20:05Z")
    first = monitor(store=str(ward.store), model=str(ward.model))
    assert (first["ticks_made_up"], first["last_tick"]) == (1, "2026-01-05T20:00:00Z")
    assert monitor(store=str(ward.store), model=str(ward.model))["ticks_made_up"] == 0
    assert "ticks_made_up" in artifact("monitor")


def test_train_gives_a_model_and_its_table(ward: SmallWard, tmp_path: Path) -> None:
    from flows.train import train

    table = train(store=str(ward.store), model=str(tmp_path / "other"), steps=2)
    assert (tmp_path / "other" / "policy.json").is_file()
    assert {"NEWS2", "clock only"} <= {line[""] for line in table["lines"]}
    assert "NEWS2" in artifact("leaderboard")


def test_prefect_yaml_names_flows_that_exist_and_parameters_they_take() -> None:
    import importlib
    import inspect

    import yaml

    for item in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]:
        file, _, name = item["entrypoint"].partition(":")
        flow = getattr(importlib.import_module(file.removesuffix(".py").replace("/", ".")), name)
        assert set(item["parameters"]) <= set(inspect.signature(flow.fn).parameters)
        assert item["schedules"]
