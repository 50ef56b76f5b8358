"""HL7 messages into the store: whatever way they come, the store is the same."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from clinical_jepa.sources.hl7v2.envelope import pieces
from clinical_jepa.store.events import Store
from clinical_jepa.vocabulary.identity import subject_id
from tests.ingest.builders import NOON, rows, run
from tests.sources.hl7v2.builders import EXAMPLES, OBR, PID, message, obx, result

MESSAGES = [piece.raw for piece in pieces((EXAMPLES / "ward.hl7").read_bytes())]


def stored(folder: Path, *files: list[bytes], restart: bool = False) -> list[dict[str, Any]]:
    """The rows of a store into which the files came, each with its messages; a commit's own columns left out."""
    source = folder / "source"
    source.mkdir(parents=True)
    store = Store.open(folder / "store", create=True)
    for number, messages in enumerate(files):
        (source / f"{number}.hl7").write_bytes(b"".join(messages))
        if restart:
            store = Store.open(folder / "store")
            run(source, store)
    run(source, store)
    found = [{key: value for key, value in row.items() if key in _SAID} for row in rows(store)]
    return sorted(found, key=lambda row: str(row["event_id"]))


_SAID = ("subject_id", "time", "code", "numeric_value", "text_value", "available_time", "status", "event_id", "fact_id")


@pytest.mark.parametrize("seed", range(4))
def test_order_duplicates_batches_and_restarts_give_the_same_store(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    expected = stored(tmp_path / "plain", MESSAGES)
    shuffled = dice.sample(MESSAGES, len(MESSAGES)) + dice.choices(MESSAGES, k=5)
    cuts = sorted(dice.sample(range(1, len(shuffled)), 3))
    files = [shuffled[start:end] for start, end in zip([0, *cuts], [*cuts, len(shuffled)], strict=True)]
    assert len(expected) == 12  # thirteen rows, of which the corrected potassium hides its first version
    assert stored(tmp_path / "mixed", *files, restart=bool(seed % 2)) == expected


def test_as_of_a_time_the_version_known_then_holds(tmp_path: Path) -> None:
    from clinical_jepa.wiring.compose import instant

    source = tmp_path / "source"
    source.mkdir()
    first = result(obx("5.9", "mmol/L", "2823-3^K^LN", status="P"), when="20260105093000+0000")
    fixed = result(obx("4.9", "mmol/L", "2823-3^K^LN", status="C"), when="20260105101500+0000", control="C2")
    gone = result(obx("", "mmol/L", "2823-3^K^LN", status="W"), when="20260105110000+0000", control="C3")
    (source / "all.hl7").write_bytes(gone + fixed + first)
    store = Store.open(tmp_path / "store", create=True)
    run(source, store)
    assert rows(store) == []
    subject = subject_id("mrn", "H1")
    seen = {}
    for clock in ("09:29", "09:31", "10:14", "10:16", "11:01"):
        events = store.history(subject, as_of=instant(f"2026-01-05T{clock}Z")).events.to_pylist()
        newest = max(events, key=lambda row: row["available_time"], default=None)
        seen[clock] = (
            None
            if newest is None
            else (newest["status"], newest["numeric_value"] and round(newest["numeric_value"], 1))
        )
    assert seen == {
        "09:29": None,
        "09:31": ("preliminary", 5.9),
        "10:14": ("preliminary", 5.9),
        "10:16": ("corrected", 4.9),
        "11:01": None,
    }


def test_a_stretch_that_grows_is_read_again_and_stored_once(tmp_path: Path) -> None:
    folder = tmp_path / "spool" / "0930.hl7d"
    folder.mkdir(parents=True)
    store = Store.open(tmp_path / "store", create=True)
    wave = obx("1^2^3", "mV", "131330^MDC_ECG_ELEC_POTL_II^MDC", "NA")
    rate = "OBX|2|NM|0^MDC_ATTR_SAMP_RATE^MDC||250|||||||F"
    sent = [
        result(),
        message(PID, OBR, wave, rate),
        result(obx("800")),
        result(obx("90", when="20260105093100+0000")),
    ]
    for number, raw in enumerate(sent):
        (folder / f"{number}.hl7").write_bytes(raw)
        run(tmp_path / "spool", store, mode="live", now=NOON + number)
    assert sorted(row["numeric_value"] for row in rows(store)) == [80.0, 90.0]
    assert store.arrivals(-1, 2**60).signals.num_rows == 1
    assert store.rejections().num_rows == 1
    assert run(tmp_path / "spool", store, mode="live").total.skipped == 1
