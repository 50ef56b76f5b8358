"""Pictures: a gap stays a gap, what is drawn stands where it belongs, text in them is escaped."""

from __future__ import annotations

import io
import math
import re
from itertools import pairwise
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from clinical_jepa.records.instant import DAY, HOUR, MINUTE
from clinical_jepa.records.views import Strip
from clinical_jepa.web.charts.frame import LEFT, RIGHT, Frame
from clinical_jepa.web.charts.png import png
from clinical_jepa.web.charts.spark import sparkline
from clinical_jepa.web.charts.strips import strip_picture, strip_words
from clinical_jepa.web.charts.svg import Scale, element, picture, runs, steps
from clinical_jepa.web.charts.timeline import Episode, Story, timeline_picture
from clinical_jepa.web.charts.treatments import treatment_row
from clinical_jepa.web.charts.vitals import Series
from tests.web.fakes import HR, NOREPINEPHRINE, NOW
from tests.web.wards import bands

FRAME = Frame(start=NOW - 12 * HOUR, now=NOW, end=NOW + 8 * HOUR, zone=ZoneInfo("UTC"))
RISKS = st.lists(
    st.tuples(st.integers(0, 10**4), st.one_of(st.none(), st.floats(0, 1), st.just(math.nan))), max_size=30
)


def attributes(markup: str, kind: str) -> list[dict[str, str]]:
    found = ElementTree.fromstring(f"<g>{markup}</g>").iter()
    return [dict(node.attrib) for node in found if kind in node.attrib.get("class", "").split()]


@given(RISKS, st.integers(1, 100))
def test_runs_keep_every_value_and_cross_no_gap(points: list[tuple[int, float | None]], longest: int) -> None:
    points = sorted(points, key=lambda point: point[0])
    parts = list(runs(points, longest))
    kept = [(at, value) for at, value in points if value is not None and math.isfinite(value)]
    assert [point for part in parts for point in part] == kept
    assert all(b[0] - a[0] <= longest for part in parts for a, b in pairwise(part))


@given(st.floats(-1e3, 1e3), st.floats(1e-2, 1e4), st.integers(1, 6))
def test_ticks_are_few_and_inside(low: float, span: float, count: int) -> None:
    ticks = steps(low, low + span, count)
    assert all(low - 1e-6 * span <= tick <= low + span * (1 + 1e-6) for tick in ticks)
    assert len(ticks) <= count + 1


def test_a_scale_holds_what_lies_outside() -> None:
    scale = Scale(low=0, high=10, start=100, end=0)
    assert [scale(value) for value in (-5, 0, 5, 10, 50)] == [100, 100, 50, 0, 0]


def test_text_in_a_picture_is_escaped() -> None:
    drawn = picture(1, 1, '"><script>', element("text", "</svg><script>"), kind="strip")
    assert "<script>" not in drawn
    ElementTree.fromstring(str(drawn))


@given(st.integers(1, 900), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_png_is_read_back_by_another_library(rows: int, columns: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).random((rows, columns), dtype=np.float32)
    seen = np.asarray(Image.open(io.BytesIO(png(pixels))), dtype=float) / 255
    if rows <= 768:
        assert seen.shape == pixels.shape
        assert np.abs(seen - pixels).max() <= 0.5 / 255 + 1e-6
    else:
        assert seen.shape == (rows // 2, max(1, columns // 2))


def series(charted: list[tuple[int, float]], monitor: list[tuple[int, float]]) -> Series:
    return Series(code=HR, charted=charted, monitor=monitor, bands=bands(NOW)[:4], expired=False)


def drawn(one: Series, *, episodes: tuple[Episode, ...] = ()) -> str:
    return str(timeline_picture(FRAME, Story(vitals=[one], treatments={}, risks=[], threshold=None, episodes=episodes)))


def test_a_gap_is_hatched_and_not_drawn_across() -> None:
    minutes = [minute for minute in range(0, 720, 2) if not 200 < minute < 260]
    shown = drawn(series([], [(NOW - 12 * HOUR + minute * MINUTE, 80.0) for minute in minutes]))
    (line,) = attributes(shown, "monitor")
    assert line["d"].count("M") == 2
    (gap,) = attributes(shown, "gap")
    assert float(gap["x"]) == round(FRAME.x(NOW - 12 * HOUR + 200 * MINUTE), 1)


def test_the_fan_lies_after_now_at_its_own_instants() -> None:
    shown = drawn(series([(NOW - HOUR, 110.0)], []))
    places = [float(mark["cx"]) for mark in attributes(shown, "median")]
    assert places == [round(FRAME.x(NOW + later), 1) for later in (30 * MINUTE, HOUR, 4 * HOUR, 8 * HOUR)]
    assert float(attributes(shown, "charted")[0]["cx"]) < FRAME.x(NOW)


def test_an_alert_covers_its_time() -> None:
    (shade,) = attributes(
        drawn(series([], []), episodes=(Episode(raised=NOW - HOUR, ended=None, answered=NOW - MINUTE),)), "episode"
    )
    assert float(shade["x"]) == round(FRAME.x(NOW - HOUR), 1)
    assert abs(float(shade["x"]) + float(shade["width"]) - FRAME.x(NOW)) < 0.11


def test_what_an_alert_says_stands_clear_of_the_risk_and_of_lines() -> None:
    """Baselines of 12 px text: nothing of the risk's panel, and no line of the other mark, is where a text stands."""
    shown = drawn(series([], []), episodes=(Episode(raised=NOW - HOUR, ended=None, answered=NOW - 50 * MINUTE),))
    raised, answered = (float(text["y"]) for text in attributes(shown, "alert-text"))
    raised_line, answered_line = (float(line["y1"]) for line in attributes(shown, "alert-line"))
    risk_top = max(float(ground["y"]) for ground in attributes(shown, "past"))
    assert max(raised, answered) + 3 < risk_top
    assert answered + 3 < raised_line
    assert abs(raised - answered) >= 12
    assert answered_line < answered
    assert (
        float(attributes(drawn(series([], [])), "past")[-1]["y"]) < risk_top
    )  # no room is kept where there is no alert


def test_a_rate_holds_until_the_next_entry_and_stops_at_zero() -> None:
    given_ = [(NOW - 20 * HOUR, 0.1), (NOW - 6 * HOUR, 0.2), (NOW - 2 * HOUR, 0.0)]
    bars = attributes(str(treatment_row(FRAME, 0, 20, NOREPINEPHRINE, given_)), "rate")
    ends = [(float(bar["x"]), float(bar["x"]) + float(bar["width"])) for bar in bars]
    expected = [(LEFT, FRAME.x(NOW - 6 * HOUR)), (FRAME.x(NOW - 6 * HOUR), FRAME.x(NOW - 2 * HOUR))]
    assert np.allclose(ends, expected, atol=0.11)
    assert float(bars[1]["height"]) > float(bars[0]["height"])


def test_hours_are_those_of_the_site() -> None:
    frame = Frame(start=NOW - 12 * HOUR, now=NOW, end=NOW + 8 * HOUR, zone=ZoneInfo("Asia/Kolkata"))
    ticks = list(frame.ticks())
    assert all((tick + 5 * HOUR + 30 * MINUTE) % (2 * HOUR) == 0 for tick in ticks)
    assert len(ticks) == 10
    assert all(LEFT <= frame.x(tick) <= RIGHT for tick in ticks)


def test_a_sparkline_breaks_where_the_model_abstained() -> None:
    trend = [(NOW - number * 15 * MINUTE, None if number == 5 else 0.1) for number in range(12, -1, -1)]
    shown = sparkline(trend, now=NOW, span=8 * HOUR, longest=30 * MINUTE, threshold=0.3)
    (line,) = attributes(str(shown), "risk")
    assert line["d"].count("M") == 2
    assert "No risk in the last 1 d" in sparkline([], now=NOW, span=DAY, longest=HOUR, threshold=None)


def strip(samples: np.ndarray) -> Strip:
    return Strip(channel="ECG", time=NOW, rate_hz=100.0, unit="mV", samples=samples.astype(np.float32))


def test_a_lead_that_is_off_stays_a_gap() -> None:
    samples = np.sin(np.arange(1000) / 9)
    samples[300:400] = np.nan
    (line,) = attributes(str(strip_picture(strip(samples))), "wave")
    assert line["d"].count("M") == 2
    assert len(re.findall(r"[ML]", line["d"])) == 900
    assert strip_words(strip(samples)) == "100 Hz, -1.0 to 1.0 mV, 10 s"


def test_a_strip_without_signal_says_so() -> None:
    assert "no usable signal" in strip_picture(strip(np.full(1000, np.nan)))
    assert "no values" in strip_words(strip(np.full(1000, np.nan)))
    ElementTree.fromstring(str(strip_picture(strip(np.zeros(1000)))))
