"""What ``timeline`` and ``subjects`` say as of an instant, in which form, and which bin widths are taken."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from clinical_jepa.evaluate.checks.script import START, Line, admission, at, batch
from clinical_jepa.records.errors import BadRequest
from clinical_jepa.records.instant import MINUTE, iso
from clinical_jepa.store.events import Store
from clinical_jepa.wiring import inspect, timeline_forms
from clinical_jepa.wiring.settings import Paths, Settings
from tests.wiring.test_verbs import typed


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    lines = [*admission(1), Line(subject=1, time=10, value=80), Line(subject=1, time=70, value=90)]
    store = Store.open(tmp_path / "store", create=True)
    store.append([batch(lines)], mode="history", now=START, prepare=lambda pixels, spacing: np.zeros((64, 64)))
    return Settings(paths=Paths(store=str(tmp_path / "store")))


@pytest.mark.parametrize(("step", "minutes"), [("15m", 15), ("15 min", 15), ("1h", 60)])
def test_a_bin_width_is_any_duration(step: str, minutes: int, settings: Settings) -> None:
    edges = inspect.timeline(settings, "1", step=step, hours=1, as_of=iso(at(60))).edges
    assert set(np.diff(edges).tolist()) == {minutes * MINUTE}


@pytest.fixture
def odd(tmp_path: Path) -> Settings:
    """A store whose subject was first heard of at 08:07:30, about 08:02; later values from 08:22 to 10:10."""
    first = Line(subject=1, time=2, value=1, known=7.5)
    lines = [first, *(Line(subject=1, time=time, value=time) for time in (22, 22.5, 37, 40, 97, 130))]
    store = Store.open(tmp_path / "odd", create=True)
    store.append([batch(lines)], mode="history", now=START, prepare=lambda pixels, spacing: np.zeros((64, 64)))
    return Settings(paths=Paths(store=str(tmp_path / "odd")))


@pytest.mark.parametrize("minute", [30, 37, 52.3, 61, 97, 98, 600, None])
@pytest.mark.parametrize(("hours", "step", "width"), [(1, "15m", 15), (0.6, "15m", 15), (24, "15m", 15), (3, "1h", 60)])
def test_bins_lie_on_the_subjects_one_grid_whatever_is_asked(
    odd: Settings, minute: float | None, hours: float, step: str, width: int
) -> None:
    as_of = None if minute is None else iso(at(minute))
    found = inspect.timeline(odd, "1", step=step, hours=hours, as_of=as_of)
    ends = found.edges[1:].tolist()
    assert {(end - at(7)) % (width * MINUTE) for end in ends} == {0}
    assert len(ends) == math.ceil(hours * 60 / width)
    last = ends[-1]
    if minute is not None:
        assert last <= at(minute) < last + width * MINUTE
    else:
        assert last - width * MINUTE < at(130) <= last


def test_a_bin_says_the_same_whenever_it_is_asked_for(odd: Settings, tmp_path: Path) -> None:
    said: dict[str, set[float]] = {}
    for minute in (97, 100, 103.5, 111):
        asked = (
            "timeline",
            "1",
            "--step",
            "15m",
            "--hours",
            "2",
            "--store",
            tmp_path / "odd",
            "--as-of",
            iso(at(minute)),
        )
        for row in json.loads(typed(*asked, "--json").output)["rows"]:
            said.setdefault(row["until"], set()).add(row["map"])
        typed(*asked, "--out", tmp_path / f"{minute}.parquet")
        ends = pl.read_parquet(tmp_path / f"{minute}.parquet")["until"].dt.minute().unique().to_list()
        assert sorted(ends) == [7, 22, 37, 52]
    told = {"2026-01-05T08:07:00Z": {1.0}, "2026-01-05T08:22:00Z": {22.0}, "2026-01-05T08:37:00Z": {37.0}}
    assert said == told | {"2026-01-05T08:52:00Z": {40.0}, "2026-01-05T09:37:00Z": {97.0}}


def test_a_bin_that_is_not_over_is_said_to_be_left_out(odd: Settings, tmp_path: Path) -> None:
    asked = ("timeline", "1", "--step", "15m", "--store", tmp_path / "odd", "--as-of")
    left_out = "The bin after 2026-01-05T09:37:00Z was not over at 2026-01-05T09:45:00Z: not shown."
    assert typed(*asked, iso(at(105))).output.splitlines()[-1] == left_out
    assert "not over" not in typed(*asked, iso(at(97))).output


@pytest.mark.parametrize("step", ["0m", "15", "-1h", "1 fortnight"])
def test_what_is_no_width_is_refused(step: str, settings: Settings) -> None:
    with pytest.raises(BadRequest, match="--step"):
        inspect.timeline(settings, "1", step=step, hours=1, as_of=iso(at(60)))


def test_bases_are_counted_as_of_the_same_instant_as_the_rows(settings: Settings) -> None:
    (early,), then = inspect.subjects(settings, iso(at(30)))
    (late,), now = inspect.subjects(settings, None)
    assert (early["events"], sum(then.values())) == (3, 3)
    assert (late["events"], sum(now.values())) == (4, 4)


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """A store in which a subject has some hours of several variables, one of a code that is not listed."""
    codes = ("LOINC//8867-4", "LOINC//8478-0", "LOINC//2524-7", "LOCAL//a-name-that-is-very-long-for-a-column")
    lines = [Line(subject=1, time=10 + 60 * number, value=2 + number, code=code) for number, code in enumerate(codes)]
    store = Store.open(tmp_path / "many", create=True)
    whole = batch([*admission(1), *lines])
    store.append([whole], mode="history", now=START, prepare=lambda pixels, spacing: np.zeros((64, 64)))
    return tmp_path / "many"


def test_the_table_fits_the_terminal_and_names_what_does_not(many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "46")
    lines = typed("timeline", "1", "--step", "30m", "--store", many).output.splitlines()
    assert lines[0].split() == ["until", "heart_rate", "map", "lactate"]
    assert lines[1].split() == ["UTC", "/min", "mm[Hg]", "mmol/L"]
    assert max(map(len, lines[:6])) <= 46
    assert [line.split()[-1] for line in lines[3:6]] == ["2", "3", "4"]
    assert lines[6] == ""  # the bin of the fourth alone is not shown
    rest = " ".join(lines[7:])
    assert "1 more were observed: LOCAL//a-name-that-is-very-long-for-a-column" in rest
    assert "--variables LOCAL//a-name-that-is-very-long-for-a-column;" in rest
    monkeypatch.delenv("COLUMNS")  # nor is there a terminal
    assert "LOCAL//" in typed("timeline", "1", "--store", many).output.splitlines()[0]


def test_variables_are_chosen_by_name_or_code_in_every_form(many: Path, tmp_path: Path) -> None:
    chosen = ("timeline", "1", "--variables", "lactate, LOINC//8478-0", "--store", many)
    assert typed(*chosen).output.splitlines()[0].split() == ["until", "lactate", "map"]
    said = json.loads(typed(*chosen, "--json").output)
    assert said["variables"]["lactate"] == {"code": "LOINC//2524-7", "unit": "mmol/L", "label": "Lactate"}
    assert [(row["lactate"], row["map"]) for row in said["rows"]] == [(None, 3.0), (4.0, None)]
    for form, read in ((".csv", pl.read_csv), (".parquet", pl.read_parquet)):
        assert typed(*chosen, "--out", tmp_path / f"out{form}").exit_code == 0
        columns = read(tmp_path / f"out{form}").columns
        assert columns[:3] == ["until", "LOINC//2524-7 (mmol/L)", "LOINC//2524-7 age_us"]
    assert (tmp_path / "out.csv").read_text().splitlines()[1].split(",")[0].endswith(":00Z")


def test_a_variable_of_which_nothing_is_known_is_wrong_use(many: Path) -> None:
    said = typed("timeline", "1", "--variables", "map,creatinine", "--store", many).exception
    assert isinstance(said, BadRequest)
    assert "of 'creatinine' nothing is known of this subject then; there is: heart_rate, map, lactate, LOCAL//" in str(
        said
    )


def test_a_window_in_which_nothing_was_observed_says_so(many: Path, tmp_path: Path) -> None:
    later = ("timeline", "1", "--as-of", "2030-01-01T00:00Z", "--store", many)
    assert "nothing was observed from 2029-12-31T00:00:00Z to 2030-01-01T00:00:00Z" in typed(*later).output
    said = typed(*later, "--out", tmp_path / "none.png").exception
    assert isinstance(said, BadRequest)
    assert not (tmp_path / "none.png").exists()


def test_more_variables_than_a_page_holds_are_told_in_the_picture(many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.axes import Axes

    titles: list[str] = []
    monkeypatch.setattr(Axes, "set_title", lambda axes, text, **_: titles.append(text))
    monkeypatch.setattr(timeline_forms, "_PANELS", 3)
    assert typed("timeline", "1", "--store", many, "--out", many / "t.png").exit_code == 0
    assert (many / "t.png").read_bytes().startswith(b"\x89PNG")
    assert titles[0].endswith("3 of 4 variables: --variables names others")
