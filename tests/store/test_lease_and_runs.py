"""A lease has one holder and dies with it; a run leaves a note that a watchdog can read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from clinical_jepa.store import runs
from clinical_jepa.store.lease import lease
from clinical_jepa.store.runs import Run

HOLD = "import sys; from pathlib import Path; from clinical_jepa.store.lease import lease\n" + (
    "with lease(Path(sys.argv[1]), 'ingest') as mine:\n    print(mine, flush=True); sys.stdin.read()"
)


def test_one_holder_and_a_killed_one_gives_it_back(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline().strip() == "True"
    with lease(tmp_path, "ingest") as mine, lease(tmp_path, "train") as other:
        assert not mine
        assert other, "leases of other names are free"
    holder.kill()
    holder.wait()
    with lease(tmp_path, "ingest") as mine:
        assert mine


@pytest.mark.parametrize("name", ["", "../up", "a/b", "a b"])
def test_a_name_that_could_leave_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="a lease is named"), lease(tmp_path, name):
        pass


def test_the_newest_run_of_a_name_is_kept_and_damage_counts_as_none(tmp_path: Path) -> None:
    runs.note(tmp_path, Run(name="ingest", began=1, ended=2, outcome="done"))
    runs.note(tmp_path, Run(name="ingest", began=3, ended=None, outcome=None))
    assert runs.newest(tmp_path) == {"ingest": Run(name="ingest", began=3, ended=None, outcome=None)}
    (tmp_path / "runs" / "ingest.json").write_bytes(b"{")
    assert runs.newest(tmp_path) == {}
