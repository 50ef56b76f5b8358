"""What a report shows, as plain data; whoever writes a report fills in what there is and leaves out the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from clinical_jepa.evaluate.scoring import Leaderboard
from clinical_jepa.forecast.alert_counting import Burden
from clinical_jepa.records.forecasts import Band
from clinical_jepa.records.views import Strip


@dataclass(frozen=True, kw_only=True)
class Trace:
    """One quantity over time: charted values, and a monitor's where there is one. Times int64 µs."""

    label: str
    unit: str
    time: np.ndarray
    value: np.ndarray
    monitor_time: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    monitor_value: np.ndarray = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True, kw_only=True)
class Episode:
    """One alert: when raised, when over (None: still open), and its first reason in words."""

    raised: int
    ended: int | None
    why: str


@dataclass(frozen=True, kw_only=True)
class Story:
    """One patient from ``start`` to ``end``. ``risk [N, 3]`` is (low, risk, high) at ``risk_time``; ``bands`` were
    forecast at ``forecast_at`` and are drawn over what then came."""

    name: str
    start: int
    end: int
    vitals: Sequence[Trace]
    labs: Sequence[Trace]
    treatments: Sequence[Trace]
    risk_time: np.ndarray
    risk: np.ndarray
    threshold: float
    alerts: Sequence[Episode] = ()
    onsets: Sequence[tuple[int, str]] = ()
    forecast_at: int | None = None
    bands: Sequence[Band] = ()
    strips: Sequence[Strip] = ()
    image: np.ndarray | None = None
    image_time: int | None = None
    image_times: Sequence[int] = ()


@dataclass(frozen=True, kw_only=True)
class Lane:
    """One kind of data: when each item was true and when it could be known, int64 µs ``[N]``."""

    label: str
    time: np.ndarray
    available: np.ndarray


@dataclass(frozen=True, kw_only=True)
class KnownWhen:
    """The lanes of one patient between ``start`` and ``end``, and the instant up to which we look."""

    as_of: int
    start: int
    end: int
    lanes: Sequence[Lane]


@dataclass(frozen=True, kw_only=True)
class ReportContents:
    """Everything on the page. ``simulated`` is said in its first line; ``summary`` are (what, value) pairs."""

    title: str
    made_at: str
    simulated: bool
    summary: Sequence[tuple[str, str]]
    board: Leaderboard | None = None
    burden: Burden | None = None
    story: Story | None = None
    known_when: KnownWhen | None = None
