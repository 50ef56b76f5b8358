"""Ingest by shards, on threads and on a Dask cluster, gives the store that one plain run gives."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from clinical_jepa.records.instant import BEGINNING, END
from clinical_jepa.store.events import Store
from tests.conftest import SmallWard

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("prefect"), pytest.mark.usefixtures("prefect_server")]


def answers(path: Path) -> dict[str, bytes]:
    """Everything the store answers, as bytes: rows in order of arrival, samples, identities, refusals."""
    store = Store.open(path)
    seen = store.arrivals(BEGINNING, END)
    tables = {name: getattr(seen, name).combine_chunks() for name in ("events", "signals", "images")}
    arrays = [
        store.samples(row).tobytes()
        for table, columns in (("signals", ["reference"]), ("images", ["reference", "prepared"]))
        for column in columns
        for row in tables[table][column].to_pylist()
    ]
    places = ("reference", "prepared")  # where in which file samples lie depends on the order of commits
    found = {name: table.drop_columns([c for c in places if c in table.column_names]) for name, table in tables.items()}
    refused = store.rejections().drop_columns(["received_time"]).sort_by("rejection_id")
    return {
        **{name: serialised(table) for name, table in found.items()},
        "arrays": b"".join(arrays),
        "refused": serialised(refused),
        "people": repr(sorted(map(repr, store.identities()))).encode(),
    }


def serialised(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return bytes(sink.getvalue())


@pytest.fixture(scope="module")
def expected(small_ward: SmallWard) -> dict[str, bytes]:
    return answers(small_ward.store)


def test_shards_on_threads(small_ward: SmallWard, tmp_path: Path, expected: dict[str, bytes]) -> None:
    from flows.ingest import ingest

    came = ingest([str(small_ward.ward)], store=str(tmp_path / "s"), mode="history", shards=3)
    assert all(item["total"]["files"] for item in came), "every shard had something to read"
    assert answers(tmp_path / "s") == expected


def test_shards_on_a_dask_cluster(
    small_ward: SmallWard, tmp_path: Path, expected: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.ingest import ingest
    from flows.runner import configured

    monkeypatch.setenv("CLINICAL_JEPA_FLOWS_RUNNER", "dask")
    runner = configured()
    assert type(runner).__name__ == "DaskTaskRunner"
    on_dask = ingest.with_options(task_runner=runner)
    on_dask([str(small_ward.ward)], store=str(tmp_path / "s"), mode="history", shards=2)
    assert answers(tmp_path / "s") == expected


def test_a_failed_source_fails_the_run_and_leaves_the_others_whole(small_ward: SmallWard, tmp_path: Path) -> None:
    from clinical_jepa.store import runs
    from flows.ingest import ingest, ingest_source

    quick = ingest_source.with_options(retries=0)
    import flows.ingest as module

    original, module.ingest_source = module.ingest_source, quick
    try:
        with pytest.raises(Exception, match="there is no"):
            ingest([str(tmp_path / "absent"), str(small_ward.ward / "fhir")], store=str(tmp_path / "s"), mode="history")
    finally:
        module.ingest_source = original
    assert Store.open(tmp_path / "s").arrivals(BEGINNING, END).events.num_rows > 1000
    assert runs.newest(tmp_path / "s")["ingest"].outcome == "BadRequest"


def test_an_overlapping_run_leaves_the_work_to_the_first(small_ward: SmallWard, tmp_path: Path) -> None:
    from clinical_jepa.store.lease import lease
    from flows.ingest import ingest

    with lease(tmp_path / "s", "ingest") as mine:
        assert mine
        assert ingest([str(small_ward.ward / "fhir")], store=str(tmp_path / "s"), mode="history") == []
