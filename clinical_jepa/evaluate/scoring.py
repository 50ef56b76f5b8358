"""From scores to a table: ranking, calibration and paired differences, with intervals that draw patients."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from clinical_jepa.forecast import bootstrap, metrics, venn_abers
from clinical_jepa.forecast.bootstrap import Draws, Interval
from clinical_jepa.training.anchors import Anchors

BINS = 10


@dataclass(frozen=True)
class Entry:
    """One thing to compare: its scores of calibration rows and of test rows. The first entry of a board is ours."""

    name: str
    calibration: np.ndarray
    test: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line. ``brier_skill`` is against the prevalence alone; ``in_the_large`` is how far the mean log-odds are off.

    ``auroc_behind`` and ``auprc_behind``: how much ours is above it, paired; None for ours.
    """

    name: str
    auroc: Interval
    auprc: Interval
    brier: Interval
    brier_skill: float
    ece: float
    in_the_large: float
    slope: float
    intercept: float
    auroc_behind: Interval | None
    auprc_behind: Interval | None


@dataclass(frozen=True, kw_only=True)
class Reliable:
    """One bin of the reliability diagram of ours: the band draws patients."""

    predicted: float
    observed: float
    low: float
    high: float
    count: int


@dataclass(frozen=True, kw_only=True)
class Leaderboard:
    """All rows, best first, and what they rest on."""

    rows: tuple[Row, ...]
    reliability: tuple[Reliable, ...]
    subjects: int
    subjects_with_event: int
    anchors: int
    positives: int
    prevalence: float
    news2_missing: float  # mean number of NEWS2's seven parameters that were not known
    draws: int
    task: str = ""
    model_id: str = ""
    unfamiliar: float = math.nan
    band_coverage: float = math.nan

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, NaN as None."""
        return {key: _plain(value) for key, value in asdict(self).items()}

    def row(self, name: str) -> Row:
        """The line of this name."""
        return next(row for row in self.rows if row.name == name)

    def beats(self, name: str) -> bool:
        """Whether our AUROC is above this row's with the whole interval of the paired difference."""
        behind = self.row(name).auroc_behind
        return behind is not None and behind.low > 0

    def lines(self) -> list[dict[str, str]]:
        """The table for people: text cells, one dict a row."""
        return [_line(row) for row in self.rows]


def board(entries: list[Entry], *, calibration: Anchors, test: Anchors, draws: int) -> Leaderboard:
    """The table of the entries; the first one is ours."""
    drawn = bootstrap.draw(test.subject, draws)
    labels = test.label.astype(np.int64)
    risks = {entry.name: _calibrated(entry, calibration.label.astype(np.int64)) for entry in entries}
    replicates = {
        (metric, entry.name): bootstrap.replicates(metric, labels, entry.test, drawn)
        for entry in entries
        for metric in ("auroc", "auprc")
    }
    rows = [_row(entry, entries[0], labels, risks[entry.name], drawn, replicates) for entry in entries]
    first, others = rows[0], sorted(rows[1:], key=lambda row: -row.auroc.value)
    return Leaderboard(
        rows=(first, *others),
        reliability=reliability(labels, risks[entries[0].name], drawn),
        subjects=len(np.unique(test.subject)),
        subjects_with_event=len(np.unique(test.subject[labels == 1])),
        anchors=len(labels),
        positives=int(labels.sum()),
        prevalence=float(labels.mean()),
        news2_missing=float(test.news2_missing.mean()),
        draws=draws,
    )


def reliability(labels: np.ndarray, risks: np.ndarray, draws: Draws) -> tuple[Reliable, ...]:
    """Bins of about equal mass with the observed share and its interval over patients."""
    table = metrics.reliability_by_mass(labels, risks, BINS)
    found = []
    for i, row in enumerate(table):
        last = i == len(table) - 1
        inside = (risks >= row.low) & ((risks <= row.high) if last else (risks < row.high))
        count = draws.counts.shape[1]
        hits = np.bincount(draws.patient[inside], weights=labels[inside], minlength=count)
        rows = np.bincount(draws.patient[inside], minlength=count)
        drawn = draws.counts @ rows
        shares = np.divide(draws.counts @ hits, drawn, out=np.full(len(drawn), np.nan), where=drawn > 0)
        band = bootstrap.summarise(row.observed, shares)
        found.append(
            Reliable(predicted=row.predicted, observed=row.observed, low=band.low, high=band.high, count=row.count)
        )
    return tuple(found)


def _calibrated(entry: Entry, labels: np.ndarray) -> np.ndarray:
    table = venn_abers.fit(entry.calibration, labels)
    return venn_abers.merge(*venn_abers.apply(table, entry.test))


def _row(
    entry: Entry, ours: Entry, labels: np.ndarray, risks: np.ndarray, draws: Draws, replicates: dict[Any, np.ndarray]
) -> Row:
    slope, intercept = metrics.calibration_slope_intercept(labels, risks)
    behind: dict[str, Interval | None] = {}
    found: dict[str, Interval] = {}
    for metric, plain in (("auroc", metrics.auroc), ("auprc", metrics.auprc)):
        mine, theirs = replicates[metric, ours.name], replicates[metric, entry.name]
        value = plain(labels, entry.test)
        found[metric] = bootstrap.summarise(value, theirs)
        gap = bootstrap.summarise(plain(labels, ours.test) - value, mine - theirs)
        behind[metric] = None if entry is ours else gap
    return Row(
        name=entry.name,
        auroc=found["auroc"],
        auprc=found["auprc"],
        brier=bootstrap.interval("brier", labels, risks, draws),
        brier_skill=metrics.brier_skill(labels, risks),
        in_the_large=metrics.calibration_in_the_large(labels, risks),
        ece=metrics.ece(metrics.reliability(labels, risks, BINS)),
        slope=slope,
        intercept=intercept,
        auroc_behind=behind["auroc"],
        auprc_behind=behind["auprc"],
    )


def _line(row: Row) -> dict[str, str]:
    def span(found: Interval | None, sign: str = "") -> str:
        return "" if found is None else f"{found.value:{sign}.3f} [{found.low:{sign}.3f}, {found.high:{sign}.3f}]"

    return {
        "": row.name,
        "AUROC": span(row.auroc),
        "AUPRC": span(row.auprc),
        "Brier": f"{row.brier.value:.4f}",
        "Brier skill": f"{row.brier_skill:+.3f}",
        "ECE": f"{row.ece:.3f}",
        "in the large": f"{row.in_the_large:+.2f}",
        "slope": f"{row.slope:.2f}",
        "model − row, AUROC": span(row.auroc_behind, "+"),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
