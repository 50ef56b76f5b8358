"""The FHIR server that the tests of this room ask, and who asks it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.intake.fhir_site import Caller, Clinic
from tests.intake.server import serving


@pytest.fixture
def clinic() -> Iterator[Clinic]:
    made = Clinic()
    with serving(made.site):
        yield made


@pytest.fixture
def caller(clinic: Clinic, tmp_path: Path) -> Caller:
    return Caller(site=clinic.site, spool=tmp_path / "spool")
