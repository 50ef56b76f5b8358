"""DICOM folders into the store: each picture prepared once, whatever the order, the copies and the names of files."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from clinical_jepa.ingest import Counts, ingest
from clinical_jepa.model.encoders.images import prepare
from clinical_jepa.records.instant import HOUR
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.store.events import Store
from tests.sources.dicom.builders import ramp, save
from tests.sources.dicom.test_reader import STUDY

Prepare = Callable[[np.ndarray, tuple[float, float] | None], np.ndarray]


def run(
    store: Store, *folders: Path, using: Prepare = lambda _pixels, _spacing: np.zeros((64, 64), np.float32)
) -> Counts:
    return ingest(
        folders, store, mode="history", now=lambda: 0, context=ReadContext(root=folders[0]), prepare=using
    ).total


def counting() -> tuple[Prepare, list[int]]:
    calls: list[int] = []

    def once(pixels: np.ndarray, spacing: tuple[float, float] | None) -> np.ndarray:
        calls.append(1)
        return prepare(pixels, spacing)

    return once, calls


def images(store: Store) -> list[dict]:
    return store.history(store.identify("123"), as_of=STUDY + 1000 * HOUR).images.to_pylist()


@pytest.mark.fault(source="dicom", fault="duplicate", ends="one row, prepared once, however many copies and names")
def test_a_picture_is_prepared_once_and_kept_as_the_encoder_takes_it(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        save(tmp_path / name, ramp(300, 200), f"{name}.dcm")
    store = Store.open(tmp_path / "store", create=True)
    once, calls = counting()
    first = run(store, tmp_path / "one", using=once)
    again = run(store, tmp_path / "one", tmp_path / "two", using=once)
    assert (first.images, again.images, again.skipped, again.duplicates, len(calls)) == (1, 0, 1, 1, 1)
    (row,) = images(store)
    picture = store.samples(row["reference"]).reshape(row["rows"], row["columns"]).copy()
    expected = prepare(picture, (row["spacing_row_mm"], row["spacing_column_mm"]))
    np.testing.assert_array_equal(store.samples(row["prepared"]).reshape(64, 64), expected)


@pytest.mark.fault(source="dicom", fault="out of order", ends="the same rows whatever the order of the files")
@pytest.mark.fault(
    source="dicom", fault="correction", ends="the newest version holds from when it was created; the first before"
)
def test_a_corrected_picture_holds_from_its_creation_whatever_the_order(tmp_path: Path) -> None:
    created = {"first": "1000", "mended": "1200"}
    for name, time in created.items():
        (tmp_path / name).mkdir()
        pixels = ramp() if name == "first" else ramp()[::-1].copy()
        save(
            tmp_path / name, pixels, SOPInstanceUID="1.2.3", InstanceCreationDate="20260105", InstanceCreationTime=time
        )
    seen = []
    for order in itertools.permutations(created):
        store = Store.open(tmp_path / f"store-{order[0]}", create=True)
        for name in order:
            run(store, tmp_path / name)
        subject = store.identify("123")
        at = [store.history(subject, as_of=STUDY + after * HOUR).images for after in (0, 1, 3)]
        seen.append([[row["event_id"] for row in table.to_pylist()] for table in at])
    assert seen[0] == seen[1]
    none, before, after = seen[0]
    assert none == []
    assert len(before) == len(after) == 1
    assert before != after


@pytest.mark.fault(
    source="dicom", fault="half-written file", ends="a file still being written is not read; whole, it is"
)
def test_a_file_that_is_still_being_written_waits(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    whole = save(folder, ramp())
    part = folder / ".whole.dcm.part"
    part.write_bytes(whole.read_bytes()[:700])
    save(folder, ramp(30, 30), "b.dcm")
    store = Store.open(tmp_path / "store", create=True)
    assert (run(store, folder).images, store.rejections().num_rows) == (2, 0)


@pytest.mark.fault(
    source="dicom", fault="deletion", ends="a file that is gone changes nothing: what was known stays known"
)
def test_a_file_that_is_gone_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    gone = save(folder, ramp())
    save(folder, ramp(30, 30), "b.dcm", SOPInstanceUID="1.2.9")
    store = Store.open(tmp_path / "store", create=True)
    run(store, folder)
    before = images(store)
    gone.unlink()
    run(store, folder)
    assert images(store) == before
