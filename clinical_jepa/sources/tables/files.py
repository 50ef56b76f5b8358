"""MIMIC-III CSV files as frames of text, with lower-case headers; instants in µs UTC."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

from clinical_jepa.records.instant import to_us

TABLES = (
    "PATIENTS",
    "ADMISSIONS",
    "ICUSTAYS",
    "TRANSFERS",
    "CHARTEVENTS",
    "LABEVENTS",
    "INPUTEVENTS_CV",
    "INPUTEVENTS_MV",
    "OUTPUTEVENTS",
    "DIAGNOSES_ICD",
)
LOOKED_THROUGH = ("PATIENTS", "ADMISSIONS")  # for every other table
RAW = "raw"  # the row as it stands in the file, for its rejection


class Unreadable(Exception):
    """A table that cannot be read; the message says why and names no value."""


@dataclass(frozen=True, kw_only=True)
class Folder:
    """What other tables say: the declared subjects with their first admission, and the admissions' discharge times."""

    first_admission: dict[str, int | None]
    discharge: dict[str, int | None]


def table_name(path: Path) -> str:
    """``CHARTEVENTS`` for ``CHARTEVENTS.csv.gz``."""
    return path.name.removesuffix(".gz").removesuffix(".csv")


def beside(folder: Path, table: str) -> Path | None:
    """The file of a table in a folder, or None."""
    return next((path for suffix in (".csv", ".csv.gz") if (path := folder / f"{table}{suffix}").is_file()), None)


def load(path: Path, needed: tuple[str, ...]) -> pl.DataFrame:
    """Every row as text, blank cells null, with its ``raw`` text; ``Unreadable`` where the file is no such table."""
    try:
        frame = pl.read_csv(path, infer_schema=False, encoding="utf8-lossy")
    except (pl.exceptions.PolarsError, OSError, EOFError) as error:
        raise Unreadable(f"{path.name} cannot be read as CSV to its end ({type(error).__name__})") from error
    frame = frame.rename({name: name.lower() for name in frame.columns})
    missing = sorted(set(needed) - set(frame.columns))
    if missing:
        raise Unreadable(f"{path.name} lacks the columns {', '.join(missing)}")
    cells = [pl.col(name).fill_null("") for name in frame.columns]
    return frame.with_columns(pl.concat_str(cells, separator=",").alias(RAW))


def instants(zone: ZoneInfo, *columns: str) -> list[pl.Expr]:
    """The named text columns as µs UTC (int64); null where they hold no time.

    Dates lie in 2100 to 2200, where polars' own zones know no summer time any more and Python's do: as the other
    sources use Python's, so does this one.
    """
    return [_instant(pl.col(column), zone).alias(column) for column in columns]


def _instant(column: pl.Expr, zone: ZoneInfo) -> pl.Expr:
    clock = column.str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False, time_unit="us")
    if zone.key == "UTC":
        return clock.dt.timestamp("us")
    return clock.map_elements(lambda moment: to_us(moment.replace(tzinfo=zone)), return_dtype=pl.Int64)


def look_through(folder: Path, zone: ZoneInfo) -> Folder:
    """The folder's subjects and admissions; raises ``Unreadable`` when PATIENTS or ADMISSIONS cannot be read."""
    patients, admissions = (beside(folder, table) for table in LOOKED_THROUGH)
    if patients is None or admissions is None:
        raise Unreadable("PATIENTS and ADMISSIONS must lie beside the other tables")
    known = load(patients, ("subject_id",))["subject_id"].to_list()
    stays = load(admissions, ("subject_id", "hadm_id", "admittime", "dischtime"))
    stays = stays.with_columns(instants(zone, "admittime", "dischtime"))
    first = dict(stays.group_by("subject_id").agg(pl.col("admittime").min()).rows())
    return Folder(
        first_admission={subject: first.get(subject) for subject in known},
        discharge=dict(stays.select("hadm_id", "dischtime").rows()),
    )
