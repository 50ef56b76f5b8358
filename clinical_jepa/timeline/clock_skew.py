"""How far the chart's clock stands from the monitor's: from the heart rate that both wrote down.

For every whole minute of offset within reach, each charted heart rate is asked how likely the monitor's values around
that moment make it (a reading is entered some minutes early or late, rounded, now and then wrong), against how likely it
is in this chart at all. Where the monitor has no value nothing is said for or against. The offset's probability
follows; its interval is narrow where the heart rate moved enough to tell, and wide or double where it did not.

Pure: series in, verdict out. An offset is ``chart - monitor``: positive where the chart's clock is ahead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

MINUTE = 60_000_000  # microseconds
Array = np.ndarray


class Series(NamedTuple):
    """A heart rate in time: ``times`` int64 microseconds, rising, ``[N]``; ``values`` /min, ``[N]``.

    A monitor's value at m is of the minute that begins at m; a charted one of the moment it names.
    """

    times: Array
    values: Array


@dataclass(frozen=True, kw_only=True)
class SkewConfig:
    """What is known of charts, and what is asked of an offset before it is believed."""

    reach: int = 390  # minutes of offset looked for, either way
    entry_sd: float = 2.0  # minutes that an entry lies beside its reading
    spreads: tuple[float, ...] = (
        1.0,
        1.6,
        2.5,
        4.0,
        6.5,
        10.0,
    )  # /min between the monitor's value and what is charted of it
    stray: float = 0.15  # share of charted values that follow no monitor
    caution: float = 0.9  # power of the likelihood: charted values are not independent of each other
    mass: float = 0.998  # of the offset's probability within the interval
    edge: float = 0.5  # minutes added at either end: a minute is as fine as the monitor's values are
    narrow: float = 6.0  # minutes from end to end, at most
    least: int = 24  # charted values that meet a monitor value at the offset found
    evidence: float = 7.0  # natural logarithm of the odds that the two belong together at all
    agree: float = 0.6  # share of met values that lie within 5 /min of one within 3 minutes
    moved: float = 9.0  # natural logarithm of the odds by which a quarter of the chart may want another offset


@dataclass(frozen=True, kw_only=True)
class Skew:
    """``offset``, ``low`` and ``high`` in microseconds, the best and the ends of its interval; None where nothing met.

    ``shift``: the offset is certain, and may be taken from the chart's times; ``confirmed``: it is certain that the clocks
    agree; ``refused``: neither, for the reason given. ``met`` counts charted values that met a monitor value.
    """

    verdict: Literal["shift", "confirmed", "refused"]
    reason: str
    met: int
    offset: int | None = None
    low: int | None = None
    high: int | None = None

    @property
    def correction(self) -> int:
        """Microseconds to take from the chart's times; 0 unless the verdict is ``shift``."""
        return self.offset if self.verdict == "shift" and self.offset is not None else 0


class _Grid(NamedTuple):
    """The monitor minute by minute, NaN where it has no value, with room for every offset on both sides."""

    start: int
    values: Array


def clock_skew(monitor: Series, chart: Series, config: SkewConfig = SkewConfig()) -> Skew:
    """The chart's offset from the monitor, or why there is none."""
    monitor, chart = _sound(monitor), _sound(chart)
    if not len(monitor.times) or not len(chart.times):
        return Skew(verdict="refused", reason="no heart rate in one of the two", met=0)
    grid = _grid(monitor, chart, config)
    exact = (chart.times - grid.start) / MINUTE - 0.5  # a minute's value stands for its middle
    places = np.round(exact).astype(np.int64)
    offsets = np.arange(-config.reach, config.reach + 1)
    at = places[:, None] - offsets[None, :]  # [charted, offsets]
    odds, known = _odds(grid.values, chart.values, config)
    value = np.unique(chart.values, return_inverse=True)[1]
    each = [one[value[:, None], at] for one in odds]
    scores = np.stack([one.sum(axis=0) for one in each])  # [spreads, offsets]
    total = config.caution * _log_mean(scores)
    best = int(np.argmax(total))
    low, high, middle = _interval(offsets, total, best, config)
    met = int(known[at[:, best]].sum())
    fitting = each[int(np.argmax(scores[:, best]))]
    reason = (
        _doubt((met, high - low, float(_log_mean(total[:, None])[0])), config)
        or _apart(grid.values, chart.values, at[:, best], config)
        or _moved(fitting, best, config)
    )
    beside = float((exact - places).mean())
    low, high, middle = low + beside, high + beside, middle + beside
    ends = [round(end * MINUTE) for end in (middle, low, high)]
    if reason is not None:
        return Skew(verdict="refused", reason=reason, met=met, offset=ends[0], low=ends[1], high=ends[2])
    certain: Literal["shift", "confirmed"] = "confirmed" if low <= 0 <= high else "shift"
    said = "the clocks agree" if certain == "confirmed" else "the chart's clock stands off"
    return Skew(verdict=certain, reason=said, met=met, offset=ends[0], low=ends[1], high=ends[2])


def _sound(series: Series) -> Series:
    good = np.isfinite(series.values) & (series.values > 0)
    return Series(np.asarray(series.times)[good].astype(np.int64), np.asarray(series.values)[good].astype(np.float64))


def _grid(monitor: Series, chart: Series, config: SkewConfig) -> _Grid:
    room = (config.reach + _taps(config) + 1) * MINUTE
    start = min(int(monitor.times[0]), int(chart.times[0])) - room
    end = max(int(monitor.times[-1]), int(chart.times[-1])) + room
    values = np.full((end - start) // MINUTE + 2, np.nan)
    values[(monitor.times - start) // MINUTE] = monitor.values
    return _Grid(start, values)


def _taps(config: SkewConfig) -> int:
    return int(np.ceil(3 * config.entry_sd))


def _odds(minutes: Array, charted: Array, config: SkewConfig) -> tuple[list[Array], Array]:
    """Log odds ``[different charted values, minutes]`` for each spread, and whether the monitor speaks at a minute.

    The odds compare "read off the monitor about this minute" with "some value of this chart".
    """
    different, counts = np.unique(charted, return_counts=True)
    taps = np.arange(-_taps(config), _taps(config) + 1)
    weights = np.exp(-0.5 * (taps / config.entry_sd) ** 2)
    weights /= weights.sum()
    there = np.isfinite(minutes)
    share = np.convolve(there, weights, mode="same")
    known = share > 0.5
    common = np.array([_bell(different - one, 3.0) @ counts for one in different]) / counts.sum()
    filled = np.where(there, minutes, np.inf)
    found = []
    for spread in config.spreads:
        near = np.stack([np.convolve(_bell(filled - one, spread), weights, mode="same") for one in different])
        ratio = near[:, known] / share[known] / common[:, None]
        odds = np.zeros_like(near)
        odds[:, known] = np.log((1 - config.stray) * ratio + config.stray)
        found.append(odds)
    return found, known


def _bell(distance: Array, spread: float) -> Array:
    """The normal density, widened by the rounding to whole numbers."""
    wide = np.sqrt(spread**2 + 1 / 12)
    bell: Array = np.exp(-0.5 * (distance / wide) ** 2) / (wide * np.sqrt(2 * np.pi))
    return bell


def _log_mean(scores: Array) -> Array:
    top = scores.max(axis=0)
    mean: Array = top + np.log(np.exp(scores - top).mean(axis=0))
    return mean


def _interval(offsets: Array, total: Array, best: int, config: SkewConfig) -> tuple[float, float, float]:
    """Ends that hold ``mass`` of the probability, and the mean of what lies within 5 minutes of the best, in minutes."""
    probability = np.exp(total - total.max())
    probability /= probability.sum()
    cumulated = np.cumsum(probability)
    tail = (1 - config.mass) / 2
    low = int(np.searchsorted(cumulated, tail))
    high = min(int(np.searchsorted(cumulated, 1 - tail)), len(offsets) - 1)
    near = slice(max(best - 5, 0), best + 6)
    middle = float(np.average(offsets[near], weights=probability[near]))
    return float(offsets[low]) - config.edge, float(offsets[high]) + config.edge, middle


def _doubt(found: tuple[int, float, float], config: SkewConfig) -> str | None:
    """Why the offset found is not certain, by values met, width and evidence; None where it is."""
    met, width, evidence = found
    if met < config.least:
        return f"{met} charted heart rates meet a monitor value, {config.least} are needed"
    if width > config.narrow:
        return f"the interval is {width:.0f} minutes wide, {config.narrow:.0f} at most are narrow"
    if evidence < config.evidence:
        return "the two do not fit better than chance"
    return None


def _apart(minutes: Array, charted: Array, at: Array, config: SkewConfig) -> str | None:
    """Whether too many charted values lie away from the monitor's at the best offset."""
    around = minutes[at[:, None] + np.arange(-3, 4)]
    seen = np.isfinite(around).any(axis=1)
    away = np.nan_to_num(np.abs(around - charted[:, None])[seen], nan=np.inf).min(axis=1)
    close = float((away <= 5).mean())
    if close < config.agree:
        return f"at the best offset {close:.0%} of the charted values lie near the monitor's, {config.agree:.0%} are needed"
    return None


def _moved(each: Array, best: int, config: SkewConfig) -> str | None:
    """Whether a quarter of the chart fits another offset far better: one clock was set, or jumped for the season."""
    for quarter in np.array_split(each, 4):
        scores = config.caution * quarter.sum(axis=0)
        if scores.max() - scores[max(best - 3, 0) : best + 4].max() > config.moved:
            return "a part of the chart fits another offset better: one of the clocks was moved"
    return None
