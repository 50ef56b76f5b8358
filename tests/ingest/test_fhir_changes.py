"""What FHIR takes back or joins acts on what was stored, from then on, and the past stays as it was believed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from clinical_jepa.records.batch import Mode
from clinical_jepa.records.instant import to_us
from clinical_jepa.store.events import Store
from clinical_jepa.vocabulary.identity import subject_id
from tests.ingest.builders import LONG_AFTER, NOON, run

NINE, TEN, ELEVEN = (f"2026-01-05T{hour:02d}:00:00Z" for hour in (9, 10, 11))
SECOND = 1_000_000


def instant(text: str) -> int:
    from datetime import datetime

    return to_us(datetime.fromisoformat(text))


def part(code: str, value: float) -> dict[str, Any]:
    quantity = {"value": value, "system": "http://unitsofmeasure.org", "code": "mm[Hg]"}
    return {"code": {"coding": [{"system": "http://loinc.org", "code": code}]}, "valueQuantity": quantity}


def panel(issued: str, *parts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": "bp",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}]},
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": NINE,
        "issued": issued,
        "component": list(parts),
    } | fields


FIRST = panel(NINE, part("8480-6", 120), part("8462-4", 70))
MENDED = panel(TEN, part("8480-6", 125), status="corrected")
GONE = {
    "resourceType": "Bundle",
    "type": "transaction",
    "meta": {"lastUpdated": ELEVEN},
    "entry": [{"request": {"method": "DELETE", "url": "Observation/bp"}}],
}


def stored(store: Store, until: int) -> set[tuple[str, float]]:
    events = store.arrivals(-LONG_AFTER, until).events
    return set(zip(events["code"].to_pylist(), events["numeric_value"].to_pylist(), strict=True))


def put(
    store: Store, folder: Path, name: str, *bodies: dict[str, Any], mode: Mode = "history", now: int = NOON
) -> None:
    root = folder / name
    root.mkdir()
    (root / f"{name}.ndjson").write_bytes(b"".join(orjson.dumps(body) + b"\n" for body in bodies))
    run(root, store, mode=mode, now=now)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_a_lost_component_and_a_deletion_act_in_any_order_of_arrival(order: tuple[int, ...], tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store", create=True)
    for number in order:
        put(store, tmp_path, f"n{number}", (FIRST, MENDED, GONE)[number])
    assert stored(store, instant(NINE)) == {("LOINC//8480-6", 120.0), ("LOINC//8462-4", 70.0)}
    assert stored(store, instant(TEN)) == {("LOINC//8480-6", 125.0)}
    assert stored(store, instant(ELEVEN)) == set()


@pytest.mark.parametrize("together", [True, False])
def test_live_a_lost_component_does_not_stand(together: bool, tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store", create=True)
    if together:
        put(store, tmp_path, "both", FIRST, MENDED, mode="live")
    else:
        put(store, tmp_path, "one", FIRST, mode="live")
        put(store, tmp_path, "two", MENDED, mode="live", now=NOON + 60 * SECOND)
    assert stored(store, NOON + 3600 * SECOND) == {("LOINC//8480-6", 125.0)}


def test_a_merge_holds_until_a_later_version_stands_alone_again(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store", create=True)
    other = {"resourceType": "Patient", "id": "p2", "meta": {"lastUpdated": NINE}}
    link = {"link": [{"other": {"reference": "Patient/p2"}, "type": "replaced-by"}]}
    merged = {"resourceType": "Patient", "id": "p1", "meta": {"versionId": "2", "lastUpdated": TEN}} | link
    alone = {"resourceType": "Patient", "id": "p1", "meta": {"versionId": "3", "lastUpdated": ELEVEN}}
    put(store, tmp_path, "Patient", other, merged, alone, FIRST)
    one, two = subject_id("mrn", "p1"), subject_id("mrn", "p2")
    owners = [store.owner(one, instant(text)) for text in (NINE, TEN, ELEVEN)]
    assert owners == [one, two, one]
