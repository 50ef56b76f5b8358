"""Waveforms of IHE's device profile, and the OBX segments that only describe a device."""

from __future__ import annotations

import numpy as np
import pytest

from clinical_jepa.records.instant import SECOND, iso
from tests.sources.hl7v2.builders import HEART_RATE, PID, facts, message, obx, read

OBR = "OBR|1|1^GW|7^GW|0^WAVEFORM|||20260105090000.250+0000|20260105090001.250+0000"
RATE = "OBX|2|NM|0^MDC_ATTR_SAMP_RATE^MDC|1.1.1.1.1|{}|264608^MDC_DIM_PER_SEC^MDC|||||F"
RANGE = "OBX|3|NR|0^MDC_ATTR_DATA_RANGE^MDC|1.1.1.1.2|-5^10|266418^MDC_DIM_MILLI_VOLT^MDC|||||F"
LEAD_II = "131330^MDC_ECG_ELEC_POTL_II^MDC"
MILLIVOLT = "266418^MDC_DIM_MILLI_VOLT^MDC"


def wave(values: str, code: str = LEAD_II, unit: str = MILLIVOLT, **fields: str) -> str:
    return obx(values, unit, code, "NA", **{"sub": "1.1.1.1", "when": ""} | fields)


def text(samples: np.ndarray) -> str:
    return "^".join(f"{one:.4f}" for one in samples)


def test_samples_times_and_availability_are_what_was_sent() -> None:
    samples = np.sin(np.arange(250) / 9)
    raw = message(
        PID, OBR, wave(text(samples)), RATE.format(250), RANGE, kind="ORU^W01", when="20260105090001.500+0000"
    )
    batch = read(raw)
    (piece,) = batch.signals
    assert (piece.channel, piece.rate_hz, piece.unit, piece.quality) == ("ECG", 250.0, "mV", 1.0)
    assert iso(piece.time) == "2026-01-05T09:00:00.250000Z"
    assert (iso(piece.available_time), piece.available_basis) == ("2026-01-05T09:00:01.500000Z", "issued")
    np.testing.assert_allclose(piece.samples, samples, atol=1e-4)
    assert piece.samples.dtype == np.float32
    assert batch.ignored == {"OBX of a device or its attributes (MDC)": 2}
    assert {one.identifier for one in batch.identities} == {"H1"}
    assert (batch.events.num_rows, batch.rejections) == (0, ())


def test_never_available_before_its_end() -> None:
    raw = message(PID, OBR, wave("1^2^1^2"), RATE.format(1), when="20260105090001+0000")
    (piece,) = read(raw).signals
    assert piece.available_time == piece.time + 4 * SECOND
    assert piece.available_basis == "clamped"


def test_long_ones_come_in_pieces_of_a_minute() -> None:
    raw = message(PID, OBR, wave(text(np.sin(np.arange(150)))), RATE.format(1))
    assert [len(piece.samples) for piece in read(raw).signals] == [60, 60, 30]
    starts = [piece.time for piece in read(raw).signals]
    assert np.diff(starts).tolist() == [60 * SECOND] * 2


def test_the_best_lead_is_the_channel_and_others_bear_their_names() -> None:
    first = wave("1^2", "131389^MDC_ECG_LEAD_III^MDC")
    raw = message(
        PID,
        OBR,
        first,
        RATE.format(250),
        wave("3^4"),
        RATE.format(250),
        wave("9^8", "150032^ART^MDC", "mmHg"),
        RATE.format(125),
    )
    found = {piece.channel: (piece.samples.tolist(), piece.rate_hz) for piece in read(raw).signals}
    assert found == {"ECG": ([3, 4], 250.0), "ECG//III": ([1, 2], 250.0), "ABP": ([9, 8], 125.0)}


def test_two_devices_of_one_lead_have_a_channel_each() -> None:
    twice = [part for values in ("1^2", "3^4", "5^6") for part in (wave(values, sub=values[0]), RATE.format(250))]
    found = [piece.channel for piece in read(message(PID, OBR, *twice)).signals]
    assert found == ["ECG", "ECG//II", "ECG//II#2"]


def test_gaps_and_flat_lines_are_marked() -> None:
    (gap,) = read(message(PID, OBR, wave("1^^2^1"), RATE.format(250))).signals
    assert np.isnan(gap.samples[1])
    assert (gap.quality, gap.quality_reason) == (0.75, "missing")
    (off,) = read(message(PID, OBR, wave("^".join(["1"] * 8)), RATE.format(2))).signals
    assert (off.quality, off.quality_reason) == (0.0, "lead-off")
    still = wave("^".join(["90"] * 8), "150032^ART^MDC", "mmHg")
    (flat,) = read(message(PID, OBR, still, RATE.format(2))).signals
    assert (flat.quality, flat.quality_reason) == (0.0, "flat")
    (wild,) = read(message(PID, OBR, wave("1^2^900^1"), RATE.format(250))).signals
    assert wild.quality_reason == "out-of-range"


@pytest.mark.parametrize(
    "segments",
    [
        [wave("1^2")],  # no rate
        [wave("1^2"), RATE.format("fast")],
        [wave("1^2"), RATE.format(0)],
        [wave("1^2", unit=""), RATE.format(250)],
        [wave("1^2", unit="262656^MDC_DIM_DIMLESS^MDC"), RATE.format(250)],  # counts of a converter
        [wave("1^2"), RATE.format(250), "OBX|3|NM|2327^MDC_ATTR_NU_MSMT_RES^MDC|1.1.1.1.3|0.005|" + MILLIVOLT],
        [wave("1^2", "199999^OTHER^MDC"), RATE.format(250)],
        [wave("1^x"), RATE.format(250)],
    ],
)
@pytest.mark.fault(source="hl7v2", fault="waveform without rate, unit or scale", ends="counted, no signal")
def test_what_is_not_certain_is_no_signal(segments: list[str]) -> None:
    batch = read(message(PID, OBR, *segments))
    assert (batch.signals, batch.events.num_rows, batch.rejections) == ((), 0, ())
    assert sum(batch.ignored.values()) == len(segments)


def test_devices_and_attributes_are_no_results() -> None:
    device = "OBX|1||69965^MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS^MDC|1.0.0.0|||||||X"
    batch = read(message(PID, OBR, device, HEART_RATE))
    assert batch.events["code"].to_pylist() == ["LOINC//8867-4"]
    assert batch.ignored == {"OBX of a device or its attributes (MDC)": 1}


def test_a_cuff_pressure_that_is_sent_again_under_another_number_is_the_same_fact() -> None:
    cuff = obx("118", "mmHg", "150021^MDC_PRESS_BLD_NONINV_SYS^MDC", sub="1.4.1", when="20260105085000+0000")
    sent = [
        message(PID, OBR.replace("7^GW", f"{n}^GW"), cuff, when=f"202601050901{n:02d}+0000", control=f"C{n}")
        for n in range(3)
    ]
    events = read(b"".join(sent)).events
    assert len(set(events["fact_id"].to_pylist())) == 1
    assert {one[4] for one in facts(read(sent[0]))} == {118.0}


def test_a_waveform_taken_back_without_any_time_of_it_is_refused() -> None:
    batch = read(message(PID, OBR.rpartition("|")[0], wave("", status="X"), when=""))
    assert [one.reason for one in batch.rejections] == ["no-time"]
    assert (batch.retractions, batch.signals) == ((), ())


def test_what_is_sent_twice_is_one_version_and_what_differs_is_another_of_the_same_fact() -> None:
    one, same, state, later = (
        read(message(PID, OBR, wave("1^2^3", status=status), RATE.format(1), when=when)).signals[0]
        for status, when in (("F", "2026010509"), ("F", "2026010509"), ("C", "2026010509"), ("F", "2026010510"))
    )
    assert (one.event_id, one.version_id) == (same.event_id, same.version_id)
    assert len({piece.fact_id for piece in (one, same, state, later)}) == 1
    assert len({piece.version_id for piece in (one, state, later)}) == 3
    assert [piece.status for piece in (one, state)] == ["final", "corrected"]
