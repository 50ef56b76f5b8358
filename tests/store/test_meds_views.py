"""MEDS datasets made of a store: valid by our validator and by the package, and true to what was known when."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from meds import CodeMetadataSchema, DataSchema, DatasetMetadataSchema, SubjectSplitSchema

from clinical_jepa.records.batch import SourceBatch
from clinical_jepa.records.errors import BadRequest
from clinical_jepa.records.instant import END
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.meds import reader
from clinical_jepa.sources.meds.rules import violations
from clinical_jepa.store import meds_views
from clinical_jepa.store.events import Store
from clinical_jepa.store.meds_views import VIEWS, View
from tests.store.builders import Row, events, moment

MADE = datetime(2026, 1, 2, tzinfo=UTC)
ROWS = [
    Row("sex", 10, time=None, code="GENDER//F", value=None),
    Row("born", 10, time=-500, code="MEDS_BIRTH", value=None),
    Row("first", 30, fact="lab", time=20, status="preliminary", value=4.0),
    Row("second", 50, fact="lab", time=20, status="corrected", value=5.0),
    Row("wrong", 35, fact="mistake", time=25, value=9.0),
    Row("undone", 60, fact="mistake", time=25, status="entered-in-error", value=None),
    Row("other", 41, subject=2, time=40, value=7.0),
]


def stored(folder: Path, rows: list[Row]) -> Store:
    store = Store.open(folder, create=True)
    batch = SourceBatch(events=events(rows))
    store.append([batch], mode="history", now=10**6, prepare=lambda pixels: pixels)
    return store


def written(store: Store, out: Path, view: View, as_of: int = END) -> pl.DataFrame:
    meds_views.export(store, out, view=view, as_of=as_of, made=MADE)
    assert list(violations(out)) == []
    return pl.concat([pl.DataFrame(pl.from_arrow(pq.read_table(path))) for path in sorted((out / "data").iterdir())])


def versions(store: Store) -> list[dict[str, object]]:
    return [row for reader in store.readers() for row in reader.versions(END).to_pylist()]


def said(rows: pl.DataFrame) -> list[tuple[object, ...]]:
    return rows.select("subject_id", "time", "code", "numeric_value").rows()


@pytest.mark.fault(
    source="meds", fault="correction", ends="known view: each version when it came; clinical: the newest"
)
def test_the_known_view_tells_each_version_when_it_came(tmp_path: Path) -> None:
    store = stored(tmp_path / "s", ROWS)
    hr = "LOINC//8867-4"
    assert said(written(store, tmp_path / "known", "known")) == [
        (1, None, "GENDER//F", None),
        (1, moment(-500), "MEDS_BIRTH", None),
        (1, moment(30), hr, 4.0),
        (1, moment(35), hr, 9.0),  # believed until it was withdrawn
        (1, moment(50), hr, 5.0),
        (2, moment(41), hr, 7.0),
    ]
    assert said(written(store, tmp_path / "clinical", "clinical")) == [
        (1, None, "GENDER//F", None),
        (1, moment(-500), "MEDS_BIRTH", None),
        (1, moment(20), hr, 5.0),
        (2, moment(40), hr, 7.0),
    ]


def test_a_view_as_of_an_instant_does_not_know_what_came_later(tmp_path: Path) -> None:
    store = stored(tmp_path / "s", ROWS)
    assert said(written(store, tmp_path / "d", "clinical", as_of=40))[-2:] == [
        (1, moment(20), "LOINC//8867-4", 4.0),
        (1, moment(25), "LOINC//8867-4", 9.0),
    ]
    known = written(store, tmp_path / "e", "known", as_of=40)
    assert known.equals(written(store, tmp_path / "f", "known").filter(pl.col("available_time") <= moment(40)))


@pytest.mark.parametrize("view", VIEWS)
def test_every_file_passes_the_package(tmp_path: Path, view: View) -> None:
    written(stored(tmp_path / "s", ROWS), tmp_path / "d", view)
    for path in (tmp_path / "d" / "data").iterdir():
        DataSchema.validate(pq.read_table(path))
    metadata = tmp_path / "d" / "metadata"
    CodeMetadataSchema.validate(pq.read_table(metadata / "codes.parquet"))
    SubjectSplitSchema.validate(pq.read_table(metadata / "subject_splits.parquet"))
    DatasetMetadataSchema.validate(json.loads((metadata / "dataset.json").read_text()))


@settings(max_examples=25, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(1, 4), st.none() | st.integers(-50, 50), st.integers(0, 60), st.integers(0, 3)),
        max_size=25,
    ),
    size=st.integers(1, 6),
    view=st.sampled_from(VIEWS),
)
def test_any_store_gives_a_valid_dataset(
    rows: list[tuple[int, int | None, int, int]], size: int, view: View, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("any")
    made = [
        Row(f"e{n}", max(available, time or 0), fact=f"f{fact}-{subject}", subject=subject, time=time)
        for n, (subject, time, available, fact) in enumerate(rows)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(meds_views, "_SHARD_ROWS", size)
        found = written(stored(folder / "s", made), folder / "d", view)
    if view == "known":
        assert sorted(found["event_id"].to_list()) == sorted(one.event_id for one in made)
    else:
        assert found["fact_id"].n_unique() == found.height == len({one.fact_id for one in made})


@pytest.mark.parametrize("view", VIEWS)
def test_a_dataset_read_back_says_the_same(tmp_path: Path, view: View) -> None:
    store = stored(tmp_path / "s", [row for row in ROWS if row.fact is None])
    out = tmp_path / "d"
    written(store, out, view)
    (path,) = reader.find(out)
    (batch,) = reader.read(path, ReadContext(root=out))
    assert not batch.rejections
    names = {one.subject_id: int(one.identifier) for one in batch.identities}
    columns = ("time", "code", "numeric_value", "available_time", "available_basis", "unit", "status")
    mine = {(row["subject_id"], *(row[name] for name in columns)) for row in versions(store)}
    back = {(names[row["subject_id"]], *(row[name] for name in columns)) for row in batch.events.to_pylist()}
    assert {row for row in back if row[3] is not None} == {row for row in mine if row[3] is not None}
    assert {row[:6] for row in back} == {row[:6] for row in mine}  # the builder gives a unit to what has no number


def test_stays_of_one_person_are_in_one_split(tmp_path: Path) -> None:
    rows = [Row(f"e{n}", n, subject=n, time=n) for n in range(1, 60)]
    store = Store.open(tmp_path / "s", create=True)
    table = events([*rows, *(Row(f"p{n}", n, subject=n, time=None, code="PERSON", value=None) for n in range(1, 60))])
    texts = [None] * 59 + [f"person {n % 6}" for n in range(1, 60)]
    place = table.schema.get_field_index("text_value")
    table = table.set_column(place, table.schema.field(place), pa.array(texts, pa.large_string()))
    store.append([SourceBatch(events=table)], mode="history", now=10**6, prepare=lambda pixels: pixels)
    written(store, tmp_path / "d", "known")
    splits = dict(
        pq.read_table(tmp_path / "d" / "metadata" / "subject_splits.parquet").to_pandas().itertuples(index=False)
    )
    by_person = [{splits[n] for n in range(1, 60) if n % 6 == person} for person in range(6)]
    assert all(len(found) == 1 for found in by_person)


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "mine.txt").write_text("mine")
    with pytest.raises(BadRequest, match="not empty"):
        meds_views.export(stored(tmp_path / "s", ROWS), tmp_path / "d", view="known", as_of=END, made=MADE)
