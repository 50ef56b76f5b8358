"""Versions that are put at one instant, or say one reporting time: the last of them by its server's number holds."""

from __future__ import annotations

from datetime import datetime
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from clinical_jepa.records.batch import Mode
from clinical_jepa.records.instant import END, HOUR, MINUTE
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.store.events import Store
from tests.ingest.builders import NOON, run
from tests.ingest.test_fhir_changes import instant
from tests.sources.fhir.builders import observation, quantity, write

NINE = instant("2026-01-05T09:00:00Z")
DELAYS = {**ReadContext(root=Path()).delays, "lab": 2 * HOUR}
UNDATED = {"issued": None}
DAY = {"effectiveDateTime": "2026-01-05"}  # known when it is over


def at(minute: int) -> str:
    """So many minutes after nine, when all of it was true."""
    return f"2026-01-05T{9 + minute // 60:02}:{minute % 60:02}:00Z"


def version(number: int, value: float, status: str = "final", **fields: Any) -> dict[str, Any]:
    """One of a potassium, whose server counts its versions."""
    meta = {"versionId": str(number)} | fields.pop("meta", {})
    return observation(code="2823-3", valueQuantity=quantity(value, "mmol/L"), status=status, meta=meta, **fields)


def updated(minute: int) -> dict[str, Any]:
    return {"issued": None, "meta": {"lastUpdated": at(minute)}}


FIRST = version(1, 6.9, issued=at(-3))
WITHDRAWN = version(2, 6.9, "entered-in-error", issued=at(-2))
LATER = version(3, 4.1, "preliminary", issued=at(20), effectiveDateTime=at(21))
CASES: dict[str, tuple[list[dict[str, Any]], int, list[float], list[float]]] = {
    # versions; minutes after nine at which the first of them is put; what is seen then; what is seen in the end
    "corrected, no reporting times": (
        [version(1, 6.9, **UNDATED), version(2, 4.1, "corrected", **updated(130))], 120, [6.9], [4.1],
    ),
    "edited, no reporting times": ([version(1, 6.9, **UNDATED), version(2, 4.1, **updated(130))], 120, [6.9], [4.1]),
    "corrected, no times at all": (
        [version(1, 6.9, **UNDATED), version(2, 4.1, "corrected", **UNDATED)], 120, [6.9], [4.1],
    ),
    "still preliminary, no times": (
        [version(n, n, "preliminary", **UNDATED) for n in (1, 2, 3)], 120, [1.0], [3.0],
    ),
    "withdrawn, no reporting times": (
        [version(1, 6.9, **UNDATED), version(2, 6.9, "entered-in-error", **updated(130))], 120, [6.9], [],
    ),
    "corrected before its time": ([FIRST, version(2, 4.1, "corrected", issued=at(-2))], 0, [6.9], [4.1]),
    "corrected at its time": ([FIRST, version(2, 4.1, "corrected", issued=at(0))], 0, [6.9], [4.1]),
    "withdrawn before its time": ([FIRST, WITHDRAWN], 0, [6.9], []),
    "withdrawn and said again before its time": ([FIRST, WITHDRAWN, version(3, 4.1, issued=at(-1))], 0, [6.9], [4.1]),
    "withdrawn, and said again for later": (
        [FIRST, version(2, 6.9, "cancelled", **updated(10)), LATER], 0, [6.9], [4.1],
    ),
    "updated before its time": (
        [version(1, 6.9, issued=at(-3)), version(2, 4.1, issued=at(-3), meta={"lastUpdated": at(-2)})], 0, [6.9], [4.1],
    ),
    "withdrawn, a day's date": (
        [version(1, 6.9, **DAY), version(2, 6.9, "entered-in-error", **DAY), version(3, 4.1, **DAY)], 900, [6.9], [4.1],
    ),
    "corrected without a new reporting time": ([version(1, 6.9), version(2, 4.1, "corrected")], 5, [6.9], [4.1]),
}  # fmt: skip


def told(folder: Path, parts: list[list[Any]], mode: Mode = "history") -> Store:
    store = Store.open(folder / "store", create=True)
    for number, some in enumerate(parts):
        (folder / str(number)).mkdir()
        bodies = [{key: value for key, value in body.items() if value is not None} for body in some]
        write(folder / str(number), "Observation.ndjson", *bodies)
        report = run(folder / str(number), store, mode=mode, now=NOON + number * MINUTE, delays=DELAYS)
        assert report.total.rejected == 0
    return store


def values(store: Store, until: int) -> list[float]:
    found = store.arrivals(0, until).events.sort_by([("code", "descending")])
    return [round(value, 3) for value in found["numeric_value"].to_pylist()]


@pytest.mark.fault(
    source="fhir",
    fault="versions of one instant",
    ends="they follow each other by their server's numbers, whichever came first",
)
@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_the_last_version_holds_in_any_order(tmp_path: Path, case: str, apart: bool) -> None:
    versions, minute, first, last = CASES[case]
    for turn, order in enumerate(permutations(versions)):
        (tmp_path / str(turn)).mkdir()
        store = told(tmp_path / str(turn), [[one] for one in order] if apart else [list(order)])
        assert values(store, NINE + minute * MINUTE - 1) == []
        assert values(store, NINE + minute * MINUTE) == first
        assert values(store, END) == last


@pytest.mark.parametrize("case", CASES)
def test_live_in_one_commit_too(tmp_path: Path, case: str) -> None:
    versions, _, _, last = CASES[case]
    assert values(told(tmp_path, [versions[::-1]], "live"), END) == last


def test_diagnoses_and_reports_follow_their_numbers_too(tmp_path: Path) -> None:
    """Of each two versions with one instant; in either order the second's words stand."""
    code, about = (
        {"coding": [{"system": "http://loinc.org", "code": "58410-2"}]},
        {"subject": {"reference": "Patient/p1"}},
    )
    kinds = {
        "Condition": {"recordedDate": at(0), "onsetDateTime": at(0)},
        "DiagnosticReport": {"status": "final", "issued": at(0), "effectiveDateTime": at(0)},
    }
    for kind, fields in kinds.items():
        for spelling in range(4):  # the hash that would decide else is another one each time
            versions = [
                {"resourceType": kind, "id": "x", "meta": {"versionId": number}, "code": code | {"text": words}}
                | about
                | fields
                for number, words in (("1", f"first {spelling}"), ("2", f"second {spelling}"))
            ]
            (tmp_path / f"{kind}{spelling}").mkdir()
            rows = told(tmp_path / f"{kind}{spelling}", [versions[::-1]]).arrivals(0, END).events
            assert rows["text_value"].to_pylist() == [f"second {spelling}"]


@pytest.mark.parametrize("strict", [False, True])
def test_both_paths_set_a_corrected_number_apart_alike(tmp_path: Path, *, strict: bool) -> None:
    write(tmp_path, "Observation.ndjson", version(4, 4.1, "corrected", issued=at(30)))
    store = Store.open(tmp_path / "store", create=True)
    run(tmp_path / "Observation.ndjson", store, strict=strict)
    (row,) = store.arrivals(0, END).events.to_pylist()
    assert row["available_time"] == datetime(2026, 1, 5, 9, 30, microsecond=6)


def test_ids_do_not_depend_on_the_place_among_versions(tmp_path: Path) -> None:
    """What a store holds since before versions were set apart is known again, and is no new version live."""
    numbered, plain = (
        told(tmp_path / name, [[version(2, 4.1, "corrected", issued=at(30)) | {"meta": meta}]]).arrivals(0, END).events
        for name, meta in (("a", {"versionId": "3"}), ("b", {}))
    )
    assert numbered["event_id"] == plain["event_id"]
    known = [one["available_time"].cast("int64").to_pylist() for one in (numbered, plain)]
    assert known == [[NINE + 30 * MINUTE + 4], [NINE + 30 * MINUTE]]
