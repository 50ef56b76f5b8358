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


@pytest.mark.fault(source="wfdb", fault="any byte damaged", ends="rows and refusals, never an exception")
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


def test_a_file_that_no_header_names_is_refused_unless_another_reader_takes_it(tmp_path: Path) -> None:
    path = builders.record(tmp_path)
    (tmp_path / "lost.dat").write_bytes(bytes(300))
    (tmp_path / "image.dat").write_bytes(bytes(128) + b"DICM" + bytes(50))
    (tmp_path / "notes.txt").write_text("no record")
    assert reader.find(tmp_path) == [path, tmp_path / "lost.dat"]
    (batch,) = reader.read(tmp_path / "lost.dat", context(tmp_path))
    assert [(r.reason, r.file) for r in batch.rejections] == [("unreadable", "lost.dat")]


def test_masters_that_list_themselves_or_each_other_are_found_and_end(tmp_path: Path) -> None:
    for name, other in (("a", "b"), ("b", "a"), ("c", "c")):
        (tmp_path / f"{name}.hea").write_text(f"{name}/1 1 125 10\n{other} 10\n")
    assert [path.stem for path in reader.find(tmp_path)] == ["a", "b", "c"]
    for path in reader.find(tmp_path):
        assert path in reader.parts(path)
        reasons = [r.message for batch in reader.read(path, context(tmp_path)) for r in batch.rejections]
        assert len(reasons) == 1
        assert "a record of segments itself" in reasons[0]


def test_a_segment_of_another_length_than_its_master_says_is_refused(tmp_path: Path) -> None:
    frames = builders.segment(tmp_path, "s1", 5)
    path = builders.master(tmp_path, [("s1", frames - 1)])
    (rejection,) = (r for batch in reader.read(path, context(tmp_path)) for r in batch.rejections)
    assert "its length is not what its record says" in rejection.message


@given(name=st.text("ab/\\.~\x00 -", max_size=6))
def test_no_name_in_a_header_leads_out_of_its_folder(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    folder = tmp_path_factory.mktemp("names")
    (folder / "up.dat").write_bytes(bytes(20))
    inner = folder / "in"
    inner.mkdir()
    header = inner / f"{NAME}.hea"
    for text in (
        f"{NAME} 1 125 10\n{name} 16\n",
        f"{NAME}/1 1 125 10\n{name} 10\n",
        f"{NAME} 1 125 10\n../up.dat 16\n",
    ):
        header.write_bytes(text.encode())
        assert all(part.parent == inner for part in reader.parts(header))
        assert not any(batch.signals for batch in reader.read(header, context(inner)))
