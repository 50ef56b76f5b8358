"""One small ward for all tests of the room."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinical_jepa.simulate.ward import Summary, simulate


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Summary]:
    """Three monitored patients and four with records only, 8 hours."""
    out = tmp_path_factory.mktemp("simulated") / "ward"
    return out, simulate(out, subjects=3, hours=8, seed=11, records_only=4)


@pytest.fixture(scope="session")
def root(small: tuple[Path, Summary]) -> Path:
    """The folder that holds ward/ and truth/."""
    return small[0]
