"""What starts often starts light: absence of heavy modules is exact where seconds are not."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

HEAVY = (
    "torch",
    "monai",
    "pytorch_lightning",
    "prefect",
    "pandas",
    "scipy",
    "sqlalchemy",
    "sklearn",
    "fhir",
    "wfdb",
    "matplotlib",
)


def loaded(program: str) -> set[str]:
    code = f"{program}\nimport sys; print('\\nLOADED', *sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"COLUMNS": "100"},
    )
    assert "LOADED" in done.stdout, done.stderr
    return set(done.stdout.rpartition("LOADED")[2].split())


@pytest.mark.parametrize("verb", ["", "ingest", "receive", "relay", "check"])
def test_help_loads_nothing_heavy(verb: str) -> None:
    program = (
        f"import sys; sys.argv = ['clinical-jepa', *{[verb] if verb else []!r}, '--help']\n"
        "from clinical_jepa.cli import main\n"
        "try:\n    main()\nexcept SystemExit as done:\n    assert done.code in (0, None), done.code"
    )
    assert loaded(program) & {*HEAVY, "polars", "pyarrow", "numpy"} == set()


def test_the_alert_worker_needs_no_tensors_and_no_tables() -> None:
    program = (
        "import clinical_jepa.alerts.worker, clinical_jepa.alerts.delivery.webhook, clinical_jepa.alerts.delivery.file"
    )
    assert loaded(program) & {*HEAVY, "polars", "pyarrow", "fastapi"} == set()


def test_the_guard_sees_a_heavy_import() -> None:
    assert "pandas" in loaded("import pandas")
