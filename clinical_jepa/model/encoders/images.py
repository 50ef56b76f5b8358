"""From a decoded picture to what the image encoder eats; the ingest calls this once a picture, the store keeps it.

Pictures come as arrays: MONAI's own DICOM reader loses a plain radiograph's spacing and does not invert MONOCHROME1.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

SIDE = 64
PERCENTILES = (0.5, 99.5)


def prepare(pixels: np.ndarray, spacing_mm: tuple[float, float] | None) -> np.ndarray:
    """Float32 ``[64, 64]`` in [0, 1] of a picture ``[rows, columns]`` in [0, 1], dense tissue bright.

    Grey levels between two percentiles are spread over [0, 1] (a picture without such a spread stays as it is). The
    longer physical side becomes 64 pixels by averaging areas: that smooths as it shrinks, and unlike MONAI's Gaussian
    ``anti_aliasing``, which sees zeros outside, leaves the border as bright as it is. The shorter side is padded with
    black. One thread: the same bytes on any machine of one kind.
    """
    import torch
    from monai.transforms.compose import Compose
    from monai.transforms.croppad.array import ResizeWithPadOrCrop
    from monai.transforms.intensity.array import ScaleIntensityRange
    from monai.transforms.spatial.array import Resize

    from clinical_jepa.model.threads import one_thread

    picture = np.ascontiguousarray(pixels, dtype=np.float32)
    if not np.isfinite(picture.sum()):  # one pass says that none is NaN or infinite
        picture = np.nan_to_num(picture)
    low, high = np.percentile(picture, PERCENTILES).tolist()
    steps = Compose(
        [
            *([ScaleIntensityRange(low, high, 0.0, 1.0, clip=True)] if high > low else []),
            Resize(target_size(picture.shape, spacing_mm), mode="area"),
            ResizeWithPadOrCrop((SIDE, SIDE), value=0.0),
        ]
    )
    with one_thread(), _plain_tensors():
        out: np.ndarray = torch.as_tensor(steps(torch.from_numpy(picture)[None])).numpy()[0]
    clipped: np.ndarray = out.clip(0.0, 1.0)
    return clipped


def target_size(shape: tuple[int, ...], spacing_mm: tuple[float, float] | None) -> tuple[int, int]:
    """Rows and columns after resizing: the physical aspect is kept (square pixels where no spacing is known)."""
    rows, columns = (size * step for size, step in zip(shape[:2], spacing_mm or (1.0, 1.0), strict=True))
    scale = SIDE / max(rows, columns)
    return max(1, min(SIDE, round(rows * scale))), max(1, min(SIDE, round(columns * scale)))


@contextmanager
def _plain_tensors() -> Iterator[None]:
    """MONAI's record of what was done to a tensor costs more than the doing, and nobody reads it here."""
    from monai.data.meta_obj import get_track_meta, set_track_meta

    before = get_track_meta()
    set_track_meta(False)
    try:
        yield
    finally:
        set_track_meta(before)
