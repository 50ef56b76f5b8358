"""Laws that hold for any file."""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.fhir import files, reader
from tests.sources.fhir.builders import EXAMPLES, facts, observation, quantity, read, write

LINES = [line for line in (EXAMPLES / "ward" / "Observation.ndjson").read_bytes().splitlines() if line]


def ids(folder: Path, lines: list[bytes]) -> set[str]:
    return set(read(write(folder, "Observation.ndjson", *lines)).events["event_id"].to_pylist())


@given(st.permutations(LINES), st.lists(st.sampled_from(LINES)))
@pytest.mark.fault(source="fhir", fault="duplicate", ends="the same rows")
def test_order_and_duplicates_of_lines_do_not_change_the_set_of_rows(order: list[bytes], twice: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert ids(Path(folder), order + twice) == ids(Path(folder), LINES)


@given(st.binary(max_size=60).filter(lambda junk: b"\n" not in junk and b"\r" not in junk))
def test_whatever_stands_in_a_line_the_others_are_read(junk: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        batch = read(write(Path(folder), "Observation.ndjson", LINES[0], junk, LINES[1]))
        assert batch.events.num_rows == 2


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["code", "coding", "value", "start"]), inner, max_size=2)
    ),
    max_leaves=5,
)
FIELDS = [
    "status",
    "code",
    "subject",
    "meta",
    "effectiveDateTime",
    "issued",
    "valueQuantity",
    "component",
    "category",
    "id",
    "encounter",
]


@given(st.sampled_from(FIELDS), JSON)
def test_no_shape_of_a_field_breaks_the_reader(field: str, content: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), "Observation.ndjson", observation("a"), observation("b") | {field: content})
        batch = read(path)
        assert 1 <= batch.events.num_rows <= 3
        assert batch.events.num_rows + len(batch.rejections) + sum(batch.ignored.values()) >= 2


@given(st.floats(0, 350, allow_nan=False), st.integers(0, 59))
def test_what_is_kept_equals_what_was_written(value: float, minute: int) -> None:
    when = f"2026-01-05T09:{minute:02d}:00Z"
    with tempfile.TemporaryDirectory() as folder:
        one = observation(effectiveDateTime=when, issued=when, valueQuantity=quantity(value, "/min"))
        ((_, time, available, _, kept, _),) = facts(read(write(Path(folder), "Observation.ndjson", one)))
    assert time == available == when
    assert abs(float(str(kept)) - value) <= 1e-3


def test_gzip_and_plain_files_give_the_same_rows(tmp_path: Path) -> None:
    plain = write(tmp_path, "Observation.ndjson", *LINES)
    packed = tmp_path / "gz" / "Observation.ndjson.gz"
    packed.parent.mkdir()
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert facts(read(packed)) == facts(read(plain))


def test_a_long_file_comes_in_batches(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(reader, "BATCH_ROWS", 10)
    monkeypatch.setattr(files, "CHUNK", 5)
    path = write(tmp_path, "Observation.ndjson", *(observation(f"o{number}") for number in range(25)))
    sizes = [batch.events.num_rows for batch in reader.read(path, ReadContext(root=tmp_path))]
    assert sizes == [10, 10, 5]


def test_the_fast_path_takes_what_the_full_validator_takes() -> None:
    from fhir.resources.R4B import get_fhir_model_class

    for path in sorted((EXAMPLES / "ward").glob("*.ndjson")):
        for line in path.read_bytes().splitlines():
            body = orjson.loads(line)
            get_fhir_model_class(body["resourceType"]).model_validate(body)
