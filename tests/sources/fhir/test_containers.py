"""Bundles of every type, zips and damaged ones: entry by entry, and one bad entry costs one entry."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path
from typing import Any

import orjson
import pytest

from clinical_jepa.sources.fhir import reader
from clinical_jepa.sources.fhir.files import items
from tests.sources.fhir.builders import facts, observation, read, refusals, write

TYPES = ["transaction", "batch", "searchset", "history", "collection", "document", "message"]


def bundle(kind: str, *entries: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def put(folder: Path, body: object, name: str = "b.json") -> Path:
    path = folder / name
    path.write_bytes(body if isinstance(body, bytes) else orjson.dumps(body))
    return path


@pytest.mark.parametrize("kind", TYPES)
def test_a_bundle_of_any_type_gives_the_rows_of_its_resources(kind: str, tmp_path: Path) -> None:
    path = put(tmp_path, bundle(kind, {"resource": observation("a")}, {"resource": observation("b")}))
    assert facts(read(path)) == facts(read(write(tmp_path, "o.ndjson", observation("a"), observation("b"))))


@pytest.mark.parametrize("name", ["o.json", "o.ndjson", "o.ndjson.gz", "o.zip"])
def test_a_byte_order_mark_before_the_content_is_passed_over(name: str, tmp_path: Path) -> None:
    plain = orjson.dumps(observation("a"))
    marked = b"\xef\xbb\xbf" + plain + b"\r\n"
    if name == "o.zip":
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("o.ndjson", marked)
        path = tmp_path / name
    else:
        path = put(tmp_path, gzip.compress(marked) if name.endswith(".gz") else marked, name)
    assert reader.find(tmp_path) == [path]
    batch = read(path)
    assert refusals(batch) == []
    assert facts(batch) == facts(read(put(tmp_path, plain, "plain.json")))


def test_a_bundle_in_a_bundle_is_opened_too(tmp_path: Path) -> None:
    inner = bundle("searchset", {"resource": observation("a")}, {"fullUrl": "urn:uuid:x"})
    batch = read(put(tmp_path, bundle("collection", {"resource": inner})))
    assert batch.events.num_rows == 1
    assert refusals(batch) == [("unreadable", "file entry 1 entry 2")]


@pytest.mark.parametrize(("deep", "rows"), [(7, 1), (30, 0), (4000, 0)])
def test_bundles_within_each_other_end_somewhere(deep: int, rows: int, tmp_path: Path) -> None:
    held = orjson.dumps(observation("a"))
    path = put(tmp_path, b'{"resourceType":"Bundle","entry":[{"resource":' * deep + held + b"}]}" * deep)
    batch = read(path)
    assert (batch.events.num_rows, [one.reason for one in batch.rejections]) == (rows, ["unreadable"] * (1 - rows))


def test_an_entry_without_an_id_has_its_address_as_one(tmp_path: Path) -> None:
    named = observation(name="urn-1")
    unnamed = {key: value for key, value in named.items() if key != "id"}
    for url in ("urn:uuid:urn-1", "http://a.example/fhir/Observation/urn-1"):
        path = put(tmp_path, bundle("collection", {"fullUrl": url, "resource": unnamed}))
        assert facts(read(path)) == facts(read(write(tmp_path, "o.ndjson", named)))
        assert set(read(path).events["event_id"].to_pylist()) == set(
            read(tmp_path / "o.ndjson").events["event_id"].to_pylist()
        )


def test_answers_and_questions_hold_no_resource(tmp_path: Path) -> None:
    asked = {"request": {"method": "GET", "url": "Patient/1"}}
    answered = {"response": {"status": "201 Created"}}
    batch = read(put(tmp_path, bundle("batch", asked, answered)))
    assert (batch.rejections, sum(batch.ignored.values())) == ((), 2)


def test_bytes_that_are_no_text_cost_their_entry(tmp_path: Path) -> None:
    raw = orjson.dumps(
        bundle(
            "collection",
            {"resource": observation("a", valueString="?", valueQuantity=None)},
            {"resource": observation("b")},
        )
    )
    batch = read(put(tmp_path, raw.replace(b'"?"', b'"\xff"')))
    assert (batch.events.num_rows, refusals(batch)) == (1, [("unreadable", "file entry 1")])


def test_an_entry_that_is_no_list_is_one_refusal(tmp_path: Path) -> None:
    assert refusals(read(put(tmp_path, {"resourceType": "Bundle", "entry": {}}))) == [("unreadable", "file")]


def zipped(folder: Path, **members: bytes) -> Path:
    path = folder / "all.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "."), content)
    return path


def test_the_members_of_a_zip_are_read_each_by_itself(tmp_path: Path) -> None:
    one, two = orjson.dumps(observation("a")), orjson.dumps(observation("b"))
    path = zipped(tmp_path, a_json=one, b_ndjson=two + b"\n{broken\n" + one, c_txt=b"no", d_json=b'{"resourceType":')
    assert reader.find(tmp_path) == [path]
    batch = read(path)
    assert batch.events.num_rows == 3
    assert refusals(batch) == [("unreadable", "member b.ndjson line 2"), ("unreadable", "member d.json")]


@pytest.mark.fault(source="fhir", fault="wrong checksum", ends="that member is refused, the zip's others are read")
def test_a_member_that_fails_its_checksum_costs_itself(tmp_path: Path) -> None:
    one, two = orjson.dumps(observation("a")), orjson.dumps(observation("b"))
    path = zipped(tmp_path, b_json=one, c_json=two)
    with zipfile.ZipFile(path) as archive:
        first = archive.infolist()[0]
        place = first.header_offset + 30 + len(first.filename) + first.compress_size // 2
    damaged = bytearray(path.read_bytes())
    damaged[place] ^= 0xFF
    path.write_bytes(bytes(damaged))
    batch = read(path)
    assert batch.events.num_rows == 1
    assert [one.reason for one in batch.rejections] == ["unreadable"]


def test_a_broken_zip_is_one_refusal(tmp_path: Path) -> None:
    path = zipped(tmp_path, a_json=orjson.dumps(observation("a")))
    path.write_bytes(path.read_bytes()[:-30])
    assert reader.find(tmp_path) == [path]
    assert [item.problem != "" for item in items(path)] == [True]
