"""Ingest by sources and shards gives the store that one plain run gives; what fails once is made up for."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from clinical_jepa.records.errors import BadRequest
from clinical_jepa.records.instant import BEGINNING, END
from clinical_jepa.store.events import Store
from clinical_jepa.wiring import road
from tests.conftest import SmallWard
from tests.flows.answers import answers
from tests.flows.server import Server, seen

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("prefect"), pytest.mark.usefixtures("prefect_server")]
Counts = dict[str, Any]


def test_one_task_a_source_and_shard_and_together_they_take_everything_once(
    prefect_server: Server,
    small_ward: SmallWard,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from flows.ingest import ingest

    asked: Counter[tuple[str, tuple[int, int]]] = Counter()
    real = road.ingest_scheduled

    def noted(settings: Any, source: str, *, mode: str, shard: tuple[int, int]) -> Counts:
        asked[source, shard] += 1
        return real(settings, source, mode=mode, shard=shard)

    monkeypatch.setattr(road, "ingest_scheduled", noted)
    sources = [str(small_ward.ward / name) for name in ("fhir", "wfdb", "dicom")]
    run = seen(prefect_server, ingest, sources, store=str(tmp_path / "s"), mode="history", shards=2)
    came = run.result
    assert asked == Counter((source, (number, 2)) for source in sources for number in (0, 1))
    assert run.tasks(6) == [f"ingest-source-{number}" for number in (0, 0, 0, 1, 1, 1)]
    parts = [item["total"]["files"] for item in came]
    whole = road.ingest_summary(road.settings({"paths.store": str(tmp_path / "plain")}), sources, mode="history")
    assert sum(parts) == whole["total"]["files"], "every file is read by one shard, and by no second one"
    assert sum(item["total"]["skipped"] for item in came) == 0
    assert sum(1 for part in parts if part) > len(sources), "a source is divided"
    assert answers(tmp_path / "s") == answers(tmp_path / "plain")


def test_a_shard_that_fails_once_runs_again_after_a_while(
    small_ward: SmallWard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.ingest import ingest, ingest_source

    tries: list[float] = []
    real = road.ingest_scheduled

    def flaky(*arguments: Any, **named: Any) -> Counts:
        tries.append(time.monotonic())
        came = real(*arguments, **named)
        if len(tries) == 1:
            raise OSError("the disk went away after the commit")
        return came

    folder = str(small_ward.ward / "fhir")
    plain = road.settings({"paths.store": str(tmp_path / "plain")})
    real(plain, folder, mode="history")
    monkeypatch.setattr(road, "ingest_scheduled", flaky)
    ingest([folder], store=str(tmp_path / "s"), mode="history")
    assert len(tries) == 2
    assert tries[1] - tries[0] > min(ingest_source.retry_delay_seconds) > 0
    assert answers(tmp_path / "s") == answers(tmp_path / "plain"), "nothing twice"


def test_a_failed_source_fails_the_run_and_leaves_the_others_whole(
    prefect_server: Server, small_ward: SmallWard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import flows.ingest as module
    from clinical_jepa.store import runs

    monkeypatch.setattr(module, "ingest_source", module.ingest_source.with_options(retries=0))
    sources = [str(tmp_path / "absent"), str(small_ward.ward / "fhir")]
    run = seen(prefect_server, module.ingest, sources, store=str(tmp_path / "s"), mode="history")
    with pytest.raises(BadRequest, match="there is no"):
        _ = run.result
    assert "no-unit" in run.artifacts["ingest"], "what the others brought is told all the same"
    assert Store.open(tmp_path / "s").arrivals(BEGINNING, END).events.num_rows > 1000
    assert runs.newest(tmp_path / "s")["ingest"].outcome == "BadRequest"
