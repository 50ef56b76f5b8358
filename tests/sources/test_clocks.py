"""The table of clock offsets: what it says of a record, and that nothing of it is believed where a line cannot be."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from clinical_jepa.records.errors import BadRequest
from clinical_jepa.records.instant import HOUR, MINUTE, SECOND, local
from clinical_jepa.sources.clocks import COLUMNS, NARROW, moved, offset_of, source, table
from clinical_jepa.timeline.clock_skew import SkewConfig

BERLIN = ZoneInfo("Europe/Berlin")
HEAD = ",".join(COLUMNS)


def start(text: str) -> int:
    return local(text, BERLIN)


def test_a_row_is_about_the_records_that_begin_in_its_time() -> None:
    rows = table(
        [
            HEAD,
            "7,,2026-01-05T08:00,2026-01-06T08:00,5400,5300,5500,heart rate",
            ",p8-a,,,-60.5,-61,-60,the technician",
        ],
        BERLIN,
    )
    assert offset_of(rows, "7", "any", start("2026-01-05T08:00")) == 90 * MINUTE
    assert offset_of(rows, "7", "any", start("2026-01-06T07:00Z") - 1) == 90 * MINUTE
    assert offset_of(rows, "7", "any", start("2026-01-06T07:00Z")) == 0
    assert offset_of(rows, "7", "any", start("2026-01-05T07:59")) == 0
    assert offset_of(rows, "8", "p8-a", 0) == round(-60.5 * SECOND)
    assert offset_of(rows, "8", "p8-an", 0) == 0
    with pytest.raises(ValueError, match="2 offsets at once"):
        offset_of(rows, "7", "p8-a", start("2026-01-05T09:00"))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (",,,,60,0,120,why", "names no subject and no record"),
        ("7,,,,60,0,120,", "basis is empty"),
        ("7,,,,60,61,120,why", "does not lie from"),
        ("7,,,,60,-302,60,why", "is not narrow"),
        ("7,,,,nan,0,1,why", "offset_s is a number"),
        ("7,,,,60,0,,why", "high_s is a number"),
        ("7,,,,60,0", "not as many cells"),
        ("7,,,,60,0,120,why,more", "not as many cells"),
        ("7,,2026-01-05T08:00,2026-01-05T08:00,60,0,120,why", "ends before it begins"),
        ("7,,monday,,60,0,120,why", "no ISO time"),
        ("7,,2026-10-25T02:30,,60,0,120,why", "change of clocks"),
    ],
)
def test_a_line_that_cannot_be_believed_is_named(line: str, says: str) -> None:
    with pytest.raises(BadRequest, match=f"line 3 .*{says}.*nothing was shifted"):
        table([HEAD, "7,,,,60,0,120,why", line], BERLIN)


def test_another_table_is_none() -> None:
    with pytest.raises(BadRequest, match="has the columns subject,record"):
        table(["device,bed,from,to"], BERLIN)


def test_narrow_is_what_the_estimate_calls_narrow() -> None:
    assert SkewConfig().narrow * MINUTE == NARROW < HOUR


def test_moved_rows_are_marked() -> None:
    assert moved(source("wfdb:numerics"))
    assert moved(f"stitched:{source('wfdb:numerics')}")
    assert not moved("wfdb:numerics")
