"""A panel of one vital sign: charted, from the monitor, and forecast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from clinical_jepa.records.forecasts import Band
from clinical_jepa.records.instant import MINUTE
from clinical_jepa.web.charts.frame import Frame, panel, y_ticks
from clinical_jepa.web.charts.svg import Scale, element, path, runs, together
from clinical_jepa.web.words import day_time, label, number, short, unit

_SPAN = {"/min": 30.0, "mm[Hg]": 40.0, "%": 12.0}  # the least height of a panel, so that noise does not look like news
_MONITOR_GAP, _CHART_GAP = 15 * MINUTE, 150 * MINUTE

Points = Sequence[tuple[int, float]]


@dataclass(frozen=True, kw_only=True)
class Series:
    """One vital: what nurses charted, what the monitor said, and what is forecast. Values in the canonical unit."""

    code: str
    charted: Points
    monitor: Points
    bands: tuple[Band, ...]
    expired: bool

    def span(self, least: float) -> tuple[float, float]:
        """The range that shows everything, with some air."""
        values = [value for _, value in (*self.charted, *self.monitor)]
        values += [edge for band in self.bands for edge in (band.low, band.high)]
        low, high = (min(values), max(values)) if values else (0.0, least)
        air = max(0.08 * (high - low), (least - (high - low)) / 2)
        return low - air, high + air


def vital_panel(frame: Frame, top: float, height: float, series: Series) -> Markup:
    """Charted values as dots, the monitor's as a line broken at gaps, gaps hatched, the forecast as a fan after now."""
    low, high = series.span(_SPAN.get(unit(series.code).replace("mmHg", "mm[Hg]"), 10.0))
    if unit(series.code) == "%":
        high = min(high, 101.0)
    y = Scale(low=low, high=high, start=top + height - 4, end=top + 4)
    line = path([[(frame.x(at), y(value)) for at, value in run] for run in runs(series.monitor, _MONITOR_GAP)])
    return together(
        [
            panel(frame, top, height, short(series.code), unit(series.code)),
            _gaps(frame, top, height, series),
            y_ticks(y),
            element("path", d=line, class_="monitor"),
            *(_dot(frame, y, series.code, at, value) for at, value in series.charted),
            _fan(frame, y, series),
        ]
    )


def _dot(frame: Frame, y: Scale, code: str, at: int, value: float) -> Markup:
    said = f"{label(code)} {number(value, code)} {unit(code)}, charted for {day_time(at, frame.zone)}"
    return element("circle", element("title", said), cx=frame.x(at), cy=y(value), r=3.2, class_="charted")


def _gaps(frame: Frame, top: float, height: float, series: Series) -> Markup:
    """Hatching where nothing was seen for longer than usual: nothing is drawn across it."""
    longest = _MONITOR_GAP if series.monitor else _CHART_GAP
    seen = sorted({at for at, _ in (*series.charted, *series.monitor)})
    marks = [frame.start, *seen, frame.now]
    holes = [(a, b) for a, b in pairwise(marks) if b - a > longest]
    return together(
        element(
            "rect",
            x=frame.x(a),
            y=top,
            width=max(1.0, frame.x(b) - frame.x(a)),
            height=height,
            class_="gap",
            fill="url(#hatch)",
        )
        for a, b in holes
    )


def _fan(frame: Frame, y: Scale, series: Series) -> Markup:
    bands = sorted(series.bands, key=lambda band: band.at)
    if not bands:
        return Markup("")
    upper = [(frame.x(band.at), y(band.high)) for band in bands]
    lower = [(frame.x(band.at), y(band.low)) for band in reversed(bands)]
    state = " expired" if series.expired else ""
    marks = [
        element(
            "circle",
            element("title", _band_words(frame, band)),
            cx=frame.x(band.at),
            cy=y(band.median),
            r=2.6,
            class_="median" + state,
        )
        for band in bands
    ]
    middle = path([[(frame.x(band.at), y(band.median)) for band in bands]])
    return together(
        [
            element("path", d=path([upper + lower]) + "Z", class_="fan" + state),
            element("path", d=middle, class_="median-line" + state),
            *marks,
        ]
    )


def _band_words(frame: Frame, band: Band) -> str:
    edges = " to ".join(number(value, band.code) for value in (band.low, band.high))
    middle = f"{number(band.median, band.code)} ({edges}) {unit(band.code)}"
    return f"{label(band.code)} forecast for {day_time(band.at, frame.zone)}: {middle}"
