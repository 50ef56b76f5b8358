"""The honest table: our risk beside what it must beat, on patients nobody learned from.

Every row is fitted on the training patients, tuned on the tuning patients and calibrated (Venn–Abers) on the calibration
patients of one store, ours included. Ranking is by raw score, calibration by the calibrated one. Intervals draw
patients, the same ones for every row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from clinical_jepa.evaluate import baselines, scoring
from clinical_jepa.evaluate.baselines import Parts, Score
from clinical_jepa.evaluate.scoring import Leaderboard
from clinical_jepa.forecast import policies
from clinical_jepa.forecast.conformal import p_value
from clinical_jepa.model import checkpoint, heads
from clinical_jepa.model.forecaster import JepaForecaster, load_forecaster
from clinical_jepa.model.heads import Heads, load_heads
from clinical_jepa.model.network import Model
from clinical_jepa.records.errors import BadRequest, TrainingFailed
from clinical_jepa.records.forecasts import Policy, Task
from clinical_jepa.records.instant import END
from clinical_jepa.store.events import Store
from clinical_jepa.training import anchor_files
from clinical_jepa.training import fit as fitting
from clinical_jepa.training.anchors import Anchors, Progress, collect
from clinical_jepa.training.splits import Splits, split

MODEL = "model"


@dataclass(frozen=True, kw_only=True)
class Wards:
    """Where rows come from: a store to learn from, with its split, and the patients to test on (maybe of another)."""

    store: Store
    splits: Splits
    test_store: Store
    test_subjects: tuple[int, ...]

    @property
    def learners(self) -> tuple[int, ...]:
        """Everyone a fit may look at."""
        return (*self.splits.train, *self.splits.tuning, *self.splits.calibration)

    @property
    def elsewhere(self) -> bool:
        """Whether the tested patients are those of another store; the same number may then name someone else."""
        return self.store.path.resolve() != self.test_store.path.resolve()


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Labelled rows of one encoder."""

    train: Anchors
    tuning: Anchors
    calibration: Anchors
    test: Anchors

    @property
    def parts(self) -> Parts:
        """What a fit may look at."""
        return Parts(train=self.train, tuning=self.tuning)


def evaluate(
    model_dir: Path,
    store: Store,
    task: Task,
    *,
    train_store: Store | None = None,
    latent_zero: Path | None = None,
    draws: int = 1000,
    progress: Progress | None = None,
) -> Leaderboard:
    """The leaderboard of a fitted model on ``store``'s test patients, or on all of it where ``train_store`` is another.

    ``latent_zero`` is the folder of the same model trained and fitted with latent weight 0. ``BadRequest`` where the
    model was not fitted for this task, or a test patient has no known outcome.
    """
    fitted, policy = _fitted(model_dir, task)
    wards = _wards(store, train_store)
    model = checkpoint.load(model_dir)
    passes = _Passes(wards=wards, task=task, policy=policy, total=2 + (latent_zero is not None), progress=progress)
    ours = passes.rows(model, model_dir)
    random = passes.rows(checkpoint.untrained(model.config, model.normaliser, seed=1))
    scores: dict[str, Score] = {
        MODEL: lambda rows: fitting.scores(fitted, rows),
        "trained z alone": baselines.logistic(ours.parts, baselines.state),
        "registers, linear": baselines.logistic(ours.parts, baselines.registers),
        "LightGBM on summaries": baselines.trees(ours.parts, baselines.registers),
        "NEWS2": baselines.news2,
        "missingness only": baselines.better(ours.parts, baselines.missingness),
        "clock only": baselines.better(ours.parts, baselines.clock),
    }
    entries = [scoring.Entry(name, score(ours.calibration), score(ours.test)) for name, score in scores.items()]
    for name, inputs in (("untrained z alone", baselines.state), ("untrained z + registers", baselines.everything)):
        score = baselines.logistic(random.parts, inputs)
        entries.append(scoring.Entry(name, score(random.calibration), score(random.test)))
    if latent_zero is not None:
        entries.append(_latent_zero(latent_zero, passes))
    board = scoring.board(entries, calibration=ours.calibration, test=ours.test, draws=draws)
    return replace(
        board,
        task=task.name,
        model_id=policy.model_id,
        unfamiliar=_unfamiliar(fitted, policy, ours.test),
        band_coverage=fitting.coverage(fitted, policy, ours.test),
    )


def _fitted(model_dir: Path, task: Task) -> tuple[Heads, Policy]:
    fitted = load_heads(model_dir)
    path = model_dir / "policy.json"
    if fitted is None or not path.is_file() or fitted.task != task.name:
        raise BadRequest(f"{model_dir} was not fitted for {task.name}; run: clinical-jepa fit {task.name} first")
    return fitted, policies.from_json(path.read_bytes(), model_id=load_forecaster(model_dir).model_id)


def _wards(store: Store, train_store: Store | None) -> Wards:
    learned = train_store or store
    splits = split(learned.extents(END))
    wards = Wards(store=learned, splits=splits, test_store=store, test_subjects=splits.test)
    return replace(wards, test_subjects=tuple(sorted(store.extents(END)))) if wards.elsewhere else wards


def _refuse_learners(test: Anchors, wards: Wards) -> None:
    """``TrainingFailed`` if a row to test on is of a patient whom a fit may have learned from."""
    known = np.intersect1d(test.subject, np.array(wards.learners, np.int64))
    if len(known) and not wards.elsewhere:
        raise TrainingFailed(
            f"{len(known)} patients who were learned from are among those to test on; nothing was written. "
            "The split of subjects is broken: do not trust figures of models fitted with it"
        )


@dataclass(kw_only=True)
class _Passes:
    """Passes of an encoder over both wards, with one progress over all of them."""

    wards: Wards
    task: Task
    policy: Policy
    total: int
    progress: Progress | None
    done: int = 0

    def rows(self, model: Model, folder: Path | None = None) -> Rows:
        """The rows of one encoder; those its own fit kept are not made again."""
        forecaster, wards = JepaForecaster(model), self.wards
        kept = None
        if folder is not None:
            basis = anchor_files.basis(model.identity, wards.store, self.task, forecaster.names)
            kept = anchor_files.load(folder, basis)
        known = kept or self._collect(forecaster, wards.store, wards.learners, share=(0.0, 0.7))
        fitting.refuse_test_subjects(known, wards.splits)
        test = self._collect(forecaster, wards.test_store, wards.test_subjects, share=(0.7, 1.0)).labelled()
        _refuse_learners(test, wards)
        self.done += 1
        if not len(test.label):
            raise BadRequest("no test patient has a known outcome: evaluate needs longer stays, or more of them")
        known = known.labelled()
        parts = {name: known.of(getattr(wards.splits, name)) for name in ("train", "tuning", "calibration")}
        return Rows(**parts, test=test)

    def _collect(
        self, forecaster: JepaForecaster, store: Store, subjects: tuple[int, ...], *, share: tuple[float, float]
    ) -> Anchors:
        age = self.policy.vitals_max_age
        tell = None if self.progress is None else self._telling(self.progress, share)
        return collect(forecaster, store, self.task, subjects=subjects, vitals_max_age=age, progress=tell)

    def _telling(self, progress: Progress, share: tuple[float, float]) -> Callable[[int, int], None]:
        def tell(done: int, total: int) -> None:
            within = share[0] + (share[1] - share[0]) * done / max(total, 1)
            progress(round(1000 * (self.done + within)), 1000 * self.total)

        return tell


def _latent_zero(folder: Path, passes: _Passes) -> scoring.Entry:
    """The row of the model without its latent objective: by its own heads, or by heads fitted as ours were."""
    rows = passes.rows(checkpoint.load(folder), folder)
    fitted = load_heads(folder)
    score: Score = baselines.logistic(rows.parts, baselines.everything)
    if fitted is not None:
        score = lambda some: fitting.scores(fitted, some)
    return scoring.Entry("latent weight 0", score(rows.calibration), score(rows.test))


def _unfamiliar(fitted: Heads, policy: Policy, test: Anchors) -> float:
    """The share of rows at which the served forecaster would abstain because the state is strange to it."""
    far = heads.novelty(fitted, test.z)
    return float(np.mean([p_value(policy.novelty_scores, x) < policy.novelty_alpha for x in far.tolist()]))
