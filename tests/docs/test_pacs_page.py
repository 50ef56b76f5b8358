"""The page on PACS: its trial with Orthanc is typed as it stands, in an empty folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

PAGE = ROOT / "docs" / "how-to" / "connect-a-pacs.md"


@pytest.mark.slow
@pytest.mark.xdist_group("pacs-ports")
def test_the_trial_with_orthanc_works_as_written(tmp_path: Path) -> None:
    if shutil.which("Orthanc") is None:
        pytest.skip("Orthanc is not installed (make servers)")
    text = PAGE.read_text(encoding="utf-8")
    (settings, *_) = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    trial = re.findall(r"^```bash\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)[-1]
    script = f"set -eu\ntrap 'kill $PACS 2> /dev/null || true' EXIT\n{settings}\n{trial}"
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "120"}
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    fetched = sorted(path.name for path in (tmp_path / "spool" / "dicomweb").rglob("*.dcm"))
    received = sorted(path.name for path in (tmp_path / "spool" / "dicom").rglob("*.dcm"))
    assert fetched == received
    assert len(fetched) == len(list((tmp_path / "ward").rglob("*.dcm"))) > 0
    row = next(line.split() for line in done.stdout.splitlines() if line.startswith("dicom "))
    head = next(line.split() for line in done.stdout.splitlines() if line.startswith("source "))
    counts = dict(zip(head[1:], map(int, row[1:]), strict=True))
    assert counts["images"] == len(fetched)
    assert counts["rejected"] == 0
