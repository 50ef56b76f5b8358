"""A real Orthanc on the loopback: stored there, fetched over DICOMweb or sent by C-STORE, ingested, pixels equal."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pydicom
import pytest

from clinical_jepa.ingest import ingest
from clinical_jepa.intake import spool
from clinical_jepa.intake.dicomweb import Pacs, fetch
from clinical_jepa.records.errors import FetchFailed
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.dicom import decoding, opening, reader
from clinical_jepa.store.events import Store
from tests.intake.orthanc import Orthanc, free_port, running
from tests.sources.dicom.builders import dataset, ramp
from tests.sources.dicom.reference import stored

pytestmark = pytest.mark.filterwarnings("ignore")


FURTHER = ("MR_small_RLE.dcm", "JPEG2000.dcm", "waveform_ecg.dcm")


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[Orthanc]:
    (tmp_path / "orthanc").mkdir()
    with running(tmp_path / "orthanc") as made:
        yield made


def originals(data: Path) -> list[Path]:
    """CT of two makers, a JPEG 2000 radiograph, RLE, JPEG-LS, JPEG, an enhanced MR, a cine loop, and the ECG object."""
    return [
        *sorted((data / "dicom_ny_sbu").rglob("*.dcm"))[:8],
        data / "dicom_chest" / "nema_RG1_J2KI_cr_pa.dcm",
        data / "dicom_pydicom" / "fo-dicom" / "HasFragmentSequence.dcm",
        data / "dicom_pydicom" / "pydicom-data" / "emri_small_jpeg_ls_lossless.dcm",
        *(data / "dicom_pydicom" / "test_files" / name for name in FURTHER),
    ]


def made(folder: Path, count: int = 6) -> list[Path]:
    """Radiographs of one study, each of another brightness."""
    paths = []
    for number in range(count):
        one = dataset(ramp(300, 200) // (number + 1), StudyInstanceUID="1.2.7", SeriesInstanceUID="1.2.7.1")
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = f"1.2.7.1.{number + 1}"
        one.save_as(folder / f"made{number}.dcm", enforce_file_format=True)
        paths.append(folder / f"made{number}.dcm")
    return paths


def equal_pixels(folder: Path, paths: list[Path]) -> None:
    """Every original is there once, with the stored values that pydicom reads from the original."""
    found = {str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID): path for path in folder.rglob("*.dcm")}
    assert len(found) == len(paths)
    for path in paths:
        header = pydicom.dcmread(path, stop_before_pixels=True)
        ours = opening.opened(found[str(header.SOPInstanceUID)])
        if "Rows" not in header:
            np.testing.assert_array_equal(ours.waveform_array(0), pydicom.dcmread(path).waveform_array(0))
            continue
        dataset_, expected = stored(path)
        index = None if int(dataset_.get("NumberOfFrames") or 1) == 1 else int(dataset_.NumberOfFrames) // 2
        np.testing.assert_array_equal(decoding.stored(ours, index), expected, err_msg=path.name)


def ingested(folder: Path, store: Path) -> tuple[int, int, int]:
    """(pictures, signal pieces, refusals) of the spool folder in a new store; twice is once."""
    opened = Store.open(store, create=True)
    arguments = {
        "mode": "history",
        "now": lambda: 0,
        "context": ReadContext(root=folder),
        "prepare": lambda _pixels, _spacing: np.zeros((64, 64), np.float32),
    }
    first = ingest([folder], opened, **arguments).total  # type: ignore[arg-type]
    again = ingest([folder], opened, **arguments).total  # type: ignore[arg-type]
    assert (again.images, again.signals, again.files) == (0, 0, 0)
    return first.images, first.signals, first.rejected


@pytest.mark.data
def test_what_lies_in_a_pacs_is_fetched_and_ingested_with_equal_pixels(
    orthanc: Orthanc, data: Path, tmp_path: Path
) -> None:
    paths = [*originals(data), *made(tmp_path)]
    for path in paths:
        orthanc.store(path)
    pacs = Pacs(base=orthanc.base, bases=(orthanc.base,))
    first = fetch(pacs, tmp_path / "spool")
    assert (first.new, first.failed) == (len(paths), {})
    assert fetch(pacs, tmp_path / "spool", full=True, again=True).new == 0
    equal_pixels(tmp_path / "spool", paths)
    images, signals, refused = ingested(tmp_path / "spool", tmp_path / "store")
    assert signals == 12
    assert images + refused == len(paths) - 1
    assert refused == sum(
        len(batch.rejections) for path in paths for batch in reader.read(path, ReadContext(root=tmp_path))
    )


@contextmanager
def receiver(folder: Path, port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """``clinical-jepa pacs receive`` in a process of its own, listening."""
    program = [sys.executable, "-c", "from clinical_jepa.cli import main; main()", "pacs", "receive"]
    with log.open("ab") as err:
        process = subprocess.Popen(
            [*program, "--spool", str(folder), "--port", str(port)], stderr=err, stdout=err, cwd=folder.parent
        )
    before = log.read_text().count("receiving as")
    deadline = time.monotonic() + 60
    while log.read_text().count("receiving as") == before and time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


@pytest.mark.data
@pytest.mark.fault(
    source="dicom-receive", fault="crash", ends="what was confirmed is there; the sender's retry brings the rest"
)
def test_what_a_pacs_sends_is_received_also_when_we_are_killed_in_the_middle(data: Path, tmp_path: Path) -> None:
    paths = [*originals(data), *made(tmp_path)]
    folder, port, log = tmp_path / "spool", free_port(), tmp_path / "receive.log"
    log.touch()
    (tmp_path / "orthanc").mkdir()
    with running(tmp_path / "orthanc", {"us": ("CLINICALJEPA", port)}) as orthanc:
        names = [orthanc.store(path) for path in paths]
        with receiver(folder, port, log) as process:
            assert orthanc.send("us", names[:5]).status_code == 200
            assert len(list(folder.rglob("*.dcm"))) == 5
            process.kill()
            process.wait()
            assert orthanc.send("us", names).status_code >= 400  # nobody listens: the PACS knows, and keeps them
        (folder / ".half.part").write_bytes(b"left by the death of a writer")
        with receiver(folder, port, log) as process:
            assert orthanc.send("us", names).status_code == 200
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=60) == 0
    equal_pixels(folder, paths)
    assert ingested(folder, tmp_path / "store")[1] == 12


@pytest.mark.fault(
    source="dicomweb", fault="crash", ends="a server killed in the middle: whole files stay, the next run ends"
)
def test_a_pacs_killed_in_the_middle_and_started_again(
    orthanc: Orthanc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = made(tmp_path)
    for path in paths:
        orthanc.store(path)
    pacs = Pacs(base=orthanc.base, bases=(orthanc.base,), sleep=lambda _: None)
    whole, came = spool.put, []

    def put(*arguments: object) -> tuple[Path, bool]:
        came.append(whole(*arguments))  # type: ignore[arg-type]
        if len(came) == 2:
            orthanc.stop()
        return came[-1]

    monkeypatch.setattr(spool, "put", put)
    with pytest.raises(FetchFailed, match="cannot be reached"):
        fetch(pacs, tmp_path / "spool")
    assert len(list((tmp_path / "spool").rglob("*.dcm"))) == 2
    orthanc.start()
    again = fetch(pacs, tmp_path / "spool")
    assert (again.new, again.known) == (len(paths) - 2, 2)
    equal_pixels(tmp_path / "spool", paths)


def test_a_pacs_that_comes_back_while_we_wait_costs_no_run(orthanc: Orthanc, tmp_path: Path) -> None:
    paths = made(tmp_path)
    for path in paths:
        orthanc.store(path)
    orthanc.stop()
    pacs = Pacs(base=orthanc.base, bases=(orthanc.base,), sleep=lambda _: orthanc.start())
    assert fetch(pacs, tmp_path / "spool").new == len(paths)
