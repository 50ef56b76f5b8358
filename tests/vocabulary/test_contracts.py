"""schemas/ says what the code does, and the wheel carries it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from clinical_jepa.vocabulary.contracts import rendered
from clinical_jepa.vocabulary.tables import schemas

ROOT = Path(__file__).parents[2]


def test_the_committed_contracts_equal_the_code() -> None:
    for name, text in rendered().items():
        assert (schemas() / "contracts" / name).read_text(encoding="utf-8") == text, (
            f"{name} is stale: python -m clinical_jepa.vocabulary.contracts"
        )


def test_no_contract_is_left_over() -> None:
    assert {path.name for path in (schemas() / "contracts").iterdir()} == set(rendered())


@pytest.mark.slow
def test_the_wheel_carries_the_schemas(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    (wheel,) = tmp_path.glob("*.whl")
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("clinical_jepa/schemas/")}
    here = {f"clinical_jepa/schemas/{path.relative_to(schemas())}" for path in schemas().rglob("*") if path.is_file()}
    assert inside == here
