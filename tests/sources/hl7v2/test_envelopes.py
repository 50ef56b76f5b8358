"""Files, batches, dumps of a line, line ends, and what is wrong with them."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.hl7v2 import envelope, reader
from clinical_jepa.sources.hl7v2.envelope import pieces
from clinical_jepa.sources.hl7v2.frames import HEAD, Framer, framed
from tests.sources.hl7v2.builders import HEART_RATE, OBR, PID, facts, message, obx, read, rejection, result

ONE, TWO = result(), result(obx("90", when="20260105091000+0000"), control="C2")
BOTH = {80.0, 90.0}


def values(raw: bytes) -> set[object]:
    return {one[4] for one in facts(read(raw))}


@pytest.mark.parametrize(
    "raw",
    [
        ONE + TWO,
        (ONE + TWO).replace(b"\r", b"\n"),
        (ONE + TWO).replace(b"\r", b"\r\n"),
        (ONE + TWO).replace(b"\r", b"\r\n\r\n  "),
        b"\xef\xbb\xbf" + ONE + b"\n\n" + TWO,
        b"BHS|^~\\&|A\r" + ONE + TWO + b"BTS|2\r",
        b"FHS|^~\\&|A\rBHS|^~\\&|A\r" + ONE + b"BTS|1\rBHS|^~\\&\r" + TWO + b"BTS|1\rFTS|2\r",
        b"BHS|^~\\&|A\r" + ONE + TWO,
        framed(ONE) + framed(TWO),
        framed(ONE) + b"\r\n" + framed(TWO) + b"\n",
        framed(b"BHS|^~\\&|A\r" + ONE + TWO + b"BTS|2\r"),
    ],
)
def test_messages_in_every_wrapping(raw: bytes) -> None:
    assert values(raw) == BOTH
    assert not read(raw).rejections


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 64])
def test_a_file_is_read_in_pieces_of_any_size(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    whole = b"BHS|^~\\&|A\r\n" + ONE.replace(b"\r", b"\r\n") + b"\r\n\r" + TWO + b"BTS|2\r"
    expected = list(pieces(whole))
    assert [one.record for one in expected] == ["message 1", "message 2"]
    monkeypatch.setattr(envelope, "CHUNK", chunk)
    assert list(pieces(whole)) == expected
    monkeypatch.setattr(envelope, "CHUNK", max(chunk, 3))
    assert [one.raw for one in pieces(b"\x0b" + ONE + b"\x1c\r" + framed(TWO))] == [ONE, TWO]


def test_a_text_that_goes_on_in_the_next_line() -> None:
    words = obx("first\nsecond", "", "18748-4^^LN", "TX")
    assert values(message(PID, OBR, words, HEART_RATE)) == {"first\nsecond", 80.0}


@pytest.mark.fault(
    source="hl7v2", fault="truncated batch", ends="what came is kept; the count of the trailer is quarantined"
)
def test_a_trailer_that_counts_more_than_came() -> None:
    batch = read(b"BHS|^~\\&|A\r" + ONE + b"BTS|2\r")
    assert batch.events.num_rows == 1
    assert [(one.reason, one.record) for one in batch.rejections] == [("invalid", "trailer of batch 1")]
    batch = read(b"FHS|^~\\&|A\rBHS|^~\\&|A\r" + ONE + b"BTS|1\rFTS|3\r")
    assert [(one.reason, one.record) for one in batch.rejections] == [("invalid", "trailer of file")]


@pytest.mark.fault(source="hl7v2", fault="lost header", ends="quarantined as invalid; the other messages are kept")
def test_segments_without_a_header_are_refused_with_their_bytes() -> None:
    headless = PID.encode() + b"\r" + HEART_RATE.encode() + b"\r"
    batch = read(b"BHS|^~\\&|A\r" + headless + ONE + b"BTS|2\r")
    assert batch.events.num_rows == 1
    assert [(one.reason, one.record, one.original) for one in batch.rejections] == [("invalid", "message 1", headless)]


@pytest.mark.fault(source="hl7v2", fault="truncation", ends="whole messages are kept, the cut one is quarantined")
def test_a_file_that_was_cut_within_a_message() -> None:
    for length in range(1, len(TWO)):
        batch = read(ONE + TWO[:length])
        said = {one[4] for one in facts(batch)}
        assert 80.0 in said, length
        assert said <= BOTH, length  # a number that was cut stands before its state, and has none
        assert len(said) == 2 or batch.rejections or batch.ignored, length


@pytest.mark.fault(source="hl7v2", fault="half-written dump", ends="whole frames are kept, the rest is quarantined")
def test_a_dump_that_was_cut_within_a_frame() -> None:
    batch = read(framed(ONE) + framed(TWO)[:-20])
    assert {one[4] for one in facts(batch)} == {80.0}
    assert [(one.reason, one.record) for one in batch.rejections] == [("invalid", "outside frames")]


def test_what_is_no_hl7_at_all() -> None:
    assert rejection(b"this is a letter").reason == "invalid"
    junk = read(bytes(range(256)))
    assert (junk.events.num_rows, {one.reason for one in junk.rejections}) == (0, {"invalid"})
    empty = read(b"")
    assert (empty.events.num_rows, empty.rejections, empty.ignored) == (0, (), {})


@pytest.mark.fault(source="hl7v2", fault="damaged segment", ends="costs that result alone")
def test_a_damaged_result_costs_one_result() -> None:
    raw = message(PID, OBR, "OBX|1|NM", HEART_RATE, "ZZZ|anything|at all")
    batch = read(raw)
    assert {one[4] for one in facts(batch)} == {80.0}
    (refused,) = batch.rejections
    assert (refused.record, refused.original) == ("message 1, OBX 1", raw)


@pytest.mark.fault(source="hl7v2", fault="duplicate", ends="the same rows")
def test_a_message_that_comes_twice_gives_the_same_rows() -> None:
    events = read(ONE + ONE).events
    assert len(set(events["event_id"].to_pylist())) == 1


def test_orders_and_answers_are_counted_by_kind() -> None:
    raw = (
        message(PID, "ORC|NW|P1", kind="ORM^O01")
        + message(PID, kind="OML^O33^OML_O33")
        + message("MSA|AA|1", kind="ACK")
    )
    assert read(raw).ignored == {"ORM^O01": 1, "OML^O33": 1, "ACK": 1}
    alarm = message(PID, OBR, HEART_RATE, kind="ORU^R40^ORU_R40")
    assert read(alarm).ignored == {"ORU^R40": 1}


@pytest.mark.parametrize("kind", ["ORU^R01", "ORU^R30", "ORU^R32", "OUL^R22", "ORU"])
def test_results_travel_under_several_names(kind: str) -> None:
    assert values(message(PID, OBR, HEART_RATE, kind=kind)) == {80.0}


def test_which_files_are_found(tmp_path: Path) -> None:
    for name in ("b.hl7", "sub/a.HL7", "c.mllp", "d.txt", ".half.hl7", "e.hl7.part"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(ONE)
    assert [path.relative_to(tmp_path).as_posix() for path in reader.find(tmp_path)] == ["b.hl7", "c.mllp", "sub/a.HL7"]
    assert reader.find(tmp_path / "d.txt") == [tmp_path / "d.txt"]  # named by itself, and HL7 by its content
    (tmp_path / "d.txt").write_text("no message")
    assert reader.find(tmp_path / "d.txt") == []
    assert reader.parts(tmp_path / "b.hl7") == [tmp_path / "b.hl7"]


def test_a_stretch_of_a_line_is_one_unit(tmp_path: Path) -> None:
    folder = tmp_path / "spool" / "20260105" / "0930.hl7d"
    folder.mkdir(parents=True)
    for name, raw in (("a", ONE), ("b", TWO), ("c", b"damage")):
        (folder / f"{name}.hl7").write_bytes(raw)
    (folder / ".d.part").write_bytes(ONE[:40])
    assert reader.find(tmp_path) == reader.find(folder) == [folder]
    assert [path.name for path in reader.parts(folder)] == ["a.hl7", "b.hl7", "c.hl7"]
    batch = read(tmp_path)
    assert {one[4] for one in facts(batch)} == BOTH
    assert [one.file for one in batch.rejections] == ["spool/20260105/0930.hl7d/c.hl7"]


def test_a_long_file_comes_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "BATCH_ROWS", 10)
    path = tmp_path / "many.hl7"
    path.write_bytes(b"".join(result(obx(str(number + 60))) for number in range(25)))
    sizes = [batch.events.num_rows for batch in reader.read(path, ReadContext(root=tmp_path))]
    assert sizes == [10, 10, 5]


def test_a_batch_ten_times_as_long_needs_no_more_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envelope, "CHUNK", 1 << 14)

    def peak(times: int) -> int:
        path = tmp_path / "many.hl7"
        path.write_bytes(b"BHS|^~\\&|A\r" + ONE * times)
        tracemalloc.start()
        with path.open("rb") as file:
            assert sum(1 for _ in pieces(file)) == times
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(10)  # whatever is loaded once
    few, many = peak(500), peak(5_000)
    assert many < 1.5 * few  # a reader of whole files needs ten times as much


def test_frames_that_are_begun_again_or_too_long() -> None:
    framer = Framer(limit=100)
    assert framer.feed(b"noise\x0bhalf a mess\x0bwhole\x1c\r") == framer.feed(b"") + [
        type(framer.feed(framed(b"x"))[0])(content=b"whole")
    ]
    assert framer.outside == len(b"noise") + len(b"half a mess")
    (long,) = Framer(limit=100).feed(framed(b"y" * 9000))
    assert (long.cut, len(long.content)) == (True, HEAD)
    (longest,) = Framer(limit=100).feed(framed(b"y" * 100))
    assert not longest.cut
