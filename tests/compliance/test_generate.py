"""The dossier says only what a run showed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from compliance import generate

ROOT = Path(__file__).parents[2]

JUNIT = """<testsuites><testsuite>
<testcase classname="tests.a.test_a" name="test_good[1]"/><testcase classname="tests.a.test_a" name="test_good[2]"/>
<testcase classname="tests.a.test_a" name="test_bad"><failure/></testcase>
<testcase classname="tests.a.test_a" name="test_left_out"><skipped/></testcase>
</testsuite></testsuites>"""


@pytest.mark.parametrize(
    ("test", "verdict", "open_gaps"),
    [
        ("test_good", "passed", 0),
        ("test_bad", "FAILED", 1),
        ("test_left_out", "not shown", 1),
        ("test_absent", "did not run", 1),
    ],
)
def test_only_a_pass_of_this_run_counts(tmp_path: Path, test: str, verdict: str, open_gaps: int) -> None:
    junit = tmp_path / "junit.xml"
    junit.write_text(JUNIT)
    hazard = {"id": "H", "hazard": "h", "controls": [{"control": "c", "tests": [f"tests/a/test_a.py::{test}"]}]}
    table, gaps = generate.trace([hazard], generate.results(junit))
    assert table.splitlines()[-1].endswith(f"| {verdict} |")
    assert len(gaps) == open_gaps


def test_a_control_without_a_test_is_a_gap() -> None:
    _, gaps = generate.trace([{"id": "H", "hazard": "h", "controls": [{"control": "c", "tests": []}]}], {})
    assert gaps == ["H: no test for 'c'"]


def test_every_hazard_names_tests_that_exist() -> None:
    for hazard in yaml.safe_load((ROOT / "compliance" / "hazards.yaml").read_text()):
        for control in hazard["controls"]:
            assert control["tests"], f"{hazard['id']}: {control['control']}"
            for test in control["tests"]:
                file, _, name = test.partition("::")
                assert f"def {name}(" in (ROOT / file).read_text(), test


def test_the_soup_list_has_the_packages_of_the_lock() -> None:
    assert "| torch | 2.13.0 |" in generate.soup()
