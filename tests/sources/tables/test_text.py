"""Delimited text in blocks: the same lines whatever the size of a block, every line with its bytes."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_jepa.sources.columnar.block import LINE, split
from clinical_jepa.sources.tables import text
from clinical_jepa.sources.tables.text import Unreadable, blocks

CELLS = st.text(alphabet='ab ,"\n1é', max_size=6)
ROWS = st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=30)


@settings(max_examples=60)
@given(ROWS, st.integers(1, 40))
def test_any_size_of_block_gives_the_lines_that_the_csv_module_reads(rows: list[list[str]], size: int) -> None:
    wanted = [["x", *row] for row in rows]  # a first cell that is never blank: a blank line is none
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows([["a", "b", "c", "d"], *wanted])
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        path = Path(folder) / "t.csv"
        path.write_text(written.getvalue(), encoding="utf-8", newline="")
        patch.setattr(text, "BLOCK", size)
        found = list(blocks(path))
    cells = [[cell or "" for cell in row] for block in found for row in block.frame.drop(LINE).rows()]
    assert cells == wanted
    originals = b"".join(block.line(place) + b"\n" for block in found for place in block.frame[LINE])
    assert originals.decode() == written.getvalue().partition("\n")[2]


def test_line_breaks_of_windows_and_a_byte_order_mark_are_no_part_of_the_cells(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbfA,B\r\n1,2\r\n\r\n3,\r\n")
    (block,) = blocks(tmp_path / "t.csv", ("a", "b"))
    assert block.frame.drop(LINE).rows() == [("1", "2"), ("3", None)]


def test_bytes_that_are_no_utf_8_cost_no_line(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"a,b\n1,\xb0F\n2,x\n")
    (block,) = blocks(tmp_path / "t.csv")
    assert block.frame.drop(LINE).rows() == [("1", "\N{REPLACEMENT CHARACTER}F"), ("2", "x")]
    assert block.line(0) == b"1,\xb0F"


def test_a_quotation_mark_that_is_never_closed_is_not_read_to_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text, "BLOCK", 8)
    monkeypatch.setattr(text, "_LONGEST", 64)
    (tmp_path / "t.csv").write_text('a,b\n1,"x\n' + "2,y\n" * 50)
    with pytest.raises(Unreadable, match="never closed"):
        list(blocks(tmp_path / "t.csv"))


def test_records_with_line_breaks_inside_are_one_record() -> None:
    assert split(b'1,"a\nb"\n2,c\n\n3,"d""\n"\n') == [b'1,"a\nb"', b"2,c", b'3,"d""\n"']
