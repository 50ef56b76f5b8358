"""The page that tells how to add a source and a code map is followed to the letter, and gives what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from clinical_jepa.records.instant import END, MINUTE, to_us
from clinical_jepa.store.events import Store
from tests.conftest import ROOT

BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SIX = to_us(datetime.fromisoformat("2026-01-05T06:10+01:00"))  # in Berlin


def followed(page: str, folder: Path, *, without: str | None = None) -> subprocess.CompletedProcess[str]:
    """The blocks of a how-to page typed in order in an empty folder; one that holds ``without`` is left out."""
    blocks = BLOCK.findall((ROOT / "docs" / "how-to" / page).read_text(encoding="utf-8"))
    kept = [block for block in blocks if without is None or without not in block]
    assert len(kept) == len(blocks) - (without is not None)
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "120"}
    script = "set -eu\n" + "\n".join(kept)
    return subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
    )


def test_a_source_made_by_the_page_reads_its_example(tmp_path: Path) -> None:
    done = followed("add-a-source.md", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    store = Store.open(tmp_path / "store")
    events = store.history(store.identify("4711"), as_of=END).events
    rows = events.select(["time", "code", "numeric_value", "unit", "available_basis", "source"]).to_pylist()
    times = events["time"].cast("int64").to_pylist()
    assert times == [SIX, SIX + (24 * 60 - 5) * MINUTE]
    assert [row["numeric_value"] for row in rows] == pytest.approx([81.4, 178.2 * 0.45359237])
    assert {(row["code"], row["unit"], row["source"]) for row in rows} == {("LOINC//29463-7", "kg", "bedscale")}
    assert {row["available_basis"] for row in rows} == {"delay"}
    assert re.search(r"no-unit", done.stdout)
    assert re.search(r"invalid", done.stdout)


def test_a_page_that_forgot_the_catalog_would_be_seen(tmp_path: Path) -> None:
    done = followed("add-a-source.md", tmp_path, without="catalog.py")
    assert done.returncode != 0
    assert "nothing to read" in done.stderr


def test_a_code_map_made_by_the_page_takes_what_was_refused(tmp_path: Path) -> None:
    done = followed("add-a-code-map.md", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    before, after = (Store.open(tmp_path / name) for name in ("before", "after"))
    refused = before.history(before.identify("p1"), as_of=END).events
    assert "LOINC//8867-4" not in refused["code"].to_pylist()
    taken = after.history(after.identify("p1"), as_of=END).events.select(["code", "numeric_value", "unit"]).to_pylist()
    assert {"code": "LOINC//8867-4", "numeric_value": 92.0, "unit": "/min"} in taken
    assert {"code": "LOINC//8310-5", "numeric_value": pytest.approx(38.2), "unit": "Cel"} in taken
    assert "units.csv line 2: factor is a number, not 'one'" in done.stderr
