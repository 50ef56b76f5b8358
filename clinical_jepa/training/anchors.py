"""What a model knew at hourly instants of many stays, and what came after: rows that heads and baselines learn from.

The states are made by the forecaster's own ``step`` over the store's arrivals, as in a tick: a correction takes a
patient's memory back to the last state before it, and from there through what is known by then. Rows stand where the
question may be asked (as known at t), up to one horizon before the newest arrival of all: later ones could only be
positive or unknown, and the clock would learn that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clinical_jepa.forecast.abstention import ineligible
from clinical_jepa.forecast.eligibility import Eligibility, observe
from clinical_jepa.forecast.news2 import consciousness_of_gcs, news2, oxygen_of_fio2
from clinical_jepa.model.forecaster import Features, JepaForecaster
from clinical_jepa.records.errors import TrainingFailed
from clinical_jepa.records.forecasts import Memory, Task
from clinical_jepa.records.instant import BEGINNING, END, HOUR
from clinical_jepa.records.views import Arrivals, Slice
from clinical_jepa.store.events import Store
from clinical_jepa.store.reader import Reader
from clinical_jepa.timeline.slices import slices
from clinical_jepa.training import outcomes
from clinical_jepa.vocabulary.codes import by_code, by_name, codes

Progress = Callable[[int, int], None]
ACTIVE = 24 * HOUR  # a patient of whom nothing came for so long is not asked about
NEWS2_MAX_AGE = 12 * HOUR  # of a value that enters the score
KEPT = 6  # states of a patient to go back to; corrections mostly come within a few hours


@dataclass(frozen=True, kw_only=True)
class Anchors:
    """N rows, sorted by (time, subject). ``label`` is 1, 0 or NaN (unknown); ``news2`` NaN where nothing is known.

    ``z [N, W]`` and ``registers [N, F]`` are float32, named together by ``names``; ``newest [N, V]`` and
    ``targets [N, V, T]`` are the task's vitals now and at its horizons, NaN where not measured.
    """

    names: tuple[str, ...]
    subject: np.ndarray  # int64
    time: np.ndarray  # int64 µs
    label: np.ndarray  # float32
    z: np.ndarray
    registers: np.ndarray
    newest: np.ndarray
    targets: np.ndarray
    news2: np.ndarray  # float32
    news2_missing: np.ndarray  # int64: how many of its seven parameters were not known

    @property
    def inputs(self) -> np.ndarray:
        """``[z, registers]``, float32 ``[N, D]``, as heads take them."""
        return np.concatenate([self.z, self.registers], axis=1)

    def where(self, rows: np.ndarray) -> Anchors:
        """The rows of a mask or of places."""
        arrays = {f.name: getattr(self, f.name)[rows] for f in fields(self) if f.name != "names"}
        return replace(self, **arrays)

    def of(self, subjects: Iterable[int]) -> Anchors:
        """The rows of these subjects."""
        return self.where(np.isin(self.subject, np.fromiter(subjects, np.int64)))

    def labelled(self) -> Anchors:
        """The rows whose outcome is known."""
        return self.where(np.isfinite(self.label))


def collect(
    forecaster: JepaForecaster,
    store: Store,
    task: Task,
    *,
    subjects: Iterable[int],
    vitals_max_age: int,
    progress: Progress | None = None,
) -> Anchors:
    """The rows of these subjects; ``TrainingFailed`` where the store holds none."""
    wanted = np.unique(np.fromiter(subjects, np.int64))
    newest = max((last for _, last in store.extents(END).values()), default=0)
    found = []
    for reader in store.readers():
        whole = reader.arrivals(BEGINNING, newest)
        due = _due(whole, wanted, newest - task.horizon, task)
        course = _Course(
            forecaster=forecaster, reader=reader, load=store.samples, task=task, max_age=vitals_max_age, known={}
        )
        blocks: list[_Block] = []
        for done, (now, here) in enumerate(sorted(due.items()), start=1):
            blocks += course.advance(now, here, wanted)
            if progress is not None:
                progress(done, len(due))
        if blocks:
            found.append(_anchors(blocks, whole.events, task, forecaster.names))
    if not found:
        raise TrainingFailed(
            f"no patient can be asked about {task.title.lower()}: the store needs stays longer than the warm-up and, "
            "after them, one horizon of record; nothing was written. Ingest longer stays"
        )
    return _joined(found)


def _joined(several: Sequence[Anchors]) -> Anchors:
    """The rows of several readers of a store, in order."""
    if len(several) == 1:
        return several[0]
    arrays = {
        f.name: np.concatenate([getattr(one, f.name) for one in several]) for f in fields(Anchors) if f.name != "names"
    }
    rows = Anchors(names=several[0].names, **arrays)
    return rows.where(np.lexsort((rows.subject, rows.time)))


def _due(whole: Arrivals, wanted: np.ndarray, end: int, task: Task) -> dict[int, np.ndarray]:
    """By whole hour: the subjects of whom a vital came in the 24 hours up to then, while they were there.

    Of the others nobody may ask; their records of decades are not walked through hour by hour.
    """
    tables = (whole.events, whole.signals, whole.images)
    last = _hours(tables, wanted)
    vital = [c.code for c in codes() if c.code in task.vitals or c.parent in task.vitals]
    came = _hours([whole.events.filter(pc.is_in(whole.events["code"], pa.array(vital)))], wanted)
    due: dict[int, set[int]] = {}
    for one, mine in came.items():
        reach = mine[:, None] + np.arange(ACTIVE // HOUR)
        for at in np.unique(reach[reach <= last[one][-1]]):
            if at * HOUR <= end:
                due.setdefault(int(at) * HOUR, set()).add(one)
    return {now: np.array(sorted(here), np.int64) for now, here in due.items()}


def _hours(tables: Sequence[pa.Table], wanted: np.ndarray) -> dict[int, np.ndarray]:
    """The hours, ascending, at whose end something of these tables had newly come, by subject."""
    subject = np.concatenate([table["subject_id"].to_numpy() for table in tables])
    came = np.concatenate([table["available_time"].cast(pa.int64()).to_numpy() for table in tables])
    pairs = np.unique(np.stack([subject, -(-came // HOUR)])[:, np.isin(subject, wanted)], axis=1)
    return {int(one): pairs[1][pairs[0] == one] for one in np.unique(pairs[0])}


@dataclass(frozen=True, kw_only=True)
class _Known:
    """Where one patient stands: the memory, and what eligibility has seen."""

    memory: Memory
    eligibility: Eligibility


@dataclass(frozen=True, kw_only=True)
class _Block:
    """The rows of one instant."""

    time: int
    subject: np.ndarray
    features: Features


@dataclass(kw_only=True)
class _Course:
    """All patients on their way through time. ``cursor`` is where the last instant ended.

    ``known`` keeps each patient's last few states, newest last: a correction takes one back to the last that is right.
    """

    forecaster: JepaForecaster
    reader: Reader
    load: Callable[[str], np.ndarray]
    task: Task
    max_age: int
    known: dict[int, deque[_Known]]
    cursor: int = BEGINNING

    def advance(self, now: int, here: np.ndarray, wanted: np.ndarray) -> list[_Block]:
        """Takes in what came up to ``now``; the rows of those who may be asked about (none: empty)."""
        arrivals = self.reader.arrivals(self.cursor, now)
        came = set(arrivals.events["subject_id"].to_numpy()) | set(arrivals.signals["subject_id"].to_numpy())
        moving = sorted({int(s) for s in here} | (came & set(wanted.tolist())))
        pieces = self._pieces(arrivals, moving)
        before = [self._last(subject) for subject in pieces]
        steps = self.forecaster.step([known.memory for known in before], list(pieces.values()))
        for known, step, (subject, piece) in zip(before, steps, pieces.items(), strict=True):
            seen = observe(known.eligibility, piece, self.task)
            kept = self.known.setdefault(subject, deque(maxlen=KEPT))
            kept.append(_Known(memory=step.memory, eligibility=seen))
        self.cursor = now
        asked = [s for s in here.tolist() if self.known.get(s) and self._may_ask(self._last(s).eligibility, now)]
        if not asked:
            return []
        found = self.forecaster.features([self._last(subject).memory for subject in asked])
        return [_Block(time=now, subject=np.array(asked, np.int64), features=found)]

    def _pieces(self, arrivals: Arrivals, moving: list[int]) -> dict[int, Slice]:
        """What each patient takes in: news since its cursor, and after a correction what came since it was wrong."""
        again = [s for s in moving if s in arrivals.rewind and self._restored(s, arrivals.rewind[s])]
        since = {s: self._cursor(s) for s in moving}
        pieces = slices(arrivals, subjects=moving, since=since, load=self.load)
        for subject in again:
            history = self.reader.history(subject, as_of=arrivals.until, since=since[subject])
            pieces |= slices(history, subjects=[subject], since=since[subject], load=self.load)
        # patients are stepped in blocks: those with many arrivals together, so that few blocks take many steps
        return dict(sorted(pieces.items(), key=lambda pair: len(pair[1].items.time)))

    def _restored(self, subject: int, before: int) -> bool:
        """Forgets the states that hold anything from ``before`` on; whether there were any."""
        kept = self.known.get(subject, deque())
        count = len(kept)
        while kept and kept[-1].memory.cursor >= before:
            kept.pop()
        return len(kept) < count

    def _cursor(self, subject: int) -> int:
        return self.known[subject][-1].memory.cursor if self.known.get(subject) else BEGINNING

    def _last(self, subject: int) -> _Known:
        if self.known.get(subject):
            return self.known[subject][-1]
        return _Known(memory=self.forecaster.initial(subject), eligibility=Eligibility())

    def _may_ask(self, eligibility: Eligibility, now: int) -> bool:
        return ineligible(eligibility, now=now, task=self.task, vitals_max_age=self.max_age) is None


def _anchors(blocks: list[_Block], events: pa.Table, task: Task, names: tuple[str, ...]) -> Anchors:
    subject = np.concatenate([block.subject for block in blocks])
    time = np.concatenate([np.full(len(block.subject), block.time) for block in blocks])
    values = np.concatenate([block.features.values for block in blocks])
    ages = np.concatenate([block.features.ages for block in blocks])
    scores, missing = _news2(values, ages)
    vitals = [by_code()[code].id for code in task.vitals]
    return Anchors(
        names=names,
        subject=subject,
        time=time,
        label=outcomes.labels(events, task, subject=subject, time=time),
        z=np.concatenate([block.features.z for block in blocks]),
        registers=np.concatenate([block.features.registers for block in blocks]),
        newest=values[:, vitals].astype(np.float32),
        targets=outcomes.targets(events, task, subject=subject, time=time),
        news2=scores,
        news2_missing=missing,
    )


def _news2(values: np.ndarray, ages: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Score of the known parameters and number of unknown ones of each row; a Glasgow coma score stands for ACVPU."""
    names = ("resp_rate", "spo2", "sbp", "heart_rate", "temperature", "fio2", "gcs")
    ids = [by_name()[name].id for name in names]
    fresh = (ages[:, ids] >= 0) & (ages[:, ids] <= NEWS2_MAX_AGE)
    rows = np.where(fresh, values[:, ids], np.nan)
    scores, missing = np.full(len(rows), np.nan, np.float32), np.zeros(len(rows), np.int64)
    for i, row in enumerate(rows):
        chart: Mapping[str, float | None] = {
            name: None if np.isnan(x) else float(x) for name, x in zip(names, row, strict=True)
        }
        found = news2(chart, oxygen_of_fio2(chart["fio2"]), consciousness_of_gcs(chart["gcs"]))
        scores[i] = np.nan if found.score is None else found.score
        missing[i] = len(found.missing)
    return scores, missing
