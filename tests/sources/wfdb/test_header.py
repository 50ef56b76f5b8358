"""Headers: what the reference library reads, what it reads wrongly, and what is none."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import astuple
from datetime import date, time
from pathlib import Path

import pytest
import wfdb
from hypothesis import given
from hypothesis import strategies as st

from clinical_jepa.sources.wfdb.header import BadHeader, Header, load, parse

FOLDERS = ("wfdb_samples", "mitdb", "alarms2015", "mimic3_waveforms")
# of all shared headers, those that the library does not read, or reads with another unit, though they are sound
WINS = {"null", "test_generator_2"}


def of(text: str) -> Header:
    return parse(text.encode("latin-1"), Path("r.hea"))


def theirs(path: Path) -> tuple[tuple, list[tuple]]:
    record = wfdb.rdheader(str(path.with_suffix("")))
    # a length of 0 says that there is none; a missing first value, skew or offset is 0
    head = (record.record_name, record.fs, record.sig_len or None, record.base_time, record.base_date)
    if hasattr(record, "seg_name"):
        return head, list(zip(record.seg_name, record.seg_len, strict=True))
    fields = (
        "file_name",
        "fmt",
        "samps_per_frame",
        "skew",
        "byte_offset",
        "adc_gain",
        "baseline",
        "units",
        "init_value",
    )
    columns = [getattr(record, name) or [] for name in (*fields, "checksum", "sig_name")]
    numbers = {
        1: int,
        3: lambda skew: skew or 0,
        4: lambda offset: offset or 0,
        8: lambda first: first or 0,
        10: lambda n: n or "",
    }
    return head, [
        tuple(numbers.get(place, lambda same: same)(value) for place, value in enumerate(row))
        for row in zip(*columns, strict=True)
    ]


@pytest.mark.data
@pytest.mark.parametrize("folder", FOLDERS)
def test_every_shared_header_says_what_the_library_reads(data: Path, folder: str) -> None:
    paths = [path for path in sorted((data / folder).rglob("*.hea")) if path.stem not in WINS]
    assert len(paths) >= 4
    for path in paths:
        mine = load(path)
        head, body = theirs(path)
        assert (mine.name, mine.rate_hz, mine.frames, mine.time, mine.date) == head, path.name
        assert [*map(astuple, mine.signals), *mine.segments] == body, path.name


@pytest.mark.data
def test_sound_headers_that_the_library_fails_on(data: Path) -> None:
    with pytest.raises(Exception, match="invalid syntax in signal line"):
        wfdb.rdheader(str(data / "wfdb_samples/wfdb-c/null"))
    null = load(data / "wfdb_samples/wfdb-c/null.hea")
    assert (null.frames, len(null.signals), null.files) == (1800, 2, {})
    units = [signal.units for signal in load(data / "wfdb_samples/test_generator_2.hea").signals]
    assert units[8:10] == ["°", "°"]
    assert wfdb.rdheader(str(data / "wfdb_samples/test_generator_2")).units[8:10] == ["mV", "mV"]


def test_defaults_are_those_of_the_format() -> None:
    found = of("r 2\nr.dat 16\nr.dat 16 0/uV 12 7\n")
    assert (found.rate_hz, found.frames, found.time, found.date) == (250.0, None, None, None)
    first, second = found.signals
    assert (first.gain, first.baseline, first.units, first.checksum, first.name) == (200.0, 0, "mV", None, "")
    assert (second.gain, second.baseline, second.units) == (200.0, 7, "uV")


def test_everything_that_a_line_can_say() -> None:
    found = of(
        "r 1 62.5/999.5(3) 40 1:02:03.5 29/02/2024\nr.dat 212x4:2+512 1.5e+02(-7)/cm 12 1 5 -9 0 ABP, left \n# a b\n"
    )
    assert (found.rate_hz, found.time, found.date, found.comments) == (
        62.5,
        time(1, 2, 3, 500_000),
        date(2024, 2, 29),
        ("a b",),
    )
    assert astuple(found.signals[0]) == ("r.dat", 212, 4, 2, 512, 150.0, -7, "cm", 5, -9, "ABP, left")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# only a comment\n",
        "<html>404</html>\n",
        "r\n",
        "r 1 250 10\n",
        "r one 250 10\n",
        "r 1 fast 10\nr.dat 16\n",
        "r 1 250 ten\nr.dat 16\n",
        "r 1 250 10 25:00:00\nr.dat 16\n",
        "r 1 250 10 09:00:00 30/02/2024\nr.dat 16\n",
        "r 1 250 10\nr.dat sixteen\n",
        "r 1 250 10\n../r.dat 16\n",
        "r 1 250 10\nr.dat 16 200 x\n",
        "r/2 1 250 10\ns1 5\n",
        "r/1 1 250 10\ns1 five\n",
        "r/1 1 250 10\n../s1 5\n",
        "r/x 1 250 10\ns1 5\n",
    ],
)
def test_what_is_no_header_says_so_without_repeating_it(text: str) -> None:
    with pytest.raises(BadHeader) as caught:
        of(text)
    assert not {"fast", "ten", "sixteen", "404", "25:00:00", "five"} & set(str(caught.value).split())


@given(st.binary(max_size=200) | st.text("r/1 .25\nx:+()#~", max_size=80).map(str.encode))
def test_any_bytes_are_a_header_or_none(content: bytes) -> None:
    with suppress(BadHeader):
        assert isinstance(parse(content, Path("r.hea")), Header)
