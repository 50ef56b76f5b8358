"""Heads, calibration and alert policy of a task, for a trained model: what turns states into alerts.

Each step learns from its own patients: weights from *train*, penalties from *tuning*, calibration, margins and novelty
from *calibration*, the alert threshold from both of the latter. Test patients are never read.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clinical_jepa.forecast import conformal, metrics, policies, venn_abers
from clinical_jepa.forecast.alert_counting import Rules
from clinical_jepa.model import checkpoint, heads
from clinical_jepa.model.forecaster import JepaForecaster
from clinical_jepa.model.heads import Heads
from clinical_jepa.records.errors import TrainingFailed
from clinical_jepa.records.forecasts import Policy, Task
from clinical_jepa.records.instant import END, HOUR
from clinical_jepa.store.events import Store
from clinical_jepa.training import anchor_files, linear, quantile_heads, thresholds
from clinical_jepa.training.anchors import Anchors, Progress, collect
from clinical_jepa.training.splits import Splits, split
from clinical_jepa.training.thresholds import Choice


@dataclass(frozen=True, kw_only=True)
class FitConfig:
    """What a site chooses about alerts. Times in µs."""

    budget: float = 2.0  # alerts per patient-day, at most
    precision: float = 0.3  # share of alerts that an event follows, at least
    clear_share: float = 0.6  # an alert may end below this share of the threshold …
    clear_after: int = 2 * HOUR  # … held for this long
    silence: int = 2 * HOUR
    expire_after: int = 1 * HOUR  # the answer is due by then; review within the hour, as NEWS2 asks at 5 and above
    vitals_max_age: int = 6 * HOUR
    novelty_alpha: float = 0.02
    recipients: tuple[str, ...] = ("charge-nurse",)


@dataclass(frozen=True, kw_only=True)
class FitReport:
    """What was fitted, on how much, and how it did on calibration patients (the honest figures come from evaluate)."""

    task: str
    model_id: str
    policy_id: str
    subjects: dict[str, int]
    anchors: dict[str, int]
    positives: dict[str, int]
    penalty: float
    tuning_auroc: float
    calibration_auroc: float
    band_coverage: float  # of calibration rows, after widening
    threshold: float
    threshold_note: str
    alerts_per_patient_day: float
    event_recall: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values; NaN as None."""
        content = asdict(self)
        return {k: None if isinstance(v, float) and np.isnan(v) else v for k, v in content.items()}

    def to_json(self) -> bytes:
        """The same as JSON."""
        return (json.dumps(self.to_dict(), indent=1) + "\n").encode()


def fit(
    task: Task,
    model_dir: Path,
    store: Store,
    *,
    splits: Splits | None = None,
    config: FitConfig | None = None,
    progress: Progress | None = None,
) -> FitReport:
    """Writes ``heads.safetensors``, ``policy.json`` and ``fit.json`` into the model folder.

    ``TrainingFailed`` where there is nothing to learn from; the folder is then as before.
    """
    config = config or FitConfig()
    splits = splits or split(store.extents(END))
    model = checkpoint.load(model_dir)
    rows = collect(
        JepaForecaster(model),
        store,
        task,
        subjects=(*splits.train, *splits.tuning, *splits.calibration),
        vitals_max_age=config.vitals_max_age,
        progress=progress,
    )
    refuse_test_subjects(rows, splits)
    fitted, risk_head = fit_heads(rows, splits, task)
    model_id = JepaForecaster(model, fitted).model_id
    policy, choice = fit_policy(rows, splits, fitted, store=store, task=task, model_id=model_id, config=config)
    report = _report(rows, splits, fitted, policy, choice=choice, penalty=risk_head.penalty)
    anchor_files.save(model_dir, rows, anchor_files.basis(model.identity, store, task, rows.names))
    heads.save_heads(model_dir, fitted)
    for name, content in (("policy.json", policies.to_json(policy)), ("fit.json", report.to_json())):
        (model_dir / f"{name}.part").write_bytes(content)
        (model_dir / f"{name}.part").replace(model_dir / name)
    return report


def refuse_test_subjects(rows: Anchors, splits: Splits) -> None:
    """``TrainingFailed`` if a row of a test patient, or of one outside the split, reached the fit."""
    allowed = np.array([*splits.train, *splits.tuning, *splits.calibration], np.int64)
    strangers = np.setdiff1d(rows.subject, allowed)
    if len(strangers) or np.intersect1d(allowed, np.array(splits.test, np.int64)).size:
        raise TrainingFailed(
            f"{max(len(strangers), 1)} patients who must not be learned from reached the fit; nothing was written. "
            "The split of subjects is broken: do not trust figures of models fitted with it"
        )


def fit_heads(rows: Anchors, splits: Splits, task: Task) -> tuple[Heads, linear.Linear]:
    """Risk, quantiles and the reference of novelty, from training rows; tuning rows choose."""
    known = rows.labelled()
    train, tune = known.of(splits.train), known.of(splits.tuning)
    if not len(train.label):
        raise TrainingFailed("no training patient has an outcome to learn from; nothing was written. Ingest more stays")
    risk = linear.fit(train.inputs, train.label, tune.inputs, tune.label)
    everyone, watched = rows.of(splits.train), rows.of(splits.tuning)
    x, tune_x = (_standardised(part.inputs, risk) for part in (everyone, watched))
    change, tune_change = (part.targets - part.newest[:, :, None] for part in (everyone, watched))
    weight, bias = quantile_heads.fit(x, change, tune_x, tune_change, quantiles=task.quantiles)
    mean, precision = _shape(everyone.z)
    fitted = Heads(
        task=task.name,
        inputs=rows.names,
        mean=risk.mean,
        scale=risk.scale,
        risk_weight=risk.weight,
        risk_bias=risk.bias,
        vitals=task.vitals,
        horizons=task.horizons,
        quantiles=task.quantiles,
        quantile_weight=weight,
        quantile_bias=bias,
        novelty_mean=mean,
        novelty_precision=precision,
        background_mean=np.zeros_like(mean),
        background_precision=np.zeros_like(precision),
    )
    return fitted, risk


def fit_policy(
    rows: Anchors, splits: Splits, fitted: Heads, *, store: Store, task: Task, model_id: str, config: FitConfig
) -> tuple[Policy, Choice]:
    """Calibration, margins and novelty from calibration patients; the threshold that meets the price of alerts."""
    held = rows.of(splits.calibration)
    known = held.labelled()
    table = venn_abers.fit(scores(fitted, known), known.label)
    watched = rows.of((*splits.tuning, *splits.calibration))
    p0, p1 = venn_abers.apply(table, scores(fitted, watched))
    price = thresholds.Price(budget=config.budget, precision=config.precision)
    choice = thresholds.choose(
        watched, venn_abers.merge(p0, p1), store=store, task=task, price=price, rules=_rules(config)
    )
    policy = Policy(
        policy_id="",
        model_id=model_id,
        task=task,
        calibration_scores=table[0],
        calibration_p0=table[1],
        calibration_p1=table[2],
        band_margin=_margins(fitted, held),
        novelty_scores=np.sort(conformal.max_per_patient(heads.novelty(fitted, held.z), held.subject)),
        novelty_alpha=config.novelty_alpha,
        threshold=choice.threshold,
        clear_below=config.clear_share * choice.threshold,
        clear_after=config.clear_after,
        silence=config.silence,
        vitals_max_age=config.vitals_max_age,
        expire_after=config.expire_after,
        recipients=config.recipients,
    )
    return policies.seal(policy), choice


def scores(fitted: Heads, rows: Anchors) -> np.ndarray:
    """The risk head's log-odds of the rows, float64 ``[N]``."""
    return np.asarray(heads.score(fitted, heads.standardise(fitted, rows.inputs)), np.float64)


def bands(fitted: Heads, rows: Anchors) -> np.ndarray:
    """The quantile heads' values ``[N, V, T, Q]`` of the rows, not yet widened."""
    return heads.quantiles(fitted, heads.standardise(fitted, rows.inputs), rows.newest)


def _rules(config: FitConfig) -> thresholds.Template:
    return lambda threshold: Rules(
        threshold=threshold,
        clear_below=config.clear_share * threshold,
        clear_after=config.clear_after,
        silence=config.silence,
        expire_after=config.expire_after,
    )


def _standardised(inputs: np.ndarray, risk: linear.Linear) -> np.ndarray:
    return np.asarray(np.clip((inputs - risk.mean) / risk.scale, -heads.LIMIT, heads.LIMIT), np.float32)


def _shape(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and precision of states. Each state has unit norm per width, so the covariance needs a little shrinkage."""
    mean = z.mean(axis=0, dtype=np.float64)
    covariance = np.cov(z.astype(np.float64), rowvar=False) if len(z) > 1 else np.eye(z.shape[1])
    shrunk = covariance + 0.01 * max(np.trace(covariance) / len(covariance), 1e-6) * np.eye(len(covariance))
    return mean.astype(np.float32), np.linalg.inv(shrunk).astype(np.float32)


def _margins(fitted: Heads, held: Anchors) -> np.ndarray:
    """The widening ``[V, T]`` of each band, from one row of each calibration patient."""
    found = bands(fitted, held)
    alpha = 1 - (fitted.quantiles[-1] - fitted.quantiles[0])
    margin = np.full(found.shape[1:3], np.inf)
    for v, h in np.ndindex(*margin.shape):
        low, high, truth = found[:, v, h, 0], found[:, v, h, -1], held.targets[:, v, h]
        margin[v, h] = conformal.cqr_margin(low, high, truth, held.subject, alpha=alpha)
    return margin


def coverage(fitted: Heads, policy: Policy, held: Anchors) -> float:
    found = bands(fitted, held)
    low, high = found[..., 0] - policy.band_margin, found[..., -1] + policy.band_margin
    known = np.isfinite(held.targets) & np.isfinite(low)
    inside = (held.targets >= low) & (held.targets <= high)
    return float(inside[known].mean()) if known.any() else float("nan")


def _report(
    rows: Anchors, splits: Splits, fitted: Heads, policy: Policy, *, choice: Choice, penalty: float
) -> FitReport:
    parts = {name: rows.of(getattr(splits, name)) for name in ("train", "tuning", "calibration")}
    known = {name: part.labelled() for name, part in parts.items()}
    return FitReport(
        task=policy.task.name,
        model_id=policy.model_id,
        policy_id=policy.policy_id,
        subjects={name: len(np.unique(part.subject)) for name, part in parts.items()},
        anchors={name: len(part.label) for name, part in known.items()},
        positives={name: int(part.label.sum()) for name, part in known.items()},
        penalty=penalty,
        tuning_auroc=metrics.auroc(known["tuning"].label, scores(fitted, known["tuning"])),
        calibration_auroc=metrics.auroc(known["calibration"].label, scores(fitted, known["calibration"])),
        band_coverage=coverage(fitted, policy, parts["calibration"]),
        threshold=policy.threshold,
        threshold_note=choice.note,
        alerts_per_patient_day=choice.burden.per_patient_day,
        event_recall=choice.burden.recall,
    )
