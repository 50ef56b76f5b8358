"""Laws of every data set: order, repetition and the size of blocks change neither the facts nor what is refused."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_jepa.records.events import BASES
from clinical_jepa.sources.columnar.settle import Lines
from clinical_jepa.sources.tables import text
from clinical_jepa.sources.tables.cinc2012 import reader as of_2012
from clinical_jepa.sources.tables.cinc2019 import reader as of_2019
from clinical_jepa.sources.tables.data_sets import reader
from tests.sources.tables.made import MADE, ids, outcome


@pytest.mark.parametrize("name", MADE)
@settings(max_examples=20, deadline=None)
@given(drawn=st.data(), size=st.integers(40, 2000), again=st.integers(0, 4))
def test_facts_and_refusals_do_not_depend_on_how_lines_come(
    name: str, drawn: st.DataObject, size: int, again: int
) -> None:
    made = MADE[name]
    lines = [*made.rows, *made.spoilt.values()]
    order = drawn.draw(st.permutations(lines))
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        made.write(Path(folder) / "one", lines)
        there, counted = outcome(made, Path(folder) / "one")
        patch.setattr(text, "BLOCK", size)
        made.write(Path(folder) / "other", [*order, *order[:again]])
        back, counted_again = outcome(made, Path(folder) / "other")
    assert ids(back) == ids(there)
    assert _refused(back) == _refused(there)
    assert counted.whole
    assert counted_again.whole
    assert counted_again.count == counted.count + again


@pytest.mark.parametrize(("name", "module"), [("cinc2012", of_2012), ("cinc2019", of_2019)])
def test_stays_are_never_parted_by_a_block(
    name: str, module: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = MADE[name]
    path = made.write(tmp_path)
    for number in range(2, 7):
        stay = path.with_name(path.name.replace("132539", f"13253{number}").replace("p000001", f"p00000{number}"))
        stay.write_text(path.read_text())
    whole, counted = outcome(made, tmp_path)
    monkeypatch.setattr(module, "FORM", replace(module.FORM, lines=1))  # type: ignore[attr-defined]
    parted, counted_again = outcome(made, tmp_path)
    assert ids(parted) == ids(whole)
    assert counted == counted_again != Lines()


@pytest.mark.parametrize("name", MADE)
def test_nothing_is_available_before_its_time(name: str, tmp_path: Path) -> None:
    made = MADE[name]
    made.write(tmp_path, [*made.rows, *made.spoilt.values()])
    for unit in reader(made.data_set).find(tmp_path):
        batch, _ = outcome(made, tmp_path, unit)
        for row in batch.events.to_pylist():
            assert row["time"] is None or row["available_time"] >= row["time"], row["code"]
            assert row["available_basis"] in BASES


def _refused(batch: object) -> set[tuple[str, str, bytes]]:
    return {(one.record, one.reason, one.original) for one in batch.rejections}  # type: ignore[attr-defined]
