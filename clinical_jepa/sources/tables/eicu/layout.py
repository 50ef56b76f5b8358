"""The tables of eICU-CRD and the shapes their lines have."""

from __future__ import annotations

import polars as pl

from clinical_jepa.records.instant import DAY
from clinical_jepa.sources.columnar.candidates import Clock, Run, Shape, candidates
from clinical_jepa.sources.relative import ORIGIN
from clinical_jepa.sources.tables.data_set import Table
from clinical_jepa.sources.tables.relative_stays import YEAR
from clinical_jepa.sources.tables.shapes import Cells, lines_of, measure, named, number, offset, wide

STAY = "patientunitstayid"
_CULTURE = 6 * DAY  # no result time here; of MIMIC-IV's results three in four were stored within 134 hours
_FREE_TEXT = ("note", "physicalExam")
_FLOWSHEET = ("nurseAssessment", "nurseCare", "respiratoryCare")
_SCORES = ("apacheApsVar", "apachePredVar", "apachePatientResult")
_PLANS = ["carePlanCareProvider", "carePlanEOL", "carePlanGeneral", "carePlanGoal", "carePlanInfectiousDisease"]
_ADMITTED: Clock = lambda _: pl.lit(ORIGIN)


def people(frame: pl.DataFrame, _: Run) -> pl.DataFrame:
    """Age, sex, and which stays are one person's; known since admission to the unit."""
    old = pl.col("age").str.strip_chars().str.starts_with(">")
    age = pl.when(old).then(pl.lit(90.0)).otherwise(number(pl.col("age")))
    born = candidates(
        frame.filter(pl.col("age").is_not_null()),
        part="#birth",
        code="MEDS_BIRTH",
        time=ORIGIN - (age * YEAR).cast(pl.Int64, strict=False),
        known=pl.lit(ORIGIN),
        text=pl.when(old).then(pl.lit("older than 89")),
        reason=pl.when(age.is_null()).then(pl.lit("invalid")),
        message=pl.when(age.is_null()).then(pl.lit("patient: the age is neither a number nor '> 89'")),
    )
    sex = pl.col("gender").replace_strict({"Female": "F", "Male": "M"}, default=None, return_dtype=pl.String)
    of_sex = candidates(
        frame.filter(sex.is_not_null()),
        part="#gender",
        code=pl.concat_str(pl.lit("GENDER//"), sex),
        known=pl.lit(ORIGIN),
    )
    person = candidates(
        frame.filter(pl.col("uniquepid").is_not_null()),
        part="#person",
        code="PERSON",
        known=pl.lit(ORIGIN),
        text=pl.col("uniquepid"),
    )
    return pl.concat([born, of_sex, person])


def deaths(frame: pl.DataFrame, run: Run) -> pl.DataFrame:
    """Death in the unit, else in the hospital."""
    in_unit = (pl.col("unitdischargestatus") == "Expired").fill_null(False)
    in_hospital = (pl.col("hospitaldischargestatus") == "Expired").fill_null(False)
    moment = pl.when(in_unit).then(offset("unitdischargeoffset")(run)).otherwise(offset("hospitaldischargeoffset")(run))
    return candidates(frame.filter(in_unit | in_hospital), part="#death", code="MEDS_DEATH", time=moment)


def _valid_orders(shape: Shape) -> Shape:
    def of_valid(frame: pl.DataFrame, run: Run) -> pl.DataFrame:
        rows, cancelled = lines_of(frame, pl.col("drugordercancelled").ne_missing("Yes"), "cancelled order")
        return pl.concat([shape(rows, run), cancelled])

    return of_valid


def stopped(frame: pl.DataFrame, run: Run) -> pl.DataFrame:
    """An order's end; 0 is how "none" is written."""
    ended = frame.filter(number(pl.col("drugstopoffset")) != 0)
    return named(time=offset("drugstopoffset"), part="#end", needed=False)(ended, run)


def laboratory(frame: pl.DataFrame, run: Run) -> pl.DataFrame:
    """A result has two units, the system's and the interface's: one that the map does not spell decides, so that results
    of which the two say different things are refused."""
    spelled = run.items.select(pl.col("item").alias("labname"), pl.col("spelled").alias("·spelled"))
    frame = frame.join(spelled, on="labname", how="left", maintain_order="left")
    units = [pl.col(name).str.strip_chars() for name in ("labmeasurenameinterface", "labmeasurenamesystem")]
    odd = [pl.when(~pl.col("·spelled").list.contains(unit.str.to_lowercase())).then(unit) for unit in units]
    shape = measure(
        Cells(item="labname", value="labresult", unit="·unit-said", words="labresulttext"),
        time=offset("labresultoffset"),
        stored=offset("labresultrevisedoffset"),
        kind="lab",
    )
    return shape(frame.with_columns(pl.coalesce(*odd, *units).alias("·unit-said")), run)


def nurse_charting(frame: pl.DataFrame, run: Run) -> pl.DataFrame:
    """An item is a label and a name below it."""
    name = pl.concat_str(
        "nursingchartcelltypevallabel", "nursingchartcelltypevalname", separator="|", ignore_nulls=True
    )
    shape = measure(
        Cells(item="·label", value="nursingchartvalue"),
        time=offset("nursingchartoffset"),
        stored=offset("nursingchartentryoffset"),
    )
    return shape(frame.with_columns(name.alias("·label")), run)


def _culture(run: Run) -> pl.Expr:
    return offset("culturetakenoffset")(run) + _CULTURE


def _table(id_: str, *shapes: Shape, needed: tuple[str, ...] = ()) -> Table:
    return Table(needed=(id_, STAY, *needed), key=(id_,), subject=STAY, encounter=STAY, shapes=shapes)


LAYOUT: dict[str, Table] = {
    "patient": Table(
        needed=(STAY, "gender", "age", "unittype", "hospitaladmitoffset", "unitdischargeoffset", "uniquepid"),
        key=(STAY,),
        subject=STAY,
        encounter=STAY,
        shapes=(
            people,
            wide(time=_ADMITTED),
            named(time=offset("hospitaladmitoffset"), part="#hospital"),
            named(time=_ADMITTED, part="#unit"),
            named(time=offset("unitdischargeoffset"), part="#unit-out", needed=False),
            named(time=offset("hospitaldischargeoffset"), part="#hospital-out", needed=False),
            deaths,
        ),
    ),
    "vitalPeriodic": _table("vitalperiodicid", wide(time=offset("observationoffset")), needed=("observationoffset",)),
    "vitalAperiodic": _table("vitalaperiodicid", wide(time=offset("observationoffset")), needed=("observationoffset",)),
    "nurseCharting": _table(
        "nursingchartid",
        nurse_charting,
        needed=(
            "nursingchartoffset",
            "nursingchartcelltypevallabel",
            "nursingchartcelltypevalname",
            "nursingchartvalue",
        ),
    ),
    "lab": _table("labid", laboratory, needed=("labname", "labresult", "labresultoffset", "labmeasurenamesystem")),
    "respiratoryCharting": _table(
        "respchartid",
        measure(
            Cells(item="respchartvaluelabel", value="respchartvalue"),
            time=offset("respchartoffset"),
            stored=offset("respchartentryoffset"),
        ),
        needed=("respchartoffset", "respchartvaluelabel", "respchartvalue"),
    ),
    "intakeOutput": _table(
        "intakeoutputid",
        measure(
            Cells(item="celllabel", value="cellvaluenumeric"),
            time=offset("intakeoutputoffset"),
            stored=offset("intakeoutputentryoffset"),
        ),
        needed=("intakeoutputoffset", "celllabel", "cellvaluenumeric"),
    ),
    "infusionDrug": _table(
        "infusiondrugid",
        measure(Cells(item="drugname", value="drugrate"), time=offset("infusionoffset"), kind="treatment"),
        needed=("infusionoffset", "drugname", "drugrate"),
    ),
    "medication": _table(
        "medicationid",
        _valid_orders(named(time=offset("drugstartoffset"), stored=offset("drugorderoffset"), part="#start")),
        _valid_orders(stopped),
        needed=("drugstartoffset", "drugorderoffset", "drugstopoffset", "drugname", "drugordercancelled"),
    ),
    "treatment": _table("treatmentid", named(time=offset("treatmentoffset"))),
    "diagnosis": _table("diagnosisid", named(time=offset("diagnosisoffset"))),
    "admissionDx": _table("admissiondxid", named(time=offset("admitdxenteredoffset"))),
    "pastHistory": _table(
        "pasthistoryid", named(time=offset("pasthistoryoffset"), stored=offset("pasthistoryenteredoffset"))
    ),
    "allergy": _table("allergyid", named(time=offset("allergyoffset"), stored=offset("allergyenteredoffset"))),
    "microLab": _table("microlabid", named(time=offset("culturetakenoffset"), latest=_culture)),
    "customLab": Table(ignored="laboratory items of one hospital's own"),
    "admissionDrug": Table(ignored="drugs taken at home"),
    **dict.fromkeys(_SCORES, Table(ignored="scores made from the first day")),
    **dict.fromkeys(_FLOWSHEET, Table(ignored="findings as text")),
    **dict.fromkeys(_FREE_TEXT, Table(ignored="notes")),
    **dict.fromkeys(_PLANS, Table(ignored="care plan")),
    "hospital": Table(ignored="dictionary"),
}
