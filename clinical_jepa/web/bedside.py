"""One bed: its row of the list, its timeline, newest waveform, laboratory values, image, and the story of its alerts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from markupsafe import Markup

from clinical_jepa.records.alerts import OPEN, Alert, Transition
from clinical_jepa.records.errors import BadRequest
from clinical_jepa.records.forecasts import Band, Forecast
from clinical_jepa.records.instant import MINUTE, SECOND
from clinical_jepa.records.views import Arrivals, Strip, Window
from clinical_jepa.timeline.windows import window
from clinical_jepa.vocabulary.codes import codes
from clinical_jepa.web.charts.frame import Frame
from clinical_jepa.web.charts.png import png
from clinical_jepa.web.charts.strips import strip_picture, strip_words
from clinical_jepa.web.charts.timeline import Episode, Story, timeline_picture
from clinical_jepa.web.charts.vitals import Points, Series
from clinical_jepa.web.config import WebConfig
from clinical_jepa.web.patient import About, Lab, about, labs, treatments
from clinical_jepa.web.state import Routed, WardState
from clinical_jepa.web.ward import Answer, Bed, Outcome, Standing, answers, read_bed

_STEP = 2 * MINUTE


@dataclass(frozen=True, kw_only=True)
class Wave:
    """One channel of the newest waveform piece; ``age`` µs from its end to now."""

    strip: Strip
    age: int
    quality: float | None
    quality_reason: str | None
    words: str
    picture: Markup


@dataclass(frozen=True, kw_only=True)
class AlertStory:
    """One alert with all that happened to it, and to whom it was carried."""

    alert: Alert
    open: bool
    answer: Answer | None
    transitions: tuple[Transition, ...]
    messages: tuple[Routed, ...]


@dataclass(frozen=True, kw_only=True)
class Bedside:
    """Everything the page of one bed shows, as of ``now``."""

    now: int
    here: bool
    bed: Bed
    about: About
    timeline: Markup
    waves: tuple[Wave, ...]
    labs: tuple[Lab, ...]
    image_time: int | None
    stories: tuple[AlertStory, ...]

    @property
    def story(self) -> AlertStory | None:
        """The open alert, if there is one."""
        return next((story for story in self.stories if story.open), None)


def read_bedside(state: WardState, config: WebConfig, subject_id: int) -> Bedside:
    """The page of one subject; ``BadRequest`` for one the store does not know."""
    now = state.clock.now()
    visible = state.store.history(subject_id, as_of=now)
    if subject_id not in visible.origins:
        raise BadRequest(f"nothing is known of a patient {subject_id} at this time; go back to the list of beds")
    outcomes = state.ledger.outcomes(since=now - config.chart_s * SECOND, subject_id=subject_id)
    bed, here = read_bed(state, config, subject_id, visible)
    stories = _stories(state, subject_id)
    frame = Frame(
        start=now - config.chart_s * SECOND, now=now, end=now + max(state.task.horizons), zone=ZoneInfo(config.zone)
    )
    view = _window(state, visible, subject_id, frame)
    story = Story(
        vitals=[_series(view, code, bed) for code in state.task.vitals],
        treatments=treatments(visible.events, frame.start),
        risks=_forecasts(outcomes),
        threshold=state.policy.threshold if state.policy else None,
        episodes=[_episode(told) for told in stories],
    )
    return Bedside(
        now=now,
        here=here,
        bed=bed,
        about=about(visible.events, now),
        timeline=timeline_picture(frame, story),
        waves=tuple(_wave(strip, visible, now) for strip in view.strips),
        labs=labs(visible.events),
        image_time=view.image_time,
        stories=stories,
    )


def read_image(state: WardState, subject_id: int) -> bytes | None:
    """The newest visible image of a subject as PNG; None where there is none."""
    images = state.store.history(subject_id, as_of=state.clock.now()).images
    if not images.num_rows:
        return None
    newest = max(images.select(["time", "rows", "columns", "reference"]).to_pylist(), key=lambda image: image["time"])
    return png(state.store.samples(newest["reference"]).reshape(newest["rows"], newest["columns"]))


def _window(state: WardState, visible: Arrivals, subject_id: int, frame: Frame) -> Window:
    start = frame.now - -(-(frame.now - frame.start) // _STEP) * _STEP
    wanted = [code.code for code in codes() if code.code in state.task.vitals or code.parent in state.task.vitals]
    return window(
        visible,
        subject_id=subject_id,
        as_of=frame.now,
        start=start,
        step=_STEP,
        codes=tuple(wanted),
        load=state.store.samples,
    )


def _series(view: Window, code: str, bed: Bed) -> Series:
    """The monitor's points are those of the first listed numeric that was seen at all."""
    monitors = (points for numeric in codes() if numeric.parent == code and (points := _points(view, numeric.code)))
    forecast = bed.outcome if isinstance(bed.outcome, Forecast) else None
    return Series(
        code=code,
        charted=_points(view, code),
        monitor=next(monitors, ()),
        bands=tuple(band for band in forecast.bands if band.code == code and _bounded(band)) if forecast else (),
        expired=bed.standing is Standing.EXPIRED,
    )


def _bounded(band: Band) -> bool:
    """A code without plausibility limits may have a band without an end, which no picture can show."""
    return math.isfinite(band.low) and math.isfinite(band.high)


def _points(view: Window, code: str) -> Points:
    column = view.codes.index(code)
    seen = view.observed[:, column].nonzero()[0]
    return [(int(view.edges[row + 1] - view.age[row, column]), float(view.values[row, column])) for row in seen]


def _forecasts(outcomes: Sequence[Outcome]) -> list[Forecast]:
    return sorted((outcome for outcome in outcomes if isinstance(outcome, Forecast)), key=lambda forecast: forecast.at)


def _wave(strip: Strip, visible: Arrivals, now: int) -> Wave:
    pieces = visible.signals.select(["channel", "end_time", "quality", "quality_reason"]).to_pylist()
    newest = max(
        (piece for piece in pieces if piece["channel"] == strip.channel),
        key=lambda piece: piece["end_time"],
        default=None,
    )
    end = strip.time + round(len(strip.samples) / strip.rate_hz * SECOND)
    return Wave(
        strip=strip,
        age=now - end,
        quality=newest["quality"] if newest else None,
        quality_reason=newest["quality_reason"] if newest else None,
        words=strip_words(strip),
        picture=strip_picture(strip),
    )


def _stories(state: WardState, subject_id: int) -> tuple[AlertStory, ...]:
    """All alerts of a subject, the newest first."""
    own = [alert for alert in state.ledger.alerts() if alert.subject_id == subject_id]
    answered, messages = answers(state, own), state.ledger.messages()
    stories = [
        AlertStory(
            alert=alert,
            open=alert.state in OPEN,
            answer=answered.get(alert.alert_id),
            transitions=tuple(state.ledger.transitions(alert.alert_id)),
            messages=tuple(message for message in messages if message.alert_id == alert.alert_id),
        )
        for alert in own
    ]
    return tuple(sorted(stories, key=lambda story: story.alert.raised_at, reverse=True))


def _episode(story: AlertStory) -> Episode:
    answered = story.answer.at if story.answer else None
    return Episode(
        raised=story.alert.raised_at, ended=None if story.open else story.alert.changed_at, answered=answered
    )
