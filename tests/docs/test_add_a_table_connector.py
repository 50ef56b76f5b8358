"""Follows docs/how-to/add-a-table-connector.md: writes its files, makes its changes, and reads a table of the new data set."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

PAGE = ROOT / "docs" / "how-to" / "add-a-table-connector.md"
BLOCK = re.compile(r"^```(csv|python|diff)\n# file: (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

PEOPLE = "person,came,unit\nA1,2150-10-24 00:00:00,North\n"
READINGS = """reading,person,what,value,unit,taken,filed
1,A1,HR,88,bpm,2150-10-24 01:00:00,2150-10-24 01:05:00
2,A1,LACT,2.1,,2150-10-24 01:00:00,2150-10-24 00:30:00
3,A1,LACT,-1,,2150-10-24 02:00:00,
4,A1,HR,88,mmHg,2150-10-24 03:00:00,
5,B2,HR,88,bpm,2150-10-24 03:00:00,
6,A1,MOOD,5,,2150-10-24 03:00:00,
"""
READ = """
import json, sys
from pathlib import Path
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.tables.accounts import accounts
from clinical_jepa.sources.tables.data_sets import reader
folder = Path(sys.argv[1])
found = {one.path.name: one for one in accounts(folder, ReadContext(root=folder))}
batch = next(reader("harbour").read(folder / "readings.csv", ReadContext(root=folder)))
print(json.dumps({
    "holds": [one.holds for one in found.values()],
    "facts": {name: one.facts for name, one in found.items()},
    "ignored": found["readings.csv"].lines.ignored,
    "refused": found["readings.csv"].lines.refused,
    "rows": [[row["code"], row["numeric_value"], row["unit"], row["available_basis"]] for row in batch.events.to_pylist()],
}))
"""


def test_the_page_adds_a_data_set(tmp_path: Path) -> None:
    for name in ("clinical_jepa", "schemas"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "examples"))
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert [kind for kind, _, _ in blocks].count("diff") == 3
    for kind, name, content in blocks:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            _changed(path.read_text(encoding="utf-8"), content) if kind == "diff" else content, encoding="utf-8"
        )
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "people.csv").write_text(PEOPLE)
    (folder / "readings.csv").write_text(READINGS)
    (folder / "staff.csv").write_text("who\nme\n")
    done = subprocess.run(
        [sys.executable, "-c", READ, str(folder)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["holds"] == [True, True, True]
    assert told["facts"] == {"people.csv": 1, "readings.csv": 2, "staff.csv": 0}
    assert told["ignored"] == {"item not in the code map": 1, "unknown, written as a number": 1}
    assert told["refused"] == {"unknown-unit": 1, "unknown-subject": 1}
    assert [row[::2] for row in told["rows"]] == [["LOINC//8867-4", "/min"], ["LOINC//2524-7", "mmol/L"]]
    assert [row[3] for row in told["rows"]] == ["issued", "clamped"]


def _changed(text: str, diff: str) -> str:
    """The text with the lines of a diff's ``+`` in place of those of its ``-``."""
    before, after = (
        "\n".join(line[1:] for line in diff.splitlines() if line.startswith(sign)) + "\n" for sign in ("-", "+")
    )
    assert text.count(before) == 1, f"the page changes a line that is there {text.count(before)} times: {before!r}"
    return text.replace(before, after)
