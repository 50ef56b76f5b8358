"""Every file of the shared sets: how many rows, refusals and other things it comes to, and that both judges agree on it."""

from __future__ import annotations

import gzip
import zipfile
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest

from clinical_jepa.records.batch import SourceBatch
from clinical_jepa.records.instant import DAY, to_us
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.fhir import reader
from clinical_jepa.sources.fhir.folder import Folder
from clinical_jepa.sources.fhir.mapping import canonical
from clinical_jepa.sources.fhir.reader import READERS
from clinical_jepa.vocabulary.codes import by_code
from tests.sources.fhir.builders import read

pytestmark = pytest.mark.data

# files, resources in them, of kinds that are read, rows, refusals by reason
COUNTS: dict[str, tuple[int, int, int, int, dict[str, int]]] = {
    "fhir_synthea_r4/bulk_ndjson_2021_ktmtwm": (17, 1005, 698, 915, {}),
    "fhir_synthea_r4/bulk_ndjson_smart10": (13, 7160, 6815, 6959, {}),
    "fhir_synthea_r4/bundles_2019": (75, 25131, 18431, 19501, {}),
    "fhir_synthea_r4/bundles_2021_hiv": (27, 18491, 9806, 4256, {"unmapped": 5886}),
    "fhir_us_core": (1, 236, 183, 161, {"invalid": 1, "no-time": 6, "no-unit": 6, "unmapped": 2}),
    "fhir_hl7_examples": (
        40,
        1445,
        912,
        624,
        {
            "no-subject": 17,
            "no-time": 476,
            "no-unit": 11,
            "unknown-subject": 17,
            "unmapped": 18,
            "unreadable": 5,
        },
    ),
}


def every(folder: Path) -> Iterator[dict[str, Any]]:
    """The resources of a folder, Bundles opened, by the standard library alone."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    yield from opened(orjson.loads(archive.read(name)))
            continue
        text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        lines = text.splitlines() if ".ndjson" in path.name else [text]
        for line in lines:
            yield from opened(orjson.loads(line))


def opened(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if body.get("resourceType") == "Bundle":
        for entry in body.get("entry", ()):
            yield from opened(entry.get("resource", {}))
    elif "resourceType" in body:
        yield body


@cache
def whole(folder: Path) -> SourceBatch:
    return read(folder)


@pytest.mark.slow
@pytest.mark.parametrize("name", COUNTS)
def test_the_counts_of_a_folder(name: str, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    batch = whole(data / name)
    kinds = Counter(body["resourceType"] for body in every(data / name))
    found = (
        len(reader.find(data / name)),
        kinds.total(),
        sum(kinds[kind] for kind in READERS),
        batch.events.num_rows,
        dict(Counter(one.reason for one in batch.rejections)),
    )
    with capsys.disabled():
        print(
            f"\n{name}: {found[0]} files, {found[1]} resources, {found[2]} of kinds read, {found[3]} rows, {found[4]}"
        )
    assert found == COUNTS[name]
    unread = {kind: count for kind, count in kinds.items() if kind not in {*READERS, "OperationOutcome"}}
    assert {kind: count for kind, count in batch.ignored.items() if kind in unread} == unread
    assert all(one.original and one.message for one in batch.rejections)


@pytest.mark.slow
@pytest.mark.parametrize("name", COUNTS)
def test_both_judges_agree_on_every_resource(name: str, data: Path) -> None:
    from fhir.resources.R4B import get_fhir_model_class

    context, folder = ReadContext(root=data), Folder()
    reading = reader._begun("one", context, folder)
    disagreed = []
    for body in every(data / name):
        if body["resourceType"] not in READERS:
            continue
        body.setdefault("id", "of-its-entry")  # Bundles name some by their address only
        raw = orjson.dumps(body)
        taken = reading.flood.take([raw]) == []
        refusal = None if taken else reader._judged(body, reader.Item("line", 1, raw), reading)
        try:
            get_fhir_model_class(body["resourceType"]).model_validate(body)
        except ValueError:
            valid = False
        else:
            valid = True
        if valid != (refusal is None):
            disagreed.append((body["resourceType"], body.get("id")))
    assert disagreed == []


Number = tuple[int, str, float]


GLUCOSE = "180.156 g/mol"  # the one substance that an example gives by amount


@cache
def converted(value: float, unit: str, wanted: str) -> float:
    """By pint, from UCUM."""
    from ucumvert import PintUcumRegistry

    registry = PintUcumRegistry()
    said = registry.Quantity(value, registry.from_ucum(unit))
    return float(said.to(registry.from_ucum(wanted), "chemistry", mw=registry.Quantity(GLUCOSE)).magnitude)


def instant(said: Any) -> int:
    if isinstance(said, datetime):
        return to_us(said)
    if isinstance(said, date):
        return int((said + timedelta(days=1) - date(1970, 1, 1)).days) * DAY
    raise ValueError(said)


def theirs(body: dict[str, Any]) -> list[set[Number]]:
    """The numbers of an Observation as fhir.resources' own objects give them, each under every code that it may have."""
    from fhir.resources.R4B.observation import Observation

    one = Observation.model_validate(body)
    period = one.effectivePeriod
    said = one.effectiveDateTime or one.effectiveInstant or (period and (period.end or period.start))
    if one.status == "entered-in-error":  # the one example of it has no other time
        said = said or one.issued
    found: list[set[Number]] = []
    for part in [one, *(one.component or [])] if said is not None else []:
        quantity = part.valueQuantity
        if quantity is None or quantity.value is None or quantity.code is None or quantity.comparator is not None:
            continue
        found.append(set())
        for coding in part.code.coding or ():
            code = canonical(coding.system or "", coding.code)
            known = by_code().get(code or "")
            value = float(quantity.value)
            if known is not None and known.unit is not None and known.unit != quantity.code:
                value = converted(value, quantity.code, known.unit)
            found[-1].add((instant(said), str(code), float(np.float32(value))))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fhir_us_core", "fhir_hl7_examples", "fhir_synthea_r4/bundles_2019"])
def test_the_numbers_are_those_that_fhir_resources_reads(name: str, data: Path) -> None:
    batch = whole(data / name)
    events = batch.events.filter(pa.compute.is_valid(batch.events["numeric_value"]))
    times = events["time"].cast(pa.int64()).to_pylist()
    ours: dict[tuple[int, str], list[float]] = {}
    for time, code, number in zip(times, events["code"].to_pylist(), events["numeric_value"].to_pylist(), strict=True):
        ours.setdefault((time, code), []).append(number)
    refused = {orjson.loads(one.original or b"{}").get("id") for one in batch.rejections if one.reason != "unreadable"}
    matched: set[Number] = set()
    lost = set()
    for body in every(data / name):
        for part in theirs(body) if body["resourceType"] == "Observation" else ():
            same = {
                (time, code, other)
                for time, code, value in part
                for other in ours.get((time, code), ())
                if abs(value - other) <= 2e-6 * abs(other)
            }
            matched |= same
            if not same:
                lost.add(body.get("id"))
    assert lost <= refused  # what is not among ours was refused, with its reason
    assert len(lost) == {"fhir_us_core": 0, "fhir_hl7_examples": 7, "fhir_synthea_r4/bundles_2019": 0}[name]
    kept = {(time, code, number) for (time, code), numbers in ours.items() for number in numbers}
    assert kept == matched  # and nothing is among ours that is not theirs
    assert len(kept) >= 19
