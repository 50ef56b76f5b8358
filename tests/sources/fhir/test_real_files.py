"""Synthea and SMART exports, against pandas and the full validator reading the same files."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pytest

from clinical_jepa.records.batch import SourceBatch
from clinical_jepa.records.instant import to_us
from clinical_jepa.sources.fhir.mapping import canonical
from clinical_jepa.sources.fhir.reader import READERS
from tests.sources.fhir.builders import read

pytestmark = pytest.mark.data

Numbers = Counter[tuple[int, str, float]]
# subjects, Observation values, all rows; counted once from the files with a separate script
BUNDLES_2019 = {"Patient": 75, "Observation": 12_422, "Encounter": 2_218, "Condition": 588, "ImagingStudy": 96}


def folder(data: Path, name: str) -> Path:
    return data / "fhir_synthea_r4" / name


def resources(path: Path) -> Iterator[dict[str, Any]]:
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        text = gzip.decompress(file.read_bytes())
        if ".ndjson" in file.name:
            yield from (orjson.loads(line) for line in text.splitlines() if line)
        else:
            yield from (entry["resource"] for entry in orjson.loads(text)["entry"])


def numbers(batch: SourceBatch) -> Numbers:
    events = batch.events.filter(pa.compute.is_valid(batch.events["numeric_value"]))
    times = events["time"].cast(pa.int64()).to_pylist()
    return Counter(zip(times, events["code"].to_pylist(), events["numeric_value"].to_pylist(), strict=True))


def by_validator(path: Path) -> Numbers:
    """The numbers of every Observation as fhir.resources' own objects give them."""
    from fhir.resources.R4B.observation import Observation

    found: Numbers = Counter()
    for body in resources(path):
        if body["resourceType"] == "Observation":
            whole = Observation.model_validate(body)
            for part in [whole, *(whole.component or [])]:
                if part.valueQuantity is not None:
                    coding = part.code.coding[0]
                    code = canonical(coding.system, coding.code)
                    found[to_us(whole.effectiveDateTime), str(code), float(np.float32(part.valueQuantity.value))] += 1
    return found


def test_bundles_of_2019_equal_the_validator_s_reading(data: Path, tmp_path: Path) -> None:
    for path in sorted(folder(data, "bundles_2019").iterdir())[:6]:
        assert numbers(read(path)) == by_validator(path)


def test_every_resource_of_the_2019_bundles_is_kept_or_counted(data: Path) -> None:
    path = folder(data, "bundles_2019")
    kinds = Counter(body["resourceType"] for body in resources(path))
    assert {kind: kinds[kind] for kind in BUNDLES_2019} == BUNDLES_2019
    batches = [read(file) for file in sorted(path.iterdir())]
    assert sum(len(batch.rejections) for batch in batches) == 0
    assert len({one.subject_id for batch in batches for one in batch.identities}) == 75
    ignored: Counter[str] = sum((Counter(batch.ignored) for batch in batches), Counter())
    assert {kind: count for kind, count in ignored.items() if kind in kinds} == {
        kind: count for kind, count in kinds.items() if kind not in READERS
    }
    codes: Counter[str] = sum((Counter(batch.events["code"].to_pylist()) for batch in batches), Counter())
    assert codes["LOINC//8480-6"] == codes["LOINC//8462-4"] == 672
    assert codes["LOINC//8310-5"] == 40  # oral temperature, under its own code in the files


def test_a_bulk_export_equals_pandas(data: Path) -> None:
    path = folder(data, "bulk_ndjson_2021_ktmtwm")
    frame = pd.read_json(path / "Observation.ndjson.gz", lines=True, dtype=False)
    single = frame[frame["valueQuantity"].notna()]
    times = pd.to_datetime(single["effectiveDateTime"], utc=True).dt.as_unit("us").astype("int64")
    codes = [canonical(code["coding"][0]["system"], code["coding"][0]["code"]) for code in single["code"]]
    values = [float(np.float32(quantity["value"])) for quantity in single["valueQuantity"]]
    theirs: Numbers = Counter(zip(times.tolist(), map(str, codes), values, strict=True))
    ours = numbers(read(path))
    assert theirs - ours == Counter()
    assert theirs.total() == len(single) > 50
    assert ours == by_validator(path / "Observation.ndjson.gz")


def test_reporting_times_of_a_bulk_export_equal_the_file_s(data: Path) -> None:
    path = folder(data, "bulk_ndjson_2021_ktmtwm") / "Observation.ndjson.gz"
    issued = {to_us(pd.Timestamp(body["issued"]).to_pydatetime()) for body in resources(path)}
    events = read(path).events
    assert set(events["available_basis"].to_pylist()) == {"issued"}
    assert set(events["available_time"].cast(pa.int64()).to_pylist()) <= issued


def test_the_smart_export_is_read_whole(data: Path) -> None:
    path = folder(data, "bulk_ndjson_smart10")
    kinds = Counter(body["resourceType"] for body in resources(path) if "resourceType" in body)
    batch = read(path)
    codes = Counter(code.split("//")[0] for code in batch.events["code"].to_pylist())
    assert batch.rejections == ()
    assert (codes["MEDS_BIRTH"], codes["CONDITION"]) == (kinds["Patient"], kinds["Condition"]) == (13, 555)
    assert codes["VISIT"] + codes["HOSPITAL_ADMISSION"] == kinds["Encounter"] == 1_215


def test_codes_that_lie_are_refused_one_by_one(data: Path) -> None:
    path = folder(data, "bundles_2021_hiv")
    observations = sum(body["resourceType"] == "Observation" for body in resources(path))
    batch = read(path)
    assert Counter(one.reason for one in batch.rejections) == {"unmapped": observations}
    assert not any(code.startswith("LOINC") for code in batch.events["code"].to_pylist())


def test_what_the_fast_path_refuses_as_invalid_the_validator_refuses_too(data: Path) -> None:
    from fhir.resources.R4B import get_fhir_model_class

    batch = read(data / "fhir_hl7_examples")
    assert batch.events.num_rows > 10
    for rejection in batch.rejections:
        assert rejection.original is not None
        body = orjson.loads(rejection.original)
        if rejection.reason == "invalid":
            with pytest.raises(ValueError, match=r"."):
                get_fhir_model_class(body["resourceType"]).model_validate(body)
