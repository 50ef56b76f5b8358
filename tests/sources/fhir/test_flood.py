"""The fast path and the careful one give the same rows, identities, refusals and counts; a fast path that errs is caught."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_jepa.records.batch import SourceBatch
from clinical_jepa.records.events import EVENTS
from clinical_jepa.sources.fhir import flood, reader
from tests.sources.fhir.builders import EXAMPLES, UCUM, observation, quantity, read, write

Said = dict[str, Any]


def said(batch: SourceBatch) -> Said:
    """Everything a batch says, in an order of its own."""
    rows = batch.events.select(EVENTS.names).to_pylist()
    return {
        "rows": sorted(map(repr, rows)),
        "identities": sorted(map(repr, batch.identities)),
        "rejections": sorted(map(repr, batch.rejections)),
        "ignored": dict(batch.ignored),
        "retractions": sorted(map(repr, batch.retractions)),
    }


def carefully(path: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> SourceBatch:
    with monkeypatch.context() as patched:
        patched.setattr(reader, "_flooded", lambda reading, raws: range(len(raws)))
        return read(path, **options)


def taken(path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many rows the fast path gave."""
    sizes: list[int] = []
    with monkeypatch.context() as patched:
        original = flood.Flood.table
        patched.setattr(flood.Flood, "table", lambda self: (sizes.append(len(self)), original(self))[1])
        read(path)
    return sum(sizes)


def both(path: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> tuple[Said, Said]:
    return said(read(path, **options)), said(carefully(path, monkeypatch, **options))


def test_the_example_ward_is_read_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    quick, careful = both(EXAMPLES, monkeypatch)
    assert quick == careful
    assert taken(EXAMPLES / "ward", monkeypatch) >= 6


SETS = ["fhir_synthea_r4/bulk_ndjson_2021_ktmtwm", "fhir_us_core", "fhir_hl7_examples"]


@pytest.mark.data
@pytest.mark.parametrize("name", SETS)
def test_every_resource_of_a_shared_set_is_read_alike(name: str, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick, careful = both(data / name, monkeypatch)
    assert quick == careful
    assert taken(data / name, monkeypatch) > 0


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("name", ["bundles_2019", "bundles_2021_hiv"])
def test_every_bundle_is_read_alike(name: str, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in sorted((data / "fhir_synthea_r4" / name).iterdir()):
        quick, careful = both(path, monkeypatch)
        assert quick == careful


@pytest.mark.data
def test_nearly_all_of_a_real_flood_takes_the_fast_path(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in sorted((data / "fhir_synthea_r4" / "bundles_2019").iterdir())[:5]:
        bodies = [entry["resource"] for entry in orjson.loads(gzip.decompress(path.read_bytes()))["entry"]]
        values = sum(len(body.get("component", [1])) for body in bodies if body["resourceType"] == "Observation")
        assert taken(path, monkeypatch) == values > 0


def _faults() -> Iterator[tuple[str, Any]]:
    def late(text: str) -> tuple[int, str]:
        moment = original_instant(text)[0] + 1
        return moment, str(moment)

    def scaled(codings: Any, number: Any) -> Any:
        plan = original_plan(codings, number)
        return plan and plan._replace(factor=plan.factor * 1.5)

    original_instant, original_plan = flood.quick_instant, flood.plan_of
    yield "quick_instant", late
    yield "plan_of", scaled


@pytest.mark.parametrize("fault", list(_faults()), ids=lambda fault: fault[0])
def test_a_fast_path_that_errs_is_seen(fault: tuple[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flood, *fault)
    quick, careful = both(EXAMPLES / "ward" / "Observation.ndjson", monkeypatch)
    assert quick["rows"] != careful["rows"]


TEXTS = st.sampled_from(
    ["2026-01-05T09:00:00Z", "2026-01-05T23:59:60+05:30", "2026-01-05", "2026-01-05T09:00:00", "2026-W01-1T09:00:00Z"]
    + ["2024-02-29T00:00:00.123456789-12:00", "1969-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "T", "", "ü"]
)
UNITS = st.sampled_from(["/min", "mm[Hg]", "[degF]", "%", "", "C", "{score}"])
NUMBERS = (
    st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**63), 2**64 - 1)
    | st.sampled_from([0, -0.0, 80, "80", True, None])
)
QUANTITY = st.fixed_dictionaries(
    {"value": NUMBERS, "code": UNITS},
    optional={"system": st.sampled_from([UCUM, "urn:other"]), "unit": st.text(max_size=2), "comparator": st.just("<")},
)
CODES = st.sampled_from(["8867-4", "8310-5", "8480-6", "4548-4", "5087" + "A" * 32, "PULSE", ""])
CODING = st.fixed_dictionaries(
    {"code": CODES},
    optional={"system": st.sampled_from(["http://loinc.org", "urn:x", ""]), "display": st.sampled_from(["", "Pulse"])},
)
CONCEPT = st.fixed_dictionaries({"coding": st.lists(CODING, max_size=2)}, optional={"text": st.sampled_from(["", "p"])})
JUNK = st.sampled_from([None, [], {}, "x", 1, [{}], [{"coding": 1}], {"reference": "Group/1"}, {"versionId": "2"}])
COMPONENT = st.fixed_dictionaries(
    {"code": CONCEPT}, optional={"valueQuantity": QUANTITY, "interpretation": JUNK, "dataAbsentReason": JUNK}
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "id": st.sampled_from(["a", "", "x" * 64, "x" * 65, 5]),
    "status": st.sampled_from(["final", "preliminary", "amended", "corrected", "entered-in-error", "bogus", None]),
    "meta": st.sampled_from(
        [{"versionId": version, "lastUpdated": "2026-01-05T10:00:00Z"} for version in ("1", "2", "x")]
    )
    | JUNK,
    "code": CONCEPT | JUNK,
    "effectiveDateTime": TEXTS | JUNK,
    "effectiveInstant": TEXTS | JUNK,
    "effectivePeriod": st.fixed_dictionaries({}, optional={"start": TEXTS | JUNK, "end": TEXTS | JUNK}) | JUNK,
    "issued": TEXTS | JUNK,
    "valueQuantity": QUANTITY | JUNK,
    "valueCodeableConcept": CONCEPT | JUNK,
    "valueString": st.sampled_from(["", "words", "ü", 5]),
    "component": st.lists(COMPONENT, max_size=3) | JUNK,
    "unheardOf": JUNK,
}
REST = (
    "subject",
    "encounter",
    "text",
    "category",
    "interpretation",
    "referenceRange",
    "note",
    "performer",
    "focus",
)
FIELDS |= dict.fromkeys(REST, JUNK)


@settings(max_examples=400)
@given(st.fixed_dictionaries({}, optional=FIELDS), st.sets(st.sampled_from(["valueQuantity", "effectiveDateTime"])))
def test_whatever_a_resource_holds_both_paths_say_the_same(fields: dict[str, Any], without: set[str]) -> None:
    body = {key: value for key, value in (observation("one") | fields).items() if key not in without}
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as monkeypatch:
        path = write(Path(name), "Observation.ndjson", body, observation("two"))
        quick, careful = both(path, monkeypatch)
    assert quick == careful


GOOD = orjson.dumps(observation("one", note=[{"text": "x"}], performer=[{"reference": "Practitioner/1"}]))


@given(
    st.integers(0, len(GOOD) - 1),
    st.sampled_from([b'"', b"{", b"\xff", b"\\u", b"1e400", b"01", b"", b"\\ud800", b"NaN"]),
)
def test_bytes_damaged_anywhere_are_read_alike(place: int, damage: bytes) -> None:
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as monkeypatch:
        path = write(Path(name), "Observation.ndjson", GOOD[:place] + damage + GOOD[place + 1 :], observation("two"))
        quick, careful = both(path, monkeypatch)
    assert quick == careful


def test_a_number_that_no_float_holds_costs_the_element_it_stands_in(tmp_path: Path) -> None:
    note = GOOD.replace(b'"text":"x"', b'"text":1e400')
    value = GOOD.replace(b'"value":80', b'"value":1e400')
    batch = read(write(tmp_path, "Observation.ndjson", note, value))
    assert (batch.events.num_rows, [one.reason for one in batch.rejections]) == (1, ["invalid"])


def test_totals_and_instants_are_ordinary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    period = {"start": "2026-01-05T04:00:00Z", "end": "2026-01-05T08:00:00Z"}
    bodies = [
        observation("total", effectiveDateTime=None, effectivePeriod=period),
        observation("begun", effectiveDateTime=None, effectivePeriod={"start": period["start"]}),
        observation("moment", effectiveDateTime=None, effectiveInstant="2026-01-05T07:00:00Z"),
    ]
    path = write(tmp_path, "Observation.ndjson", *bodies)
    assert taken(path, monkeypatch) == 3
    quick, careful = both(path, monkeypatch)
    assert quick == careful
    assert sorted(str(time)[11:16] for time in read(path).events["time"].to_pylist()) == ["04:00", "07:00", "08:00"]


def test_a_corrected_value_is_ordinary_and_a_silent_revision_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = {"meta": {"versionId": "2", "lastUpdated": "2026-01-05T10:00:00Z"}}
    panel = [{"code": observation(code="8480-6")["code"], "valueQuantity": quantity(120, "mm[Hg]")}]
    bodies = [
        observation("said", status="corrected", **second),
        observation("silent", **second),
        observation("panel", status="corrected", valueQuantity=None, component=panel, **second),
    ]
    path = write(tmp_path, "Observation.ndjson", *bodies)
    assert taken(path, monkeypatch) == 1
    quick, careful = both(path, monkeypatch)
    assert quick == careful


def test_what_came_before_is_not_taken_for_what_comes_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Subject, time and reporting time are kept from one Observation to the next, as long as all three are the same."""
    others = ({"subject": {"reference": "Patient/p2"}}, {"effectiveDateTime": "2026-01-05T09:01:00Z"})
    others += ({"issued": "2026-01-05T09:06:00Z"}, {"issued": "2026-01-05T08:59:00Z"}, {"issued": "no time"})
    bodies = [
        observation(f"o{number}", **fields) for number, fields in enumerate(one for o in others for one in (o, {}))
    ]
    path = write(tmp_path, "Observation.ndjson", *bodies)
    assert taken(path, monkeypatch) == len(bodies) - 1
    quick, careful = both(path, monkeypatch)
    assert quick == careful


def test_two_values_are_no_ordinary_shape(tmp_path: Path) -> None:
    two = observation("one", valueString="fast", valueQuantity=quantity(80, "/min"))
    batch = read(write(tmp_path, "Observation.ndjson", two))
    assert (batch.events.num_rows, batch.rejections[0].reason) == (0, "invalid")
