"""SampledData as waveforms: the standard's formula, pieces of a minute, and every reason to refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clinical_jepa.records.instant import MINUTE, SECOND, iso
from tests.sources.fhir.builders import observation, only, quantity, read, refusals, write

MDC = "urn:oid:2.16.840.1.113883.6.24"


def ecg(code: str = "131330", fields: dict[str, Any] | None = None, **sampled: Any) -> dict[str, Any]:
    data = {"origin": quantity(-1, "mV"), "period": 4, "factor": 0.5, "dimensions": 1, "data": "0 2 E 4"} | sampled
    whole = {"valueQuantity": None, "code": None, "valueSampledData": data} | (fields or {})
    return observation(**whole) | {"code": {"coding": [{"system": MDC, "code": code}]}}


def test_a_value_is_sample_times_factor_plus_origin(tmp_path: Path) -> None:
    batch = read(write(tmp_path, "Observation.ndjson", ecg()))
    (piece,) = batch.signals
    assert batch.events.num_rows == 0
    assert (piece.channel, piece.unit, piece.rate_hz) == ("ECG", "mV", 250.0)
    np.testing.assert_array_equal(piece.samples, np.float32([-1, 0, np.nan, 1]))
    assert (piece.quality, piece.quality_reason) == (0.75, "missing")
    assert (iso(piece.time), iso(piece.available_time)) == ("2026-01-05T09:00:00Z", "2026-01-05T09:05:00Z")


def test_the_one_event_of_a_timing_is_when_it_began(tmp_path: Path) -> None:
    timing = {"event": ["2026-01-05T08:30:00Z"]}
    timed = ecg(fields={"effectiveDateTime": None, "effectiveTiming": timing})
    (piece,) = read(write(tmp_path, "Observation.ndjson", timed)).signals
    assert iso(piece.time) == "2026-01-05T08:30:00Z"


def test_a_long_one_comes_in_minutes_each_known_at_its_own_end(tmp_path: Path) -> None:
    samples = " ".join(str(number % 7) for number in range(150))
    batch = read(write(tmp_path, "Observation.ndjson", ecg(period=1000, data=samples, fields={"issued": None})))
    assert [piece.samples.size for piece in batch.signals] == [60, 60, 30]
    for piece in batch.signals:
        assert piece.available_time == piece.time + piece.samples.size * SECOND <= piece.time + MINUTE
    joined = np.concatenate([piece.samples for piece in batch.signals])
    np.testing.assert_allclose(joined, np.arange(150) % 7 * 0.5 - 1)


@pytest.mark.parametrize(
    ("sampled", "reason"),
    [
        ({"data": "abc def"}, "invalid"),
        ({"data": ""}, "invalid"),
        ({"data": "1 nan 2"}, "invalid"),
        ({"data": "1 inf"}, "invalid"),
        ({"origin": {"value": 0}}, "no-unit"),
        ({"origin": quantity(0, "mm[Hg]")}, "unknown-unit"),
        ({"period": 0}, "unknown-unit"),
        ({"upperLimit": 0.5}, "implausible"),
        ({"data": "1e999"}, "implausible"),
        ({"factor": "0.5"}, "invalid"),
    ],
)
def test_what_is_not_certain_is_refused(sampled: dict[str, Any], reason: str, tmp_path: Path) -> None:
    batch = read(write(tmp_path, "Observation.ndjson", ecg(**sampled)))
    assert refusals(batch) == [(reason, "line 1")]
    assert batch.signals == ()


def test_a_day_is_no_first_sample(tmp_path: Path) -> None:
    batch = read(write(tmp_path, "Observation.ndjson", ecg(fields={"effectiveDateTime": "2026-01-05"})))
    assert only(batch).reason == "no-time"


def test_a_withdrawal_that_does_not_say_when_is_refused(tmp_path: Path) -> None:
    batch = read(write(tmp_path, "Observation.ndjson", ecg(fields={"status": "cancelled", "issued": None})))
    assert only(batch).reason == "no-time"
    assert batch.retractions == ()


@pytest.mark.parametrize(
    ("one", "kind"),
    [
        (ecg("1"), "Observation.valueSampledData of an unlisted channel"),
        (ecg(data="E L U"), "Observation.valueSampledData without a value"),
        (ecg(dimensions=3), "Observation.valueSampledData of several dimensions, uneven or coded"),
        (ecg(fields={"status": "cancelled"}), "Observation.valueSampledData withdrawn"),
    ],
)
def test_what_is_no_signal_here_is_counted(one: dict[str, Any], kind: str, tmp_path: Path) -> None:
    batch = read(write(tmp_path, "Observation.ndjson", one))
    assert (batch.ignored, batch.signals, batch.rejections) == ({kind: 1}, (), ())


@pytest.mark.data
def test_the_standard_s_own_example_states_no_unit_and_breaks_its_own_limits(data: Path, tmp_path: Path) -> None:
    import orjson

    body = orjson.loads((data / "fhir_hl7_examples" / "observation-example-sample-data.json").read_bytes())
    assert {reason for reason, _ in refusals(read(write(tmp_path, "Observation.ndjson", body)))} == {"no-unit"}
    for part in body["component"]:
        part["valueSampledData"]["origin"] = quantity(2048, "mV")
    batch = read(write(tmp_path, "Observation.ndjson", body))
    assert [reason for reason, _ in refusals(batch)] == ["implausible"] * 3
    for part in body["component"]:  # what was meant: (sample - 2048) x 1.612
        part["valueSampledData"]["origin"] = quantity(-2048 * 1.612, "mV")
    pieces = read(write(tmp_path, "Observation.ndjson", body)).signals
    assert [piece.channel for piece in pieces] == ["ECG//I", "ECG", "ECG//III"]
    assert [round(float(part)) for part in (pieces[0].samples.min(), pieces[0].samples.max())] == [-264, 190]
