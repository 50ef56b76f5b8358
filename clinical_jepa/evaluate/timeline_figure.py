"""One patient's stay on one time axis: vitals with forecast bands, risk with alerts, treatments, labs; strip, picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from clinical_jepa.evaluate import drawing
from clinical_jepa.evaluate.contents import Story, Trace
from clinical_jepa.evaluate.drawing import BLUE, GREEN, GREY, INK, ORANGE, RED, VIOLET
from clinical_jepa.records.forecasts import Band
from clinical_jepa.records.instant import SECOND, iso
from clinical_jepa.vocabulary.codes import by_code

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STRIP_SECONDS = 8.0


def timeline(story: Story) -> str:
    """The stacked panels of a stay, one shared axis of time (UTC)."""
    lanes = [(rows, colour) for rows, colour in ((story.treatments, GREEN), (_results(story), VIOLET)) if rows]
    heights = [1.0] * len(story.vitals) + [1.3] + [0.2 + 0.2 * len(rows) for rows, _ in lanes]
    with drawing.look():
        figure = drawing.canvas(10.4, 1.25 * sum(heights) + 0.4)
        stack = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0]
        for axes, trace in zip(stack, story.vitals, strict=False):
            _vital(axes, trace, story)
        _risk(stack[len(story.vitals)], story)
        for axes, (rows, colour) in zip(stack[len(story.vitals) + 1 :], lanes, strict=True):
            _lanes(axes, rows, colour, story)
        for axes in stack:
            _alerts(axes, story)
        stack[-1].set_xlim(*drawing.times([story.start, story.end]))
        drawing.clock(stack[-1])
        figure.align_ylabels(list(stack))
        return drawing.svg(figure, "timeline")


def strip(story: Story) -> str:
    """The newest seconds of each waveform channel, below each other."""
    with drawing.look():
        figure = drawing.canvas(5.6, 0.3 + 0.85 * len(story.strips))
        stack = figure.subplots(len(story.strips), 1, sharex=True, squeeze=False)[:, 0]
        for axes, one in zip(stack, story.strips, strict=True):
            samples = one.samples[-int(STRIP_SECONDS * one.rate_hz) :]
            axes.plot(np.arange(len(samples)) / one.rate_hz, samples, color=GREEN, linewidth=0.8)
            _name(axes, one.channel, drawing.unit(one.unit))
            axes.margins(x=0.0)
            axes.locator_params(axis="y", nbins=3)
        last = story.strips[-1]
        end = last.time + round(len(last.samples) / last.rate_hz * SECOND)
        stack[-1].set_xlabel(f"seconds, the newest ones before {iso(end - end % SECOND)[:19].replace('T', ' ')} UTC")
        return drawing.svg(figure, "strip")


def picture(story: Story) -> str:
    """The newest image, dense tissue bright."""
    assert story.image is not None
    with drawing.look():
        figure = drawing.canvas(2.6, 2.6)
        axes = figure.subplots()
        axes.imshow(_small(story.image), cmap="gray", vmin=0.0, vmax=1.0)
        axes.set_axis_off()
        return drawing.svg(figure, "picture")


def _vital(axes: Axes, trace: Trace, story: Story) -> None:
    if len(trace.monitor_time):
        axes.plot(drawing.times(trace.monitor_time), trace.monitor_value, color=GREY, linewidth=0.6, alpha=0.8)
    axes.plot(drawing.times(trace.time), trace.value, "o", color=BLUE, markersize=3)
    bands = [band for band in story.bands if by_code()[band.code].label == trace.label]
    if bands and story.forecast_at is not None:
        at = drawing.times([band.at for band in bands])
        axes.fill_between(at, [b.low for b in bands], [b.high for b in bands], color=ORANGE, alpha=0.3, linewidth=0)
        axes.plot(at, [b.median for b in bands], color=ORANGE, linewidth=1.4)
        axes.axvline(drawing.times([story.forecast_at])[0], color=ORANGE, linewidth=0.8, linestyle="--")
    _name(axes, _short(trace.label), trace.unit)
    axes.set_ylim(*_limits(trace, bands))
    axes.locator_params(axis="y", nbins=4)


def _risk(axes: Axes, story: Story) -> None:
    if len(story.risk_time):
        at = drawing.times(story.risk_time)
        # a pause in asking is a pause in the line
        pause = np.concatenate(([False], np.diff(story.risk_time) > 3 * np.median(np.diff(story.risk_time))))
        low, risk, high = np.where(pause, np.nan, story.risk.T) if len(at) > 2 else story.risk.T
        axes.fill_between(at, low, high, color=RED, alpha=0.2, linewidth=0, step="post")
        axes.plot(at, risk, color=RED, linewidth=1.2, drawstyle="steps-post")
    axes.axhline(story.threshold, color=INK, linewidth=0.6, linestyle=":")
    axes.set_ylim(0, max(1.15 * story.threshold, 1.05 * float(story.risk.max(initial=0.0)), 0.05))
    _name(axes, "Risk", "in 8 h")


def _alerts(axes: Axes, story: Story) -> None:
    for one in story.alerts:
        first, last = drawing.times([one.raised, one.ended or story.end])
        axes.axvspan(first, last, color=RED, alpha=0.09, linewidth=0)
        axes.axvline(first, color=RED, linewidth=0.9)
    for at, _ in story.onsets:
        axes.axvline(drawing.times([at])[0], color=INK, linewidth=1.2)


def _name(axes: Axes, label: str, unit: str) -> None:
    axes.set_ylabel(f"{label}\n{unit}".strip(), rotation=0, ha="right", va="center")


def _limits(trace: Trace, bands: Sequence[Band]) -> tuple[float, float]:
    """Room for what was charted and forecast and for nearly all of the monitor: artefacts may leave the panel."""
    edges = [*trace.value.tolist(), *(b.low for b in bands), *(b.high for b in bands)]
    if len(trace.monitor_value):
        edges += np.quantile(trace.monitor_value, (0.005, 0.995)).tolist()
    room = 0.08 * max(max(edges) - min(edges), 1.0)
    return min(edges) - room, max(edges) + room


def _results(story: Story) -> list[Trace]:
    """Laboratory lanes, and one for images where there are any."""
    if not story.image_times:
        return list(story.labs)
    at = np.array(story.image_times, np.int64)
    return [*story.labs, Trace(label="Image", unit="", time=at, value=np.full(len(at), np.nan))]


def _lanes(axes: Axes, traces: Sequence[Trace], colour: str, story: Story) -> None:
    """Each quantity on its own line, its numbers written where they fit; a dot's size goes with the value."""
    for place, trace in enumerate(reversed(traces)):
        size = 10 + 40 * np.nan_to_num(trace.value / max(float(np.nanmax(trace.value, initial=1e-9)), 1e-9))
        axes.scatter(drawing.times(trace.time), np.full(len(trace.time), place), s=size, color=colour, alpha=0.55)
        for at, value in _spaced(trace, (story.end - story.start) // 16):
            axes.annotate(
                f"{value:.3g}", (drawing.times([at])[0], place), (0, 5), textcoords="offset points", ha="center", size=7
            )
    names = [f"{_short(trace.label)}, {trace.unit}".removesuffix(", ") for trace in reversed(traces)]
    axes.set_yticks(range(len(traces)), names)
    axes.set_ylim(-0.6, len(traces) - 0.2)
    axes.tick_params(axis="y", length=0)


def _spaced(trace: Trace, apart: int) -> list[tuple[int, float]]:
    """Values to write: changes only, at least ``apart`` µs from the one written before."""
    found: list[tuple[int, float]] = []
    shown = None
    for at, value in zip(trace.time.tolist(), trace.value.tolist(), strict=True):
        if value != shown and np.isfinite(value) and (not found or at - found[-1][0] >= apart):
            found.append((at, value))
            shown = value
    return found


def _short(label: str) -> str:
    return {"Respiratory rate": "Resp. rate", "Mean pressure": "Mean press."}.get(label, label)


def _small(image: np.ndarray, most: int = 320) -> np.ndarray:
    """The picture thinned to at most ``most`` pixels a side."""
    step = max(1, -(-max(image.shape) // most))
    return image[::step, ::step]
