"""Each flow runs as Prefect runs it, and says the same as the command line's functions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clinical_jepa.monitor.clock import wall_us
from clinical_jepa.records.instant import END, MINUTE, iso
from clinical_jepa.store import runs
from clinical_jepa.store.events import Store
from clinical_jepa.wiring import road
from tests.conftest import ROOT, SmallWard
from tests.flows.server import Server, seen

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("prefect"), pytest.mark.usefixtures("prefect_server")]


def test_ingest_says_what_came_and_what_was_refused(
    prefect_server: Server, small_ward: SmallWard, tmp_path: Path
) -> None:
    from flows.ingest import ingest

    folder, store = small_ward.ward / "fhir", tmp_path / "new"
    first = seen(prefect_server, ingest, [str(folder)], store=str(store), mode="history")
    assert first.result[0]["total"]["events"] > 1000
    assert first.result[0]["total"]["rejected"] == 3
    told = first.artifacts
    assert "no-unit" in told["ingest"]
    patients = [json.loads(line) for line in (folder / "Patient.ndjson").read_text().splitlines()]
    names = {item["id"] for item in patients} | {one["value"] for item in patients for one in item["identifier"]}
    files = {path.name for path in folder.iterdir()}
    assert [name for name in names | files for text in told.values() if name in text] == []
    again = ingest([str(folder)], store=str(store), mode="history")
    assert again[0]["total"]["events"] == 0


def test_how_old_each_source_is_is_told(prefect_server: Server, small_ward: SmallWard, tmp_path: Path) -> None:
    from flows.ingest import ingest

    sources = [str(small_ward.ward / name) for name in ("fhir", "wfdb")]
    run = seen(prefect_server, ingest, sources, store=str(tmp_path / "s"), mode="history")
    feeds = Store.open(tmp_path / "s").feeds(END)
    assert len(feeds) > 1
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in run.artifacts["freshness"].splitlines()]
    assert [line[:3] for line in lines[2:]] == [
        [feed.source, str(feed.rows), iso(feed.newest_available)] for feed in feeds
    ]
    for line, feed in zip(lines[2:], feeds, strict=True):
        assert int(line[3]) == pytest.approx((wall_us() - feed.newest_available) / MINUTE, abs=10)


def test_backtest_equals_the_plain_function_and_is_cached_on_what_it_rests_on(
    prefect_server: Server, ward: SmallWard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clinical_jepa.wiring import ward as plain
    from flows.backtest import backtest

    settings = road.settings({"paths.store": str(ward.store), "paths.model": str(ward.model)})
    given = {"store": str(ward.store), "model": str(ward.model)}
    run = seen(prefect_server, backtest, **given)
    told = run.result
    assert repr(told) == repr(plain.backtest(settings))
    assert "alerts_per_patient_day" in run.artifacts["backtest"]
    assert runs.newest(ward.store)["backtest"].outcome == "done"
    monkeypatch.setattr(plain, "backtest", lambda _: {"worked": "again"})
    assert repr(backtest(**given)) == repr(told), "the same store and model: nothing to do"
    (tmp_path / "late").mkdir()
    (tmp_path / "late" / "Patient.ndjson").write_text('{"resourceType": "Patient", "id": "late", "gender": "female"}\n')
    road.ingest_summary(settings, [tmp_path / "late"], mode="history")
    assert backtest(**given) == {"worked": "again"}, "the store holds more"


def test_monitor_makes_up_for_missed_ticks(
    prefect_server: Server, ward: SmallWard, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.monitor import monitor

    monkeypatch.setenv("CLINICAL_JEPA_WARD_CLOCK", "2026-01-05T20:05Z")
    first = seen(prefect_server, monitor, store=str(ward.store), model=str(ward.model))
    assert (first.result["ticks_made_up"], first.result["last_tick"]) == (1, "2026-01-05T20:00:00Z")
    assert "| 2026-01-05T20:00:00Z |" in first.artifacts["monitor"]
    assert "ticks_made_up" in first.artifacts["monitor"]
    assert runs.newest(ward.store)["monitor"].outcome == "done"
    assert monitor(store=str(ward.store), model=str(ward.model))["ticks_made_up"] == 0


def test_train_gives_a_model_and_its_table_and_pretrains_once(
    prefect_server: Server, ward: SmallWard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.train import train

    given = {"store": str(ward.store), "model": str(tmp_path / "other")}
    run = seen(prefect_server, train, **given, steps=2)
    table = run.result
    assert (tmp_path / "other" / "policy.json").is_file()
    assert {"NEWS2", "clock only"} <= {line[""] for line in table["lines"]}
    assert "NEWS2" in run.artifacts["leaderboard"]
    assert runs.newest(ward.store)["train"].outcome == "done"
    steps: list[int] = []
    monkeypatch.setattr(road, "pretrain", lambda _, steps_=steps, **more: steps_.append(more["steps"]) or {})
    monkeypatch.setattr(road, "fit", lambda _: {})
    monkeypatch.setattr(road, "evaluate", lambda _: table)
    train(**given, steps=2)
    assert steps == [], "the same store and steps: the model is there"
    train(**given, steps=3)
    assert steps == [3]


def test_prefect_yaml_names_flows_that_exist_and_parameters_they_take() -> None:
    import importlib
    import inspect

    import yaml

    for item in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]:
        file, _, name = item["entrypoint"].partition(":")
        flow = getattr(importlib.import_module(file.removesuffix(".py").replace("/", ".")), name)
        inspect.signature(flow.fn).bind(**item["parameters"])  # those it takes, and all that it needs
        assert item["schedules"]
