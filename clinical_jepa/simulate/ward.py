"""``simulate``: a ward in files as a hospital would hand them over, and apart from them the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from clinical_jepa.simulate import bedside, course, fhir_files, insults, patients, planted, truth
from clinical_jepa.simulate.config import MONITORED, SimulateConfig, us
from clinical_jepa.simulate.course import Course
from clinical_jepa.simulate.physiology import VITALS
from clinical_jepa.simulate.treatments import Policy

CHUNK = 250  # patients simulated at once; bounds memory
_OTHER = {
    "no vasopressor": Policy(pressor=False),
    "no fluids or antibiotics": Policy(fluids=False, antibiotics=False),
}


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What was written."""

    subjects: int
    records_only: int
    resources: int
    facts: int
    signal_minutes: int
    images: int
    alarms: int
    onsets: int
    planted: int


@dataclass
class _Ward:
    """The open files of a run."""

    config: SimulateConfig
    files: fhir_files.Ndjson
    facts: truth.Facts
    state: truth.Tracks
    other: truth.Tracks
    bedside: bedside.Bedside
    onsets: list[tuple[str, int, str]]


def simulate(
    out: Path,
    *,
    subjects: int = 40,
    hours: int = 48,
    seed: int = 7,
    records_only: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Summary:
    """Writes OUT/ward and OUT/truth and says what is there; byte for byte the same for the same arguments.

    ``records_only`` patients have no monitor and no images; how many there are changes nothing about the others.
    ``progress`` is told (patients done, patients in all). ``FileExistsError`` where OUT already holds a ward.
    """
    config = SimulateConfig(subjects=subjects, hours=hours, seed=seed, records_only=records_only)
    ward = _open(out, config)
    chunks = [range(first, min(first + CHUNK, 1 + subjects)) for first in range(1, 1 + subjects, CHUNK)]
    least = MONITORED + 1
    chunks += [range(n, min(n + CHUNK, least + records_only)) for n in range(least, least + records_only, CHUNK)]
    done = 0
    for numbers in chunks:
        for _ in _chunk(ward, numbers):
            done += 1
            if progress is not None:
                progress(done, subjects + records_only)
    faults = planted.write(ward.files, ward.config)
    _close(out, ward, faults)
    return Summary(
        subjects=subjects,
        records_only=records_only,
        resources=sum(ward.files.counts.values()),
        facts=ward.facts.count,
        signal_minutes=ward.bedside.signal_minutes,
        images=len(ward.bedside.images),
        alarms=ward.bedside.alarms,
        onsets=len(ward.onsets),
        planted=len(faults),
    )


def _open(out: Path, config: SimulateConfig) -> _Ward:
    if (out / "ward").exists() or (out / "truth").exists():
        raise FileExistsError(f"{out} already holds a ward; nothing was changed. Choose another folder or remove it")
    (out / "truth").mkdir(parents=True)
    return _Ward(
        config=config,
        files=fhir_files.Ndjson(out / "ward" / "fhir"),
        facts=truth.Facts(out / "truth" / "facts.parquet"),
        state=truth.Tracks(out / "truth" / "state.parquet", truth.STATE_COLUMNS),
        other=truth.Tracks(out / "truth" / "counterfactual.parquet", VITALS, what=True),
        bedside=bedside.Bedside(out / "ward"),
        onsets=[],
    )


def _chunk(ward: _Ward, numbers: range) -> Iterator[str]:
    """Simulates some patients and writes them one by one."""
    config = ward.config
    people = patients.draw(config, numbers)
    fate = insults.draw(config.seed, people, config.minutes)
    real = course.run(people, fate, Policy())
    monitored = numbers.start <= MONITORED
    others = {name: course.run(people, fate, policy) for name, policy in _OTHER.items()} if monitored else {}
    for i, mrn in enumerate(patients.names(config, people)):
        rng = patients.stream(config.seed, int(people.number[i]), "charting")
        fhir_files.write(ward.files, ward.facts, mrn, (real, people, fate, i), rng)
        if monitored:
            bedside.write(ward.bedside, ward.files, ward.facts, mrn, (real, people, config.seed, i))
        ward.facts.flush()
        _true(ward, mrn, (real, people, fate, i), others)
        yield mrn


def _true(
    ward: _Ward,
    mrn: str,
    stay: tuple[Course, patients.Patients, insults.Fate, int],
    others: dict[str, Course],
) -> None:
    """The state (a minute for monitored patients, an hour for others), the onsets, and what would have been."""
    real, people, fate, i = stay
    ward.state.write(mrn, *truth.state(real, people, i, every=1 if others else 60))
    ward.onsets += [(mrn, us(60 * minute), kind) for minute, kind in truth.onsets(real, fate, people, i)]
    first = len(truth.STATE_COLUMNS) - len(VITALS) - 2
    for name, other in others.items():
        times, values = truth.state(other, people, i, every=60)
        ward.other.write(mrn, times, values[:, first : first + len(VITALS)], name)


def _close(out: Path, ward: _Ward, faults: list[tuple[str, str, str, str]]) -> None:
    for part in (ward.files, ward.facts, ward.state, ward.other):
        part.close()
    truth.write_rows(out / "truth" / "onsets.parquet", truth.ONSETS, ward.onsets)
    truth.write_rows(out / "truth" / "images.parquet", truth.IMAGES, ward.bedside.images)
    truth.write_rows(out / "truth" / "planted.parquet", truth.PLANTED, faults)
