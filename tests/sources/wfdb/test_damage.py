"""Damaged records: whatever byte is wrong, the reader answers with batches and never with an exception."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clinical_jepa.records.events import REASONS
from clinical_jepa.sources.wfdb import reader
from tests.sources.wfdb import builders
from tests.sources.wfdb.builders import NAME, context

EXAMPLES = Path(reader.__file__).parent / "examples"
FILES = sorted(path.name for path in EXAMPLES.iterdir())


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(FILES), place=st.integers(0, 300), byte=st.integers(0, 255), cut=st.booleans())
@example(name=f"{NAME}.hea", place=0, byte=0, cut=True)
def test_one_wrong_byte_or_a_cut_never_raises(
    tmp_path_factory: pytest.TempPathFactory, name: str, place: int, byte: int, cut: bool
) -> None:
    folder = tmp_path_factory.mktemp("damage") / "in"
    shutil.copytree(EXAMPLES, folder)
    content = bytearray((folder / name).read_bytes())
    place %= max(len(content), 1)
    content[place : len(content) if cut else place + 1] = bytes([byte])
    (folder / name).write_bytes(content)
    for path in reader.find(folder):
        for batch in reader.read(path, context(folder)):
            assert {rejection.reason for rejection in batch.rejections} <= set(REASONS)


def test_signals_without_a_name_are_refused(tmp_path: Path) -> None:
    frames = builders.segment(tmp_path, "s1", 5)
    header = tmp_path / "s1.hea"
    header.write_text(header.read_text().replace(" ABP\n", "\n"))
    batches = list(reader.read(builders.master(tmp_path, [("s1", frames)]), context(tmp_path)))
    assert {piece.channel for batch in batches for piece in batch.signals} == {"ECG"}
    assert [rejection.reason for batch in batches for rejection in batch.rejections] == ["unmapped"]


@pytest.mark.parametrize(
    ("rate", "reason"),
    [("0", "invalid"), ("0.00000001", "invalid"), ("100000000000", "invalid"), ("62.6", "unreadable")],
)
def test_a_rate_that_cannot_be_is_refused(tmp_path: Path, rate: str, reason: str) -> None:
    path = builders.record(tmp_path)
    path.write_text(path.read_text().replace(" 62.5 ", f" {rate} "))
    batches = list(reader.read(path, context(tmp_path)))
    assert not any(batch.signals for batch in batches)
    assert {rejection.reason for batch in batches for rejection in batch.rejections} == {reason}
