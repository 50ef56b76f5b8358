"""No value of a patient in warnings, logs or output, whatever is wrong with a file; and everything as before afterwards."""

from __future__ import annotations

import logging
import threading
import warnings
from pathlib import Path

import pytest

from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.dicom import reader
from clinical_jepa.sources.dicom.quiet import quiet
from tests.sources.dicom.builders import ramp, save

NAME = b"Mustermann"


def damaged(folder: Path) -> Path:
    """A file whose number of frames is a name, as a broken interface leaves it."""
    path = save(folder, ramp(), NumberOfFrames="00000001")
    path.write_bytes(path.read_bytes().replace(b"00000001", NAME[:8]))
    return path


def test_a_planted_name_is_said_by_pydicom_and_not_by_us(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture
) -> None:
    import pydicom

    path = damaged(tmp_path)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        str(pydicom.dcmread(path).NumberOfFrames)
    assert any(NAME[:8].decode() in str(one.message) for one in said)
    caplog.clear()
    with warnings.catch_warnings(record=True) as ours:
        warnings.simplefilter("always")
        (batch,) = reader.read(path, ReadContext(root=tmp_path))
    assert ours == []
    assert caplog.records == []
    assert [r.reason for r in batch.rejections] == ["unreadable"]
    out = capfd.readouterr()
    assert NAME[:8].decode() not in out.out + out.err + "".join(r.message for r in batch.rejections)


def test_threads_that_overlap_leave_everything_as_it_was() -> None:
    log = logging.getLogger("pydicom")
    filters = list(warnings.filters)
    first_in, second_in, first_out = threading.Event(), threading.Event(), threading.Event()
    seen: list[bool] = []

    def first() -> None:
        with quiet():
            first_in.set()
            second_in.wait(10)
        first_out.set()

    def second() -> None:
        first_in.wait(10)
        with quiet():
            second_in.set()
            first_out.wait(10)
            seen.append(log.disabled)

    threads = [threading.Thread(target=one) for one in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True]
    assert not log.disabled
    assert list(warnings.filters) == filters
