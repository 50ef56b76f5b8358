"""Which units a folder holds, and which files each of them rests on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow.compute as pc
import pytest

from clinical_jepa.records.instant import HOUR
from clinical_jepa.sources import catalog
from clinical_jepa.sources.catalog import Found
from clinical_jepa.sources.context import DELAYS, ReadContext
from clinical_jepa.sources.fhir import reader as fhir
from clinical_jepa.sources.hl7v2 import reader as hl7v2
from clinical_jepa.sources.tables.mimic3 import reader as tables
from clinical_jepa.sources.wfdb import reader as wfdb
from tests.sources.meds.made import write as write_meds
from tests.sources.tables.made import MADE

FHIR = Path(fhir.__file__).parent / "examples"
HL7 = Path(hl7v2.__file__).parent / "examples"
MIMIC = Path(tables.__file__).parent / "examples"
MASTER = "p000123-2026-01-05-09-12/2 1 62.5 1000\np1_0001 500\n~ 100\np1_0002 400\n"


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """FHIR, tables, a WFDB record of two segments, a (headless) DICOM file and HL7 messages."""
    shutil.copytree(FHIR / "ward", tmp_path / "fhir")
    shutil.copytree(MIMIC, tmp_path / "mimic3")
    (tmp_path / "wfdb").mkdir()
    (tmp_path / "wfdb" / "p000123-2026-01-05-09-12.hea").write_text(MASTER)
    for name in ("p1_0001", "p1_0002"):
        (tmp_path / "wfdb" / f"{name}.hea").write_text(f"{name} 1 62.5 500\n{name}.dat 16 1 16 0 0 0 0 ABP\n")
        (tmp_path / "wfdb" / f"{name}.dat").write_bytes(bytes(1000))
    (tmp_path / "dicom").mkdir()
    (tmp_path / "dicom" / "one.dcm").write_bytes(bytes(128) + b"DICM")
    shutil.copytree(HL7, tmp_path / "hl7v2")
    (tmp_path / "README.txt").write_text("not a source")
    return tmp_path


def test_units_come_by_kind_then_by_path(mixed: Path) -> None:
    found = catalog.find(mixed)
    assert [one.kind for one in found] == ["fhir"] * 7 + ["mimic3"] * 11 + ["wfdb"] + ["dicom"] + ["hl7v2"] * 2
    assert len({one.path for one in found}) == len(found)


def test_every_kind_is_read(mixed: Path) -> None:
    for name, made in MADE.items():
        made.write(mixed / name)
    write_meds(mixed / "meds")
    for kind in catalog.KINDS:
        unit = next(one for one in catalog.find(mixed) if one.kind == kind)
        assert list(catalog.read(unit, ReadContext(root=mixed)))


def test_a_unit_rests_on_what_it_refers_to(mixed: Path) -> None:
    def names(kind: catalog.Kind, path: str) -> list[str]:
        return [part.name for part in catalog.parts(Found(kind=kind, path=mixed / path))]

    assert names("fhir", "fhir/Observation.ndjson") == ["Observation.ndjson", "Patient.ndjson"]
    assert names("fhir", "fhir/Patient.ndjson") == ["Encounter.ndjson", "Patient.ndjson"]
    assert names("mimic3", "mimic3/LABEVENTS.csv") == ["ADMISSIONS.csv", "LABEVENTS.csv", "PATIENTS.csv"]
    assert names("wfdb", "wfdb/p000123-2026-01-05-09-12.hea") == [
        "p000123-2026-01-05-09-12.hea",
        "p1_0001.dat",
        "p1_0001.hea",
        "p1_0002.dat",
        "p1_0002.hea",
    ]
    assert names("hl7v2", "hl7v2/ward.hl7") == ["ward.hl7"]
    assert names("dicom", "dicom/one.dcm") == ["one.dcm"]


def test_a_record_rests_on_its_annotations_too(mixed: Path) -> None:
    header = mixed / "wfdb" / "p000123-2026-01-05-09-12.hea"
    header.with_suffix(".al").write_bytes(b"\0\0")
    assert header.with_suffix(".al") in catalog.parts(Found(kind="wfdb", path=header))


def test_delays_that_leave_out_a_kind_are_refused() -> None:
    with pytest.raises(ValueError, match="missing: chart, image"):
        ReadContext(root=FHIR, delays={kind: 0 for kind in DELAYS if kind not in ("chart", "image")})


# every value and picture of the examples says when it was reported; the readers' own tests take that away
@pytest.mark.parametrize("kind", sorted(DELAYS.keys() - {"chart", "image"}))
def test_every_declared_delay_is_asked_for_by_some_reader(kind: str) -> None:
    declared = ReadContext(root=FHIR, delays=DELAYS | {kind: 7 * HOUR})
    bedside = Path(wfdb.__file__).parent / "examples"
    found = 0
    for unit in (*catalog.find(FHIR / "ward"), *catalog.find(MIMIC), *catalog.find(bedside)):
        for batch in catalog.read(unit, declared):
            delayed = batch.events.filter(pc.equal(batch.events["available_basis"], "delay"))
            late = pc.subtract(delayed["available_time"].cast("int64"), delayed["time"].cast("int64"))
            found += sum(gap == 7 * HOUR for gap in late.to_pylist())
    assert found > 0
