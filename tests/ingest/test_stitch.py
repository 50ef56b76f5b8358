"""A stitched ward: each subject shifted whole to one start."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from clinical_jepa.records.batch import ImageItem, SignalPiece, SourceBatch
from clinical_jepa.records.instant import HOUR, MINUTE
from clinical_jepa.sources.rows import Rows
from clinical_jepa.sources.stitch import Beginnings, stitched
from clinical_jepa.store.events import Store
from tests.ingest.builders import examples, rows, run

START = 1_767_600_000_000_000  # 2026-01-05T08:00:00Z


def stitched_store(folder: Path) -> Store:
    store = Store.open(folder / "stitched", create=True)
    run(examples(folder), store, stitch_to=START)
    return store


def by_subject(store: Store) -> dict[int, list[dict[str, Any]]]:
    found = defaultdict(list)
    for row in rows(store):
        found[row["subject_id"]].append(row)
    return found


def ordered(of_subject: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(
        of_subject, key=lambda row: (row["available_time"], str(row["time"]), row["code"], str(row["text_value"]))
    )


def micros(moment: Any) -> int:
    return int(pa.scalar(moment, pa.timestamp("us")).cast(pa.int64()).as_py())


def test_every_admission_lies_at_the_start(tmp_path: Path) -> None:
    for of_subject in by_subject(stitched_store(tmp_path)).values():
        admitted = [micros(row["time"]) for row in of_subject if row["code"].startswith("HOSPITAL_ADMISSION")]
        assert min(admitted) == START


def test_intervals_within_a_subject_hold(tmp_path: Path) -> None:
    plain = Store.open(tmp_path / "plain", create=True)
    moved = by_subject(stitched_store(tmp_path))
    run(tmp_path / "sources", plain)
    for subject, of_subject in by_subject(plain).items():
        shifts = set()
        for before, after in zip(ordered(of_subject), ordered(moved[subject]), strict=True):
            assert (before["code"], before["numeric_value"], before["status"]) == (
                after["code"],
                after["numeric_value"],
                after["status"],
            )
            shifts.add(micros(after["available_time"]) - micros(before["available_time"]))
            if before["time"] is not None:
                shifts.add(micros(after["time"]) - micros(before["time"]))
        assert len(shifts) == 1


def test_sources_and_ids_are_their_own(tmp_path: Path) -> None:
    store = stitched_store(tmp_path)
    assert {row["source"].split(":")[0] for row in rows(store)} == {"stitched"}
    assert set(store.rejections()["source"].to_pylist()) == {
        "stitched:mimic3:CHARTEVENTS",
        "stitched:mimic3:INPUTEVENTS_CV",
    }
    count = len(rows(store))
    run(tmp_path / "sources", store)  # the same files unshifted are other rows
    assert len(rows(store)) == 2 * count


def test_signals_and_images_move_with_their_subject() -> None:
    piece = SignalPiece(
        subject_id=1,
        channel="ECG",
        time=5 * HOUR,
        available_time=5 * HOUR + MINUTE,
        available_basis="assumed",
        rate_hz=1.0,
        unit="mV",
        quality=1.0,
        quality_reason=None,
        samples=np.zeros(60, np.float32),
        source="wfdb",
        event_id="a",
    )
    image = ImageItem(
        subject_id=1,
        time=7 * HOUR,
        available_time=8 * HOUR,
        available_basis="delay",
        modality="CR",
        view=None,
        spacing_mm=None,
        pixels=np.zeros((2, 2), np.float32),
        source="dicom",
        event_id="b",
        fact_id="c",
    )
    batch = SourceBatch(events=Rows().table(), signals=(piece,), images=(image,))
    beginnings = Beginnings(start=START)
    beginnings.note([batch])
    moved = stitched(batch, beginnings)
    assert (moved.signals[0].time, moved.signals[0].available_time) == (START, START + MINUTE)
    assert (moved.images[0].time, moved.images[0].available_time) == (START + 2 * HOUR, START + 3 * HOUR)
    assert moved.images[0].fact_id != "c"
    assert moved.signals[0].source == "stitched:wfdb"


def test_the_pieces_of_a_waveform_stay_one_version_and_its_withdrawal_moves_with_them() -> None:
    from dataclasses import replace

    from clinical_jepa.records.batch import Retraction
    from tests.store.builders import piece

    said = {"fact_id": "f", "version_id": "v", "record_id": "r"}
    pieces = [replace(piece(name, [1.0], time=at * HOUR, subject=7), **said) for name, at in (("a", 5), ("b", 6))]
    own = piece("c", [1.0], time=7 * HOUR, subject=7)
    gone = Retraction(record_id="r", time=9 * HOUR, available_time=9 * HOUR, available_basis="issued", source="fhir")
    batch = SourceBatch(events=Rows().table(), signals=(*pieces, own), retractions=(gone,))
    beginnings = Beginnings(start=START)
    beginnings.note([batch])
    moved = stitched(batch, beginnings)
    first, second, alone = moved.signals
    assert (first.fact_id, first.version_id) == (second.fact_id, second.version_id) != ("f", "v")
    assert (alone.fact_id, alone.version_id) == (None, None)
    assert [one.available_time - START for one in moved.retractions] == [4 * HOUR]
    assert moved.retractions[0].record_id == first.record_id


def test_what_a_source_withdraws_and_links_moves_with_its_subjects() -> None:
    from clinical_jepa.records.batch import Retraction, SubjectLink
    from clinical_jepa.sources.rows import Fact, Origin, Rows
    from clinical_jepa.sources.stitch import Beginnings, stitched

    rows = Rows()
    for subject, time in ((1, 5_000), (2, 9_000), (3, 7_000)):
        fact = Fact(
            key=f"f{subject}", subject_id=subject, code="X", time=time, available_time=time, available_basis="assumed",
            record=f"Observation/{subject}",
        )  # fmt: skip
        rows.add(fact, Origin(source="fhir", file="f", record="r"))
    table = rows.table()
    told = {"available_basis": "issued", "source": "fhir"}
    record = table["record_id"].to_pylist()[2]
    batch = SourceBatch(
        events=table,
        retractions=(
            Retraction(record_id=record, time=7_100, available_time=7_100, **told),
            Retraction(record_id="of nothing that was read", time=1, available_time=1, **told),
        ),
        links=(SubjectLink(absorbed=1, survivor=2, active=True, time=9_500, available_time=9_500, **told),),
    )
    beginnings = Beginnings(start=100_000)
    beginnings.note([batch])
    moved = stitched(batch, beginnings)
    times = dict(
        zip(moved.events["subject_id"].to_pylist(), moved.events["time"].cast("int64").to_pylist(), strict=True)
    )
    assert times == {1: 100_000, 2: 104_000, 3: 100_000}, "one person is moved as one"
    (withdrawn,) = moved.retractions
    assert (withdrawn.record_id, withdrawn.available_time, withdrawn.source) == (record, 100_100, "stitched:fhir")
    assert [link.available_time for link in moved.links] == [104_500]
