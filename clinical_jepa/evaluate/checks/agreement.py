"""Do the nurse's chart and the monitor say the same? Charted against monitor heart rate at the matched minute.

Two sources reach the store by two readers, with clocks, zones and identities of their own; where they agree, the
records of a subject stand on one timeline. A monitor value whose ``time`` is m summarises ``(m, m + 1 min]``; a charted
value at c is matched with the monitor's value of the minute that holds c.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clinical_jepa.records.instant import END, MINUTE

if TYPE_CHECKING:
    from clinical_jepa.store.events import Store

CHARTED = "LOINC//8867-4"
MONITOR = "MDC//147842"

PAIRS = pa.schema(
    [
        pa.field("subject_id", pa.int64()),
        pa.field("time", pa.timestamp("us")),  # of the charted value
        pa.field("charted", pa.float64()),  # /min
        pa.field("monitor", pa.float64()),  # /min
    ]
)


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """``pairs`` follows PAIRS, one row a matched charted value; ``charted`` counts all, matched or not."""

    tolerance_bpm: float
    charted: int
    pairs: pa.Table

    @property
    def matched(self) -> int:
        return int(self.pairs.num_rows)

    @property
    def within(self) -> int:
        return int((np.abs(self.differences) <= self.tolerance_bpm).sum())

    @property
    def differences(self) -> np.ndarray:
        """Charted minus monitor, /min, ``[matched]``."""
        differences: np.ndarray = self.pairs["charted"].to_numpy() - self.pairs["monitor"].to_numpy()
        return differences

    def sentence(self) -> str:
        """The result in words, for a console or a report."""
        return (
            f"{self.within} of {self.matched} matched minutes agree within {self.tolerance_bpm:g} bpm "
            f"({self.charted - self.matched} of {self.charted} charted heart rates have no monitor value in their minute)"
        )


def heart_rate_agreement(
    store: Store, subject_ids: Iterable[int], *, tolerance_bpm: float = 5.0, as_of: int = END
) -> Agreement:
    """Charted against monitor heart rate of these subjects, as known ``as_of`` (by default all that is stored)."""
    return agreement(
        (store.history(subject_id, as_of=as_of).events for subject_id in subject_ids), tolerance_bpm=tolerance_bpm
    )


def agreement(tables: Iterable[pa.Table], *, tolerance_bpm: float = 5.0) -> Agreement:
    """The same from EVENTS tables, one a subject, holding the newest version of each fact."""
    found, charted = [PAIRS.empty_table()], 0
    for events in tables:
        times, values = series(events, CHARTED)
        charted += len(times)
        found.append(_pairs(events, times, values))
    return Agreement(tolerance_bpm=tolerance_bpm, charted=charted, pairs=pa.concat_tables(found))


def series(events: pa.Table, code: str) -> tuple[np.ndarray, np.ndarray]:
    """``(times int64 µs, values float64)`` of a code, in order of time."""
    rows = events.filter(pc.and_(pc.equal(events["code"], code), pc.is_valid(events["numeric_value"])))
    times = rows["time"].cast(pa.int64()).to_numpy()
    order = np.argsort(times, kind="stable")
    return times[order], rows["numeric_value"].to_numpy().astype(np.float64)[order]


def _pairs(events: pa.Table, times: np.ndarray, values: np.ndarray) -> pa.Table:
    starts, monitor = series(events, MONITOR)
    if not len(times) or not len(starts):
        return PAIRS.empty_table()
    newest = np.searchsorted(starts, times, side="left") - 1  # the last minute that starts before the charted time
    match = (newest >= 0) & (times - starts[newest] <= MINUTE)
    columns = {
        "subject_id": np.full(int(match.sum()), events["subject_id"][0].as_py(), np.int64),
        "time": times[match],
        "charted": values[match],
        "monitor": monitor[newest[match]],
    }
    return pa.table({field.name: pa.array(columns[field.name]).cast(field.type) for field in PAIRS}, PAIRS)


def plot_agreement(result: Agreement, path: Path) -> Path:
    """A PNG of two panels: charted against monitor, and their difference against their mean (Bland and Altman)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    charted, monitor = (result.pairs[name].to_numpy() for name in ("charted", "monitor"))
    _against(left, charted, monitor, result.tolerance_bpm)
    _difference(right, (charted + monitor) / 2, result.differences, result.tolerance_bpm)
    number = len(pc.unique(result.pairs["subject_id"]))
    subjects = f"{number} subject{'' if number == 1 else 's'}"
    figure.suptitle(
        f"Heart rate, chart and monitor: n = {result.matched} matched minutes of {subjects}, "
        f"{result.within} within {result.tolerance_bpm:g} bpm"
    )
    figure.savefig(path, dpi=110)
    return path


def _against(axes: Any, charted: np.ndarray, monitor: np.ndarray, tolerance: float) -> None:
    both = np.concatenate([charted, monitor])
    low, high = (both.min() - 8, both.max() + 8) if len(both) else (40.0, 140.0)
    line = np.array([low, high])
    axes.fill_between(line, line - tolerance, line + tolerance, color="0.9", label=f"within {tolerance:g} bpm")
    axes.plot(line, line, color="0.5", linewidth=1)
    axes.plot(monitor, charted, "o", **_dots(len(charted)))
    axes.set(xlabel="Monitor, bpm", ylabel="Charted, bpm", xlim=(low, high), ylim=(low, high), aspect="equal")
    axes.legend(loc="upper left", frameon=False)


def _difference(axes: Any, mean: np.ndarray, difference: np.ndarray, tolerance: float) -> None:
    axes.axhspan(-tolerance, tolerance, color="0.9")
    axes.axhline(0, color="0.5", linewidth=1)
    if len(difference):
        reach = max(2 * tolerance, float(np.abs(difference).max()) * 1.1)
        axes.set_ylim(-reach, reach)
    if len(difference) >= 10:  # limits of agreement rest on a spread
        bias, spread = float(difference.mean()), 1.96 * float(difference.std(ddof=1))
        for level, style in ((bias, "-"), (bias - spread, "--"), (bias + spread, "--")):
            axes.axhline(level, color="C3", linewidth=1, linestyle=style)
        axes.set_title(f"bias {bias:+.1f} bpm, limits of agreement ±{spread:.1f}", fontsize=10)
    axes.plot(mean, difference, "o", **_dots(len(mean)))
    axes.set(xlabel="Mean of both, bpm", ylabel="Charted − monitor, bpm")


def _dots(count: int) -> dict[str, Any]:
    return {"color": "C0", "markersize": 7, "alpha": 0.9} if count <= 30 else {"markersize": 3, "alpha": 0.4}
