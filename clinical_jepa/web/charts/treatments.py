"""A row of the timeline for one treatment."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup

from clinical_jepa.web.charts.frame import LEFT, RIGHT, Frame
from clinical_jepa.web.charts.svg import element, together
from clinical_jepa.web.charts.vitals import Points
from clinical_jepa.web.words import day_time, label, number, short, unit


def treatment_row(frame: Frame, top: float, height: float, code: str, given: Points) -> Markup:
    """A rate as a bar as high as its value until the next entry; a dose as a lozenge with its amount."""
    ground = [
        element("rect", x=LEFT, y=top, width=RIGHT - LEFT, height=height, class_="lane"),
        element("text", short(code).removesuffix(" rate"), x=0, y=top + height - 6, class_="lane-title"),
    ]
    rate = unit(code).endswith(("/min", "%"))
    marks = _bars(frame, top, height, code, given) if rate else _doses(frame, top, height, code, given)
    return together([*ground, *marks])


def _bars(frame: Frame, top: float, height: float, code: str, given: Points) -> Iterable[Markup]:
    floor = 21.0 if unit(code) == "%" else 0.0
    highest = max((value for _, value in given), default=1.0)
    ends = [*(at for at, _ in given[1:]), frame.now]
    for (at, value), end in zip(given, ends, strict=True):
        start = max(at, frame.start)
        if value <= floor or end <= start:
            continue
        tall = (height - 3) * (0.25 + 0.75 * (value - floor) / max(highest - floor, 1e-9))
        said = f"{label(code)} {number(value, code)} {unit(code)} from {day_time(at, frame.zone)}"
        x, width = frame.x(start), frame.x(end) - frame.x(start)
        yield element(
            "rect", element("title", said), x=x, y=top + height - tall, width=width, height=tall, class_="rate"
        )
        if width > 44:
            yield element("text", number(value, code), x=x + 4, y=top + height - 6, class_="on-rate")


def _doses(frame: Frame, top: float, height: float, code: str, given: Points) -> Iterable[Markup]:
    for at, value in given:
        if at <= frame.start:
            continue
        x, y = frame.x(at), top + height / 2
        said = f"{label(code)} {number(value, code)} {unit(code)} at {day_time(at, frame.zone)}"
        yield element(
            "path",
            element("title", said),
            d=f"M{x - 6:.1f} {y:.1f}L{x:.1f} {y - 6:.1f}L{x + 6:.1f} {y:.1f}L{x:.1f} {y + 6:.1f}Z",
            class_="dose",
        )
        yield element("text", f"{number(value, code)} {unit(code)}", x=x + 9, y=y + 4, class_="tick")
