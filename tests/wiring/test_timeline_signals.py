"""What a window of a store says beside its bins: the newest image and its age, and signals at their own rates."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from clinical_jepa.evaluate.checks.script import at
from clinical_jepa.records.batch import Identity, SignalPiece, SourceBatch
from clinical_jepa.records.errors import BadRequest
from clinical_jepa.records.events import EVENTS
from clinical_jepa.records.instant import iso
from clinical_jepa.records.views import Window
from clinical_jepa.wiring import inspect, timeline_signals
from clinical_jepa.wiring.settings import Paths, Settings
from tests.store import builders
from tests.wiring.test_verbs import typed

NOTHING = EVENTS.empty_table()
EIGHT = datetime(2026, 1, 5, 8, tzinfo=UTC)
PIECES = {"ABP": range(60, 66), "ECG": range(60, 70), "RESP": (63, 63.5)}
SECONDS = {"ABP": 60, "ECG": 60, "RESP": 30}  # of a piece
RATES = {"ABP": 62.5, "ECG": 250.0, "RESP": 20.0}


def wave(channel: str, minute: float) -> np.ndarray:
    """A piece of a channel at its own rate; no two alike, one value missing."""
    samples = np.arange(SECONDS[channel] * RATES[channel], dtype=np.float32) + 1000 * minute + len(channel)
    samples[7] = np.nan
    return samples


def end(channel: str, minute: float) -> int:
    return at(minute + SECONDS[channel] / 60)


def piece(channel: str, minute: float) -> SignalPiece:
    """What was measured from a minute after START on, known at its end."""
    made = builders.piece(f"{channel} {minute}", wave(channel, minute), time=at(minute))
    unit = {"ABP": "mm[Hg]", "ECG": "mV", "RESP": "Ohm"}[channel]
    return replace(made, channel=channel, rate_hz=RATES[channel], unit=unit, available_time=end(channel, minute))


def image(name: str, value: float, minute: float, known: float, **more: object) -> SourceBatch:
    """A picture of one grey; the values of ``more`` as in ``ImageItem``."""
    pixels = np.full((2, 3), value, np.float32)
    made = builders.picture(name, pixels, time=at(minute), available_time=at(known), record_id=f"of {name}", **more)
    return SourceBatch(events=NOTHING, images=(made,))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ECG for ten minutes, ABP for six, RESP for one in two pieces; four images, one corrected and one withdrawn."""
    known = Identity(subject_id=1, namespace="script", identifier="1")
    folder = tmp_path_factory.mktemp("beside") / "store"
    pieces = tuple(piece(channel, minute) for channel, minutes in PIECES.items() for minute in minutes)
    builders.stored(
        folder,
        image("second", 0.2, 60, 90),
        image("first", 0.1, 10, 20),
        SourceBatch(events=NOTHING, signals=pieces, identities=(known,)),
        image("second, corrected", 0.25, 65, 150, fact_id="second", status="corrected"),
        image("an old one that came late", 0.3, 40, 180),
        image("third", 0.4, 210, 220),
        SourceBatch(events=NOTHING, retractions=(builders.withdrawn("of third", at(270)),)),
    )
    return folder


def shown(store: Path, minute: float, **more: object) -> Window:
    asked = {"step": "15m", "hours": 1, "as_of": iso(at(minute))} | more
    return inspect.timeline(Settings(paths=Paths(store=str(store))), "1", **asked)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("as_of", "value", "taken"),
    [
        (20, 0.1, 10),
        (89.9, 0.1, 10),
        (90, 0.2, 60),
        (149, 0.2, 60),
        (150, 0.25, 65),  # corrected
        (200, 0.25, 65),  # an older picture came: it is not the newest
        (219, 0.25, 65),
        (220, 0.4, 210),
        (269, 0.4, 210),
        (270, 0.25, 65),  # the newest was withdrawn
    ],
)
def test_the_image_is_the_newest_that_was_known_and_still_held(
    store: Path, as_of: float, value: float, taken: float
) -> None:
    found = shown(store, as_of)
    assert found.image is not None
    assert np.array_equal(found.image, np.full((2, 3), value, np.float32))
    assert (found.image_time, found.image_age) == (at(taken), at(as_of) - at(taken))
    told = json.loads(typed("timeline", "1", "--store", store, "--as-of", iso(at(as_of)), "--json").output)
    assert told["image"] == {"time": iso(at(taken)), "age_s": 60 * (as_of - taken)}
    text = typed("timeline", "1", "--store", store, "--as-of", iso(at(as_of))).output
    assert f"Newest image: {iso(at(taken))}, {int(as_of - taken)} min old." in text


@pytest.mark.parametrize(
    ("as_of", "newest"),
    [
        (61, {"ABP": 60, "ECG": 60}),
        (63.5, {"ABP": 62, "ECG": 62, "RESP": 63}),
        (64, {"ABP": 63, "ECG": 63, "RESP": 63.5}),
        (65, {"ABP": 64, "ECG": 64}),
        (500, {"ECG": 69}),
    ],
)
def test_a_window_holds_the_newest_piece_of_each_channel_of_the_newest_minute(
    store: Path, as_of: float, newest: dict[str, float]
) -> None:
    strips = shown(store, as_of).strips
    assert {strip.channel: strip.time for strip in strips} == {name: at(minute) for name, minute in newest.items()}
    for strip in strips:
        assert strip.rate_hz == RATES[strip.channel]
        assert strip.unit == piece(strip.channel, 0).unit
        assert np.array_equal(strip.samples, wave(strip.channel, newest[strip.channel]), equal_nan=True)


def test_json_and_table_name_the_newest_signals(store: Path) -> None:
    asked = ("timeline", "1", "--store", store, "--as-of", iso(at(65)))
    assert json.loads(typed(*asked, "--json").output)["signals"] == [
        {"channel": "ABP", "time": iso(at(64)), "rate_hz": 62.5, "unit": "mm[Hg]", "samples": 3750},
        {"channel": "ECG", "time": iso(at(64)), "rate_hz": 250.0, "unit": "mV", "samples": 15000},
    ]
    assert "Newest signals: ABP 62.5 Hz, ECG 250 Hz." in typed(*asked).output


@pytest.mark.parametrize(
    ("as_of", "hours", "count"), [(65, 1, 12), (70, 1, 18), (70, 1 / 12, 6), (74, 1 / 12, 6), (75, 1, 18)]
)
def test_signals_of_a_window_are_written_piece_by_piece_at_their_own_rates(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_of: int, hours: float, count: int
) -> None:
    """The subject was first known at 08:20, so that bins end at 09:05 and 09:10; windows side by side share no piece."""
    monkeypatch.setattr(timeline_signals, "_AT_ONCE", 5)
    out = tmp_path / "signals.parquet"
    asked = ("--step", "5m", "--hours", hours, "--as-of", iso(at(as_of)), "--signals", out)
    said = typed("timeline", "1", "--store", store, *asked)
    assert said.exit_code == 0, said.output
    first, last = shown(store, as_of, step="5m", hours=hours).edges[[0, -1]].tolist()
    expected = [(name, one) for name, minutes in PIECES.items() for one in minutes if first < end(name, one) <= last]
    rows = pl.read_parquet(out).to_dicts()
    assert [(row["channel"], (row["time"] - EIGHT) / timedelta(minutes=1)) for row in rows] == expected
    assert len(rows) == count
    for row, (channel, minute) in zip(rows, expected, strict=True):
        assert row["end_time"] - row["time"] == timedelta(seconds=SECONDS[channel])
        assert row["available_time"] == row["end_time"]
        assert (row["rate_hz"], row["unit"], row["quality"]) == (RATES[channel], piece(channel, 0).unit, 1.0)
        assert np.array_equal(np.float32(row["samples"]), wave(channel, minute), equal_nan=True)


def test_a_window_without_signals_and_another_ending_are_wrong_use(store: Path, tmp_path: Path) -> None:
    for as_of, name, why in (
        (300, "s.parquet", "no piece of a signal ends from"),
        (65, "s.npz", ".npz is not .parquet"),
    ):
        out = tmp_path / name
        said = typed("timeline", "1", "--store", store, "--hours", 1, "--as-of", iso(at(as_of)), "--signals", out)
        assert isinstance(said.exception, BadRequest)
        assert why in str(said.exception)
        assert not out.exists()
