"""The fault matrix says what a run showed: a real run of marked tests is made a table."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from compliance import fault_matrix
from tests.conftest import ROOT

MARKED = """
import pytest
def mark(fault, ends="is kept | refused"):
    return pytest.mark.fault(source="a-source", fault=fault, ends=ends)

@mark("truncation")
@mark("duplicate", ends="is one")
def test_good(): pass

@pytest.mark.parametrize("n", [pytest.param(1, marks=mark("429")), pytest.param(2, marks=mark("disk full")), 3])
def test_cases(n): assert n != 2

@mark("merge")
@pytest.mark.skip
def test_left_out(): pass
"""


def run(folder: Path, content: str) -> tuple[int, Path, str]:
    """``(exit status, junit file, output)`` of pytest, in a process of its own, with the mark read as here."""
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\nmarkers = fault: as in the project\n")
    (folder / "test_marked.py").write_text(content)
    shutil.copy(ROOT / "tests" / "faults.py", folder / "conftest.py")
    program = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml=j.xml"]
    done = subprocess.run(program, cwd=folder, check=False, capture_output=True, text=True, timeout=120)
    return done.returncode, folder / "j.xml", done.stdout + done.stderr


def test_a_run_becomes_a_table(tmp_path: Path) -> None:
    _, junit, output = run(tmp_path, MARKED)
    found = list(fault_matrix.planted(junit))
    table, gaps = fault_matrix.matrix(found, {"a-source": ["truncation", "wrong unit"], "other": ["429"]})
    assert table.splitlines()[2:] == [
        "| a-source | 429 | is kept \\| refused | 1 | passed |",
        "| a-source | disk full | is kept \\| refused | 1 | FAILED |",
        "| a-source | duplicate | is one | 1 | passed |",
        "| a-source | merge | is kept \\| refused | 1 | skipped |",
        "| a-source | truncation | is kept \\| refused | 1 | passed |",
    ], output
    assert [gap.partition(": ")[0] for gap in gaps] == [
        *("a-source, disk full", "a-source, merge", "a-source, wrong unit", "other, 429")
    ]


@pytest.mark.parametrize(
    "said",
    ['source="a", fault="b"', '"a", "b", "c"', 'source="a", fault="b", ends=""', 'source="a", fault="b", end="c"'],
)
def test_a_mark_that_says_too_little_stops_the_run(tmp_path: Path, said: str) -> None:
    status, _, output = run(tmp_path, f"import pytest\n@pytest.mark.fault({said})\ndef test_a(): pass\n")
    assert status == 4, output
    assert "a fault is marked as fault(source=…, fault=…, ends=…)" in output


def test_the_file_is_written_and_the_exit_status_says_whether_all_is_well(tmp_path: Path) -> None:
    junit = tmp_path / "j.xml"
    value = "{&quot;source&quot;: &quot;s&quot;, &quot;fault&quot;: &quot;f&quot;, &quot;ends&quot;: &quot;e&quot;}"
    said = f'<properties><property name="fault" value="{value}"/></properties>'
    junit.write_text(f'<testsuites><testcase classname="t" name="a">{said}<failure/></testcase></testsuites>')
    assert fault_matrix.main(junit, tmp_path / "build" / "matrix.md") == 1
    assert "- s, f: t::a FAILED" in (tmp_path / "build" / "matrix.md").read_text()
