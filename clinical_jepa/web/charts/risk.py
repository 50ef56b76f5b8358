"""The panel of the risk, with the level at which an alert is raised."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from clinical_jepa.records.forecasts import Forecast
from clinical_jepa.records.instant import HOUR
from clinical_jepa.web.charts.frame import LEFT, RIGHT, Frame, panel
from clinical_jepa.web.charts.svg import Scale, element, path, runs, steps, together


def risk_panel(frame: Frame, top: float, height: float, history: Sequence[Forecast], threshold: float | None) -> Markup:
    """The risk as it was told at each instant, with its interval, and the level at which an alert is raised."""
    highest = max([0.2, *(forecast.risk_high for forecast in history), *([threshold * 1.3] if threshold else [])])
    y = Scale(low=0.0, high=min(1.0, highest * 1.05), start=top + height - 2, end=top + 4)
    by_time = {forecast.at: forecast for forecast in history}
    told = list(runs(((forecast.at, forecast.risk) for forecast in history), HOUR))
    bands = []
    for run in told:
        upper = [(frame.x(at), y(by_time[at].risk_high)) for at, _ in run]
        lower = [(frame.x(at), y(by_time[at].risk_low)) for at, _ in reversed(run)]
        bands.append(element("path", d=path([upper + lower]) + "Z", class_="interval"))
    line = path([[(frame.x(at), y(value)) for at, value in run] for run in told])
    ticks = together(
        element("line", x1=LEFT, x2=RIGHT, y1=y(value), y2=y(value), class_="level")
        + element("text", f"{value * 100:.0f}", x=LEFT - 8, y=y(value) + 4, class_="tick end")
        for value in steps(0.0, y.high)
    )
    limit = _limit(y, threshold) if threshold else Markup("")
    return together(
        [
            panel(frame, top, height, "Risk", "%"),
            ticks,
            *bands,
            element("path", d=line, class_="risk"),
            limit,
        ]
    )


def _limit(y: Scale, threshold: float) -> Markup:
    return element("line", x1=LEFT, x2=RIGHT, y1=y(threshold), y2=y(threshold), class_="threshold") + element(
        "text", f"alert at {threshold * 100:.0f} %", x=RIGHT - 4, y=y(threshold) - 5, class_="tick end threshold-text"
    )
