"""A ward stitched of real records: some subjects of the MIMIC-III demo with their waveforms, DICOM, and FHIR of decades."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import polars as pl

# by the split of subjects: four to train on (10013 and 10061 have waveforms), one to tune, three to calibrate, one to test
MIMIC = ("10013", "10061", "10064", "10132", "40204", "10104", "42033", "40277", "10056")
TABLES = (
    *("PATIENTS", "ADMISSIONS", "ICUSTAYS", "TRANSFERS", "CHARTEVENTS", "LABEVENTS"),
    *("INPUTEVENTS_CV", "INPUTEVENTS_MV", "OUTPUTEVENTS", "DIAGNOSES_ICD"),
)
SYNTHEA = ("Raymon_Kris", "Rickey_Becker")


def assemble(data: Path, folder: Path) -> tuple[Path, Path]:
    """Two folders: ``mimic`` (tables and waveforms, one namespace) and ``others`` (DICOM and FHIR)."""
    mimic, others = folder / "mimic", folder / "others"
    (mimic / "tables").mkdir(parents=True)
    for table in TABLES:
        only(data / "mimic3_demo" / f"{table}.csv.gz", mimic / "tables" / f"{table}.csv.gz", set(MIMIC))
    shutil.copy(data / "mimic3_demo" / "D_ICD_DIAGNOSES.csv.gz", mimic / "tables")
    shutil.copytree(data / "mimic3_waveforms" / "derived_wfdb", mimic / "waveforms")
    shutil.copytree(data / "dicom_chest", others / "chest")
    for path in sorted((data / "dicom_ny_sbu").rglob("*.dcm"))[:4]:
        copy(path, others / "ct" / path.parent.name)
    fhir = data / "fhir_synthea_r4"
    for name in SYNTHEA:
        for path in (fhir / "bundles_2019").glob(f"{name}_*"):
            copy(path, others / "synthea")
    shutil.copytree(fhir / "bulk_ndjson_2021_ktmtwm", others / "ktmtwm")
    for kind in ("Patient", "Encounter", "Condition"):
        copy(fhir / "bulk_ndjson_smart10" / f"{kind}.000.ndjson.gz", others / "smart")
    return mimic, others


def copy(path: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, folder)


def only(source: Path, target: Path, subjects: set[str]) -> None:
    """A MIMIC-III table with the rows of these subjects, its cells as they are."""
    table = pl.read_csv(source, infer_schema=False)
    kept = table.filter(pl.col("subject_id").is_in(sorted(subjects)))
    target.write_bytes(gzip.compress(kept.write_csv().encode(), compresslevel=1))


def linked_subjects(data: Path, out: Path) -> None:
    """10013 and 10061, of whom chart and monitor are both there: ``out/mimic`` and ``out/waveforms``."""
    (out / "mimic").mkdir()
    for name in ("PATIENTS", "ADMISSIONS", "ICUSTAYS", "CHARTEVENTS"):
        only(data / "mimic3_demo" / f"{name}.csv.gz", out / "mimic" / f"{name}.csv.gz", {"10013", "10061"})
    for path in (data / "mimic3_waveforms" / "derived_wfdb").iterdir():
        copy(path, out / "waveforms")
