"""The picture of a dataset: float32 ``[rows, columns]`` in [0, 1], dense tissue bright.

The order is the standard's (PS3.4 N.2): modality LUT or rescale, then VOI LUT or window, then the photometric
interpretation. A window is stated in the units after the rescale.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_LUMINANCE = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as in DICOM's YBR_FULL
_ROBUST = (0.5, 99.5)  # percentiles that become black and white where the file gives no window


def picture(dataset: Dataset) -> np.ndarray:
    """The dataset's picture; of several frames the middle one. Raises whatever the decoder raises on damaged pixels."""
    from pydicom.pixels.processing import apply_modality_lut

    stored, photometric = _frame(dataset)
    if stored.ndim == 3:
        return _unit(stored @ _LUMINANCE, 0.0, float(np.iinfo(stored.dtype).max if stored.dtype.kind == "u" else 1))
    padded = _padding(stored, dataset)
    values = np.asarray(apply_modality_lut(stored, dataset))
    out = _voi(values, dataset, padded)
    if photometric == "MONOCHROME1":
        out = 1.0 - out
    out[padded] = 0.0
    return out.astype(np.float32)


def _frame(dataset: Dataset) -> tuple[np.ndarray, str]:
    """``(stored values, photometric interpretation)`` of one frame in native byte order; colours as ``[r, c, 3]``."""
    from pydicom.pixels.processing import apply_color_lut
    from pydicom.pixels.utils import pixel_array

    frames = int(dataset.get("NumberOfFrames") or 1)
    stored = np.asarray(pixel_array(dataset, index=frames // 2 if frames > 1 else None))
    stored = stored.astype(stored.dtype.newbyteorder("="), copy=False)  # big-endian files come non-native
    photometric = str(dataset.get("PhotometricInterpretation") or "MONOCHROME2").strip()
    if photometric == "PALETTE COLOR":
        stored = np.asarray(apply_color_lut(stored, dataset))
    if stored.ndim not in (2, 3):
        raise ValueError(f"{stored.ndim} axes are no picture")
    return (stored[..., :3] if stored.ndim == 3 else stored), photometric


def _padding(stored: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Mask of pixels that the file declares to be outside the picture."""
    value, limit = dataset.get("PixelPaddingValue"), dataset.get("PixelPaddingRangeLimit")
    if not isinstance(value, int):
        return np.zeros(stored.shape, bool)
    low, high = sorted((value, limit if isinstance(limit, int) else value))
    return (stored >= low) & (stored <= high)


def _voi(values: np.ndarray, dataset: Dataset, padded: np.ndarray) -> np.ndarray:
    from pydicom.pixels.processing import apply_voi

    table = dataset.get("VOILUTSequence")
    if table and values.dtype.kind in "iu":
        return _unit(apply_voi(values, dataset), 0.0, float(2 ** int(table[0].LUTDescriptor[2]) - 1))
    center, width = _first(dataset.get("WindowCenter")), _first(dataset.get("WindowWidth"))
    if center is not None and width is not None and width > 0:
        return window(values, center, width, str(dataset.get("VOILUTFunction") or "LINEAR"))
    inside = values[~padded & np.isfinite(values)]
    low, high = np.percentile(inside, _ROBUST) if inside.size else (0.0, 0.0)
    return _unit(values, float(low), float(high))


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


def spacing_mm(dataset: Dataset) -> tuple[float, float] | None:
    """``(between rows, between columns)`` from PixelSpacing, then ImagerPixelSpacing, or None."""
    for item in (dataset, *_measures(dataset)):
        for name in ("PixelSpacing", "ImagerPixelSpacing"):
            value = item.get(name)
            if value is not None and len(value) == 2 and float(value[0]) > 0 and float(value[1]) > 0:
                return float(value[0]), float(value[1])
    return None


def _measures(dataset: Dataset) -> list[Dataset]:
    """Where enhanced (multi-frame) objects keep their spacing."""
    groups = dataset.get("SharedFunctionalGroupsSequence") or []
    return [item for group in groups for item in (group.get("PixelMeasuresSequence") or [])]
