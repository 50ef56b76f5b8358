"""Reads the training sets of the Challenge of 2019 (zip or folder of ``.psv``). No stay has a date: relative clocks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl

from clinical_jepa.records.batch import SourceBatch
from clinical_jepa.records.instant import HOUR
from clinical_jepa.sources.columnar.candidates import Run, candidates
from clinical_jepa.sources.columnar.settle import Settled
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.relative import ORIGIN, source
from clinical_jepa.sources.tables.data_set import Table, begun
from clinical_jepa.sources.tables.relative_stays import YEAR, everyone, read_stays
from clinical_jepa.sources.tables.shapes import number, wide
from clinical_jepa.sources.tables.stay_files import STAY, Form, holds

NAMESPACE = "cinc2019"
COLUMNS = (
    "HR", "O2Sat", "Temp", "SBP", "MAP", "DBP", "Resp", "EtCO2", "BaseExcess", "HCO3", "FiO2", "pH", "PaCO2",
    "SaO2", "AST", "BUN", "Alkalinephos", "Calcium", "Chloride", "Creatinine", "Bilirubin_direct", "Glucose",
    "Lactate", "Magnesium", "Phosphate", "Potassium", "Bilirubin_total", "TroponinI", "Hct", "Hgb", "PTT", "WBC",
    "Fibrinogen", "Platelets", "Age", "Gender", "Unit1", "Unit2", "HospAdmTime", "ICULOS", "SepsisLabel",
)  # fmt: skip
FORM = Form(
    name=re.compile(r"(p\d{6})\.psv"), columns=tuple(name.lower() for name in COLUMNS), separator="|", lines=20_000
)
_SET = re.compile(r"training_set[ab]\.zip", re.IGNORECASE)
_EARLY = 6 * HOUR  # the label turns 1 this long before the onset that it stands for


def _hours(column: str) -> pl.Expr:
    return (number(pl.col(column)) * HOUR).round().cast(pl.Int64, strict=False)


def _at(run: Run) -> pl.Expr:
    """A row is the hour that ends ``ICULOS`` hours after admission."""
    return _hours("iculos") + ORIGIN


def beginnings(frame: pl.DataFrame, _: Run) -> pl.DataFrame:
    """What every row of a stay repeats, taken from its first."""
    first = frame.filter(_hours("iculos") == _hours("iculos").min().over(STAY))
    age, sex = number(pl.col("age")), number(pl.col("gender"))
    medical, surgical = (number(pl.col(name)) == 1 for name in ("unit1", "unit2"))
    known = pl.when(medical).then(pl.lit("Medical ICU")).when(surgical).then(pl.lit("Surgical ICU"))
    unit = pl.concat_str(pl.lit("ICU_ADMISSION//"), pl.coalesce(known, pl.lit("UNKNOWN")))
    admitted = _hours("hospadmtime")
    born = candidates(
        first.filter(age.is_not_null()),
        part="#birth",
        code="MEDS_BIRTH",
        time=ORIGIN - (age * YEAR).cast(pl.Int64),
        known=pl.lit(ORIGIN),
    )
    of_sex = candidates(
        first.filter(sex.is_in([0.0, 1.0])),
        part="#gender",
        code=pl.when(sex == 0).then(pl.lit("GENDER//F")).otherwise(pl.lit("GENDER//M")),
        known=pl.lit(ORIGIN),
    )
    in_unit = candidates(first, part="#unit", code=unit, time=pl.lit(ORIGIN))
    in_hospital = candidates(
        first.filter(admitted.is_not_null()),
        part="#hospital",
        code="HOSPITAL_ADMISSION//UNKNOWN",
        time=admitted + ORIGIN,
    )
    return pl.concat([born, of_sex, in_unit, in_hospital])


def sepsis(frame: pl.DataFrame, run: Run) -> pl.DataFrame:
    """One onset a stay: six hours after its label first is 1. Made with hindsight, so known when the stay ends."""
    ends = frame.with_columns(_hours("iculos").max().over(STAY).alias("·end"))
    labelled = ends.filter(number(pl.col("sepsislabel")) == 1)
    first = labelled.filter(_hours("iculos") == _hours("iculos").min().over(STAY))
    begins = frame.select(_hours("iculos").min().over(STAY), STAY).unique()
    first = first.join(begins.rename({"iculos": "·begin"}), on=STAY, how="left")
    onset = _at(run) + _EARLY
    return candidates(
        first,
        part="#sepsis",
        code="CONDITION//CINC2019//SEPSIS",
        time=onset,
        delay=(pl.col("·end") + ORIGIN - onset).clip(0),
        text=pl.when(_hours("iculos") == pl.col("·begin")).then(
            pl.lit("onset then or earlier: labelled from the first row")
        ),
    )


ROWS = Table(
    subject=STAY,
    encounter=STAY,
    key=(STAY, "iculos"),
    shapes=(wide(time=_at, nothing_is="NaN"), beginnings, sepsis),
)


def find(root: Path) -> list[Path]:
    """The sets (zips, or folders of stay files) at or below ``root``."""
    if root.is_file():
        return [root] if _SET.fullmatch(root.name) else []  # a damaged one is to be refused, not overlooked
    zips = sorted(path for path in root.rglob("*.zip") if _SET.fullmatch(path.name))
    folders = sorted({path.parent for path in root.rglob("*.psv") if FORM.stay(path.name)})
    return [*zips, *(path for path in folders if holds(path, FORM))]


def parts(path: Path) -> list[Path]:
    """The zip itself, or every stay file of a folder."""
    return sorted(one for one in path.iterdir() if FORM.stay(one.name)) if path.is_dir() else [path]


def read(path: Path, context: ReadContext) -> Iterator[SourceBatch]:
    """The rows of one set."""
    return (one.batch for one in account(path, context))


def account(path: Path, context: ReadContext) -> Iterator[Settled]:
    """The same batches, with what became of the lines they come from."""
    run = begun(path, "training", NAMESPACE, context, source(NAMESPACE))
    return read_stays(path, FORM, ROWS, replace(run, people=everyone(run.context)))
