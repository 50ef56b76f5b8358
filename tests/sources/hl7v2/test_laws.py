"""Laws that hold for any file."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_jepa.sources.hl7v2.envelope import pieces
from clinical_jepa.sources.hl7v2.frames import Framer, framed
from clinical_jepa.sources.hl7v2.message import unescape
from tests.sources.hl7v2.builders import EXAMPLES, HEART_RATE, OBR, PID, message, obx, one_fact, read, result

MESSAGES = [piece.raw for piece in pieces((EXAMPLES / "ward.hl7").read_bytes())]


def said(raw: bytes) -> tuple[frozenset[str], frozenset[tuple[object, ...]]]:
    """The rows and links of some bytes, in no order."""
    batch = read(raw)
    links = frozenset((one.absorbed, one.survivor, one.active, one.available_time) for one in batch.links)
    return frozenset(batch.events["event_id"].to_pylist()), links


@pytest.mark.fault(source="hl7v2", fault="out of order", ends="the same rows, each known from its own time on")
@settings(max_examples=30)
@given(st.permutations(MESSAGES), st.lists(st.sampled_from(MESSAGES)), st.booleans())
def test_order_duplicates_and_batches_do_not_change_what_is_said(
    order: list[bytes], twice: list[bytes], batched: bool
) -> None:
    raw = b"".join(order + twice)
    if batched:
        raw = b"BHS|^~\\&\r" + raw + b"BTS|%d\r" % len(order + twice)
    assert said(raw) == said(b"".join(MESSAGES))


@settings(max_examples=30)
@given(st.permutations(MESSAGES), st.integers(0, len(MESSAGES)))
def test_files_may_be_cut_between_messages_anywhere(order: list[bytes], cut: int) -> None:
    first, second = said(b"".join(order[:cut])), said(b"".join(order[cut:]))
    whole = said(b"".join(MESSAGES))
    assert (first[0] | second[0], first[1] | second[1]) == whole


@given(st.lists(st.sampled_from(MESSAGES), min_size=1, max_size=4), st.data())
def test_frames_split_and_joined_anywhere_are_the_same_frames(messages: list[bytes], data: st.DataObject) -> None:
    line = b"noise".join(framed(one) for one in messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(line)), max_size=12)))
    framer = Framer(limit=1 << 20)
    got = [
        one.content
        for start, end in zip([0, *cuts], [*cuts, len(line)], strict=True)
        for one in framer.feed(line[start:end])
    ]
    assert got == messages
    assert framer.outside == 5 * (len(messages) - 1)
    assert not framer.within


def test_a_frame_split_at_every_byte() -> None:
    line = framed(result()) + framed(result(control="C2"))
    for cut in range(len(line) + 1):
        framer = Framer(limit=1 << 20)
        assert len(framer.feed(line[:cut])) + len(framer.feed(line[cut:])) == 2
    framer = Framer(limit=1 << 20)
    assert sum(len(framer.feed(line[at : at + 1])) for at in range(len(line))) == 2


@given(st.binary(max_size=80))
def test_no_bytes_break_the_reader_and_the_next_message_is_read(junk: bytes) -> None:
    clean = junk.replace(b"\x0b", b"").replace(b"MSH", b"").replace(b"FHS", b"").replace(b"BHS", b"")
    batch = read(clean + b"\r" + result())
    assert 80.0 in batch.events["numeric_value"].to_pylist()
    read(junk)


@given(st.integers(0, 400), st.binary(min_size=1, max_size=3))
def test_damage_within_a_message_costs_no_other(place: int, junk: bytes) -> None:
    raw = result(control="C9", obx=obx("77"))
    place = min(place, len(raw) - 1)
    damaged = raw[:place] + junk.replace(b"\x0b", b"") + raw[place + 1 :]
    batch = read(damaged + result())
    assert 80.0 in batch.events["numeric_value"].to_pylist()


@given(st.floats(1, 349, allow_nan=False), st.integers(0, 59))
def test_what_is_kept_equals_what_was_written(value: float, minute: int) -> None:
    when = f"2026010509{minute:02d}00+0000"
    text = f"{value:.3f}"
    fact = one_fact(result(obx(text, when=when), when=when))
    assert fact[1] == fact[2] == f"2026-01-05T09:{minute:02d}:00Z"
    assert abs(float(str(fact[4])) - float(text)) <= 1e-3


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1).filter(str.strip))
def test_any_words_survive_escaping(words: str) -> None:
    escaped = words
    for plain, mark in (("\\", "E"), ("|", "F"), ("^", "S"), ("~", "R"), ("&", "T")):
        escaped = escaped.replace(plain, f"\0{mark}\0") if plain == "\\" else escaped.replace(plain, f"\\{mark}\\")
    escaped = escaped.replace("\0", "\\")
    assert unescape(escaped, "|^~\\&", "utf-8") == words


@given(st.text("|^~\\&OBX 0123456789F", max_size=30))
def test_no_shape_of_a_segment_breaks_the_reader(tail: str) -> None:
    batch = read(message(PID, OBR, f"OBX|1|{tail}", HEART_RATE))
    assert 80.0 in batch.events["numeric_value"].to_pylist()
    assert batch.events.num_rows + len(batch.rejections) + sum(batch.ignored.values()) >= 2


def test_no_value_of_a_patient_stands_in_a_message() -> None:
    names = re.compile(r"MADE|H1001|1960|V77|5\.9")
    for raw in (
        b"".join(MESSAGES),
        b"".join(MESSAGES).replace(b"|NM|", b"|QQ|"),
        b"".join(MESSAGES).replace(b"MR", b"SS"),
    ):
        for one in read(raw).rejections:
            assert not names.search(one.message), one.message
