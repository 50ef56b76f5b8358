"""What is asked (``Task``), what the model says (``Step``), and what is told to people (``Forecast``, ``Abstention``)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Criterion:
    """One way in which the event of a task begins, on the newest revisions of ingested events.

    ``kind`` "low-twice": the first of two consecutive charted values of ``code`` below ``below``;
    "start": a treatment of ``code`` begins with a rate above 0 while none ran;
    "low-under": ``code`` below ``below`` while the newest ``given`` value, at most ``given_age`` µs old, is at least
    ``at_least``.
    """

    name: str
    kind: str
    code: str
    below: float | None = None
    given: str | None = None
    at_least: float | None = None
    given_age: int | None = None


@dataclass(frozen=True, kw_only=True)
class Task:
    """A question put to the model at every tick. Times in µs."""

    name: str
    version: int
    title: str
    horizon: int  # risk of onset in (t, t + horizon]
    cadence: int  # between evaluations
    warm_up: int  # after the stay's origin before the question is asked
    refractory: int  # an event is over when no criterion has held for this long
    validity: int  # how long a forecast may be shown as current
    criteria: tuple[Criterion, ...]
    vitals: tuple[str, ...]  # codes whose quantiles are forecast
    horizons: tuple[int, ...]  # of those quantiles
    quantiles: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Memory:
    """A subject's persistent state, opaque outside ``model``; the blob checks model, subject and its own integrity."""

    subject_id: int
    model_id: str
    cursor: int  # everything available up to here is in it
    blob: bytes


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One line of *why*: a code, its newest value and age, and how much it moved the score (log-odds)."""

    code: str
    value: float | None
    age: int | None
    weight: float


@dataclass(frozen=True, kw_only=True)
class Step:
    """What one step of the forecaster returns for one subject. ``quantiles`` is float32 ``[vitals, horizons, q]``."""

    memory: Memory
    score: float  # log-odds of the task's event, not yet calibrated
    quantiles: np.ndarray
    novelty: float  # distance of the state from those of training; larger is stranger
    surprise: float  # mean |observed - predicted| of the newest vitals, in forecast half-widths; NaN if none
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, kw_only=True)
class Band:
    """The forecast of one vital at one horizon, in the code's canonical unit."""

    code: str
    at: int  # the instant it is about
    low: float
    median: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """A calibrated risk in (at, at + horizon], with the Venn–Abers interval that says how sure the calibration is."""

    subject_id: int
    at: int
    task: str
    risk: float
    risk_low: float
    risk_high: float
    bands: tuple[Band, ...]
    valid_until: int
    reasons: tuple[Reason, ...]
    model_id: str
    policy_id: str


class Why(StrEnum):
    """Why nothing is said."""

    WARMING_UP = "warming-up"
    IN_EVENT = "in-event"
    NO_VITALS = "no-vitals"
    STALE_VITALS = "stale-vitals"
    UNFAMILIAR = "unfamiliar"
    NOT_PRESENT = "not-present"


@dataclass(frozen=True, kw_only=True)
class Abstention:
    """No forecast, and the named reason."""

    subject_id: int
    at: int
    task: str
    why: Why
    detail: str
    valid_until: int
    model_id: str
    policy_id: str


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Everything between a raw score and an alert, fitted on calibration patients, carried as plain numbers.

    ``calibration_scores`` ascend and go with ``p0`` and ``p1``, the two isotonic fits of Venn–Abers evaluated at them.
    ``band_margin [vitals, horizons]`` is the split-conformal widening of the outer quantiles (CQR).
    ``novelty_scores`` ascend: novelties of calibration patients, for a conformal p-value.
    """

    policy_id: str
    model_id: str
    task: Task
    calibration_scores: np.ndarray
    calibration_p0: np.ndarray
    calibration_p1: np.ndarray
    band_margin: np.ndarray
    novelty_scores: np.ndarray
    novelty_alpha: float  # abstain below this p-value
    threshold: float  # raise at risk >= threshold
    clear_below: float  # resolve after the risk stayed below this …
    clear_after: int  # … for this long
    silence: int  # after an alert ends, none is raised for this long
    vitals_max_age: int
    expire_after: int  # an alert nobody answered
    recipients: tuple[str, ...]
