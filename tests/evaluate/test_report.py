"""The page stands alone, escapes what it shows, says what is simulated, and draws what it was given."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from clinical_jepa.evaluate import drawing, figures, story
from clinical_jepa.evaluate.contents import Episode, KnownWhen, Lane, ReportContents, Story, Trace
from clinical_jepa.evaluate.report import burden_rows, write_report
from clinical_jepa.evaluate.scoring import Leaderboard, Reliable, Row
from clinical_jepa.forecast.alert_counting import Burden
from clinical_jepa.forecast.bootstrap import Interval
from clinical_jepa.records.alerts import AlertState, Cause, Transition
from clinical_jepa.records.forecasts import Band, Forecast, Reason
from clinical_jepa.records.instant import HOUR, MINUTE
from clinical_jepa.records.views import Strip
from tests.training.small_store import START, build

HOURS = START + np.arange(12) * HOUR


def interval(value: float) -> Interval:
    return Interval(value=value, low=value - 0.05, high=value + 0.05, replicates=100, one_class=0)


def row(name: str, value: float, behind: float | None) -> Row:
    gap = None if behind is None else interval(behind)
    return Row(
        name=name,
        auroc=interval(value),
        auprc=interval(value / 2),
        brier=interval(0.1),
        brier_skill=0.1,
        ece=0.02,
        in_the_large=0.0,
        slope=1.0,
        intercept=0.0,
        auroc_behind=gap,
        auprc_behind=gap,
    )


BOARD = Leaderboard(
    rows=(row("model", 0.85, None), row("clock only", 0.55, 0.3)),
    reliability=tuple(Reliable(predicted=p, observed=p, low=p / 2, high=2 * p, count=10) for p in (0.02, 0.1, 0.3)),
    subjects=40,
    subjects_with_event=12,
    anchors=900,
    positives=60,
    prevalence=60 / 900,
    news2_missing=0.5,
    draws=100,
)
BURDEN = Burden(
    patients=40,
    events=12,
    caught=9,
    alerts=30,
    true_alerts=9,
    false_alerts=20,
    undecided=1,
    patient_days=50.0,
    leads=(0.5, 2.0, 7.5),
)


def trace(label: str, unit: str, low: float) -> Trace:
    return Trace(label=label, unit=unit, time=HOURS, value=low + np.arange(12.0))


STORY = Story(
    name="<script>alert(1)</script>",
    start=START,
    end=START + 12 * HOUR,
    vitals=(trace("Heart rate", "/min", 70), trace("Mean pressure", "mmHg", 65)),
    labs=(trace("Lactate", "mmol/L", 1),),
    treatments=(trace("Inspired oxygen", "%", 21),),
    risk_time=HOURS,
    risk=np.column_stack([np.linspace(0, 0.2, 12), np.linspace(0.1, 0.4, 12), np.linspace(0.2, 0.6, 12)]),
    threshold=0.3,
    alerts=(Episode(raised=START + 8 * HOUR, ended=None, why="Lactate"),),
    onsets=((START + 11 * HOUR, "low mean pressure"),),
    forecast_at=START + 8 * HOUR,
    bands=tuple(Band(code="LOINC//8867-4", at=START + h * HOUR, low=70, median=80, high=90) for h in (9, 12)),
    strips=(Strip(channel="ECG", time=START, rate_hz=125.0, unit="mV", samples=np.sin(np.arange(7500) / 20)),),
    image=np.eye(64, dtype=np.float32),
    image_time=START + HOUR,
    image_times=(START + HOUR,),
)
KNOWN = KnownWhen(
    as_of=START + 6 * HOUR,
    start=START,
    end=START + 12 * HOUR,
    lanes=(Lane(label="Laboratory", time=HOURS, available=HOURS + 90 * MINUTE),),
)
WHOLE = ReportContents(
    title="A ward",
    made_at="2026-01-07",
    simulated=True,
    summary=[("Subjects", "440")],
    board=BOARD,
    burden=BURDEN,
    story=STORY,
    known_when=KNOWN,
)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return write_report(tmp_path_factory.mktemp("report") / "report.html", WHOLE).read_text(encoding="utf-8")


def test_nothing_is_fetched_and_nothing_runs(page):
    outside = [url for url in re.findall(r"https?://[^\s\"'<>)]+", page) if "www.w3.org" not in url]
    assert outside == []
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "default-src 'none'" in page
    assert not re.findall(r"(?:src|href)=\"(?!#|data:)", page)


def test_what_is_simulated_is_said_and_only_then(page, tmp_path):
    assert "Simulated patients" in page
    real = ReportContents(title="A ward", made_at="now", simulated=False, summary=[])
    bare = write_report(tmp_path / "bare.html", real).read_text(encoding="utf-8")
    assert "Simulated" not in bare
    assert "<svg" not in bare


def test_every_section_is_there(page):
    assert page.count("<svg") == 7
    for words in ("How well the risk ranks", "followed by an event in 20", "What was known when", "Latest image"):
        assert words in page
    assert "clock only" in page
    assert "first reason: Lactate" in page


def test_the_letters_of_figures_are_about_as_large_as_those_of_the_page(page):
    """Figures are stretched to the page's width, their letters with them: 15 px is the page's own size."""
    wide, paired = (16 * float(rem) for rem in re.findall(r"svg {[^}]* max-width: ([0-9.]+)rem", page)[:2])
    natural = [float(points) * 96 / 72 for points in re.findall(r'<svg[^>]* width="([0-9.]+)pt"', page)]
    letters = 9.0 * 96 / 72
    stretched = [letters * (wide if width > 700 else paired) / width for width in natural if width > 300]
    assert len(stretched) == 6  # all but the radiograph
    assert max(stretched) <= 15.0


def test_figures_are_well_formed_follow_the_page_and_keep_their_ids_apart(page):
    found = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    ids: list[str] = []
    for svg in found:
        root = ElementTree.fromstring(svg)
        mine = [node.get("id") for node in root.iter() if node.get("id")]
        used = re.findall(r"url\(#([^)]+)\)|xlink:href=\"#([^\"]+)\"", svg)
        assert {a or b for a, b in used} <= set(mine)
        ids += mine
        assert "currentColor" in svg or "<image" in svg
        assert drawing.INK not in svg
    assert len(ids) == len(set(ids))


def test_a_figure_is_the_same_each_time():
    assert figures.known_when(KNOWN) == figures.known_when(KNOWN)


def test_missed_events_stand_beside_the_caught_ones():
    rows = dict(burden_rows(BURDEN))
    assert rows["caught by an alert"] == "9 (75 %)"
    assert rows["missed"] == "3"
    assert rows["per patient-day of asking"] == "0.60"
    nothing = Burden(
        patients=0, events=0, caught=0, alerts=0, true_alerts=0, false_alerts=0, undecided=0, patient_days=0.0, leads=()
    )
    assert dict(burden_rows(nothing))["per patient-day of asking"] == "–"


def test_episodes_are_read_from_transitions():
    def change(at, before, after, cause):
        return Transition(
            alert_id="a", subject_id=1, at=at, before=before, after=after, cause=cause, actor=None, risk=0.4
        )

    raised = change(START, None, AlertState.RAISED, Cause.RISK_ABOVE_THRESHOLD)
    resolved = change(START + HOUR, AlertState.RAISED, AlertState.RESOLVED, Cause.RISK_BELOW_CLEARING)
    reason = Reason(code="LOINC//2524-7", value=3.0, age=HOUR, weight=1.0)
    said = Forecast(
        subject_id=1,
        at=START,
        task="t",
        risk=0.4,
        risk_low=0.3,
        risk_high=0.5,
        bands=(),
        valid_until=START + HOUR,
        reasons=(reason,),
        model_id="m",
        policy_id="p",
    )
    assert story.episodes([resolved, raised], [said]) == (Episode(raised=START, ended=START + HOUR, why="Lactate"),)
    assert story.episodes([raised]) == (Episode(raised=START, ended=None, why=""),)


def test_lanes_come_from_the_store_and_keep_the_lag(tmp_path):
    store = build(tmp_path / "store", subjects=3)
    known = story.known_when(store, 1, as_of=START + 6 * HOUR)
    (lane,) = known.lanes
    assert lane.label == "Vital signs"
    assert (lane.available - lane.time == 5 * MINUTE).all()
    assert lane.time.min() >= known.start
    assert lane.time.max() <= known.end
