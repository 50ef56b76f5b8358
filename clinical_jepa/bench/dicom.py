"""DICOM against bare pydicom: decoding raw and compressed files, and the way from a file to what the encoder eats.

The files are made here (a CT slice and a radiograph, each raw and in every syntax that pydicom or gdcm can write), so the
bench runs on any machine. Both sides take turns, file by file; the ratio is that of the two shortest times, which other work
on the machine disturbs least. Times are those on the clock: bare pydicom decodes JPEG 2000 through gdcm, on every core.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from clinical_jepa.bench.figure import Figure

SECONDS, ROUNDS = 2.0, (9, 80)  # a pair of ways is timed for so long, at least and at most so often
DECODE_MAX, PREPARED_MAX = 1.15, 2.0
SYNTAXES = ("raw", "RLE", "JPEG lossless", "JPEG-LS", "JPEG 2000")
SIZES = {"CT": 512, "CR": 2048}


def run(folder: Path) -> list[Figure]:
    """Decode and prepare figures; ``folder`` takes the files."""
    files = {(kind, syntax): _written(folder, kind, syntax) for kind in SIZES for syntax in SYNTAXES}
    out = []
    for (kind, syntax), path in files.items():
        out.append(_figure(f"DICOM decode, {kind} {syntax}", path, (_decode, _plain_decode), DECODE_MAX))
    for (kind, syntax), path in files.items():
        out.append(_figure(f"DICOM to prepared image, {kind} {syntax}", path, (_prepare, _plain_prepare), PREPARED_MAX))
    return out


def _figure(name: str, path: Path, ways: tuple[Callable[[Path], object], ...], limit: float) -> Figure:
    for way in ways:
        way(path)  # the first starts the decoder's process
    ours, plain = (_timed(way, path) for way in ways)
    rounds = max(ROUNDS[0], min(ROUNDS[1], int(SECONDS / (ours + plain))))
    for _ in range(rounds):
        ours, plain = (min(known, _timed(way, path)) for known, way in zip((ours, plain), ways, strict=True))
    detail = f"{ours * 1000:.1f} ms against {plain * 1000:.1f} ms, the shortest of {rounds}"
    return Figure(name=name, ratio=ours / plain, limit=limit, at_least=False, detail=detail)


def _timed(way: Callable[[Path], object], path: Path) -> float:
    start = time.perf_counter()
    way(path)
    return time.perf_counter() - start


def _decode(path: Path) -> object:
    from clinical_jepa.sources.dicom.decoding import stored
    from clinical_jepa.sources.dicom.opening import opened

    return stored(opened(path), None)


def _plain_decode(path: Path) -> object:
    import pydicom

    return pydicom.dcmread(path).pixel_array


def _prepare(path: Path) -> object:
    from clinical_jepa.model.encoders.images import prepare
    from clinical_jepa.sources.dicom.opening import opened
    from clinical_jepa.sources.dicom.pixels import picture, spacing_mm

    dataset = opened(path)
    return prepare(picture(dataset), spacing_mm(dataset))


def _plain_prepare(path: Path) -> object:
    """What one writes by hand: pydicom's own LUTs, then torch's area interpolation of a normalised tensor."""
    import pydicom
    import torch
    from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

    dataset = pydicom.dcmread(path)
    values = apply_voi_lut(apply_modality_lut(dataset.pixel_array, dataset), dataset)
    picture = torch.from_numpy(np.asarray(values, np.float32))[None, None]
    low, high = picture.min(), picture.max()
    scaled = (picture - low) / (high - low)
    return torch.nn.functional.interpolate(scaled, size=(64, 64), mode="area")


def _written(folder: Path, kind: str, syntax: str) -> Path:
    """A file of smooth anatomy and noise, 12 bits, with rescale and window."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import (
        UID,
        ComputedRadiographyImageStorage,
        CTImageStorage,
        ExplicitVRLittleEndian,
        JPEG2000Lossless,
        JPEGLSLossless,
        RLELossless,
        generate_uid,
    )

    side = SIZES[kind]
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    made.SOPClassUID = UID(CTImageStorage if kind == "CT" else ComputedRadiographyImageStorage)
    made.SOPInstanceUID = generate_uid(entropy_srcs=["clinical-jepa bench", kind, syntax])
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = made.SOPClassUID, made.SOPInstanceUID
    made.PatientID, made.Modality, made.StudyDate, made.StudyTime = "bench", kind, "20260105", "091200"
    made.PixelSpacing, made.RescaleSlope, made.RescaleIntercept = [0.15, 0.15], 1, -1024
    made.WindowCenter, made.WindowWidth = 400, 2000
    made.PhotometricInterpretation, made.SamplesPerPixel = "MONOCHROME2", 1
    made.Rows = made.Columns = side
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 12, 11, 0
    made.PixelData = _anatomy(side).tobytes()
    encoders = {"RLE": RLELossless, "JPEG-LS": JPEGLSLossless, "JPEG 2000": JPEG2000Lossless}
    if syntax in encoders:
        made.compress(encoders[syntax], generate_instance_uid=False)
    path = folder / f"{kind}-{syntax.replace(' ', '')}.dcm"
    made.save_as(path, enforce_file_format=True)
    if syntax == "JPEG lossless":
        _as_jpeg(path)
    return path


def _as_jpeg(path: Path) -> None:
    """The file compressed in place, by gdcm: pydicom writes no JPEG."""
    import gdcm

    reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
    reader.SetFileName(str(path))
    done = reader.Read()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
    change.SetInput(reader.GetImage())
    done = done and change.Change()
    writer.SetImage(change.GetOutput())
    writer.SetFile(reader.GetFile())
    writer.SetFileName(str(path))
    if not (done and writer.Write()):
        raise RuntimeError("gdcm does not write JPEG here")


def _anatomy(side: int) -> np.ndarray:
    rows, columns = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    body = 1800 * (np.hypot(rows, columns * 1.2) < 0.9) - 900 * (np.hypot(rows * 1.3, np.abs(columns) - 0.4) < 0.3)
    noise = np.random.default_rng(5).normal(0, 12, (side, side))
    grey: np.ndarray = np.clip(900 + body + 300 * np.cos(3 * rows) + noise, 0, 4095).astype(np.uint16)
    return grey
