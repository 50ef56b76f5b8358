"""Monitor numerics and alarms: codes, units, times, the rule that 0 is no value, and refusals."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import wfdb
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_jepa.records.batch import Rejection
from clinical_jepa.records.events import EVENTS
from clinical_jepa.records.instant import MINUTE, SECOND, to_us
from clinical_jepa.sources.wfdb import annotations, mapping, reader
from clinical_jepa.vocabulary import site
from clinical_jepa.vocabulary.codes import by_code
from clinical_jepa.vocabulary.tables import schemas
from tests.sources.wfdb import builders
from tests.sources.wfdb.builders import NAME, context

START = to_us(datetime(2026, 1, 5, 9, 12, 0, 500_000, tzinfo=UTC))
UNITS = {"HR": "bpm", "PULSE": "bpm", "RESP": "pm", "SpO2": "%"}


def read(path: Path) -> tuple[list[dict], list[Rejection]]:
    batches = list(reader.read(path, context(path.parent)))
    assert all(batch.events.schema == EVENTS for batch in batches)
    rows = pa.concat_tables([batch.events for batch in batches]).to_pylist()
    for row in rows:
        row["time"], row["available_time"] = (
            to_us(row[name].replace(tzinfo=UTC)) for name in ("time", "available_time")
        )
    return rows, [r for batch in batches for r in batch.rejections]


def test_each_value_has_its_code_and_unit_and_is_available_at_the_end_of_its_minute(tmp_path: Path) -> None:
    path = builders.numerics(tmp_path, {"HR": [80.0, 81.5], "RESP": [14.0, 15.0], "SpO2": [97.0, 96.0]}, UNITS)
    rows, rejections = read(path)
    assert rejections == []
    found = sorted((row["code"], (row["time"] - START) // MINUTE, row["numeric_value"], row["unit"]) for row in rows)
    assert found == [
        ("MDC//147842", 0, 80.0, "/min"),
        ("MDC//147842", 1, 81.5, "/min"),
        ("MDC//150456", 0, 97.0, "%"),
        ("MDC//150456", 1, 96.0, "%"),
        ("MDC//151562", 0, 14.0, "/min"),
        ("MDC//151562", 1, 15.0, "/min"),
    ]
    assert {row["available_time"] - row["time"] for row in rows} == {MINUTE}
    assert {row["available_basis"] for row in rows} == {"delay"}
    assert {row["source"] for row in rows} == {"wfdb:numerics"}


def test_zero_and_nan_are_no_value(tmp_path: Path) -> None:
    path = builders.numerics(tmp_path, {"HR": [0.0, np.nan, 70.0, 0.0]}, UNITS)
    rows, rejections = read(path)
    assert [(row["time"] - START) // MINUTE for row in rows] == [2]
    assert rejections == []


def test_zero_is_a_value_where_the_sites_table_does_not_say_that_it_is_none(tmp_path: Path) -> None:
    (tmp_path / "codes").mkdir()
    head = (schemas() / "codes" / "wfdb.csv").read_text().splitlines()[0]
    (tmp_path / "codes" / "wfdb.csv").write_text(f"{head}\nCVP,numeric,MDC//150087,mm[Hg],1,,,\n")
    path = builders.numerics(tmp_path, {"CVP": [0.0, np.nan, 7.0, 0.0], "HR": [0.0, 60.0, 60.0, 60.0]}, UNITS)
    said = {}
    for folder in (None, tmp_path / "codes", None):
        site.use(folder)
        try:
            rows, rejections = read(path)
        finally:
            site.use(None)
        assert rejections == []
        said[folder] = [
            [
                (minute, row["numeric_value"])
                for minute in range(4)
                for row in rows
                if row["code"] == code and row["time"] == START + minute * MINUTE
            ]
            for code in ("MDC//150087", "MDC//147842")
        ]
    heart_rate = [(1, 60.0), (2, 60.0), (3, 60.0)]  # its shipped row holds in any case
    assert said[tmp_path / "codes"] == [[(0, 0.0), (2, 7.0), (3, 0.0)], heart_rate]
    assert said[None] == [[(2, 7.0)], heart_rate]


def test_the_second_signal_for_a_code_fills_where_the_first_has_no_value(tmp_path: Path) -> None:
    rows, _ = read(builders.numerics(tmp_path, {"ARTMean": [71.0, 72.0, 0.0], "ABPMean": [80.0, 0.0, 0.0]}, {}))
    assert [(row["code"], row["numeric_value"]) for row in sorted(rows, key=lambda row: row["time"])] == [
        ("MDC//150035", 80.0),
        ("MDC//150035", 72.0),
    ]


@pytest.mark.fault(source="wfdb", fault="implausible value", ends="that value is refused, the others are kept")
def test_an_implausible_value_is_refused_and_the_others_kept(tmp_path: Path) -> None:
    rows, rejections = read(builders.numerics(tmp_path, {"HR": [80.0, 900.0, 81.0]}, UNITS))
    assert [row["numeric_value"] for row in rows] == [80.0, 81.0]
    assert [(r.reason, r.record) for r in rejections] == [("implausible", f"{NAME}n HR #1")]


@pytest.mark.fault(source="wfdb", fault="unknown signal", ends="refused as unmapped, by name")
def test_a_wrong_unit_and_an_unknown_signal_are_refused(tmp_path: Path) -> None:
    rows, rejections = read(builders.numerics(tmp_path, {"HR": [80.0], "Mystery": [1.0]}, {"HR": "furlong"}))
    assert rows == []
    assert sorted(r.reason for r in rejections) == ["unknown-unit", "unmapped"]


def test_a_rate_rounded_in_the_header_does_not_drift(tmp_path: Path) -> None:
    values = (80 + np.arange(20_000) % 7).astype(float).tolist()  # two weeks
    path = builders.numerics(tmp_path, {"HR": values}, UNITS)
    header = path.read_text().splitlines()
    fields = header[0].split()
    fields[2] = "0.0166666666667/125"
    path.write_text("\n".join([" ".join(fields), *header[1:]]) + "\n")
    rows, rejections = read(path)
    assert rejections == []
    assert [row["time"] for row in rows] == [START + k * MINUTE for k in range(20_000)]


def test_truncated_numerics_are_refused(tmp_path: Path) -> None:
    path = builders.numerics(tmp_path, {"HR": [80.0, 81.0, 82.0]}, UNITS)
    data = path.with_suffix(".dat")
    data.write_bytes(data.read_bytes()[:-2])
    rows, rejections = read(path)
    assert rows == []
    assert [r.reason for r in rejections] == ["unreadable"]


def test_alarms_become_events_at_their_own_moment(tmp_path: Path) -> None:
    path = builders.record(tmp_path)
    notes = ["SpO2 low", "HR > 130", ""]
    wfdb.wrann(NAME, "al", np.array([100, 2000, 3000]), ['"', '"', "!"], aux_note=notes, fs=62.5, write_dir=tmp_path)
    rows, rejections = read(path)
    assert rejections == []
    assert [(row["code"], row["text_value"], (row["time"] - START) / SECOND) for row in rows] == [
        ("ALARM//SPO2_LOW", "SpO2 low", 1.6),
        ("ALARM//HR_130", "HR > 130", 32.0),
        ("ALARM", None, 48.0),
    ]
    assert all(row["available_time"] == row["time"] for row in rows)


@given(
    steps=st.lists(st.integers(0, 5_000_000), min_size=1, max_size=20),
    notes=st.lists(st.text("abc XYZ<>%", max_size=30), min_size=20, max_size=20),
)
@settings(max_examples=30, deadline=None)
def test_annotations_are_those_that_wfdb_wrote(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int], notes: list[str]
) -> None:
    folder, samples = tmp_path_factory.mktemp("al"), np.cumsum(steps)
    texts = [note.strip() for note in notes[: len(steps)]]
    wfdb.wrann("r", "al", samples, ['"'] * len(steps), aux_note=texts, fs=62.5, write_dir=str(folder))
    found = annotations.parse((folder / "r.al").read_bytes())
    assert found == annotations.Annotations(notes=tuple(zip(samples.tolist(), texts, strict=True)), rate_hz=62.5)


def test_an_alarm_a_century_away_is_refused(tmp_path: Path) -> None:
    path = builders.record(tmp_path)
    wfdb.wrann(NAME, "al", np.array([100, 10**12]), ['"', '"'], aux_note=["A", "B"], fs=62.5, write_dir=str(tmp_path))
    rows, rejections = read(path)
    assert [row["code"] for row in rows] == ["ALARM//A"]
    assert [r.reason for r in rejections] == ["invalid"]


@pytest.mark.fault(
    source="wfdb",
    fault="annotations truncated",
    ends="refused as unreadable, the signals and the alarms before are kept",
)
def test_broken_alarm_annotations_are_refused_and_the_signals_kept(tmp_path: Path) -> None:
    path = builders.record(tmp_path)
    path.with_suffix(".al").write_bytes(b"\x01")
    batches = list(reader.read(path, context(tmp_path)))
    assert [r.reason for batch in batches for r in batch.rejections] == ["unreadable"]
    assert any(batch.signals for batch in batches)


def test_alarms_before_the_damage_are_kept_and_the_last_whose_words_may_be_lost_is_not(tmp_path: Path) -> None:
    path = builders.record(tmp_path)
    notes = ["SpO2 low", "HR > 130", "APNEA"]
    wfdb.wrann(NAME, "al", np.array([100, 2000, 3000]), ['"'] * 3, aux_note=notes, fs=62.5, write_dir=str(tmp_path))
    content = path.with_suffix(".al").read_bytes()
    for end in range(2, len(content) - 2):
        path.with_suffix(".al").write_bytes(content[:end])
        rows, rejections = read(path)
        assert [row["code"] for row in rows] == ["ALARM//SPO2_LOW", "ALARM//HR_130"][: len(rows)]
        assert [r.reason for r in rejections] == ["unreadable"]
    path.with_suffix(".al").write_bytes(content)
    assert (len(read(path)[0]), read(path)[1]) == (3, [])


def test_beats_are_counted_and_are_no_events(tmp_path: Path) -> None:
    path = builders.record(tmp_path)
    wfdb.wrann(NAME, "atr", np.array([10, 90, 170]), ["N", "V", "N"], fs=62.5, write_dir=str(tmp_path))
    batches = list(reader.read(path, context(tmp_path)))
    assert sum(batch.events.num_rows for batch in batches) == 0
    assert [batch.ignored for batch in batches if batch.ignored] == [{"annotation .atr": 3}]


def test_every_code_of_the_map_that_we_know_has_the_maps_unit() -> None:
    text = (schemas() / "codes" / "wfdb.csv").read_text().splitlines()[1:]
    for line in text:
        name, kind, *_ = line.split(",")
        found = mapping.target("numeric" if kind == "numeric" else "signal", name)
        assert found is not None
        known = by_code().get(found.target)
        if known is not None:
            assert known.unit == found.unit


@pytest.mark.parametrize(("unit", "ucum"), [("mmHg", "mm[Hg]"), ("bpm", "/min"), ("mV", "mV"), (None, None)])
def test_wfdb_units_are_spelled_in_ucum(unit: str | None, ucum: str | None) -> None:
    assert mapping.ucum(unit) == ucum


@pytest.mark.parametrize("delay", [0, 7 * SECOND, None])
def test_values_without_an_object_of_their_own_are_the_same_rows(
    delay: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: every value through ``Rows.add``, ids included."""
    from dataclasses import replace

    from clinical_jepa.sources.wfdb import numerics

    signals = {"HR": [80.0, np.nan, 900.0, 81.5], "SpO2": [97.0, 0.0, 96.0, 5.0], "RESP": [14.0, 15.5, 16.0, 17.0]}
    path = builders.numerics(tmp_path, signals, UNITS)
    site = context(tmp_path)
    site = replace(site, delays={**site.delays, "monitor": delay})

    def whole() -> tuple[pa.Table, list[Rejection]]:
        batches = list(reader.read(path, site))
        return pa.concat_tables([batch.events for batch in batches]), [r for b in batches for r in b.rejections]

    quick, refused = whole()
    monkeypatch.setattr(numerics, "_plausible", lambda code, unit, values: ([False] * len(values), values.tolist()))
    careful, refused_too = whole()
    assert quick.sort_by("event_id").equals(careful.sort_by("event_id"))
    assert quick.num_rows > 6
    assert refused == refused_too
