"""The ward clock: one answer for every process, never backwards."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from clinical_jepa.monitor.clock import ANCHOR, Setting, WardClock, open_clock, parse
from clinical_jepa.records.errors import BadRequest, BrokenStore
from clinical_jepa.records.instant import HOUR, MINUTE, SECOND

START = 1_767_600_000_000_000  # 2026-01-05T08:00Z


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("wall", None),
        ("2026-01-05T08:00Z", Setting(start=START, speed=1)),
        ("2026-01-05T08:00Zx60", Setting(start=START, speed=60)),
        ("2026-01-05T09:00:00+01:00x0.5", Setting(start=START, speed=0.5)),
    ],
)
def test_a_clock_as_written(text: str, expected: Setting | None) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    "text", ["", "now", "2026-01-05T08:00", "2026-01-05T08:00Zx", "2026-01-05T08:00Zx0", "2026-13-05T08:00Z"]
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadRequest, match=r"2026-01-05T08:00Zx60|above 0"):
        parse(text)


def test_ward_time_runs_at_its_speed_from_its_start(tmp_path: Path) -> None:
    wall = [1000 * SECOND]
    clock = open_clock("2026-01-05T08:00Zx60", tmp_path, wall=lambda: wall[0])
    assert clock.now() == START
    wall[0] += 30 * SECOND
    assert clock.now() == START + 30 * MINUTE
    assert clock.wall_seconds_until(START + HOUR) == pytest.approx(30)
    assert clock.wall_seconds_until(START) == 0
    assert (clock.simulated, clock.speed) == (True, 60)
    assert clock.description == "simulated clock from 2026-01-05T08:00:00Z at 60 × speed"


def test_a_second_process_reads_the_same_time(tmp_path: Path) -> None:
    clock = open_clock("2026-01-05T08:00Zx60", tmp_path)
    program = (
        "import sys; from pathlib import Path; from clinical_jepa.monitor.clock import open_clock\n"
        "print(open_clock('2026-01-05T08:00Zx60', Path(sys.argv[1])).now())"
    )
    before = clock.now()
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    assert before < int(done.stdout) < clock.now()


def test_another_clock_on_the_same_ward_is_refused(tmp_path: Path) -> None:
    open_clock("2026-01-05T08:00Zx60", tmp_path)
    with pytest.raises(BadRequest, match=ANCHOR):
        open_clock("2026-01-05T08:00Zx30", tmp_path)
    assert not open_clock("wall", tmp_path).simulated


def test_a_spoiled_anchor_is_said_so(tmp_path: Path) -> None:
    (tmp_path / ANCHOR).write_text("{}")
    with pytest.raises(BrokenStore, match="anchor"):
        open_clock("2026-01-05T08:00Z", tmp_path)


def test_a_wall_clock_that_is_set_back_does_not_take_the_ward_back() -> None:
    wall = [100 * SECOND]
    clock = WardClock(wall=lambda: wall[0])
    assert clock.now() == 100 * SECOND
    wall[0] = 40 * SECOND
    assert clock.now() == 100 * SECOND
    wall[0] = 101 * SECOND
    assert clock.now() == 101 * SECOND
    assert (clock.description, clock.simulated) == ("wall time", False)
