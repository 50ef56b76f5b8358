"""The HL7 files of other projects' tests, against a reading of the raw bytes that shares nothing with the reader."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import hl7
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from clinical_jepa.records.batch import SourceBatch
from clinical_jepa.sources.hl7v2 import reader
from clinical_jepa.vocabulary.identity import subject_id
from tests.sources.hl7v2.builders import read

pytestmark = pytest.mark.data

# message type → files in which it is the first, messages in them, rows, refusals. Files and messages as counted by the
# folder's index and by grep; rows and refusals are held by the tests beside
COUNTS = {
    "ADT^A01": (33, 33, 105, 28),
    "ADT^A04": (15, 20, 34, 7),
    "OML^O33": (8, 8, 0, 0),
    "ORU^R01": (29, 29, 14, 14),
    "RSP^K22": (6, 6, 0, 0),
    "ZDT^Z01": (1, 1, 0, 0),
    "no header": (3, 0, 0, 3),
    "no type": (1, 0, 0, 1),
}


def lines(path: Path) -> list[list[str]]:
    """Segments as lists of fields, by plain splits of the raw text; MSH-n stands at index n."""
    text = path.read_bytes().decode("utf-8").replace("\\\\&", "\\&")
    parts = [line.split("|") for line in re.split(r"[\r\n]+", text) if line.strip()]
    return [["MSH", "|", *part[1:]] if part[0] == "MSH" else part for part in parts]


def field(segment: list[str], number: int) -> str:
    return segment[number] if number < len(segment) else ""


def moment(text: str) -> datetime:
    """Only the two shapes of the files' times of results: to the second, and a day (which counts from its end)."""
    if len(text) == 8:
        return datetime.fromordinal(datetime.strptime(text, "%Y%m%d").toordinal() + 1)
    return datetime.strptime(text[:12], "%Y%m%d%H%M") + timedelta(seconds=int(text[12:] or 0))


def results(path: Path) -> Iterator[tuple[int, str, datetime, float | str, str]]:
    """(subject, OBX-3.1, time, value, state) of every OBX that says whose, what, when, in which state, and something."""
    who = order = ""
    for segment in lines(path):
        if segment[0] == "PID":
            who = field(segment, 3).split("~")[0].split("^")[0] or field(segment, 2).split("^")[0]
        elif segment[0] == "OBR":
            order = field(segment, 7)
        elif segment[0] == "OBX":
            code, when = field(segment, 3).split("^")[0], field(segment, 14) or order
            text, state = field(segment, 5), field(segment, 11)
            if not (who and code and when and state and text) or segment[2] == "FN":
                continue
            said: float | str = text
            if segment[2] in ("NM", "SN"):
                said = float(np.float32(text.replace("^", "")))
            elif segment[2] == "CWE":
                said = text.split("^")[1]
            yield subject_id("mrn", who), code, moment(when), said, {"F": "final", "P": "preliminary"}[state]


def kept(batch: SourceBatch) -> Counter[tuple[object, ...]]:
    found: Counter[tuple[object, ...]] = Counter()
    for row in batch.events.to_pylist():
        if not row["code"].startswith(("HOSPITAL", "TRANSFER", "VISIT", "GENDER", "MEDS")):
            said = row["text_value"] if row["numeric_value"] is None else row["numeric_value"]
            found[row["subject_id"], row["code"].partition("//")[2], row["time"], said, row["status"]] += 1
    return found


def test_results_equal_a_plain_reading_of_the_bytes(data: Path) -> None:
    total = 0
    for path in reader.find(data / "hl7v2"):
        expected = Counter(results(path))
        assert kept(read(path)) == expected, path.name
        total += sum(expected.values())
    assert total == 14


def is_a01(segments: list[list[str]]) -> bool:
    return segments[0][9].startswith("ADT^A01")


def test_admissions_equal_a_plain_reading_of_the_bytes(data: Path) -> None:
    total = 0
    for path in reader.find(data / "hl7v2"):
        segments = lines(path)
        admitted = Counter(
            moment(field(one, 44))
            for one in segments
            if one[0] == "PV1" and len(field(one, 44)) > 8 and is_a01(segments)
        )
        events = read(path).events
        rows = events.filter(pc.starts_with(events["code"], "HOSPITAL_ADMISSION"))
        if admitted:
            assert Counter(rows["time"].to_pylist()) == admitted, path.name
            total += rows.num_rows
    assert total == 26


def test_people_equal_a_plain_reading_of_the_bytes(data: Path) -> None:
    """Sex and birth of every admission that says who and when; a bed for every admission with a place."""
    for path in reader.find(data / "hl7v2"):
        segments, events = lines(path), read(path).events
        if not is_a01(segments) or not events.num_rows:
            continue
        (person,) = [one for one in segments if one[0] == "PID"]
        told = dict(zip(events["code"].to_pylist(), events["time"].to_pylist(), strict=True))
        sex = {"f": "GENDER//F", "m": "GENDER//M"}.get(field(person, 8)[:1].lower())
        assert (sex in told) == (sex is not None), path.name
        if re.fullmatch(r"\d{8}", field(person, 7)):
            assert told["MEDS_BIRTH"] == datetime.strptime(field(person, 7), "%Y%m%d"), path.name
        places = [
            " ".join(part for part in field(one, 3).split("^")[:3] if part) for one in segments if one[0] == "PV1"
        ]
        beds = events.filter(pc.equal(events["code"], "TRANSFER_TO"))["text_value"].to_pylist()
        assert beds == [place for place in places if place], path.name


def kind_of(path: Path) -> str:
    for segment in lines(path):
        if segment[0] == "MSH":
            return "^".join(segment[9].split("^")[:2]) if "^" in segment[9] else "no type"
    return "no header"


def test_every_file_is_kept_counted_or_refused_and_the_counts_stay(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found: dict[str, list[int]] = {}
    for path in reader.find(data / "hl7v2"):
        batch = read(path)
        assert batch.events.num_rows or batch.rejections or batch.ignored, path.name
        row = found.setdefault(kind_of(path), [0, 0, 0, 0])
        messages = sum(segment[0] == "MSH" for segment in lines(path)) if kind_of(path) != "no type" else 0
        for column, number in enumerate((1, messages, batch.events.num_rows, len(batch.rejections))):
            row[column] += number
    with capsys.disabled():
        print(f"\n{'hl7v2':<10} {'files':>6} {'messages':>9} {'rows':>6} {'refused':>8}")
        for kind, row in sorted(found.items()):
            print(f"{kind:<10} {row[0]:>6} {row[1]:>9} {row[2]:>6} {row[3]:>8}")
    assert {kind: tuple(row) for kind, row in found.items()} == COUNTS
    assert sum(row[0] for row in found.values()) == 96


def test_what_python_hl7_refuses_is_refused_and_what_it_takes_is_read(data: Path) -> None:
    refused = set()
    for path in reader.find(data / "hl7v2"):
        text = path.read_bytes().decode().replace("\r\n", "\r").replace("\n", "\r")
        try:
            parsed = hl7.parse_hl7(text)
        except hl7.HL7Exception:
            refused.add(path.name)
            batch = read(path)
            assert batch.events.num_rows == 0, path.name
            assert batch.rejections, path.name
            continue
        assert isinstance(parsed, (hl7.Message, hl7.Batch, hl7.File))
    assert refused == {
        f"pyhl7_sample_bad_{name}.hl7" for name in ("batch", "batch1", "file", "file1", "file2", "file3")
    }


def test_a_doubled_escape_character_loses_nothing(data: Path) -> None:
    """hl7apy refuses these seven, and python-hl7 takes the second backslash for a separator; the messages are sound."""
    doubled = [path for path in reader.find(data / "hl7v2") if b"^~\\\\&|" in path.read_bytes()]
    assert len(doubled) == 7
    for path in doubled:
        batch = read(path)
        assert "unreadable" not in {one.reason for one in batch.rejections}
        assert batch.events.num_rows or batch.ignored == {"ORU without a result": 1}, path.name


def test_reporting_times_are_never_before_the_fact(data: Path) -> None:
    events = pa.concat_tables([read(path).events for path in reader.find(data / "hl7v2")])
    late = pc.greater_equal(events["available_time"], pc.fill_null(events["time"], datetime(1, 1, 1)))
    assert pc.all(late).as_py()
    assert Counter(events["available_basis"].to_pylist())["issued"] > 50
