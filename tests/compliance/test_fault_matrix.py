"""The fault matrix says what a run showed: a real run of marked tests is made a table."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from compliance import fault_matrix
from tests import faults
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


class Item:
    """As much of a test as the hook looks at."""

    nodeid = "tests/test_a.py::test_a"

    def __init__(self, *arguments: object, **said: object) -> None:
        self.mark, self.user_properties = pytest.mark.fault(*arguments, **said).mark, []

    def iter_markers(self, name: str) -> list[pytest.Mark]:
        return [self.mark] if name == "fault" else []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), {"source": "a", "fault": "b"}),
        (("a", "b", "c"), {}),
        ((), {"source": "a", "fault": "b", "ends": ""}),
        ((), {"source": "a", "fault": "b", "ends": "two\nlines"}),
        ((), {"source": "a", "fault": "b", "ends": "c", "more": "d"}),
        ((), {"source": "a", "fault": 429, "ends": "c"}),
    ],
)
def test_a_mark_that_says_too_little_stops_the_run(arguments: tuple[object, ...], said: dict[str, object]) -> None:
    with pytest.raises(pytest.UsageError, match=r"test_a: a fault is marked as fault\(source=…, fault=…, ends=…\)"):
        faults.pytest_collection_modifyitems([Item(*arguments, **said)])  # type: ignore[list-item]


def test_the_file_is_written_and_the_exit_status_says_whether_all_is_well(tmp_path: Path) -> None:
    junit = tmp_path / "j.xml"
    value = "{&quot;source&quot;: &quot;s&quot;, &quot;fault&quot;: &quot;f&quot;, &quot;ends&quot;: &quot;e&quot;}"
    said = f'<properties><property name="fault" value="{value}"/></properties>'
    junit.write_text(f'<testsuites><testcase classname="t" name="a">{said}<failure/></testcase></testsuites>')
    assert fault_matrix.main(junit, tmp_path / "build" / "matrix.md") == 1
    assert "- s, f: t::a FAILED" in (tmp_path / "build" / "matrix.md").read_text()
