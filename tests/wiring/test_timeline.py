"""What ``timeline`` and ``subjects`` say as of an instant, and which bin widths are taken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from clinical_jepa.evaluate.checks.script import START, Line, admission, at, batch
from clinical_jepa.records.errors import BadRequest
from clinical_jepa.records.instant import MINUTE, iso
from clinical_jepa.store.events import Store
from clinical_jepa.wiring import inspect
from clinical_jepa.wiring.settings import Paths, Settings


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


@pytest.mark.parametrize("step", ["0m", "15", "-1h", "1 fortnight"])
def test_what_is_no_width_is_refused(step: str, settings: Settings) -> None:
    with pytest.raises(BadRequest, match="--step"):
        inspect.timeline(settings, "1", step=step, hours=1, as_of=iso(at(60)))


def test_bases_are_counted_as_of_the_same_instant_as_the_rows(settings: Settings) -> None:
    (early,), then = inspect.subjects(settings, iso(at(30)))
    (late,), now = inspect.subjects(settings, None)
    assert (early["events"], sum(then.values())) == (3, 3)
    assert (late["events"], sum(now.values())) == (4, 4)
