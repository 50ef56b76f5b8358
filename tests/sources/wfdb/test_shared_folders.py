"""Every record of the shared folders: equal to the wfdb library where that reads it, refused with a reason where none can.

The counts by folder are those of the table in ``docs/reference/wfdb.md``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import wfdb

from clinical_jepa.records.batch import Rejection, SourceBatch
from clinical_jepa.records.instant import SECOND, to_us
from clinical_jepa.sources.wfdb import mapping, reader
from tests.sources.wfdb.builders import context

pytestmark = pytest.mark.data
FOLDERS = ("wfdb_samples", "mitdb", "alarms2015", "mimic3_waveforms", "bidmc")
PAGE = Path(__file__).parents[3] / "docs" / "reference" / "wfdb.md"
# the library has no words for these; they are sound, and read here (docs/reference/wfdb.md)
WINS = {
    "multi": "invalid syntax in signal line",
    "237s": "missing.hea",
    "s00001-2896-10-10-00-31": "No such file",
    "p000878-2137-10-26-16-57": "No such file",
    "p000020-2183-04-28-17-47": "No such file",
}


@dataclass(frozen=True)
class Read:
    """What came of one unit."""

    path: Path
    batches: list[SourceBatch]
    rejections: list[Rejection] = field(default_factory=list)


@cache
def units(root: Path) -> tuple[Read, ...]:
    found = []
    for path in reader.find(root):
        batches = list(reader.read(path, context(root, namespace="mimic3")))
        found.append(Read(path, batches, [r for batch in batches for r in batch.rejections]))
    return tuple(found)


def row(folder: str, root: Path) -> str:
    """A line of the table."""
    read = units(root)
    pieces = [piece for unit in read for batch in unit.batches for piece in batch.signals]
    values = sum(int(np.isfinite(piece.samples).sum()) for piece in pieces)
    alarms = sum(
        str(code).startswith("ALARM")
        for unit in read
        for batch in unit.batches
        for code in batch.events["code"].to_pylist()
    )
    events = sum(batch.events.num_rows for unit in read for batch in unit.batches)
    notes = sum(
        count
        for unit in read
        for batch in unit.batches
        for name, count in batch.ignored.items()
        if name.startswith("annotation")
    )
    reasons = Counter(rejection.reason for unit in read for rejection in unit.rejections)
    refused = ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items())) or "none"
    whole = sum(not unit.rejections for unit in read)
    return f"| {folder} | {len(read)} | {whole} | {len(pieces)} | {values} | {events - alarms} | {alarms} | {notes} | {refused} |"


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_table_of_counts_is_the_pages(data: Path, folder: str) -> None:
    line = row(folder, data / folder)
    print(line)  # the table, with: pytest -s
    assert line in PAGE.read_text(encoding="utf-8").splitlines()


def segments(path: Path) -> Iterator[tuple[Path, int]]:
    """The segments of a record and their first frames, by the library's own header."""
    header = wfdb.rdheader(str(path.with_suffix("")))
    if not hasattr(header, "seg_name"):
        yield path, 0
        return
    start = 0
    for name, frames in zip(header.seg_name, header.seg_len, strict=True):
        if name not in ("~", "null") and frames:
            yield path.with_name(f"{name}.hea"), start
        start += frames


def chunks(path: Path) -> Counter[tuple[int, int, bytes]]:
    """(first frame, samples a frame, float32 bytes) of each signal's stretch in each minute of the record."""
    header = wfdb.rdheader(str(path.with_suffix("")))
    minute, found = max(1, int(60 * header.fs)), Counter[tuple[int, int, bytes]]()
    for segment, start in segments(path):
        try:
            record = wfdb.rdrecord(str(segment.with_suffix("")), smooth_frames=False)
        except FileNotFoundError:
            continue
        for signal, per_frame in zip(record.e_p_signal or [], record.samps_per_frame or [], strict=True):
            end = start + len(signal) // per_frame
            for edge in range(start - start % minute, end, minute):
                first, last = max(edge, start), min(edge + minute, end)
                part = signal[(first - start) * per_frame : (last - start) * per_frame].astype(np.float32)
                found[first, per_frame, part.tobytes()] += bool(np.isfinite(part).any())
    return +found


@pytest.mark.parametrize("folder", FOLDERS[:4])
def test_every_waveform_sample_is_the_librarys(data: Path, folder: str) -> None:
    compared = 0
    for unit in units(data / folder):
        pieces = [piece for batch in unit.batches for piece in batch.signals]
        if unit.path.suffix != ".hea" or not pieces:
            continue
        header = wfdb.rdheader(str(unit.path.with_suffix("")))
        relative = pieces[0].source.startswith("relative:")
        start = 0 if relative else to_us(header.base_datetime.replace(tzinfo=UTC))
        found = Counter(
            (
                round((piece.time - start) * header.fs / SECOND),
                round(piece.rate_hz / header.fs),
                piece.samples.tobytes(),
            )
            for piece in pieces
        )
        assert found == chunks(unit.path), unit.path.name
        compared += 1
    assert compared >= 3


def test_every_numeric_is_the_librarys(data: Path) -> None:
    compared = 0
    everything = [unit for folder in FOLDERS[:4] for unit in units(data / folder)]
    for unit in (unit for unit in everything if unit.path.stem[-3:-1].isdigit() and unit.path.stem.endswith("n")):
        record = wfdb.rdrecord(str(unit.path.with_suffix("")))
        known = [mapping.target("numeric", name) for name in record.sig_name]
        expected: Counter[tuple[str, float]] = Counter()
        for target, column in zip(known, record.p_signal.T.astype(np.float32), strict=True):
            assert target is not None, (unit.path.name, record.sig_name)
            expected.update((target.target, value) for value in column[np.isfinite(column) & (column != 0)].tolist())
        rows = [row for batch in unit.batches for row in batch.events.select(["code", "numeric_value"]).to_pylist()]
        found = Counter((row["code"], row["numeric_value"]) for row in rows)
        assert not found - expected
        assert (expected - found).total() == sum(rejection.reason == "implausible" for rejection in unit.rejections)
        compared += 1
    assert compared == 6


def test_what_is_refused_is_what_is_not_there(data: Path) -> None:
    for folder in FOLDERS:
        for unit in units(data / folder):
            for rejection in unit.rejections:
                if rejection.reason == "implausible":
                    continue
                assert rejection.reason == "unreadable"
                if unit.path.suffix != ".hea":
                    assert not unit.path.with_suffix(".hea").exists()
                    continue
                with pytest.raises(FileNotFoundError):
                    wfdb.rdrecord(str(unit.path.with_name(rejection.record)))


def test_sound_records_that_the_library_cannot_read(data: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    wins = {}
    for folder in FOLDERS:
        for unit in units(data / folder):
            if unit.path.stem in WINS:
                with pytest.raises(Exception, match=WINS[unit.path.stem]):
                    wfdb.rdrecord(str(unit.path.with_suffix("")))
                wins[unit.path.stem] = sum(len(batch.signals) for batch in unit.batches)
            assert (unit.path.stem in WINS) <= (f"`{unit.path.stem}`" in page)
    assert wins.keys() == WINS.keys()
    assert min(wins.values()) > 0
