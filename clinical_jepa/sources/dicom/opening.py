"""A file as a dataset with a transfer syntax, or the reason why it is none.

Headless files (no preamble, no meta group) are read where their content proves that they are DICOM: they begin with an
element of group 0002 or 0008 in one of the standard's encodings, and what follows names a SOP class, or holds pixels of
the length that rows, columns and bits ask for. Their transfer syntax is the encoding that was found; where their pixels are
encapsulated, the codec is told from its own first marker.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from clinical_jepa.sources.dicom.kinds import has_pixels

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

INFLATED_MAX = 1 << 30  # bytes of a deflated dataset: more is a bomb, not a picture
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_FIRST = (2, 8)  # groups that come first
# by the codec's first bytes, and for JPEG by its frame marker
_CODECS = {b"\xff\x4f\xff\x51": "1.2.840.10008.1.2.4.91"}
_FRAMES = {
    0xC0: "1.2.840.10008.1.2.4.50",
    0xC1: "1.2.840.10008.1.2.4.51",
    0xC3: "1.2.840.10008.1.2.4.57",
    0xF7: "1.2.840.10008.1.2.4.81",
}


class Refused(Exception):
    """``(reason, message)`` of a file of which nothing is kept."""


def looks_like(start: bytes) -> bool:
    """Whether a file of which these are the first 132 bytes claims to be DICOM, or begins as a headless one does."""
    return start[128:132] == b"DICM" or headless(start)


def headless(start: bytes) -> bool:
    """Whether the first element is one of group 0002 or 0008, in implicit, explicit or big-endian encoding."""
    if len(start) < 12:
        return False
    for order in ("little", "big"):
        group, element = (int.from_bytes(start[at : at + 2], order) for at in (0, 2))
        if group not in _FIRST or element > 0x20:
            continue
        if start[4:6] in (b"UI", b"UL", b"CS", b"DA", b"TM", b"OB", b"LO", b"SH"):
            return True
        if order == "little" and int.from_bytes(start[4:8], "little") <= 64:
            return True
    return False


def opened(path: Path, *, force: bool = False) -> Dataset:
    """The dataset of a file, or ``Refused``. ``force`` skips the proof for a headless file."""
    import pydicom

    with path.open("rb") as file:
        start = file.read(1024)
    bare = start[128:132] != b"DICM"
    if bare and not force and not headless(start):
        raise Refused("unreadable", "no DICOM preamble, and it does not begin as a headless DICOM file does")
    if _DEFLATED in start and not bare:
        _check_inflated(path)
    try:
        dataset = pydicom.dcmread(path, force=bare)
    except Exception as error:  # pydicom raises many kinds on a damaged file
        raise Refused("unreadable", f"not readable as DICOM ({type(error).__name__})") from error
    if len(dataset) == 0:
        raise Refused("unreadable", "the file holds no data element: empty, or cut off in its header")
    if "TransferSyntaxUID" not in dataset.file_meta:
        _supply_syntax(dataset)
    if bare and not force and not _proven(dataset):
        raise Refused("unreadable", "no DICOM preamble, and neither SOP class nor fitting pixels prove it to be DICOM")
    return dataset


def _supply_syntax(dataset: Dataset) -> None:
    from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    implicit, little = dataset.original_encoding
    if has_pixels(dataset) and "PixelData" in dataset and dataset["PixelData"].is_undefined_length:
        found = _codec(bytes(dataset.PixelData[:4096]))
        if found is None:
            return
        dataset.file_meta.TransferSyntaxUID = UID(found)
    elif implicit:
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    else:
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian if little else ExplicitVRBigEndian


def _codec(encapsulated: bytes) -> str | None:
    """The transfer syntax whose decoder reads the first codestream; None if it is none of JPEG's family."""
    for marker, syntax in _CODECS.items():
        if marker in encapsulated:
            return syntax
    start = encapsulated.find(b"\xff\xd8\xff")
    if start < 0:
        return None
    at = start + 2
    while at + 4 <= len(encapsulated) and encapsulated[at] == 0xFF:
        if encapsulated[at + 1] in _FRAMES:
            return _FRAMES[encapsulated[at + 1]]
        at += 2 + int.from_bytes(encapsulated[at + 2 : at + 4], "big")
    return None


def _proven(dataset: Dataset) -> bool:
    from pydicom.uid import UID

    if UID(str(dataset.get("SOPClassUID") or "")).keyword:
        return True
    try:
        bits = int(dataset.Rows) * int(dataset.Columns) * int(dataset.get("SamplesPerPixel", 1))
        expected = bits * int(dataset.BitsAllocated) * int(dataset.get("NumberOfFrames") or 1) // 8
    except (AttributeError, TypeError, ValueError):
        return False
    return 0 < expected <= len(dataset.get("PixelData") or b"") <= expected + 1


def _check_inflated(path: Path) -> None:
    """Refuses a deflated file that would become too large, before anything inflates it whole."""
    from pydicom.filereader import read_file_meta_info

    length = int(read_file_meta_info(path).get("FileMetaInformationGroupLength") or 0)
    inflater, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
    with path.open("rb") as file:
        file.seek(132 + 12 + length)
        try:
            while chunk := inflater.unconsumed_tail or file.read(1 << 16):
                total += len(inflater.decompress(chunk, 1 << 20))
                if total > INFLATED_MAX:
                    raise Refused(
                        "unreadable", "deflated, and larger than any picture when inflated; nothing was inflated"
                    )
        except zlib.error:
            return  # pydicom says what is wrong with it
