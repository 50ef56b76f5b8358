"""Small pictures for the list of beds: the risk of the last hours, and the risk with its interval as a bar."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from clinical_jepa.records.forecasts import Forecast
from clinical_jepa.web.charts.svg import Scale, element, path, picture, runs
from clinical_jepa.web.words import age, percent

_WIDTH, _HEIGHT = 132, 34


def sparkline(
    trend: Sequence[tuple[int, float | None]], *, now: int, span: int, longest: int, threshold: float | None
) -> Markup:
    """The risk over ``span`` µs up to ``now``, broken where nothing was said for more than ``longest`` µs."""
    told = [(at, risk) for at, risk in trend if at > now - span]
    values = [risk for _, risk in told if risk is not None]
    x = Scale(low=now - span, high=now, start=2, end=_WIDTH - 4)
    y = Scale(low=0, high=max([0.2, *values, *([threshold] if threshold else [])]) * 1.1, start=_HEIGHT - 2, end=2)
    drawn = list(runs(told, longest))
    parts = [element("line", x1=2, x2=_WIDTH - 2, y1=_HEIGHT - 1, y2=_HEIGHT - 1, class_="level")]
    if threshold:
        parts.append(element("line", x1=2, x2=_WIDTH - 2, y1=y(threshold), y2=y(threshold), class_="threshold"))
    parts.append(element("path", d=path([[(x(at), y(risk)) for at, risk in run] for run in drawn]), class_="risk"))
    if drawn:
        at, risk = drawn[-1][-1]
        parts.append(element("circle", cx=x(at), cy=y(risk), r=2.6, class_="end-dot"))
    said = (
        f"Risk over {age(span)}: from {percent(values[0])} to {percent(values[-1])} per cent"
        if values
        else f"No risk in the last {age(span)}"
    )
    return picture(_WIDTH, _HEIGHT, said, *parts, kind="spark")


def risk_bar(forecast: Forecast, threshold: float | None) -> Markup:
    """Risk from 0 to 100 % as a bar, its interval as a whisker, the alert level as a notch."""
    x = Scale(low=0, high=1, start=1, end=111)
    parts = [
        element("rect", x=1, y=4, width=110, height=6, class_="rail"),
        element("rect", x=1, y=4, width=max(1.0, x(forecast.risk) - 1), height=6, class_="fill"),
        element("line", x1=x(forecast.risk_low), x2=x(forecast.risk_high), y1=7, y2=7, class_="whisker"),
    ]
    if threshold:
        parts.append(element("line", x1=x(threshold), x2=x(threshold), y1=1, y2=13, class_="notch"))
    said = f"{percent(forecast.risk)} per cent, interval {percent(forecast.risk_low)} to {percent(forecast.risk_high)}"
    return picture(112, 14, said, *parts, kind="risk-bar")
