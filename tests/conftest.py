"""What all tests share: the folder of real files, and one small trained ward, built once per run."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import settings

from tests.faults import pytest_collection_modifyitems  # noqa: F401 - the hook that notes fault marks

ROOT = Path(__file__).parents[1]

# a machine with other work on it is slow, not wrong
settings.register_profile("shared-machine", deadline=None)
settings.load_profile("shared-machine")


@pytest.fixture(scope="session")
def data() -> Path:
    """The real files of ``CLINICAL_JEPA_DATA``; without them the test skips, visibly."""
    folder = os.environ.get("CLINICAL_JEPA_DATA")
    if not folder:
        pytest.skip("CLINICAL_JEPA_DATA is not set: real files are not here")
    return Path(folder)


@dataclass(frozen=True)
class SmallWard:
    """A simulated ward with store and fitted model. Copy the store before writing to it."""

    folder: Path
    ward: Path
    truth: Path
    store: Path
    model: Path


def command(*arguments: str, cwd: Path, allowed: tuple[int, ...] = (0,)) -> str:
    """Stdout of ``clinical-jepa …`` in a fresh process; fails with its stderr."""
    program = [sys.executable, "-c", "from clinical_jepa.cli import main; main()", *arguments]
    done = subprocess.run(program, cwd=cwd, check=False, capture_output=True, text=True, timeout=600)
    assert done.returncode in allowed, f"{arguments} ended with {done.returncode}:\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def small_ward(tmp_path_factory: pytest.TempPathFactory) -> SmallWard:
    """4 monitored and 80 further simulated subjects over 16 hours; a few training steps; fitted."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    folder = shared / "small-ward"
    made = SmallWard(folder, folder / "ward", folder / "truth", folder / "store", folder / "model")
    with FileLock(f"{folder}.lock"):
        if not (folder / "done").is_file():
            folder.mkdir(exist_ok=True)
            command(
                *("simulate", ".", "--subjects", "4", "--hours", "16", "--seed", "11", "--records-only", "80"),
                cwd=folder,
            )
            command("ingest", "ward", "--store", "store", "--as", "history", cwd=folder, allowed=(0, 3))
            command("pretrain", "--store", "store", "--out", "model", "--steps", "8", cwd=folder)
            command("fit", "deterioration-8h", "--model", "model", "--store", "store", cwd=folder)
            (folder / "done").touch()
    return made
