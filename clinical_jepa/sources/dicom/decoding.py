"""One frame of a dataset as stored values, in native byte order: what pydicom's ``pixel_array`` gives, without its risks.

Uncompressed pixels, RLE (decoded in Rust) and deflated frames (zlib) are decoded here; every other syntax in a process of its
own (``decoder_process``). What a file claims is measured against limits before memory is asked for.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from clinical_jepa.sources.dicom import decoder_process

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

FRAME_BYTES_MAX = 512 << 20  # rows × columns × samples × bytes of one frame: the largest radiographs take 50 MB
FRAMES_MAX = 100_000
DEFLATED_FRAME = "1.2.840.10008.1.2.8.1"
_RLE = "1.2.840.10008.1.2.5"
_OPTIONS = ("rows", "columns", "samples_per_pixel", "photometric_interpretation", "planar_configuration")
_OPTIONS_BITS = ("bits_allocated", "bits_stored", "pixel_representation")


def stored(dataset: Dataset, index: int | None) -> np.ndarray:
    """``[rows, columns]`` or ``[rows, columns, samples]`` of frame ``index`` (None: the only one); YBR comes as RGB.

    Raises whatever the decoder raises on damaged pixels; ``ValueError`` where the file claims more than the limits.
    """
    from pydicom.pixels.utils import pixel_array

    size = frame_bytes(dataset)
    syntax = dataset.file_meta["TransferSyntaxUID"].value
    if syntax == DEFLATED_FRAME:
        found = _inflated(dataset, index, size)
    elif syntax.is_encapsulated and syntax != _RLE:
        encoded = _encoded(dataset, index)
        found = decoder_process.shared().decode(str(syntax), encoded, _options(dataset), size=size)
    else:
        found = pixel_array(dataset, index=index)
    return found.astype(found.dtype.newbyteorder("="), copy=False)  # big-endian files come non-native


def frame_bytes(dataset: Dataset) -> int:
    """What one decoded frame takes; ``ValueError`` above the limits."""
    samples = int(dataset.get("SamplesPerPixel") or 1)
    bits = max(8, int(dataset.get("BitsAllocated") or (64 if "DoubleFloatPixelData" in dataset else 32)))
    size = int(dataset.Rows) * int(dataset.Columns) * samples * bits // 8
    if size > FRAME_BYTES_MAX or frames(dataset) > FRAMES_MAX:
        raise ValueError("the file claims more pixels or frames than the limits allow")
    return size


def frames(dataset: Dataset) -> int:
    """How many frames the file says it holds; ``ValueError`` where that is no number."""
    return max(1, int(dataset.get("NumberOfFrames") or 1))


def _encoded(dataset: Dataset, index: int | None) -> bytes:
    from pydicom.encaps import get_frame

    offsets = None
    if "ExtendedOffsetTable" in dataset and "ExtendedOffsetTableLengths" in dataset:
        offsets = (dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths)
    return get_frame(dataset.PixelData, index or 0, number_of_frames=frames(dataset), extended_offsets=offsets)


def _options(dataset: Dataset) -> dict[str, Any]:
    """What a decoder must know, as plain values."""
    from pydicom.pixels.utils import as_pixel_options

    options = as_pixel_options(dataset, number_of_frames=1)
    plain: dict[str, Any] = {}
    for name in (*_OPTIONS, *_OPTIONS_BITS):
        if name in options:
            plain[name] = options[name] if isinstance(options[name], str) else int(options[name])
    return plain


def _inflated(dataset: Dataset, index: int | None, size: int) -> np.ndarray:
    """A frame of Deflated Image Frame Compression, which pydicom 3.0 cannot read: raw deflate around native pixels."""
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import ExplicitVRLittleEndian

    encoded = _encoded(dataset, index)
    native = zlib.decompressobj(-zlib.MAX_WBITS).decompress(encoded, size + 2)
    options = _options(dataset) | {"number_of_frames": 1, "pixel_keyword": "PixelData", "pixel_vr": "OW"}
    found, _ = get_decoder(ExplicitVRLittleEndian).as_array(native, index=0, **options)
    pixels: np.ndarray = found
    return pixels
