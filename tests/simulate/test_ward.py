"""The ward as a whole: the same bytes for the same seed, others for another, and nobody changed by more patients."""

from __future__ import annotations

import hashlib
from pathlib import Path

import polars as pl
import pytest

from clinical_jepa.simulate.config import SimulateConfig, identifier
from clinical_jepa.simulate.ward import Summary, simulate


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_same_seed_same_bytes_and_other_seed_other_patients(tmp_path: Path) -> None:
    first, again, other = tmp_path / "a", tmp_path / "b", tmp_path / "c"
    for out, seed in ((first, 3), (again, 3), (other, 4)):
        simulate(out, subjects=1, hours=3, seed=seed, records_only=2)
    assert hashes(first) == hashes(again)
    assert not set(hashes(first).values()) & set(hashes(other).values())
    names = [set(pl.read_parquet(out / "truth" / "facts.parquet")["identifier"]) for out in (first, other)]
    assert names[0]
    assert names[1]
    assert not names[0] & names[1]


def test_more_patients_change_nothing_about_the_others(tmp_path: Path) -> None:
    few, more = tmp_path / "few", tmp_path / "more"
    simulate(few, subjects=2, hours=4, seed=3)
    simulate(more, subjects=2, hours=4, seed=3, records_only=3)
    same = {name: digest for name, digest in hashes(few).items() if name.startswith(("ward/wfdb", "ward/dicom"))}
    assert same.items() <= hashes(more).items()
    for name in ("Observation", "Encounter", "MedicationAdministration", "Condition"):
        lines = [(out / "ward" / "fhir" / f"{name}.ndjson").read_bytes().splitlines() for out in (few, more)]
        assert set(lines[0]) <= set(lines[1])
    facts = [pl.read_parquet(out / "truth" / "facts.parquet") for out in (few, more)]
    monitored = facts[0]["identifier"].unique()
    assert facts[0].equals(facts[1].filter(pl.col("identifier").is_in(monitored.implode())))


def test_summary_counts_what_is_there(small: tuple[Path, Summary]) -> None:
    out, summary = small
    lines = sum(len(path.read_bytes().splitlines()) for path in (out / "ward" / "fhir").glob("*.ndjson"))
    assert summary.resources == lines
    assert summary.images == len(list((out / "ward" / "dicom").rglob("*.dcm"))) > 0
    assert summary.facts == pl.read_parquet(out / "truth" / "facts.parquet").height
    assert summary.planted == pl.read_parquet(out / "truth" / "planted.parquet").height == 3
    assert (summary.subjects, summary.records_only) == (3, 4)
    assert len(list((out / "ward" / "wfdb").iterdir())) == 3


def test_a_ward_is_never_written_over(root: Path) -> None:
    before = hashes(root)
    with pytest.raises(FileExistsError, match="already holds a ward"):
        simulate(root, subjects=1, hours=1)
    assert hashes(root) == before


def test_limits_and_names() -> None:
    with pytest.raises(ValueError, match="hours from 1"):
        SimulateConfig(hours=0)
    with pytest.raises(ValueError, match="records_only"):
        SimulateConfig(records_only=9000)
    assert identifier(7, 1) == "070001"
    assert len({identifier(seed, number) for seed in (0, 1, 12, 123) for number in (1, 1999, 2000, 9999)}) == 16


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    simulate(
        tmp_path / "w", subjects=1, hours=1, records_only=2, progress=lambda done, total: told.append((done, total))
    )
    assert told == [(1, 3), (2, 3), (3, 3)]
