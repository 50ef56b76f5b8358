"""The picture of a dataset: float32 ``[rows, columns]`` in [0, 1], dense tissue bright.

The order is the standard's (PS3.4 N.2): modality LUT or rescale, then VOI LUT or window, then the photometric
interpretation. A window is stated in the units after the rescale. Grey values of up to 16 bits pass these steps as a table
of levels, each level once, and the picture is looked up in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from clinical_jepa.sources.dicom import decoding, frames

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as in DICOM's YBR_FULL
_ROBUST = (0.5, 99.5)  # percentiles that become black and white where the file gives no window
_LEVELS_MAX = 1 << 16
_CENTIMETRES = 3  # PS3.3 C.8.5.5.1.15
_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")


def picture(dataset: Dataset) -> np.ndarray:
    """The dataset's picture as the file has it; of several frames the kept one. Raises what the decoder raises."""
    index = frames.kept(dataset)
    stored = decoding.stored(dataset, index)
    said = frames.described(dataset, index)
    photometric = str(dataset.get("PhotometricInterpretation") or "MONOCHROME2").strip()
    if photometric == "PALETTE COLOR":
        return _palette(stored, dataset)
    if stored.ndim == 3:
        bits = int(dataset.get("BitsStored") or stored.dtype.itemsize * 8)
        return _luminance(stored, float(2**bits - 1))
    if stored.ndim != 2:
        raise ValueError(f"{stored.ndim} axes are no picture")
    return _grey(stored, said, inverted=photometric == "MONOCHROME1")


def _palette(stored: np.ndarray, dataset: Dataset) -> np.ndarray:
    from pydicom.pixels.processing import apply_color_lut

    colours = np.asarray(apply_color_lut(stored, dataset))
    return _luminance(colours, float(np.iinfo(colours.dtype).max))


def _luminance(colours: np.ndarray, largest: float) -> np.ndarray:
    """``[rows, columns]`` of colours ``[rows, columns, 3 or 4]``."""
    out = colours[..., 0] * (_LUMINANCE[0] / np.float32(largest))
    for channel in (1, 2):
        out += colours[..., channel] * (_LUMINANCE[channel] / np.float32(largest))
    clipped: np.ndarray = np.clip(out, 0.0, 1.0).astype(np.float32, copy=False)
    return clipped


def _grey(stored: np.ndarray, said: Dataset, *, inverted: bool) -> np.ndarray:
    from pydicom.pixels.processing import apply_modality_lut

    levels, places = _levels(stored)
    padded = _padding(levels, said)
    values = np.asarray(apply_modality_lut(levels, said))
    out = _voi(values, said, ~padded, places)
    if inverted:
        out = 1.0 - out
    out[padded] = 0.0
    out = out.astype(np.float32)
    return out if places is None else np.take(out, places)


def _levels(stored: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """``(levels, where each pixel lies among them)``; the pixels themselves, and None, where there are too many levels."""
    if stored.dtype.kind not in "iu" or stored.size == 0:
        return stored, None
    low, high = int(stored.min()), int(stored.max())
    if high - low >= min(_LEVELS_MAX, stored.size):
        return stored, None
    levels = np.arange(low, high + 1, dtype=np.int64).astype(stored.dtype)
    return levels, np.subtract(stored, low, dtype=np.intp, casting="unsafe")


def _padding(levels: np.ndarray, said: Dataset) -> np.ndarray:
    """Mask of levels that the file declares to be outside the picture."""
    value, limit = said.get("PixelPaddingValue"), said.get("PixelPaddingRangeLimit")
    if not isinstance(value, int):
        return np.zeros(levels.shape, bool)
    low, high = sorted((value, limit if isinstance(limit, int) else value))
    return (levels >= low) & (levels <= high)


def _voi(values: np.ndarray, said: Dataset, inside: np.ndarray, places: np.ndarray | None) -> np.ndarray:
    from pydicom.pixels.processing import apply_voi

    table = said.get("VOILUTSequence")
    if table and values.dtype.kind in "iu":
        return _unit(apply_voi(values, said), 0.0, float(2 ** int(table[0].LUTDescriptor[2]) - 1))
    center, width = _first(said.get("WindowCenter")), _first(said.get("WindowWidth"))
    if center is not None and width is not None and width > 0:
        return window(values, center, width, str(said.get("VOILUTFunction") or "LINEAR"))
    return _unit(values, *_range(values, inside & np.isfinite(values), places))


def _range(values: np.ndarray, inside: np.ndarray, places: np.ndarray | None) -> tuple[float, float]:
    """The two robust percentiles of the pixels, whose values are those of ``places``."""
    if places is None:
        within = values[inside]
        low, high = np.percentile(within, _ROBUST) if within.size else (0.0, 0.0)
        return float(low), float(high)
    counts = np.bincount(places.ravel(), minlength=values.size)
    order = np.argsort(values, kind="stable")
    order = order[inside[order] & (counts[order] > 0)]
    if not order.size:
        return 0.0, 0.0
    ends = np.cumsum(counts[order])
    ranks = np.array(_ROBUST) / 100 * (ends[-1] - 1)
    below = values[order[np.searchsorted(ends, np.floor(ranks), side="right")]].astype(np.float64)
    above = values[order[np.searchsorted(ends, np.ceil(ranks), side="right")]].astype(np.float64)
    low, high = below + (above - below) * (ranks - np.floor(ranks))
    return float(low), float(high)


def window(values: np.ndarray, center: float, width: float, function: str) -> np.ndarray:
    """The window of PS3.3 C.11.2.1.2, scaled to [0, 1]: LINEAR, LINEAR_EXACT or SIGMOID."""
    values = values.astype(np.float64)
    if function == "SIGMOID":
        return 1.0 / (1.0 + np.exp(np.clip(-4.0 * (values - center) / width, -60, 60)))
    if function == "LINEAR" and width > 1:
        return np.clip((values - (center - 0.5)) / (width - 1.0) + 0.5, 0.0, 1.0)
    if function == "LINEAR":  # a width of 1 is a threshold
        return (values > center - 0.5).astype(np.float64)
    return np.clip((values - center) / width + 0.5, 0.0, 1.0)


def _unit(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """``low`` … ``high`` → 0 … 1, clipped; all 0 where there is no range."""
    values = np.nan_to_num(values.astype(np.float64), nan=low)
    if high <= low:
        return np.zeros(values.shape, np.float32)
    return np.clip((values - low) / (high - low), 0.0, 1.0).astype(np.float32)


def _first(value: Any) -> float | None:
    """The first of several alternative windows; None where there is none."""
    if value is None or value == "":
        return None
    return float(value[0]) if hasattr(value, "__getitem__") and not isinstance(value, str) else float(value)


def spacing_mm(said: Dataset) -> tuple[float, float] | None:
    """``(between rows, between columns)``: PixelSpacing, then the detector's or the scanner's, then that of all ultrasound
    regions where they share one, or None."""
    for name in _SPACINGS:
        value = said.get(name)
        if value is not None and len(value) == 2 and float(value[0]) > 0 and float(value[1]) > 0:
            return float(value[0]), float(value[1])
    regions = said.get("SequenceOfUltrasoundRegions") or []
    found = {_region_mm(region) for region in regions}
    return found.pop() if len(found) == 1 else None


def _region_mm(region: Dataset) -> tuple[float, float] | None:
    if region.get("PhysicalUnitsXDirection") != _CENTIMETRES or region.get("PhysicalUnitsYDirection") != _CENTIMETRES:
        return None  # a Doppler trace: seconds along, cm/s up
    rows, columns = (abs(float(region.get(f"PhysicalDelta{axis}") or 0)) * 10 for axis in "YX")
    return (rows, columns) if rows > 0 and columns > 0 else None
