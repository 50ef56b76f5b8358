"""A picture turned as it is hung: the patient's left (or back) on the viewer's right, the feet (or the back) below.

Only by quarter turns and mirror images, and only where the file says how the patient lay: from the two direction
cosines of ImageOrientationPatient, or the letters of PatientOrientation. Else the picture stays as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Axis = tuple[int, int]  # (0 towards left, 1 towards the back, 2 towards the feet; +1 or -1)
_LETTERS: dict[str, Axis] = {"L": (0, 1), "R": (0, -1), "P": (1, 1), "A": (1, -1), "F": (2, 1), "H": (2, -1)}
_DOMINANT = 0.8  # of a direction cosine: beyond some 37° a plane has no plain name


def upright(
    pixels: np.ndarray, spacing: tuple[float, float] | None, said: Dataset
) -> tuple[np.ndarray, tuple[float, float] | None]:
    """``(pixels, spacing)``, turned; ``said`` is the dataset, or what an enhanced one says of the frame."""
    axes = directions(said)
    if axes is None:
        return pixels, spacing
    along_row, along_column = axes
    if along_row[0] > along_column[0]:  # lying on its side: the row runs towards what belongs below
        pixels, along_row, along_column = pixels.T, along_column, along_row
        spacing = None if spacing is None else (spacing[1], spacing[0])
    if along_row[1] < 0:
        pixels = pixels[:, ::-1]
    if along_column[1] < 0:
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels), spacing


def directions(said: Dataset) -> tuple[Axis, Axis] | None:
    """Where a row runs with growing column, and a column with growing row; None where the file does not say."""
    cosines = said.get("ImageOrientationPatient")
    found: tuple[Axis | None, Axis | None]
    if cosines is not None and len(cosines) == 6:
        values = [float(value) for value in cosines]
        found = _from_cosines(values[:3]), _from_cosines(values[3:])
    else:
        letters = said.get("PatientOrientation")
        if letters is None or len(letters) != 2 or isinstance(letters, str):
            return None
        found = _LETTERS.get(str(letters[0])[:1]), _LETTERS.get(str(letters[1])[:1])
    row, column = found
    return None if row is None or column is None or row[0] == column[0] else (row, column)


def _from_cosines(cosines: list[float]) -> Axis | None:
    """DICOM's axes point to the left, the back and the head."""
    largest = max(range(3), key=lambda axis: abs(cosines[axis]))
    if abs(cosines[largest]) < _DOMINANT:
        return None
    sign = 1 if cosines[largest] > 0 else -1
    return largest, -sign if largest == 2 else sign
