"""An Observation whose versions differ in shape (a waveform, a number, words, a panel, nothing): each ends the former."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clinical_jepa.records.batch import Mode
from clinical_jepa.records.instant import END, HOUR
from clinical_jepa.sources.fhir import reader
from clinical_jepa.store.events import Store
from tests.ingest.builders import run
from tests.ingest.test_fhir_changes import instant
from tests.sources.fhir.builders import observation, quantity, write
from tests.sources.fhir.test_sampled import MDC

ABP = {"coding": [{"system": MDC, "code": "150036"}]}  # names a waveform's channel, and stands with numbers too
PANEL = {"coding": [{"system": "http://loinc.org", "code": "85354-9"}]}
SYSTOLIC = {"coding": [{"system": "http://loinc.org", "code": "8480-6"}]}
FIRST = instant("2026-01-05T10:00:00Z")
SHAPES = ("waveform", "number", "words", "panel", "waves", "nothing")
REVISIONS = ("amended", "corrected", "final")


def sampled(turn: int) -> dict[str, Any]:
    """A waveform of ``turn``, longer than a minute the earlier it is."""
    data = " ".join(["80", "90", str(100 + turn)] * (60 - 10 * turn))
    return {"origin": quantity(0, "mm[Hg]"), "period": 1000, "dimensions": 1, "data": data}


def body(shape: str, turn: int, code: dict[str, Any], status: str) -> dict[str, Any]:
    """A version of one Observation; every value tells its turn."""
    number = quantity(100 + turn, "mm[Hg]")
    said: dict[str, dict[str, Any]] = {
        "waveform": {"valueSampledData": sampled(turn)},
        "number": {"valueQuantity": number},
        "words": {"valueString": f"word {turn}"},
        "panel": {"component": [{"code": SYSTOLIC, "valueQuantity": number}]},
        "waves": {"component": [{"code": ABP, "valueSampledData": sampled(turn)}]},
        "nothing": {"dataAbsentReason": {"coding": [{"code": "error"}]}},
    }
    meta = {} if status == "corrected" and turn % 2 else {"meta": {"versionId": str(turn + 1)}}
    when = {"issued": f"2026-01-05T{10 + turn}:00:00Z", "effectiveDateTime": "2026-01-05T09:00:00Z"}
    return observation(status=status, valueQuantity=None) | {"code": code} | when | meta | said[shape]


def expected(shape: str, turn: int) -> tuple[list[float], list[Any]]:
    """The last samples of a version's pieces, and its values."""
    count = 3 * (60 - 10 * turn)
    ends = [float(100 + turn)] * -(-count // 60) if shape in ("waveform", "waves") else []
    values = {"number": [100.0 + turn], "panel": [100.0 + turn], "words": [f"word {turn}"]}.get(shape, [])
    return ends, values


def seen(store: Store, at: int) -> tuple[list[float], list[Any]]:
    found = store.arrivals(0, at)
    rows = found.events.to_pylist()
    pieces = found.signals.sort_by("time")["reference"].to_pylist()
    return [float(store.samples(one)[-1]) for one in pieces], [
        row["text_value"] if row["numeric_value"] is None else row["numeric_value"] for row in rows
    ]


def told(folder: Path, versions: list[dict[str, Any]], order: list[int], mode: Mode) -> Store:
    """A store that was told these versions in this order, each in a file of its own; live at their reporting times."""
    store = Store.open(folder / "store", create=True)
    for place, number in enumerate(order):
        unit = folder / str(number)
        unit.mkdir()
        write(unit, "Observation.ndjson", versions[number])
        assert run(unit, store, mode=mode, now=FIRST + place * HOUR).total.rejected == 0
    return store


@pytest.mark.fault(
    source="fhir",
    fault="waveform corrected to a number, or a number to a waveform",
    ends="all of the old version is gone from when the new one is known, whichever came first",
)
@settings(max_examples=40, deadline=None)
@given(
    shapes=st.lists(st.sampled_from(SHAPES), min_size=2, max_size=4),
    data=st.data(),
    mode=st.sampled_from(["history", "history", "live"]),
)
@example(shapes=["waveform", "number"], data=None, mode="history")
@example(shapes=["number", "waveform"], data=None, mode="history")
def test_every_version_takes_the_place_of_the_one_before(shapes: list[str], data: Any, mode: Mode) -> None:
    def drawn(options: Any, default: Any) -> Any:
        return default if data is None else data.draw(options)

    statuses = [drawn(st.sampled_from(REVISIONS), "corrected") for _ in shapes[1:]]
    versions = [body(shape, turn, ABP, ["final", *statuses][turn]) for turn, shape in enumerate(shapes)]
    order = drawn(st.permutations(range(len(shapes))), [*reversed(range(len(shapes)))])
    if mode == "live":
        order = sorted(order)
    with tempfile.TemporaryDirectory() as name:
        store = told(Path(name), versions, list(order), mode)
        for turn, shape in enumerate(shapes):
            assert seen(store, FIRST + (turn + 1) * HOUR - 2) == expected(shape, turn)
        assert seen(store, END) == expected(shapes[-1], len(shapes) - 1)


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
@pytest.mark.parametrize(
    "shapes", [("panel", "nothing"), ("waves", "nothing"), ("panel", "waveform"), ("waves", "panel")]
)
def test_a_panel_ends_whole_too(tmp_path: Path, shapes: tuple[str, str], order: list[int]) -> None:
    store = told(
        tmp_path,
        [body(shape, turn, PANEL, ["final", "amended"][turn]) for turn, shape in enumerate(shapes)],
        order,
        "history",
    )
    assert seen(store, FIRST) == expected(shapes[0], 0)
    assert seen(store, FIRST + HOUR)[1] == expected(shapes[1], 1)[1]
    assert (seen(store, FIRST + HOUR)[0] == []) == (shapes[1] != "waves")


def test_a_waveform_that_is_refused_takes_nothing_back(tmp_path: Path) -> None:
    bad = body("waveform", 1, ABP, "amended")
    bad["valueSampledData"]["origin"] = {"value": 0}
    store = Store.open(tmp_path / "store", create=True)
    for number, one in enumerate((body("number", 0, ABP, "final"), bad)):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "one.json").write_bytes(orjson.dumps(one))
        run(tmp_path / str(number), store)
    assert store.rejections()["reason"].to_pylist() == ["no-unit"]
    assert seen(store, END) == ([], [100.0])


def test_corrected_numbers_of_other_codes_stay_on_the_fast_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[int] = []
    monkeypatch.setattr(reader, "_take", lambda item, reading: left.append(item.number))
    one = observation(status="corrected")
    write(tmp_path, "Observation.ndjson", one, body("number", 0, ABP, "final"), body("number", 1, ABP, "corrected"))
    store = Store.open(tmp_path / "store", create=True)
    run(tmp_path, store)
    assert left == [3]
