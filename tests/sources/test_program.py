"""A unit is read again when, and only when, a module that its reader is made of has changed."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path

import pytest

from clinical_jepa.sources import catalog, program
from clinical_jepa.sources.catalog import KINDS

PACKAGE = Path(program.__file__).parent.parent


@pytest.fixture
def package(tmp_path: Path) -> Path:
    for room in ("records", "vocabulary", "sources"):
        shutil.copytree(PACKAGE / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.parametrize(
    ("module", "concerned"),
    [
        ("sources/fhir/flood.py", {"fhir"}),
        ("sources/dicom/pixels.py", {"dicom"}),
        ("sources/tables/cinc2019/reader.py", {"mimic3", "mimic4", "eicu", "cinc2012", "cinc2019"}),
        ("sources/signals/pieces.py", {*KINDS}),
        ("sources/rows.py", {*KINDS}),
        ("vocabulary/identity.py", {*KINDS}),
        ("records/events.py", {*KINDS}),
        ("sources/fhir/a_new_module.py", {"fhir"}),
        ("sources/others.py", set()),
    ],
)
def test_a_changed_module_concerns_the_kinds_that_are_made_of_it(
    package: Path, module: str, concerned: set[str]
) -> None:
    before = {kind: program.program_hash(kind, package) for kind in KINDS}
    program.program_hash.cache_clear()
    (package / module).write_bytes(
        ((package / module).read_bytes() if (package / module).exists() else b"") + b"\nMORE = 1\n"
    )
    after = {kind: program.program_hash(kind, package) for kind in KINDS}
    program.program_hash.cache_clear()
    assert {kind for kind in KINDS if before[kind] != after[kind]} == concerned


def test_where_the_package_lies_does_not_matter(package: Path) -> None:
    assert program.program_hash("fhir", package) == program.program_hash("fhir")


@pytest.mark.parametrize("kind", KINDS)
def test_a_reader_is_among_its_modules(kind: catalog.Kind) -> None:
    reader = importlib.import_module(catalog._reader(kind).__name__)  # type: ignore[attr-defined]
    assert Path(str(reader.__file__)) in set(program._modules(kind, PACKAGE))


def test_without_its_text_the_release_stands_for_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = set()
    for release in ("1.0", "1.1"):
        monkeypatch.setattr(program, "version", lambda name, release=release: release)
        found |= {program.program_hash("fhir", tmp_path / release), program.program_hash("wfdb", tmp_path / release)}
    assert len(found) == 2
