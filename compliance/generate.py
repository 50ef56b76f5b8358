"""Writes the compliance dossier from what ran: hazard trace and SOUP list. No claim without a result of this run.

Usage: python compliance/generate.py JUNIT_XML OUT_FOLDER. Exit status 1 when a hazard lacks a passing test.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import yaml

HERE = Path(__file__).parent
ROOT = HERE.parent


@dataclass(frozen=True, kw_only=True)
class Result:
    """How one test ended, over all its parameters."""

    passed: int
    failed: int
    skipped: int

    @property
    def verdict(self) -> str:
        if self.failed:
            return "FAILED"
        return "passed" if self.passed and not self.skipped else "not shown"


def results(junit: Path) -> dict[str, Result]:
    """Results by node id without parameters."""
    counts: dict[str, list[int]] = {}
    # the file was written by this project's own pytest run a moment ago
    for case in ET.parse(junit).iter("testcase"):  # noqa: S314
        module = case.get("classname", "").replace(".", "/") + ".py"
        node = f"{module}::{case.get('name', '').partition('[')[0]}"
        tally = counts.setdefault(node, [0, 0, 0])
        kinds = {child.tag for child in case}
        tally[1 if kinds & {"failure", "error"} else 2 if "skipped" in kinds else 0] += 1
    return {node: Result(passed=tally[0], failed=tally[1], skipped=tally[2]) for node, tally in counts.items()}


def trace(hazards: list[dict], found: dict[str, Result]) -> tuple[str, list[str]]:
    """The hazard table as Markdown, and what is missing."""
    lines, gaps = ["| hazard | control | test | cases | result |", "|---|---|---|---|---|"], []
    for hazard in hazards:
        for item in hazard["controls"]:
            if not item["tests"]:
                gaps.append(f"{hazard['id']}: no test for '{item['control']}'")
            for test in item["tests"]:
                result = found.get(test, Result(passed=0, failed=0, skipped=0))
                cases = result.passed + result.failed + result.skipped
                verdict = result.verdict if cases else "did not run"
                if verdict != "passed":
                    gaps.append(f"{hazard['id']}: {test} {verdict}")
                name = f"{hazard['id']} {hazard['hazard']}"
                lines.append(f"| {name} | {item['control']} | `{test}` | {cases} | {verdict} |")
    return "\n".join(lines), gaps


def soup() -> str:
    """Software of unknown provenance: every package of the lock, with the licence it declares."""
    lines = ["| package | version | licence as declared |", "|---|---|---|"]
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").split():
        name, _, version = line.partition("==")
        try:
            about = metadata.metadata(name)
        except metadata.PackageNotFoundError:
            continue  # in the lock for an extra that is not installed here
        licences = [
            item.removeprefix("License :: ") for item in about.get_all("Classifier") or [] if "License ::" in item
        ]
        declared = about.get("License-Expression") or "; ".join(licences) or (about.get("License") or "not declared")
        lines.append(f"| {name} | {version} | {' '.join(declared.split())[:90]} |")
    return "\n".join(lines)


def main(junit: Path, out: Path) -> int:
    found = results(junit)
    hazards = yaml.safe_load((HERE / "hazards.yaml").read_text(encoding="utf-8"))
    table, gaps = trace(hazards, found)
    stamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    ran = f"Generated {stamp} from a run of {len(found)} tests.\n\n"
    out.mkdir(parents=True, exist_ok=True)
    status = "All named tests passed.\n" if not gaps else "Open:\n\n" + "".join(f"- {gap}\n" for gap in gaps)
    (out / "hazard-trace.md").write_text(f"# Hazard trace\n\n{ran}{table}\n\n{status}", encoding="utf-8")
    (out / "soup.md").write_text(f"# SOUP list\n\n{ran}{soup()}\n", encoding="utf-8")
    print(f"compliance: {len(hazards)} hazards, {len(gaps)} open; written to {out}")
    for gap in gaps:
        print(f"  {gap}", file=sys.stderr)
    return 1 if gaps else 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), Path(sys.argv[2])))
