"""Compressed pixels: equal to pydicom's in the same process; a decoder that dies or hangs costs one file."""

from __future__ import annotations

import os
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.dicom import decoder_process, decoding, reader
from clinical_jepa.sources.dicom.decoder_process import DecoderFailed, DecoderProcess
from tests.sources.dicom.builders import dataset, ramp

SYNTAXES = [JPEG2000Lossless, JPEGLSLossless, RLELossless]
CHILD = """
import os, sys, time
from clinical_jepa.sources.dicom import decoder_child
whole = decoder_child.decode
def decode(syntax, encoded, options):
    {fault}
    return whole(syntax, encoded, options)
decoder_child.decode = decode
decoder_child.main()
"""
FAULTS = {
    "abort": "os.abort()",
    "exit": "os._exit(0)",
    "hang": "time.sleep(60)",
    "memory": "bytearray(1 << 40)",
    "print": "os.write(1, b'not an answer')",
    "once": "met = sys.argv[0] + '.met'; first = not os.path.exists(met); open(met, 'w').close(); first and os.abort()",
}


def compressed(folder: Path, syntax: str, pixels: np.ndarray | None = None, name: str = "a.dcm") -> Path:
    made = dataset(ramp(64, 48) if pixels is None else pixels)
    made.compress(syntax, generate_instance_uid=False)
    made.save_as(folder / name, enforce_file_format=True)
    return folder / name


def misbehaving(folder: Path, fault: str, **options: float) -> DecoderProcess:
    program = folder / f"{fault}.py"
    program.write_text(CHILD.format(fault=FAULTS[fault]))
    return DecoderProcess((sys.executable, str(program)), **options)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_decoded_values_are_those_of_pydicom(tmp_path: Path, syntax: str) -> None:
    made = dcmread(compressed(tmp_path, syntax))
    found = decoding.stored(made, None)
    np.testing.assert_array_equal(found, made.pixel_array)
    assert found.dtype.isnative
    np.testing.assert_array_equal(found, ramp(64, 48))


@pytest.mark.fault(source="dicom", fault="decoder dies", ends="refused as unreadable; the next file has a new decoder")
@pytest.mark.parametrize("fault", ["abort", "exit", "hang"])
def test_a_decoder_that_dies_or_hangs_is_a_refusal_and_the_next_file_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    path = compressed(tmp_path, JPEG2000Lossless)
    bad = misbehaving(tmp_path, fault, timeout_s=3.0 if fault == "hang" else 60.0)  # a busy machine starts it slowly
    monkeypatch.setattr(decoder_process, "shared", lambda: bad)
    (batch,) = reader.read(path, ReadContext(root=tmp_path))
    bad.close()
    assert [r.reason for r in batch.rejections] == ["unreadable"]
    assert ("died" if fault != "hang" else "no answer") in batch.rejections[0].message
    monkeypatch.undo()
    (batch,) = reader.read(path, ReadContext(root=tmp_path))
    assert batch.rejections == ()
    assert len(batch.images) == 1


def test_the_same_decoder_goes_on_after_a_death(tmp_path: Path) -> None:
    made = dcmread(compressed(tmp_path, JPEGLSLossless))
    decoder = misbehaving(tmp_path, "once")
    call = (str(JPEGLSLossless), decoding._encoded(made, None), decoding._options(made))
    with pytest.raises(DecoderFailed, match="died"):
        decoder.decode(*call, size=decoding.frame_bytes(made))
    np.testing.assert_array_equal(decoder.decode(*call, size=decoding.frame_bytes(made)), made.pixel_array)
    decoder.close()


def test_a_child_that_wants_too_much_memory_is_told_no(tmp_path: Path) -> None:
    made = dcmread(compressed(tmp_path, JPEGLSLossless))
    decoder = misbehaving(tmp_path, "memory")
    with pytest.raises(DecoderFailed, match="MemoryError"):
        decoder.decode(str(JPEGLSLossless), decoding._encoded(made, None), decoding._options(made), size=10)
    decoder.close()


def test_what_native_code_prints_is_no_answer(tmp_path: Path) -> None:
    made = dcmread(compressed(tmp_path, JPEGLSLossless))
    decoder = misbehaving(tmp_path, "print")
    call = (str(JPEGLSLossless), decoding._encoded(made, None), decoding._options(made))
    np.testing.assert_array_equal(decoder.decode(*call, size=decoding.frame_bytes(made)), made.pixel_array)
    decoder.close()


def test_the_child_sees_no_secret_and_ends_with_its_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLINICAL_JEPA_SITE_IDENTITY_KEY", "a secret")
    made = dcmread(compressed(tmp_path, JPEGLSLossless))
    decoder = DecoderProcess()
    decoder.decode(
        str(JPEGLSLossless), decoding._encoded(made, None), decoding._options(made), size=decoding.frame_bytes(made)
    )
    child = decoder._child
    assert child is not None
    assert b"a secret" not in Path(f"/proc/{child.pid}/environ").read_bytes()
    decoder.close()
    assert child.poll() is not None


@pytest.mark.parametrize(("said", "threads"), [(None, min(len(os.sched_getaffinity(0)), 8)), ("3", 3)])
def test_jpeg_2000_is_decoded_on_the_cores_there_are_unless_said_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str | None, threads: int
) -> None:
    monkeypatch.delenv("OPJ_NUM_THREADS", raising=False)
    if said is not None:
        monkeypatch.setenv("OPJ_NUM_THREADS", said)
    made = dcmread(compressed(tmp_path, JPEG2000Lossless))
    decoder = DecoderProcess()
    call = (str(JPEG2000Lossless), decoding._encoded(made, None), decoding._options(made))
    np.testing.assert_array_equal(decoder.decode(*call, size=decoding.frame_bytes(made)), made.pixel_array)
    assert decoder._child is not None
    environment = Path(f"/proc/{decoder._child.pid}/environ").read_bytes().split(b"\0")
    decoder.close()
    assert f"OPJ_NUM_THREADS={threads}".encode() in environment


def test_pictures_of_growing_size_pass_through_one_child(tmp_path: Path) -> None:
    decoder = decoder_process.shared()
    first = None
    for side in (8, 1500, 3000, 16):
        pixels = (np.arange(side * side) % 4096).astype(np.uint16).reshape(side, side)
        path = compressed(tmp_path, JPEGLSLossless, pixels, f"{side}.dcm")
        np.testing.assert_array_equal(decoding.stored(dcmread(path), None), pixels)
        first = first or decoder._child
    assert decoder._child is first


@pytest.mark.fault(source="dicom", fault="decompression bomb", ends="refused before memory is asked for")
@pytest.mark.parametrize("changes", [{"Rows": 65535, "Columns": 65535}, {"NumberOfFrames": 2_000_000}])
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_bomb_is_refused_before_memory_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict, syntax: str
) -> None:
    made = dcmread(compressed(tmp_path, syntax))
    for name, value in changes.items():
        setattr(made, name, value)
    made.save_as(tmp_path / "bomb.dcm")
    monkeypatch.setattr(DecoderProcess, "decode", lambda *_, **__: pytest.fail("it was decoded"))
    tracemalloc.start()
    try:
        (batch,) = reader.read(tmp_path / "bomb.dcm", ReadContext(root=tmp_path))
        asked = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [r.reason for r in batch.rejections] == ["unreadable"]
    assert asked < 64 << 20


def test_a_deflated_bomb_is_refused_before_it_is_inflated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from clinical_jepa.sources.dicom import opening

    made = dataset(ramp())
    made.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    made.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    (batch,) = reader.read(tmp_path / "a.dcm", ReadContext(root=tmp_path))
    assert len(batch.images) == 1
    monkeypatch.setattr(opening, "INFLATED_MAX", 1000)
    (batch,) = reader.read(tmp_path / "a.dcm", ReadContext(root=tmp_path))
    assert "deflated" in batch.rejections[0].message


@settings(max_examples=25)
@given(
    place=st.integers(0, 10**6),
    bytes_=st.binary(min_size=1, max_size=8),
    cut=st.integers(0, 4000),
    syntax=st.sampled_from(SYNTAXES),
)
def test_damaged_codestreams_cost_one_file(
    tmp_path_factory: pytest.TempPathFactory, place: int, bytes_: bytes, cut: int, syntax: str
) -> None:
    folder = tmp_path_factory.mktemp("damage")
    path = compressed(folder, syntax)
    content = bytearray(path.read_bytes())
    start = content.index(b"\xe0\x7f\x10\x00") + 20
    at = start + place % (len(content) - start)
    content[at : at + len(bytes_)] = bytes_
    path.write_bytes(content[: len(content) - cut // 4] if cut > 3000 else content)
    (batch,) = reader.read(path, ReadContext(root=folder))
    assert len(batch.images) + len(batch.rejections) == 1


# real JPEG files with one or two bytes changed (from the end of the header on), found by chance: each aborts gdcm's process
ABORTING = {
    "SC_jpeg_no_color_transform_2.dcm": ((1249, 191), (905, 150)),
    "SC_rgb_jpeg_dcmtk.dcm": ((1713, 32), (1712, 145)),
    "SC_rgb_jpeg.dcm": ((960, 196), (1035, 171)),
}


@pytest.mark.data
@pytest.mark.parametrize("name", ABORTING)
def test_real_files_that_abort_the_native_decoder_cost_one_file(data: Path, tmp_path: Path, name: str) -> None:
    sound = data / "dicom_pydicom" / "test_files" / name
    content = bytearray(sound.read_bytes())
    for place, byte in ABORTING[name]:
        content[place] = byte
    (tmp_path / "dicom-site.csv").write_text("file,patient,time\n*,S,2001-02-03T04:05\n")
    (tmp_path / "a.dcm").write_bytes(content)
    (tmp_path / "b.dcm").write_bytes(sound.read_bytes())
    (batch,) = reader.read(tmp_path / "a.dcm", ReadContext(root=tmp_path))
    assert [r.reason for r in batch.rejections] == ["unreadable"]
    (batch,) = reader.read(tmp_path / "b.dcm", ReadContext(root=tmp_path))
    assert len(batch.images) == 1
