"""Faults that tables can meet, planted in each data set: one bad line costs one line, a damaged file one refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.sources.tables.made import MADE, Made, ids, outcome, packed, reasons

CODED = {"invalid": "bad number", "no-time": "missing time", "unknown-unit": "wrong unit"}
NAMES = {**CODED, "implausible": "implausible value", "unknown-subject": "unknown subject"}
SETS = list(MADE)


def cases(fault: str, ends: str, sets: list[str] = SETS) -> list[Any]:
    return [
        pytest.param(MADE[name], id=name, marks=pytest.mark.fault(source=name, fault=fault, ends=ends)) for name in sets
    ]


def spoilt() -> list[Any]:
    return [
        pytest.param(
            made,
            reason,
            id=f"{name}-{reason}",
            marks=pytest.mark.fault(
                source=name, fault=NAMES[reason], ends=f"the line refused as {reason}, the others kept"
            ),
        )
        for name, made in MADE.items()
        for reason in made.spoilt
    ]


@pytest.mark.parametrize(("made", "reason"), spoilt())
def test_a_spoilt_line_is_refused_with_its_bytes_and_the_others_are_kept(
    made: Made, reason: str, tmp_path: Path
) -> None:
    sound, _ = _read(made, tmp_path / "sound", made.rows)
    batch, lines = _read(made, tmp_path / "spoilt", [*made.rows[:2], made.spoilt[reason], *made.rows[2:]])
    assert reasons(batch) == {reason: 1}
    assert batch.rejections[0].original == made.spoilt[reason].encode()
    assert ids(sound) <= ids(batch)
    assert lines.whole
    assert lines.count == len(made.rows) + 1
    assert lines.stored + lines.ignored.total() >= len(made.rows)


@pytest.mark.parametrize("made", cases("duplicate", "the same rows once"))
def test_lines_that_come_twice_are_the_same_facts(made: Made, tmp_path: Path) -> None:
    once, _ = _read(made, tmp_path / "once", made.rows)
    twice, lines = _read(made, tmp_path / "twice", [*made.rows, *made.rows])
    assert ids(twice) == ids(once)
    assert lines.count == 2 * len(made.rows)
    assert lines.whole


@pytest.mark.parametrize("made", cases("out of order", "the same rows"))
def test_lines_in_another_order_are_the_same_facts(made: Made, tmp_path: Path) -> None:
    there, _ = _read(made, tmp_path / "there", made.rows)
    back, _ = _read(made, tmp_path / "back", made.rows[::-1])
    assert ids(back) == ids(there)


@pytest.mark.parametrize("made", cases("half-written file", "the last line refused, those before it kept"))
def test_a_half_written_file_loses_its_last_line_only(made: Made, tmp_path: Path) -> None:
    shorter, _ = _read(made, tmp_path / "shorter", made.rows[:-1])
    made.write(tmp_path / "cut", [*made.rows[:-1], made.rows[-1][:-1]], end="")
    batch, lines = outcome(made, tmp_path / "cut")
    assert reasons(batch) == {"unreadable": 1}
    assert batch.rejections[0].original == made.rows[-1][:-1].encode()
    assert ids(batch) == ids(shorter)
    assert lines.whole
    assert lines.count == len(made.rows)


@pytest.mark.parametrize("made", cases("line with another number of cells", "the line refused as invalid"))
def test_a_ragged_line_is_one_refusal(made: Made, tmp_path: Path) -> None:
    ragged = made.rows[0] + ("|1|2" if "|" in made.head else ",1,2")
    batch, lines = _read(made, tmp_path, [made.rows[0], ragged, *made.rows[1:]])
    assert reasons(batch) == {"invalid": 1}
    assert batch.rejections[0].original == ragged.encode()
    assert lines.whole
    assert lines.count == len(made.rows) + 1


@pytest.mark.parametrize("made", cases("wrong column", "the file refused, and told which column it lacks"))
def test_another_head_is_one_refusal(made: Made, tmp_path: Path) -> None:
    wrong = (
        made.head.replace("Parameter", "What")
        .replace("ICULOS", "HOUR")
        .replace("charttime", "at")
        .replace("CHARTTIME", "AT")
    )
    made.write(tmp_path, head=wrong.replace("labresultoffset", "at"))
    batch, _ = outcome(made, tmp_path)
    assert [(one.reason, one.record) for one in batch.rejections] == [("unreadable", "file")]
    assert batch.events.num_rows == 0


@pytest.mark.parametrize("made", cases("truncation", "the file refused, nothing of it kept"))
def test_a_truncated_gzip_or_zip_is_one_refusal(made: Made, tmp_path: Path) -> None:
    made.write(tmp_path, [*made.rows] * 50)
    whole = packed(made.unit(tmp_path))
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    batch, _ = outcome(made, tmp_path, whole)
    assert [(one.reason, one.record) for one in batch.rejections] == [("unreadable", "file")]
    assert batch.events.num_rows == 0


@pytest.mark.parametrize("made", cases("wrong checksum", "the file (in a zip: the stay) refused, nothing of it kept"))
def test_a_wrong_checksum_is_one_refusal(made: Made, tmp_path: Path) -> None:
    made.write(tmp_path)
    whole = packed(made.unit(tmp_path))
    content = bytearray(whole.read_bytes())
    place = content.find(made.rows[1].encode()) if whole.suffix == ".zip" else len(content) - 8
    content[place] ^= 1
    whole.write_bytes(content)
    batch, _ = outcome(made, tmp_path, whole)
    assert [(one.reason, one.record) for one in batch.rejections] == [("unreadable", "file")]
    assert batch.events.num_rows == 0


def test_a_damaged_stay_costs_that_stay_only(tmp_path: Path) -> None:
    made = MADE["cinc2012"]
    made.write(tmp_path)
    (tmp_path / "set-a" / "132540.txt").write_text("Time,Parameter,Value\n00:00,RecordID,132540\n00:07,HR,81\n")
    whole = packed(made.unit(tmp_path))
    content = whole.read_bytes().replace(b"00:07,HR,81", b"00:07,HR,18")  # its checksum stays as it was
    whole.write_bytes(content)
    batch, _ = outcome(made, tmp_path, whole)
    (refused,) = batch.rejections
    assert refused.file.endswith("132540.txt")
    assert {one.identifier for one in batch.identities} == {"132539"}


def test_what_a_refusal_says_holds_no_value(tmp_path: Path) -> None:
    for name, made in MADE.items():
        batch, _ = _read(made, tmp_path / name, [*made.rows, *made.spoilt.values()])
        told = " ".join(one.message for one in batch.rejections)
        assert not any(value in told for value in ("735", "27.5", "99999", "999", "444", "eighty", "sixty", "ninety"))


def _read(made: Made, folder: Path, rows: list[str]) -> Any:
    made.write(folder, rows)
    return outcome(made, folder)
