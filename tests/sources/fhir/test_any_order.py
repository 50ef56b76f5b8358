"""Any order, repetition, batching and packing of resources gives the same rows; times at the edges of calendars and clocks."""

from __future__ import annotations

import gzip
import tempfile
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_jepa.records.instant import iso, to_us
from clinical_jepa.sources.fhir import files, reader, times
from clinical_jepa.sources.fhir.times import day_start, instant, quick_instant
from tests.sources.fhir.builders import EXAMPLES, observation, read, refusals, write

WARD = [
    line for path in sorted((EXAMPLES / "ward").glob("*.ndjson")) for line in path.read_bytes().splitlines() if line
]
PACKINGS = ("ndjson", "gz", "bundle")


def everything(folder: Path) -> set[tuple[object, ...]]:
    batch = read(folder)
    rows = {tuple(map(repr, row.values())) for row in batch.events.to_pylist()}
    rest = {(repr(one),) for one in (*batch.identities, *batch.retractions, *batch.links)}
    return rows | rest | {(one.reason, one.message) for one in batch.rejections}


def pack(folder: Path, lines: list[bytes], packing: str) -> None:
    """All in one file, as a server may have put it."""
    if packing == "bundle":
        entries = [{"resource": orjson.loads(line)} for line in lines]
        body = {"resourceType": "Bundle", "type": "collection", "entry": entries}
        (folder / "all.json").write_bytes(orjson.dumps(body))
    else:
        text = b"".join(line + b"\n" for line in lines)
        name = "all.ndjson" + (".gz" if packing == "gz" else "")
        (folder / name).write_bytes(gzip.compress(text) if packing == "gz" else text)


@settings(max_examples=40)
@given(
    st.permutations(WARD),
    st.lists(st.sampled_from(WARD), max_size=4),
    st.sampled_from(PACKINGS),
    st.integers(1, 9),
    st.integers(1, 9),
)
@pytest.mark.fault(source="fhir", fault="out of order", ends="the same rows")
def test_order_repetition_batching_and_packing_change_nothing(
    order: list[bytes], twice: list[bytes], packing: str, rows: int, chunk: int
) -> None:
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        pack(Path(one), WARD, "ndjson")
        expected = everything(Path(one))
        pack(Path(other), order + twice, packing)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(reader, "BATCH_ROWS", rows)
            patched.setattr(files, "CHUNK", chunk)
            assert everything(Path(other)) == expected
    assert len(expected) > 20


def test_a_reader_that_keeps_the_first_of_a_batch_only_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack(tmp_path, WARD, "ndjson")
    expected = everything(tmp_path)
    original = reader._batch
    monkeypatch.setattr(reader, "BATCH_ROWS", 3)
    broken = lambda reading: original(reading).__class__(events=original(reading).events.slice(0, 1))
    monkeypatch.setattr(reader, "_batch", broken)
    assert everything(tmp_path) != expected


MOMENTS = st.datetimes(datetime(1001, 1, 1), datetime(8999, 12, 31))
OFFSETS = st.integers(-14 * 60, 14 * 60)


@given(
    st.lists(st.tuples(MOMENTS, OFFSETS), min_size=1, max_size=5),
    st.sampled_from(["seconds", "milliseconds", "microseconds"]),
)
def test_an_instant_is_datetime_s_own_on_both_paths(moments: list[tuple[datetime, int]], digits: str) -> None:
    for moment, minutes in moments:
        zoned = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
        text = zoned.isoformat(timespec=digits)
        expected = to_us(datetime.fromisoformat(text))
        assert instant(text, ZoneInfo("UTC")) == quick_instant(text)[0] == expected
        assert quick_instant(text)[1] == str(expected)


def test_pieces_that_were_put_together_wrongly_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "2026-01-05T09:00:00.5+01:00"
    quick_instant.cache_clear()
    quick_instant("2026-01-05T08:00:00Z")
    monkeypatch.setitem(times._clocks, text[11:], instant("1970-01-01T09:00:00.5-01:00", ZoneInfo("UTC")))
    try:
        assert quick_instant(text)[0] != instant(text, ZoneInfo("UTC"))
    finally:
        quick_instant.cache_clear()


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2026-03-29T02:30:00+01:00", "Europe/Berlin", "2026-03-29T01:30:00Z"),  # a clock time that did not exist
        ("2026-10-25T02:30:00+02:00", "Europe/Berlin", "2026-10-25T00:30:00Z"),  # the first of two
        ("2026-10-25T02:30:00+01:00", "Europe/Berlin", "2026-10-25T01:30:00Z"),  # the second
        ("2026-03-28", "Europe/Berlin", "2026-03-28T23:00:00Z"),
        ("2026-03-29", "Europe/Berlin", "2026-03-29T22:00:00Z"),  # a day of 23 hours
        ("2018-11-03", "America/Sao_Paulo", "2018-11-04T03:00:00Z"),  # the next day began at 01:00
        ("2024-02-29", "UTC", "2024-03-01T00:00:00Z"),
        ("2024-02-29T23:59:59.999999Z", "UTC", "2024-02-29T23:59:59.999999Z"),
        ("2024-02", "UTC", "2024-03-01T00:00:00Z"),
        ("2016-12-31T23:59:60Z", "UTC", "2017-01-01T00:00:00Z"),
        ("2026-01-05T09:00:00.123456789Z", "UTC", "2026-01-05T09:00:00.123456Z"),
        ("1969-12-31T23:59:59.5-12:00", "UTC", "1970-01-01T11:59:59.500000Z"),
    ],
)
def test_gaps_folds_leaps_and_offsets(text: str, zone: str, expected: str) -> None:
    assert iso(instant(text, ZoneInfo(zone))) == expected
    if "T" in text:
        assert iso(quick_instant(text)[0]) == expected


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-05T09:00:00",
        "2026-01-05T09:00Z",
        "2026-01-05T24:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-02-29",
        "2026-W01-1",
    ]
    + ["20260105", "2026-01-05T09:00:00+0100", "2026-01-05T09:00:00 Z", "٢٠٢٦-01-05T09:00:00Z", "9999"],
)
def test_what_fhir_does_not_allow_is_refused_and_never_guessed(text: str, tmp_path: Path) -> None:
    with pytest.raises((ValueError, OverflowError)):
        instant(text, ZoneInfo("Europe/Berlin"))
    body: dict[str, Any] = observation(effectiveDateTime=text)
    assert refusals(read(write(tmp_path, "Observation.ndjson", body))) == [("invalid", "line 1")]


def test_a_birth_in_a_gap_begins_when_the_day_did() -> None:
    assert iso(day_start("2018-11-04", ZoneInfo("America/Sao_Paulo"))) == "2018-11-04T03:00:00Z"
    assert datetime.fromtimestamp(day_start("2018-11-04", ZoneInfo("America/Sao_Paulo")) / 1e6, UTC).minute == 0
