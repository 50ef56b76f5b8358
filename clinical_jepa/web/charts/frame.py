"""The frame that the panels of a bed's timeline share: time runs to the right, now is a line, the forecast lies beyond."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from markupsafe import Markup

from clinical_jepa.records.instant import DAY, HOUR, SECOND, from_us
from clinical_jepa.web.charts.svg import Scale, element, steps, together
from clinical_jepa.web.words import clock_time, day_time

WIDTH = 1080
LEFT, RIGHT = 118, 1066
_TICK = 2 * HOUR


@dataclass(frozen=True, kw_only=True)
class Frame:
    """``start`` to ``end`` in µs, ``now`` between them."""

    start: int
    now: int
    end: int
    zone: ZoneInfo

    def x(self, instant: float) -> float:
        """Where an instant stands."""
        return Scale(low=self.start, high=self.end, start=LEFT, end=RIGHT)(instant)

    @property
    def offset(self) -> int:
        """µs by which the site's clocks are ahead of UTC at the ward's now."""
        ahead = from_us(self.now).astimezone(self.zone).utcoffset()
        return round(ahead.total_seconds()) * SECOND if ahead else 0

    def ticks(self) -> Iterator[int]:
        """Every second full hour of the site's clocks."""
        first = -(-(self.start + self.offset) // _TICK) * _TICK - self.offset
        yield from range(first, self.end + 1, _TICK)


def panel(frame: Frame, top: float, height: float, title: str, unit: str) -> Markup:
    """The ground of one panel: title and unit at the left, box, hour lines, the forecast's ground after now."""
    return together(
        [
            element("rect", x=LEFT, y=top, width=frame.x(frame.now) - LEFT, height=height, class_="past"),
            element(
                "rect", x=frame.x(frame.now), y=top, width=RIGHT - frame.x(frame.now), height=height, class_="future"
            ),
            *(
                element("line", x1=frame.x(tick), x2=frame.x(tick), y1=top, y2=top + height, class_="hour")
                for tick in frame.ticks()
            ),
            element("text", title, x=0, y=top + 16, class_="title"),
            element("text", unit, x=0, y=top + 33, class_="unit"),
            element("text", title, x=frame.x(frame.now) + 8, y=top + 16, class_="title-again"),
        ]
    )


def y_ticks(scale: Scale, decimals: int = 0, suffix: str = "") -> Markup:
    """Round numbers at the left of a panel with a line each."""
    return together(
        element("line", x1=LEFT, x2=RIGHT, y1=scale(value), y2=scale(value), class_="level")
        + element("text", f"{value:.{decimals}f}{suffix}", x=LEFT - 8, y=scale(value) + 4, class_="tick end")
        for value in steps(scale.low, scale.high)
    )


def time_axis(frame: Frame, top: float) -> Markup:
    """Hours below the panels; the day stands where it begins and at the left."""
    labels = []
    for number, tick in enumerate(frame.ticks()):
        new_day = number == 0 or (tick + frame.offset) % DAY < _TICK
        place = "end" if frame.x(tick) > RIGHT - 14 else "middle"
        labels.append(
            element("text", clock_time(tick, frame.zone), x=frame.x(tick), y=top + 15, class_=f"tick {place}")
        )
        if new_day:
            day = day_time(tick, frame.zone).rsplit(" ", 1)[0]
            labels.append(element("text", day, x=frame.x(tick), y=top + 31, class_="tick middle day"))
    return together(labels) + element("text", f"times in {frame.zone.key}", x=0, y=top + 15, class_="tick")


def now_line(frame: Frame, bottom: float, ahead: str) -> Markup:
    """The line that parts what was seen from what is forecast; ``ahead`` says what stands to its right."""
    x = frame.x(frame.now)
    return (
        element("line", x1=x, x2=x, y1=18, y2=bottom, class_="now")
        + element("text", f"now {clock_time(frame.now, frame.zone)}", x=x, y=12, class_="tick middle strong")
        + element("text", ahead, x=RIGHT, y=12, class_="tick end")
    )
