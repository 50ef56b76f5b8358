"""A small made-up folder of each data set, with one table whose lines tests may spoil."""

from __future__ import annotations

import gzip
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clinical_jepa.records.batch import SourceBatch
from clinical_jepa.sources.columnar.settle import Lines
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.tables.cinc2019.reader import COLUMNS
from clinical_jepa.sources.tables.data_sets import DataSet, reader
from tests.sources.tables.builders import EXAMPLE, together


@dataclass(frozen=True, kw_only=True)
class Made:
    """``others`` are files as they are; ``table`` is the path of the table of ``head`` and ``rows``.

    ``spoilt`` are rows with a fault of their own, by the reason that refuses them.
    """

    data_set: DataSet
    others: Mapping[str, str]
    table: str
    head: str
    rows: Sequence[str]
    spoilt: Mapping[str, str]

    def write(
        self, folder: Path, rows: Sequence[str] | None = None, *, head: str | None = None, end: str = "\n"
    ) -> Path:
        """The folder, its table with other rows, another head, or another end."""
        for name, text in self.others.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        path = folder / self.table
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [head or self.head, *(self.rows if rows is None else rows)]
        path.write_text("\n".join(lines) + end)
        return path

    def unit(self, folder: Path) -> Path:
        """What is read: the table, or the folder of stay files."""
        return (folder / self.table).parent if self.data_set.startswith("cinc") else folder / self.table


def stay_2019(**values: object) -> str:
    """A row of the Challenge of 2019, ``NaN`` where nothing is given."""
    return "|".join(str(values.get(name, "NaN")) for name in COLUMNS)


_FOUR = "subject_id,hadm_id,stay_id,caregiver_id,charttime,storetime,itemid,value,valuenum,valueuom,warning"
_FIVE = (
    "nursingchartid,patientunitstayid,nursingchartoffset,nursingchartentryoffset,nursingchartcelltypecat,"
    "nursingchartcelltypevallabel,nursingchartcelltypevalname,nursingchartvalue"
)
_LAB = (
    "labid,patientunitstayid,labresultoffset,labtypeid,labname,labresult,labresulttext,labmeasurenamesystem,"
    "labmeasurenameinterface,labresultrevisedoffset"
)
_PATIENT = (
    "patientunitstayid,gender,age,unittype,hospitaladmitoffset,hospitaladmitsource,hospitaldischargeoffset,"
    "hospitaldischargelocation,hospitaldischargestatus,admissionheight,admissionweight,unitdischargeoffset,"
    "unitdischargelocation,unitdischargestatus,uniquepid"
)
EICU = {
    "patient.csv": f"{_PATIENT}\n11,Female,> 89,MICU,-60,Emergency Department,3000,Home,Alive,160,55,2000,Floor,Alive,002-1\n"
    "12,Male,70,SICU,-10,,900,Death,Expired,180,80,900,Death,Expired,002-2\n",
    "hospital.csv": "hospitalid,region\n1,West\n",
}
_HOUR = {"Age": 62.5, "Gender": 1, "Unit1": 1, "Unit2": 0, "HospAdmTime": -2.5, "SepsisLabel": 0}
_BLOOD = "mmol/L,mmol/L"

MADE: dict[str, Made] = {
    "mimic3": Made(
        data_set="mimic3",
        others={path.name: path.read_text() for path in EXAMPLE.glob("*.csv") if path.stem != "OUTPUTEVENTS"},
        table="OUTPUTEVENTS.csv",
        head="ROW_ID,SUBJECT_ID,HADM_ID,ICUSTAY_ID,CHARTTIME,ITEMID,VALUE,VALUEUOM,STORETIME,CGID,STOPPED,NEWBOTTLE,ISERROR",
        rows=[f"{n},7,70,700,2150-10-24 0{n}:00:00,40055,{40 + n},ml,2150-10-24 0{n}:20:00,1,,," for n in range(1, 6)],
        spoilt={
            "no-time": "9,7,70,700,24 Oct,40055,60,ml,,1,,,",
            "invalid": "9,7,70,700,2150-10-24 04:00:00,40055,sixty,ml,,1,,,",
            "unknown-unit": "9,7,70,700,2150-10-24 04:00:00,40055,60,mmHg,,1,,,",
            "implausible": "9,7,70,700,2150-10-24 04:00:00,40055,99999,ml,,1,,,",
            "unknown-subject": "9,8888,70,700,2150-10-24 04:00:00,40055,60,ml,,1,,,",
        },
    ),
    "mimic4": Made(
        data_set="mimic4",
        others={
            "hosp/patients.csv": "subject_id,gender,anchor_age,anchor_year,anchor_year_group,dod\n7,F,91,2150,2011 - 2013,\n",
            "hosp/admissions.csv": "subject_id,hadm_id,admittime,dischtime,"
            "deathtime,admission_type,discharge_location,edregtime,edouttime\n"
            "7,70,2150-10-23 21:09:00,2150-10-25 17:15:00,,URGENT,HOME,,\n",
        },
        table="icu/chartevents.csv",
        head=_FOUR,
        rows=[
            f"7,70,700,1,2150-10-24 0{n}:00:00,2150-10-24 0{n}:05:00,220045,{80 + n},{80 + n},bpm,0"
            for n in range(1, 6)
        ],
        spoilt={
            "no-time": "7,70,700,1,,2150-10-24 09:05:00,220045,80,80,bpm,0",
            "invalid": "7,70,700,1,2150-10-24 09:00:00,,220045,x,eighty,bpm,0",
            "unknown-unit": "7,70,700,1,2150-10-24 09:00:00,,220045,80,80,mmHg,0",
            "implausible": "7,70,700,1,2150-10-24 09:00:00,,220045,999,999,bpm,0",
            "unknown-subject": "9,70,700,1,2150-10-24 09:00:00,,220045,80,80,bpm,0",
        },
    ),
    "eicu": Made(
        data_set="eicu",
        others=EICU,
        table="lab.csv",
        head=_LAB,
        rows=[f"{n},11,{n * 60},1,potassium,4.{n},4.{n},{_BLOOD},{n * 60 + 30}" for n in range(1, 6)],
        spoilt={
            "no-time": f"9,11,soon,1,potassium,4,4,{_BLOOD},90",
            "invalid": f"9,11,60,1,potassium,high,4,{_BLOOD},90",
            "unknown-unit": "9,11,60,1,potassium,4,4,mmol/L,lpm,90",
            "implausible": f"9,11,60,1,potassium,444,444,{_BLOOD},90",
            "unknown-subject": f"9,99,60,1,potassium,4,4,{_BLOOD},90",
        },
    ),
    "cinc2012": Made(
        data_set="cinc2012",
        others={},
        table="set-a/132539.txt",
        head="Time,Parameter,Value",
        rows=[
            "00:00,RecordID,132539",
            "00:00,Age,54",
            "00:00,Gender,0",
            "00:07,HR,73",
            "36:07,HR,75",
            "48:00,Temp,36.5",
        ],
        spoilt={"no-time": "noon,HR,80", "invalid": "01:00,HR,eighty", "implausible": "01:00,pH,735"},
    ),
    "cinc2019": Made(
        data_set="cinc2019",
        others={},
        table="training/p000001.psv",
        head="|".join(COLUMNS),
        rows=[stay_2019(**_HOUR, ICULOS=n, HR=90 + n) for n in range(1, 6)],
        spoilt={
            "no-time": stay_2019(**_HOUR, ICULOS="late", HR=90),
            "invalid": stay_2019(**_HOUR, ICULOS=9, HR="ninety"),
            "implausible": stay_2019(**_HOUR, ICULOS=9, Potassium=27.5),
        },
    ),
}
NURSE_CHARTING, LABORATORY = _FIVE, _LAB


def outcome(made: Made, folder: Path, unit: Path | None = None) -> tuple[SourceBatch, Lines]:
    """What reading the table gave, and what became of its lines."""
    settled = list(reader(made.data_set).account(unit or made.unit(folder), ReadContext(root=folder)))
    return together(one.batch for one in settled), sum((one.lines for one in settled), Lines())


def ids(batch: SourceBatch) -> set[str]:
    return set(batch.events["event_id"].to_pylist())


def reasons(batch: SourceBatch) -> Counter[str]:
    return Counter(one.reason for one in batch.rejections)


def packed(path: Path) -> Path:
    """The file as gzip in its place, or a folder of stays as the zip that is published."""
    if path.is_dir():
        archive = path.with_name({"set-a": "set-a.zip", "training": "training_setA.zip"}[path.name])
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as out:
            for one in sorted(path.iterdir()):
                out.write(one, f"{path.name}/{one.name}")
        for one in path.iterdir():
            one.unlink()
        path.rmdir()
        return archive
    whole = path.with_name(path.name + ".gz")
    whole.write_bytes(gzip.compress(path.read_bytes(), mtime=0))
    path.unlink()
    return whole
