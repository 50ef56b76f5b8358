"""Records that do not tell whose they are or when they were made: on their own clocks, unless the site knows."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from clinical_jepa.records.batch import Rejection, SignalPiece, SourceBatch
from clinical_jepa.records.instant import SECOND, to_us
from clinical_jepa.sources import relative
from clinical_jepa.sources.wfdb import placing, reader
from clinical_jepa.vocabulary.identity import subject_id
from tests.sources.wfdb import builders
from tests.sources.wfdb.builders import NAME, context

START = to_us(datetime(2026, 1, 5, 9, 12, 0, 500_000, tzinfo=UTC))


def read(path: Path, root: Path, **options: object) -> list[SourceBatch]:
    return list(reader.read(path, context(root, **options)))


def pieces(batches: list[SourceBatch]) -> list[SignalPiece]:
    return [piece for batch in batches for piece in batch.signals]


def rejections(batches: list[SourceBatch]) -> list[Rejection]:
    return [one for batch in batches for one in batch.rejections]


def record(folder: Path, *, name: str = NAME, base: str = builders.BASE) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    frames = builders.segment(folder, "s1", 2)
    return builders.master(folder, [("s1", frames)], name=name, base=base)


@pytest.mark.fault(source="wfdb", fault="missing time", ends="kept on a relative clock of its own, and marked so")
@pytest.mark.parametrize(("name", "base"), [(NAME, ""), (NAME, "09:12:00"), ("r7", builders.BASE), ("r7", "")])
def test_what_has_no_subject_or_no_start_has_its_own_clock(tmp_path: Path, name: str, base: str) -> None:
    path = record(tmp_path / "ward" / "bed1", name=name, base=base)
    batches = read(path, tmp_path / "ward")
    assert rejections(batches) == []
    found = pieces(batches)
    (identity,) = {one for batch in batches for one in batch.identities}
    assert (identity.namespace, identity.identifier) == ("mrn~relative", f"ward/bed1/{name}")
    assert {piece.subject_id for piece in found} == {identity.subject_id} != {subject_id("mrn", "123")}
    assert min(piece.time for piece in found) == relative.ORIGIN
    assert {piece.source for piece in found} == {"relative:wfdb:waveforms"}


def test_two_records_of_one_name_in_two_folders_are_two(tmp_path: Path) -> None:
    one, other = (record(tmp_path / folder, name="r7", base="") for folder in ("a", "b"))
    ids = {
        piece.subject_id
        for path, root in ((one, tmp_path), (other, tmp_path), (other, tmp_path / "b"))
        for piece in pieces(read(path, root))
    }
    assert len(ids) == 3  # also where only the given folder differs: nobody can say that they are one
    assert {piece.subject_id for piece in pieces(read(one, one))} == {
        piece.subject_id for piece in pieces(read(one, tmp_path / "a"))
    }


def test_numerics_and_alarms_of_such_a_record_are_marked_too(tmp_path: Path) -> None:
    path = builders.numerics(tmp_path, {"HR": [80.0, 81.0]}, {"HR": "bpm"}, name="r7n")
    rows = [row for batch in read(path, tmp_path) for row in batch.events.to_pylist()]
    assert [(row["source"], to_us(row["time"].replace(tzinfo=UTC)) // SECOND) for row in rows] == [
        ("relative:wfdb:numerics", 0),
        ("relative:wfdb:numerics", 60),
    ]
    header = record(tmp_path, name="a103", base="")
    header.write_text(header.read_text() + "#Asystole\n#False alarm\n")
    batches = read(header, tmp_path)
    (row,) = [row for batch in batches for row in batch.events.to_pylist()]
    assert (row["code"], row["text_value"], row["source"]) == ("ALARM//ASYSTOLE", "Asystole", "relative:wfdb:alarms")
    assert to_us(row["available_time"].replace(tzinfo=UTC)) == 300 * SECOND
    # what experts said of it afterwards is nowhere in the rows
    assert "False" not in str([batch.events.to_pylist() for batch in batches])
    assert [batch.ignored for batch in batches if batch.ignored] == [{"experts' later verdict on an alarm": 1}]


@pytest.mark.parametrize(
    ("line", "name", "base", "start"),
    [
        ("bed1/r7,123,2026-01-05T09:12:00.5+00:00", "r7", "", START),
        ("bed1/r7,0123,2026-01-05T10:12:00.5", "r7", "", START),  # a naive time is one of the site's zone
        ("bed1/r7,123,", "r7", builders.BASE, START - 3600 * SECOND),
        (f"bed1/{NAME},,2026-01-05T09:12:00.5Z", NAME, "", START),
        (f"bed1/{NAME},,2026-01-05T09:12:00.5Z", NAME, "01:00:00 01/01/1999", START),  # the site's word stands above
    ],
)
def test_the_sites_word_makes_it_an_ordinary_record(
    tmp_path: Path, line: str, name: str, base: str, start: int
) -> None:
    path = record(tmp_path / "bed1", name=name, base=base)
    (tmp_path / placing.FILE).write_text(f"record,subject,start\nbed2/{name},9,\n{line}\n")
    batches = read(path, tmp_path, zone=ZoneInfo("Europe/Berlin"))
    assert rejections(batches) == []
    assert {piece.subject_id for piece in pieces(batches)} == {subject_id("mrn", "123")}
    assert min(piece.time for piece in pieces(batches)) == start
    assert {piece.source for piece in pieces(batches)} == {"wfdb:waveforms"}
    assert tmp_path / placing.FILE in reader.parts(path)  # a changed word is read again


@pytest.mark.parametrize(
    ("base", "utc"),
    [
        ("01:59:30 29/03/2026", datetime(2026, 3, 29, 0, 59, 30, tzinfo=UTC)),  # half a minute before the gap
        (
            "02:30:00 29/03/2026",
            datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
        ),  # inside it: as if the clock had not been put on
        ("02:30:00 25/10/2026", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),  # inside the fold: the first of the two
        ("23:59:59 29/02/2028", datetime(2028, 2, 29, 22, 59, 59, tzinfo=UTC)),
    ],
)
def test_clock_changes_and_leap_days_move_a_start_and_never_a_sample(tmp_path: Path, base: str, utc: datetime) -> None:
    frames = builders.segment(tmp_path, "s1", 100)
    path = builders.master(tmp_path, [("s1", frames)], base=base)
    times = sorted({piece.time for piece in pieces(read(path, tmp_path, zone=ZoneInfo("Europe/Berlin")))})
    assert times == [to_us(utc), to_us(utc) + 60 * SECOND]


def test_half_a_word_is_not_enough(tmp_path: Path) -> None:
    path = record(tmp_path, name="r7", base="")
    (tmp_path / placing.FILE).write_text("record,subject,start\nr7,123,\n")
    assert {piece.source for piece in pieces(read(path, tmp_path))} == {"relative:wfdb:waveforms"}


@pytest.mark.parametrize("lines", [b"r7,123,yesterday", b"r7,123,\nr7,124,", b"r7,\xff,", b"r7," + b"9" * 140_000])
def test_a_word_that_cannot_be_followed_refuses_the_record(tmp_path: Path, lines: bytes) -> None:
    path = record(tmp_path, name="r7", base=builders.BASE)
    (tmp_path / placing.FILE).write_bytes(b"record,subject,start\n" + lines + b"\n")
    batches = read(path, tmp_path)
    assert pieces(batches) == []
    (rejection,) = rejections(batches)
    assert rejection.reason == "invalid"
    assert not {"123", "124", "yesterday"} & set(rejection.message.replace(",", " ").split())
