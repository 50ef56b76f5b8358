"""Writes the fault matrix from what ran: source × fault → how it is to end → whether it did, in this run.

Usage: python compliance/fault_matrix.py JUNIT_XML OUT_FILE. Exit status 1 when a marked fault did not end as stated, or a
fault that ``faults.yaml`` says a source can meet was planted by no test.
"""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Planted:
    """One fault, planted by one test of the run. ``verdict`` is passed, FAILED or skipped."""

    source: str
    fault: str
    ends: str
    test: str
    verdict: str


def planted(junit: Path) -> Iterator[Planted]:
    """Every marked fault of a run, in its order."""
    # the file was written by this project's own pytest run a moment ago
    for case in ET.parse(junit).iter("testcase"):  # noqa: S314
        kinds = {child.tag for child in case}
        verdict = "FAILED" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        test = f"{case.get('classname', '')}::{case.get('name', '')}"
        for said in case.iter("property"):
            if said.get("name") == "fault":
                yield Planted(**json.loads(said.get("value", "{}")), test=test, verdict=verdict)


def matrix(found: Sequence[Planted], required: Mapping[str, Sequence[str]]) -> tuple[str, list[str]]:
    """The table as Markdown, and what is missing from it."""
    rows: dict[tuple[str, str, str], list[Planted]] = {}
    for one in found:
        rows.setdefault((one.source, one.fault, one.ends), []).append(one)
    lines, gaps = ["| source | fault | how it ends | tests | result |", "|---|---|---|---|---|"], []
    for (source, fault, ends), tests in sorted(rows.items()):
        worst = min(one.verdict for one in tests if one.verdict != "passed") if _open(tests) else "passed"
        lines.append(f"| {source} | {fault} | {_cell(ends)} | {len(tests)} | {worst} |")
        gaps += [f"{source}, {fault}: {one.test} {one.verdict}" for one in tests if one.verdict != "passed"]
    shown = {(source, fault) for source, fault, _ in rows}
    for source, faults in required.items():
        gaps += [f"{source}, {fault}: planted by no test" for fault in faults if (source, fault) not in shown]
    return "\n".join(lines), gaps


def _open(tests: Sequence[Planted]) -> bool:
    return any(one.verdict != "passed" for one in tests)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main(junit: Path, out: Path) -> int:
    required = yaml.safe_load((HERE / "faults.yaml").read_text(encoding="utf-8"))
    found = list(planted(junit))
    table, gaps = matrix(found, required)
    status = (
        "Every planted fault ended as stated.\n" if not gaps else "Open:\n\n" + "".join(f"- {gap}\n" for gap in gaps)
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(f"# Fault matrix\n\n{table}\n\n{status}", encoding="utf-8")
    print(f"fault matrix: {len(table.splitlines()) - 2} rows, {len(gaps)} open; written to {out}")
    for gap in gaps:
        print(f"  {gap}", file=sys.stderr)
    return 1 if gaps else 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), Path(sys.argv[2])))
