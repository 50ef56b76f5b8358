"""Refusals are kept with their bytes until somebody drops them."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinical_jepa.records.batch import Rejection, SourceBatch
from clinical_jepa.records.errors import BadRequest
from clinical_jepa.records.events import EVENTS, REJECTIONS
from clinical_jepa.store.events import Store
from tests.store.builders import batch, put


def refusal(record: str, original: bytes | None = b"{broken") -> Rejection:
    return Rejection(
        source="fhir", file="Observation.ndjson", record=record, reason="invalid", message="no JSON", original=original
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store.open(tmp_path, create=True)
    put(store, SourceBatch(events=EVENTS.empty_table(), rejections=(refusal("3"), refusal("9", None))), now=50)
    return store


def test_a_refusal_keeps_where_why_and_its_bytes(store: Store) -> None:
    table = store.rejections()
    assert table.schema.equals(REJECTIONS)
    by_record = {row["record"]: row for row in table.to_pylist()}
    assert (by_record["3"]["original"], by_record["9"]["original"]) == (b"{broken", None)
    assert store.rejection(by_record["3"]["rejection_id"])["reason"] == "invalid"


def test_the_same_refusal_is_kept_once(store: Store) -> None:
    assert put(store, batch(rejections=(refusal("3"),))).rejections == 0
    assert Store.open(store.path).rejections().num_rows == 2


def test_dropped_is_gone_for_every_reader_and_may_come_back(store: Store) -> None:
    first = store.rejections()["rejection_id"].to_pylist()
    store.drop_rejections(first[:1])
    assert Store.open(store.path).rejections()["rejection_id"].to_pylist() == first[1:]
    with pytest.raises(BadRequest, match="no refusal"):
        store.rejection(first[0])
    with pytest.raises(BadRequest, match="no refusal"):
        store.drop_rejections([first[1], "unknown"])
    assert store.rejections()["rejection_id"].to_pylist() == first[1:]
    assert put(store, batch(rejections=(refusal("3"), refusal("9", None)))).rejections == 1
