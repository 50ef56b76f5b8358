"""A bed's timeline: vitals with their forecast, treatments, risk and alerts over one time axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from clinical_jepa.records.forecasts import Forecast
from clinical_jepa.web.charts.frame import LEFT, WIDTH, Frame, now_line, time_axis
from clinical_jepa.web.charts.risk import risk_panel
from clinical_jepa.web.charts.svg import element, picture, together
from clinical_jepa.web.charts.treatments import treatment_row
from clinical_jepa.web.charts.vitals import Points, Series, vital_panel
from clinical_jepa.web.words import clock_time

_TOP, _VITAL, _ROW, _RISK, _AIR = 24, 88, 20, 100, 8
_MARKS = {
    "✓": 10,
    "▲": 24,
}  # where the signs of alerts stand above the risk: no curve and no other sign's line is there


@dataclass(frozen=True, kw_only=True)
class Episode:
    """An alert from ``raised`` to ``ended`` (or to now), answered at ``answered``."""

    raised: int
    ended: int | None
    answered: int | None


@dataclass(frozen=True, kw_only=True)
class Story:
    """What the timeline tells."""

    vitals: Sequence[Series]
    treatments: Mapping[str, Points]
    risks: Sequence[Forecast]
    threshold: float | None
    episodes: Sequence[Episode]


def timeline_picture(frame: Frame, story: Story) -> Markup:
    """The whole timeline as one picture."""
    parts, top = [], float(_TOP)
    for series in story.vitals:
        parts.append(vital_panel(frame, top, _VITAL, series))
        top += _VITAL + _AIR
    for code, given in story.treatments.items():
        parts.append(treatment_row(frame, top, _ROW, code, given))
        top += _ROW + 4
    top += _AIR if story.treatments else 0
    marks = top
    top += max(_MARKS.values()) + 4 if story.episodes else 0
    parts.append(risk_panel(frame, top, _RISK, story.risks, story.threshold))
    bottom = top + _RISK
    parts += [
        _episodes(frame, story.episodes, marks, bottom),
        now_line(frame, bottom, _ahead(story)),
        time_axis(frame, bottom),
    ]
    return picture(
        WIDTH, bottom + 38, "Vital signs, forecast, treatments and risk over time", _hatch(), *parts, kind="timeline"
    )


def _ahead(story: Story) -> str:
    told = [series for series in story.vitals if series.bands]
    if not told:
        return "no forecast"
    return "expired forecast, not current" if any(series.expired for series in told) else "forecast →"


def _hatch() -> Markup:
    line = element("path", d="M0 8L8 0", class_="hatch")
    return element("defs", element("pattern", line, id="hatch", width=8, height=8, patternUnits="userSpaceOnUse"))


def _episodes(frame: Frame, episodes: Sequence[Episode], top: float, bottom: float) -> Markup:
    return together(
        _episode(frame, episode, top, bottom) for episode in episodes if (episode.ended or frame.now) > frame.start
    )


def _episode(frame: Frame, episode: Episode, top: float, bottom: float) -> Markup:
    start, end = frame.x(episode.raised), frame.x(episode.ended or frame.now)
    parts = [
        element("rect", x=start, y=_TOP, width=max(2.0, end - start), height=bottom - _TOP, class_="episode"),
        _mark(frame, episode.raised, top, bottom, "▲"),
    ]
    if episode.answered is not None:
        parts.append(_mark(frame, episode.answered, top, bottom, "✓"))
    return together(parts)


def _mark(frame: Frame, at: int, top: float, bottom: float, sign: str) -> Markup:
    if not frame.start < at <= frame.end:
        return Markup("")
    x = frame.x(at)
    to_right = x < LEFT + 60
    text = f"{sign} {clock_time(at, frame.zone)}"
    return element("line", x1=x, x2=x, y1=top + _MARKS[sign] - 10, y2=bottom, class_="alert-line") + element(
        "text",
        text,
        x=x + (4 if to_right else -4),
        y=top + _MARKS[sign],
        class_="alert-text" + ("" if to_right else " end"),
    )
