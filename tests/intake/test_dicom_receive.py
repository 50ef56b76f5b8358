"""C-STORE: success only after the file is durable; wrong peers and contexts are refused; a full disk is a failure status."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, JPEG2000Lossless
from pynetdicom import AE
from pynetdicom.sop_class import Verification

from clinical_jepa.intake import dicom_receive, spool
from clinical_jepa.intake.dicom_receive import ReceiverConfig, start
from clinical_jepa.records.errors import BadRequest
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.dicom import reader
from tests.sources.dicom.builders import dataset, ramp


@contextmanager
def listening(folder: Path, **options: Any) -> Iterator[int]:
    server = start(ReceiverConfig(spool=folder, port=0, **options))
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


@contextmanager
def joined(
    port: int,
    *,
    called: str = "CLINICALJEPA",
    calling: str = "MODALITY",
    syntax: str = ExplicitVRLittleEndian,
    context: ssl.SSLContext | None = None,
) -> Iterator[Any]:
    entity = AE(ae_title=calling)
    entity.connection_timeout = 10
    entity.add_requested_context(Verification)
    entity.add_requested_context(ComputedRadiographyImageStorage, syntax)
    over = None if context is None else (context, "127.0.0.1")
    association = entity.associate("127.0.0.1", port, ae_title=called, tls_args=over)
    try:
        yield association
    finally:
        if association.is_established:
            association.release()


def instance(uid: str = "1.2.3", value: int | None = None, **changes: Any) -> Dataset:
    pixels = ramp() if value is None else np.full((4, 6), value, np.uint16)
    made = dataset(pixels, SOPInstanceUID=uid, StudyInstanceUID="1.2", **changes)
    made.file_meta.MediaStorageSOPInstanceUID = uid
    return made


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_an_instance_is_a_file_that_reads_as_what_was_sent(tmp_path: Path) -> None:
    with listening(tmp_path) as port, joined(port) as line:
        assert line.send_c_echo().Status == 0x0000
        assert line.send_c_store(instance()).Status == 0x0000
    (path,) = files(tmp_path)
    assert path == tmp_path / "1.2" / "1.2.3.dcm"
    np.testing.assert_array_equal(dcmread(path).pixel_array, ramp())
    (batch,) = reader.read(path, ReadContext(root=tmp_path))
    assert len(batch.images) == 1


def test_compressed_pixels_come_as_they_are(tmp_path: Path) -> None:
    sent = dataset(ramp(64, 48), SOPInstanceUID="1.2.3", StudyInstanceUID="1.2")
    sent.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    sent.compress(JPEG2000Lossless, generate_instance_uid=False)
    sent.save_as(tmp_path.parent / "sent.dcm", enforce_file_format=True)
    sent = dcmread(tmp_path.parent / "sent.dcm")
    with listening(tmp_path) as port, joined(port, syntax=JPEG2000Lossless) as line:
        assert line.send_c_store(sent).Status == 0x0000
    (path,) = files(tmp_path)
    kept = dcmread(path)
    assert kept.file_meta.TransferSyntaxUID == JPEG2000Lossless
    assert kept.PixelData == sent.PixelData


@pytest.mark.fault(source="dicom-receive", fault="duplicate", ends="success again, one file")
@pytest.mark.fault(source="dicom-receive", fault="correction", ends="success, and a file beside the first")
def test_the_same_again_is_one_file_and_a_changed_one_is_another(tmp_path: Path) -> None:
    with listening(tmp_path) as port, joined(port) as line:
        for value in (1, 1, 2):
            assert line.send_c_store(instance(value=value)).Status == 0x0000
    assert sorted(int(dcmread(path).pixel_array[0, 0]) for path in files(tmp_path)) == [1, 2]


def test_the_file_is_durable_before_the_sender_hears_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    whole = spool.os.fsync

    def fsync(descriptor: int) -> None:
        whole(descriptor)
        order.append("synced")

    monkeypatch.setattr(spool.os, "fsync", fsync)
    with listening(tmp_path) as port, joined(port) as line:
        assert line.send_c_store(instance()).Status == 0x0000
        order.append("heard")
    # the new folder's own name, the bytes, and the name in the folder
    assert order == ["synced", "synced", "synced", "heard"]


@pytest.mark.fault(
    source="dicom-receive", fault="disk full", ends="status 0xA700, nothing half; sent again later it is kept"
)
def test_a_full_disk_is_a_failure_status_and_nothing_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(tmp_path) as port, joined(port) as line:
        with monkeypatch.context() as patch:
            patch.setattr(spool.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
            assert line.send_c_store(instance()).Status == 0xA700
        assert files(tmp_path) == []
        assert line.send_c_store(instance()).Status == 0x0000
    assert len(files(tmp_path)) == 1


@pytest.mark.fault(source="dicom-receive", fault="wrong peer", ends="the association is refused")
@pytest.mark.parametrize("names", [{"called": "OTHER"}, {"calling": "STRANGER"}])
def test_a_wrong_title_is_refused(tmp_path: Path, names: dict) -> None:
    with listening(tmp_path, callers=("MODALITY",)) as port, joined(port, **names) as line:
        assert line.is_rejected
    assert files(tmp_path) == []


def test_a_listed_caller_is_let_in(tmp_path: Path) -> None:
    with listening(tmp_path, callers=("MODALITY",)) as port, joined(port) as line:
        assert line.send_c_store(instance()).Status == 0x0000


@pytest.mark.fault(
    source="dicom-receive", fault="unknown context", ends="the context is refused, others of the line go on"
)
@pytest.mark.parametrize(
    ("abstract", "syntax"),
    [("1.2.999.1", ExplicitVRLittleEndian), (ComputedRadiographyImageStorage, "1.2.840.10008.1.2.4.102")],
)
def test_an_unknown_class_or_syntax_is_no_accepted_context(tmp_path: Path, abstract: str, syntax: str) -> None:
    entity = AE(ae_title="MODALITY")
    entity.add_requested_context(Verification)
    entity.add_requested_context(abstract, syntax)
    with listening(tmp_path) as port:
        line = entity.associate("127.0.0.1", port, ae_title="CLINICALJEPA")
        assert [context.abstract_syntax for context in line.accepted_contexts] == [Verification]
        line.release()


def test_what_was_announced_and_what_was_sent_must_be_one_instance(tmp_path: Path) -> None:
    class Request:
        AffectedSOPInstanceUID = "1.2.3"

    class Event:
        request = Request()

        def __init__(self, content: Callable[[], bytes]) -> None:
            self.encoded_dataset = content

    instance("9.9").save_as(tmp_path / "other", enforce_file_format=True)
    other = (tmp_path / "other").read_bytes()
    kept = tmp_path / "kept"
    assert dicom_receive._kept(Event(lambda: other), kept) == dicom_receive.MISMATCH
    assert dicom_receive._kept(Event(lambda: b"\0" * 300), kept) == dicom_receive.NOT_UNDERSTOOD
    assert not kept.exists()


@pytest.mark.parametrize(
    "options", [{"host": "0.0.0.0"}, {"host": "10.1.2.3"}, {"title": ""}, {"title": "x" * 17}, {"callers": ("",)}]
)
def test_an_open_door_is_refused(tmp_path: Path, options: dict) -> None:
    with pytest.raises(BadRequest):
        ReceiverConfig(spool=tmp_path, **options)


def test_a_network_address_is_allowed_with_a_list_of_callers(tmp_path: Path) -> None:
    assert ReceiverConfig(spool=tmp_path, host="0.0.0.0", callers=("MODALITY",)).host == "0.0.0.0"
