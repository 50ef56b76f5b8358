"""The one gate every number passes: unit and plausibility (hazard: a score computed from wrong units)."""

from __future__ import annotations

import meds
import pytest

from clinical_jepa.records.events import EVENTS, REASONS
from clinical_jepa.sources.rows import Fact, Origin, Rows

ORIGIN = Origin(source="test", file="a.ndjson", record="line 1", original=b"{}")


def fact(value: float | None, unit: str | None, code: str = "LOINC//8310-5") -> Fact:
    return Fact(
        key="k", subject_id=1, code=code, time=10, available_time=20, available_basis="issued", value=value, unit=unit
    )


def test_a_value_is_stored_in_its_canonical_unit() -> None:
    rows = Rows()
    assert rows.add(fact(98.6, "[degF]"), ORIGIN)
    (row,) = rows.table().to_pylist()
    assert row["unit"] == "Cel"
    assert row["numeric_value"] == pytest.approx(37.0)


@pytest.mark.parametrize(
    ("value", "unit", "reason"),
    [
        (37.0, None, "no-unit"),
        (37.0, "mg/dL", "unknown-unit"),
        (370.0, "Cel", "implausible"),
        (float("nan"), "Cel", "implausible"),
    ],
)
def test_what_is_not_certain_is_quarantined_with_its_original(value: float, unit: str | None, reason: str) -> None:
    rows = Rows()
    assert not rows.add(fact(value, unit), ORIGIN)
    (rejection,) = rows.rejections
    assert rejection.reason == reason in REASONS
    assert rejection.original == b"{}"
    assert str(value) not in rejection.message, "a message may be logged: it holds no value of a patient"


def test_the_table_is_a_valid_meds_data_table() -> None:
    rows = Rows()
    rows.add(fact(37.0, "Cel"), ORIGIN)
    rows.add(fact(None, None, code="GENDER//F"), ORIGIN)
    table = rows.table()
    assert table.schema == EVENTS
    meds.DataSchema.validate(table)
