"""Every line of every open data set: stored, refused with its reason, or ignored by kind; counts as published."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from clinical_jepa.sources.columnar.settle import Lines
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.tables.accounts import TableAccount, accounts

pytestmark = pytest.mark.data

# data set: (tables, lines, stored, refused, facts)
SETS = {
    "mimic3_demo": (26, 967_139, 226_777, 201, 238_430),
    "mimic4_demo": (30, 729_638, 153_616, 2, 174_372),
    "eicu_demo": (29, 1_088_931, 541_279, 3_125, 1_087_426),
}
# lines of a table by its README: one of each shape
PUBLISHED = {
    "CHARTEVENTS.csv.gz": 758_355,
    "LABEVENTS.csv.gz": 76_074,
    "MICROBIOLOGYEVENTS.csv.gz": 2_003,
    "PRESCRIPTIONS.csv.gz": 10_398,
    "labevents.csv.gz": 107_727,
    "emar_detail.csv.gz": 72_018,
    "inputevents.csv.gz": 20_404,
    "vitalAperiodic.csv.gz": 274_088,
    "respiratoryCharting.csv.gz": 176_089,
    "lab.subset-169-stays.csv.gz": 29_961,
}


def read(folder: Path) -> list[TableAccount]:
    return list(accounts(folder, ReadContext(root=folder)))


@pytest.mark.parametrize("name", SETS)
def test_every_line_of_a_demo_is_accounted_for(data: Path, name: str) -> None:
    found = read(data / name)
    assert [one.path.name for one in found if not one.holds] == []
    for one in found:
        assert one.in_file == PUBLISHED.get(one.path.name, one.in_file)
    total = sum((one.lines for one in found), Lines())
    facts = sum(one.facts for one in found)
    assert (len(found), total.count, total.stored, total.refused.total(), facts) == SETS[name]
    assert total.count == total.stored + total.refused.total() + total.ignored.total()


@pytest.mark.slow
def test_every_line_of_the_challenge_of_2012_is_accounted_for(data: Path) -> None:
    found = {one.path.name: one for one in read(data / "cinc2012")}
    assert all(one.holds for one in found.values())
    assert {name: one.in_file for name, one in found.items()} == {
        "set-a.zip": 1_757_980,
        "set-b.zip": 1_762_535,
        "Outcomes-a.txt": 4_000,
        "Outcomes-b.txt": 4_000,
    }
    for name in ("set-a.zip", "set-b.zip"):
        assert found[name].lines.ignored["the number of the stay"] == 4_000  # one in each stay
        assert found[name].lines.refused.keys() == {"implausible"}


@pytest.mark.slow
def test_every_line_of_the_challenge_of_2019_is_accounted_for(data: Path) -> None:
    from clinical_jepa.sources.tables.cinc2019 import reader

    path = data / "cinc2019" / "training_setA.zip"
    codes: Counter[str] = Counter()
    stays: set[int] = set()
    lines = Lines()
    for one in reader.account(path, ReadContext(root=data)):
        lines += one.lines
        codes.update(one.batch.events["code"].to_pylist())
        stays |= {who.subject_id for who in one.batch.identities}
    assert (lines.count, lines.whole, len(stays)) == (790_215, True, 20_336)
    assert codes["CONDITION//CINC2019//SEPSIS"] == 1_790
    assert codes["MEDS_BIRTH"] == 20_336
