"""What every flow promises: what fails for a moment is tried again, ever later, and no store has two runs of it at once."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from clinical_jepa.store import runs
from clinical_jepa.store.lease import lease
from clinical_jepa.wiring import road, rounds
from clinical_jepa.wiring import ward as plain
from tests.flows.server import Server, seen

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("prefect")]
WORK = [(road, "ingest_scheduled"), (road, "pretrain"), (road, "fit"), (road, "evaluate"), (plain, "backtest")]
WORK += [(plain, "catch_up"), (rounds, "fetch"), (road, "basis")]


@pytest.mark.parametrize(
    ("name", "given", "left"),
    [
        ("fetch", {"fhir": ["http://127.0.0.1:1/fhir"], "fhir_bulk": [], "pacs": []}, []),
        ("ingest", {"sources": ["incoming"]}, []),
        ("monitor", {}, {"left_to": "another run that is at work on this store"}),
        ("backtest", {}, {"left_to": "another run that is at work on this store"}),
        ("train", {}, {"left_to": "another run that is at work on this store"}),
    ],
)
def test_an_overlapping_run_leaves_the_work_to_the_first(
    prefect_server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    given: dict[str, Any],
    left: object,
) -> None:
    flow = getattr(importlib.import_module(f"flows.{name}"), name)
    worked: list[str] = []
    for module, work in WORK:
        monkeypatch.setattr(module, work, lambda *_, work=work, **__: worked.append(work) or {})
    with lease(tmp_path, name) as mine:
        assert mine
        run = seen(prefect_server, flow, **given, store=str(tmp_path))
    assert worked == []
    assert run.result == left
    assert all("another run" in text for text in run.artifacts.values()), run.artifacts
    assert runs.newest(tmp_path) == {}, "the first run's note is not written over"


@pytest.mark.parametrize(
    ("module", "task", "delays"),
    [
        ("fetch", "fetch_from", [10, 60, 300]),
        ("ingest", "ingest_source", [2, 20, 120]),
        ("monitor", "catch_up", [1, 5]),
        ("train", "pretrain", [30]),
        ("train", "fit", [30]),
    ],
)
def test_what_fails_is_tried_again_ever_later(module: str, task: str, delays: list[int]) -> None:
    made = getattr(importlib.import_module(f"flows.{module}"), task)
    told = made.retry_delay_seconds
    assert (made.retries, told if isinstance(told, list) else [told]) == (len(delays), delays)
    assert delays == sorted(set(delays))
