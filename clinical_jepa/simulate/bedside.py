"""What a monitored patient leaves besides the chart: waveforms, numerics, alarms and chest images, with their facts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from clinical_jepa.simulate import dicom_files, monitor, radiograph, strips, wfdb_files
from clinical_jepa.simulate import fhir_resources as fhir
from clinical_jepa.simulate.codes import NUMERICS
from clinical_jepa.simulate.config import MINUTE_US, us
from clinical_jepa.simulate.course import Course
from clinical_jepa.simulate.dicom_files import Exposure
from clinical_jepa.simulate.fhir_files import Ndjson
from clinical_jepa.simulate.patients import Array, Patients, stream
from clinical_jepa.simulate.truth import Facts
from clinical_jepa.simulate.wfdb_files import Strip

_CHANNELS = {"II": "ECG", "ABP": "ABP", "PLETH": "PPG"}
_FRAME_US = 16_000

Stay = tuple[Course, Patients, int, int]  # course, patients, seed, position


@dataclass
class Bedside:
    """The folder of the ward and what was written below it so far."""

    root: Path
    images: list[tuple[str, int, str, float]] = field(default_factory=list)
    signal_minutes: int = 0
    alarms: int = 0


def write(bedside: Bedside, files: Ndjson, facts: Facts, mrn: str, stay: Stay) -> None:
    """The monitor's record and the images of one patient."""
    _monitor(bedside, facts, mrn, stay)
    _images(bedside, files, facts, mrn, stay)


def _monitor(bedside: Bedside, facts: Facts, mrn: str, stay: Stay) -> None:
    course, patients, seed, i = stay
    rng = stream(seed, int(patients.number[i]), "monitor")
    first = int(patients.admitted[i])
    values = monitor.numerics(course, patients, i, rng)
    raised = monitor.alarms(values, rng)
    starts = np.flatnonzero(np.diff((course.pressor[first : first + len(values), i] > 0).astype(int)) == 1).tolist()
    name, folder = wfdb_files.record_name(mrn, 60 * first), bedside.root / "wfdb" / f"p{mrn}"
    parts = []
    for begin, end in monitor.strips(len(values), raised, starts, rng):
        channels = strips.render(_strip(course, patients, i, values, (begin, end)), rng)
        parts.append(Strip(3750 * begin, channels))
    wfdb_files.write_waves(folder, name, 60 * first, 3750 * len(values), parts)
    wfdb_files.write_numerics(folder, name, 60 * first, values)
    wfdb_files.write_alarms(folder, name, raised)
    bedside.alarms += len(raised)
    for alarm in raised:
        second = 60 * first + alarm.frame / monitor.FRAMES
        facts.add(mrn, "ALARM//" + alarm.name.replace(" ", "_"), (second, second))
    _numeric_facts(facts, mrn, first, values)
    bedside.signal_minutes += _signal_facts(facts, mrn, first, parts)


def _strip(course: Course, patients: Patients, i: int, values: Array, span: tuple[int, int]) -> strips.Bedside:
    """What goes on during the minutes ``[begin, end)`` of the stay."""
    rows = slice(*span)
    vitals = course.vitals[int(patients.admitted[i]) :, :, i][rows].astype(float)
    line = bool(patients.arterial_line[i])
    return strips.Bedside(
        hr=vitals[:, 0],
        rr=vitals[:, 4],
        mean=vitals[:, 1],
        width=vitals[:, 2] - vitals[:, 3],
        leads_on=values[rows, 0] > 0,
        probe_on=values[rows, 3] > 0,
        line_on=values[rows, -1] > 0,
        irregular=bool(patients.fibrillation[i]),
        line=line,
    )


def _numeric_facts(facts: Facts, mrn: str, first: int, values: Array) -> None:
    """A minute's value is true of the minute from its start and knowable at its end; 0 is no value."""
    for (_, _, code), column in zip(NUMERICS, values.T, strict=False):
        minutes = np.flatnonzero(column)
        times = us(60 * first) + minutes * MINUTE_US
        facts.add_series(mrn, f"MDC//{code}", times, times + MINUTE_US, column[minutes])


def _signal_facts(facts: Facts, mrn: str, first: int, parts: list[Strip]) -> int:
    """A fact a channel and minute of each strip, knowable when its last sample was taken; the number of minutes."""
    times: dict[str, list[tuple[int, int]]] = {}
    minutes = 0
    for part in parts:
        frames = len(part.channels[0].samples) // part.channels[0].per_frame
        begins = np.arange(part.frame, part.frame + frames, 3750)
        minutes += len(begins)
        for channel in part.channels:
            for begin in begins.tolist():
                end = min(begin + 3750, part.frame + frames)
                times.setdefault(_CHANNELS[channel.name], []).append((begin, end))
    for channel_name, spans in times.items():
        moments = us(60 * first) + np.array(spans) * _FRAME_US
        facts.add_series(mrn, f"SIGNAL//{channel_name}", moments[:, 0], moments[:, 1])
    return minutes


def _images(bedside: Bedside, files: Ndjson, facts: Facts, mrn: str, stay: Stay) -> None:
    """A chest image after admission, one each morning, and one after oxygen was turned up to half or more."""
    course, patients, seed, i = stay
    number = int(patients.number[i])
    rng = stream(seed, number, "images")
    first, last = int(patients.admitted[i]), min(int(patients.left[i]), len(course.fio2))
    moments = [
        first + int(rng.uniform(30, 150)),
        *(day * 1440 - 120 + int(rng.uniform(-50, 50)) for day in range(1, 60)),
    ]
    after = int(rng.uniform(30, 90))
    poor = np.flatnonzero(course.fio2[first:last, i] >= 50)
    moments += [first + minute + after for minute in poor[:1].tolist()]
    for turn, minute in enumerate(sorted(minute for minute in moments if first <= minute < last), 1):
        waits = rng.integers([60, 600], [300, 2400])
        modality, inverted = ("DX" if rng.random() < 0.5 else "CR"), bool(rng.random() < 0.25)
        studied = 60 * minute
        acquired = studied + int(waits[0])
        shot = Exposure(
            mrn, turn, modality, inverted, bool(patients.female[i]), studied, acquired, acquired + int(waits[1])
        )
        if shot.created <= 60 * len(course.fio2):
            filling = float(course.latent[minute, -1, i])
            anatomy = np.random.default_rng([seed, number, 99])
            _image(bedside, files, facts, shot, radiograph.density(filling, anatomy, rng), filling)


def _image(bedside: Bedside, files: Ndjson, facts: Facts, shot: Exposure, density: Array, filling: float) -> None:
    path = dicom_files.write(bedside.root / "dicom" / f"p{shot.mrn}", shot, density)
    when = {"started": shot.studied, "updated": shot.created}
    uid = dicom_files.uid(shot, "study")
    files.write(fhir.imaging_study(shot.mrn, str(shot.number), modality=shot.modality, uid=uid, **when))
    facts.add(shot.mrn, f"IMAGE//{shot.modality}", (shot.studied, shot.created))
    facts.add(shot.mrn, f"IMAGING_STUDY//{shot.modality}", (shot.studied, shot.studied))
    where = str(path.relative_to(bedside.root).as_posix())
    bedside.images.append((shot.mrn, us(shot.studied), where, filling))
