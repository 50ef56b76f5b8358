"""Charted against monitor heart rate: the matching rule by hand, on the real files, and the picture."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from clinical_jepa.evaluate.checks.agreement import (
    CHARTED,
    MONITOR,
    Agreement,
    agreement,
    heart_rate_agreement,
    plot_agreement,
)
from clinical_jepa.ingest import ingest
from clinical_jepa.records.instant import END, MINUTE, SECOND, iso, to_us
from clinical_jepa.simulate.ward import simulate
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.rows import Fact, Origin, Rows
from clinical_jepa.sources.wfdb import reader
from clinical_jepa.store.events import Store

NINE = to_us(datetime(2026, 1, 5, 9, tzinfo=UTC))


def events(*rows: tuple[str, int, float], subject: int = 7) -> pa.Table:
    out = Rows()
    for number, (code, time, value) in enumerate(rows):
        fact = Fact(
            key=str(number),
            subject_id=subject,
            code=code,
            time=time,
            available_time=time,
            available_basis="assumed",
            value=value,
            unit="/min",
        )
        assert out.add(fact, Origin(source="test", file="", record=""))
    return out.table()


def found(result: Agreement) -> list[tuple[str, float, float]]:
    rows = result.pairs.to_pylist()
    return [(iso(to_us(row["time"].replace(tzinfo=UTC))), row["charted"], row["monitor"]) for row in rows]


@pytest.mark.parametrize(
    ("charted", "monitor"),
    [
        (NINE, None),  # the minute (9:00, 9:01] does not hold 9:00
        (NINE + 1, 80.0),
        (NINE + 30 * SECOND, 80.0),
        (NINE + MINUTE, 80.0),
        (NINE + MINUTE + 1, 90.0),
        (NINE + 2 * MINUTE, 90.0),
        (NINE + 2 * MINUTE + 1, None),
    ],
)
def test_a_charted_value_is_matched_with_the_minute_that_holds_it(charted: int, monitor: float | None) -> None:
    table = events((MONITOR, NINE + MINUTE, 90.0), (MONITOR, NINE, 80.0), (CHARTED, charted, 81.0))
    result = agreement([table])
    assert [pair[2] for pair in found(result)] == ([] if monitor is None else [monitor])
    assert result.charted == 1


def test_counts_over_subjects() -> None:
    first = events((MONITOR, NINE, 80.0), (CHARTED, NINE + MINUTE, 85.0), (CHARTED, NINE + 9 * MINUTE, 85.0))
    second = events((MONITOR, NINE, 80.0), (CHARTED, NINE + MINUTE, 85.1), subject=8)
    result = agreement([first, second, events()])
    assert (result.charted, result.matched, result.within) == (3, 2, 1)
    assert result.sentence().startswith("1 of 2 matched minutes agree within 5 bpm (1 of 3 charted")


def test_a_shift_of_an_hour_is_seen() -> None:
    """A planted fault: one source read in the wrong zone. Nothing matches, or what matches disagrees."""
    monitor = [(MONITOR, NINE + minute * MINUTE, 60.0 + minute % 60) for minute in range(180)]
    charted = [(CHARTED, NINE + (minute + 1) * MINUTE, 60.0 + minute % 60) for minute in range(60, 120, 10)]
    assert agreement([events(*monitor, *charted)]).within == 6
    late = [(code, time + 25 * MINUTE, value) for code, time, value in charted]
    result = agreement([events(*monitor, *late)])
    assert (result.matched, result.within) == (6, 0)


def test_no_data_is_no_match_and_no_crash(tmp_path: Path) -> None:
    result = agreement([])
    assert (result.matched, result.within) == (0, 0)
    assert plot_agreement(result, tmp_path / "empty.png").stat().st_size > 1000


def test_the_picture_is_written(tmp_path: Path) -> None:
    rows = [(MONITOR, NINE + k * MINUTE, 70.0 + k % 30) for k in range(100)]
    rows += [(CHARTED, NINE + (k + 1) * MINUTE, 70.0 + k % 30 + k % 4) for k in range(0, 100, 2)]
    path = plot_agreement(agreement([events(*rows)]), tmp_path / "agreement.png")
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.data
def test_the_three_known_matches_of_the_real_files_agree(data: Path, tmp_path: Path) -> None:
    waveforms = data / "mimic3_waveforms"
    tables = []
    for subject, name in (("10013", "p010013-2125-10-04-23-37n"), ("10061", "p010061-2107-01-20-12-33n")):
        context = ReadContext(root=waveforms, namespace="mimic3")
        batches = list(reader.read(waveforms / "derived_wfdb" / f"{name}.hea", context))
        charted = [(CHARTED, time, value) for number, time, value in charted_rows(waveforms) if number == subject]
        tables.append(pa.concat_tables([*(batch.events for batch in batches), events(*charted)]))
    result = agreement(tables)
    assert found(result) == [
        ("2125-10-05T00:00:00Z", 96.0, pytest.approx(96.2, abs=1e-4)),
        ("2107-01-20T13:00:00Z", 106.0, pytest.approx(106.5, abs=1e-4)),
        ("2107-01-20T14:00:00Z", 107.0, pytest.approx(108.5, abs=1e-4)),
    ]
    assert (result.matched, result.within) == (3, 3)
    plot_agreement(result, tmp_path / "real.png")


def charted_rows(waveforms: Path) -> list[tuple[str, int, float]]:
    with (waveforms / "charted_extract.csv").open(newline="") as file:
        return [
            (
                row["subject_id"],
                to_us(datetime.fromisoformat(row["charttime"]).replace(tzinfo=UTC)),
                float(row["valuenum"]),
            )
            for row in csv.DictReader(file)
            if row["itemid"] in ("211", "220045")
        ]


@pytest.mark.data
@pytest.mark.slow
def test_the_three_matches_are_found_in_a_store_of_the_real_tables_and_records(data: Path, tmp_path: Path) -> None:
    store = stored(tmp_path, [data / "mimic3_demo", data / "mimic3_waveforms" / "derived_wfdb"], namespace="mimic3")
    result = heart_rate_agreement(store, [store.identify("10013"), store.identify("10061")])
    assert [pair[1] for pair in found(result)] == [96.0, 106.0, 107.0]
    assert (result.matched, result.within) == (3, 3)


@pytest.mark.slow
def test_at_least_a_hundred_minutes_of_a_simulated_ward_agree(tmp_path: Path) -> None:
    simulate(tmp_path / "sim", subjects=6, hours=24, seed=7)
    store = stored(tmp_path, [tmp_path / "sim" / "ward"])
    result = heart_rate_agreement(store, store.subjects(END)["subject_id"].to_pylist())
    assert result.matched >= 100
    assert result.within == result.matched


def stored(folder: Path, paths: list[Path], **options: str) -> Store:
    store = Store.open(folder / "store", create=True)
    context = ReadContext(root=folder, **options)  # type: ignore[arg-type]
    blank = np.zeros((64, 64), np.float32)  # the pictures are not looked at
    ingest(paths, store, mode="history", now=lambda: 0, context=context, prepare=lambda pixels, spacing: blank)
    return store
