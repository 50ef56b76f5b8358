"""Ingest prepares each picture by MONAI's transforms, once, and the store keeps what the encoder eats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from monai.transforms.compose import Compose
from monai.transforms.croppad.array import SpatialPad
from monai.transforms.intensity.array import ScaleIntensityRangePercentiles
from monai.transforms.spatial.array import Resize

from clinical_jepa.records.instant import BEGINNING, END
from clinical_jepa.store.events import Store
from clinical_jepa.timeline.slices import slices
from clinical_jepa.wiring import road
from clinical_jepa.wiring.settings import Paths, Settings
from tests.sources.dicom import builders


@pytest.mark.parametrize(
    ("rows", "columns", "spacing", "size"),
    [(24, 40, [0.2, 0.1], (64, 53)), (300, 200, [0.1, 0.3], (32, 64)), (90, 180, None, (32, 64))],
)
def test_what_ingest_stores_is_what_monais_own_chain_makes_of_the_file(
    rows: int, columns: int, spacing: list[float] | None, size: tuple[int, int], tmp_path: Path
) -> None:
    """``size`` was worked out by hand: the longer side in mm becomes 64 pixels."""
    (tmp_path / "in").mkdir()
    pixels = (builders.ramp(rows, columns).astype(np.uint32) * 7 % 4096).astype(np.uint16)  # no slope alone
    builders.save(tmp_path / "in", pixels, PixelSpacing=spacing)
    chain = Compose(
        [
            ScaleIntensityRangePercentiles(0.5, 99.5, b_min=0.0, b_max=1.0, clip=True),
            Resize(size, mode="area"),
            SpatialPad((64, 64)),
        ]
    )
    expected = np.asarray(chain(pixels[None].astype(np.float32)))[0]
    summary = road.ingest_summary(
        Settings(paths=Paths(store=str(tmp_path / "store"))), [tmp_path / "in"], mode="history"
    )
    assert (summary["total"]["images"], summary["reasons"]) == (1, {})
    store = Store.open(tmp_path / "store")
    arrived = store.arrivals(BEGINNING, END)
    (subject,) = arrived.images["subject_id"].to_pylist()
    (eaten,) = slices(arrived, subjects=[subject], since=BEGINNING, load=store.samples)[subject].pictures.pixels
    assert np.allclose(eaten, expected, atol=1e-4)
    assert expected.std() > 0.1
