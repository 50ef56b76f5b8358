"""R5 beside R4. No public R5 set is at hand: these resources are made here, and held against fhir.resources' R5 classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clinical_jepa.sources.fhir.versions import fields, version_of
from tests.sources.fhir.builders import facts, observation, only, quantity, read, write
from tests.sources.fhir.twins import ACT, ALIKE, KINDS, PERIOD, SUBJECT, accepted, concept, twins

CAPABLE = "CapabilityStatement.json"


def capability(number: str) -> dict[str, Any]:
    return {"resourceType": "CapabilityStatement", "fhirVersion": number}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("declared", [False, True])
@pytest.mark.parametrize("strict", [False, True])
def test_the_same_facts_in_both_versions_are_the_same_rows(
    kind: str, declared: bool, strict: bool, tmp_path: Path
) -> None:
    """Told apart by their shape, or by their server's word."""
    found = {}
    for version, body in twins(kind).items():
        assert accepted(body, version)
        assert version_of(body) == ("R4" if kind in ALIKE else version)
        folder = tmp_path / version
        folder.mkdir()
        if declared:
            write(folder, CAPABLE, capability({"R4": "4.0.1", "R5": "5.0.0"}[version]))
        batch = read(write(folder, f"{kind}.ndjson", body), strict=strict, trust_last_updated=True)
        assert batch.rejections == ()
        found[version] = (batch.events.to_pylist(), batch.ignored)
    if kind == "Device":  # R5's has no patient
        assert [row["code"] for row in found["R4"][0]] == ["DEVICE//LOINC//2524-7"]
        assert found["R5"] == ([], {"Device about no Patient": 1})
    else:
        assert found["R4"][0]
        assert found["R4"] == found["R5"]


@pytest.mark.parametrize("number", ["4.0.1", "4.3.0"])
def test_r4_and_r4b_are_read_as_r4_where_their_server_says_so(number: str, tmp_path: Path) -> None:
    write(tmp_path, CAPABLE, capability(number))
    for kind in KINDS:
        batch = read(write(tmp_path, f"{kind}.ndjson", twins(kind)["R4"]), strict=True, trust_last_updated=True)
        assert (batch.rejections, batch.events.num_rows > 0) == ((), True)
    newer = only(read(write(tmp_path, "Procedure.ndjson", twins("Procedure")["R5"])))
    assert "FHIR R4" in newer.message


@pytest.mark.parametrize("strict", [False, True])
def test_earlier_classes_of_a_stay_are_rows_in_r4_and_resources_of_their_own_in_r5(
    strict: bool, tmp_path: Path
) -> None:
    stay = twins("Encounter")
    emergency = {"start": "2026-01-05T07:00:00Z", "end": PERIOD["start"]}
    history = [{"class": {"system": ACT, "code": "EMER"}, "period": emergency}]
    older = stay["R4"] | {"classHistory": history}
    assert accepted(older, "R4")
    rows = facts(read(write(tmp_path, "Encounter.ndjson", older), strict=strict))
    assert {row for row in rows if row[0].startswith("ENCOUNTER_CLASS")} == {
        ("ENCOUNTER_CLASS//EMER", emergency["start"], emergency["start"], "assumed", None, "final")
    }
    newer = {
        "resourceType": "EncounterHistory",
        "id": "h1",
        "status": "completed",
        "class": concept(ACT, "EMER"),
        "subject": SUBJECT,
        "actualPeriod": emergency,
    }
    assert accepted(newer, "R5")
    batch = read(write(tmp_path, "EncounterHistory.ndjson", newer), strict=strict)
    assert (batch.events.num_rows, batch.rejections, batch.ignored) == (0, (), {"EncounterHistory": 1})


def test_r5_shapes_in_an_r4_resource_are_refused_and_named(tmp_path: Path) -> None:
    mixed = {"period": PERIOD} | twins("Encounter")["R5"]
    assert "FHIR R5" in only(read(write(tmp_path, "Encounter.ndjson", mixed))).message


def test_a_capability_statement_decides(tmp_path: Path) -> None:
    write(tmp_path, CAPABLE, capability("5.0.0"))
    batch = read(write(tmp_path, "Procedure.ndjson", twins("Procedure")["R4"]))
    assert "FHIR R5" in only(batch).message


def test_the_table_of_elements_is_the_library_s() -> None:
    from fhir.resources import get_fhir_model_class as r5
    from fhir.resources.R4B import get_fhir_model_class as r4

    def elements(model: Any) -> set[str]:
        names = {info.alias or name for name, info in model.model_fields.items()}
        return {name for name in names if not name.startswith("_") and name != "fhir_comments"}

    for kind, names in fields().items():
        older, newer = elements(r4(kind)), elements(r5(kind))
        assert set(names) == older | newer
        for name, version in names.items():
            assert version == ("both" if name in older & newer else "R4" if name in older else "R5")


def wave(**sampled: Any) -> dict[str, Any]:
    data = {"origin": quantity(0, "mV"), "factor": 0.1, "dimensions": 1, "data": "1 2 3"} | sampled
    lead = concept("urn:oid:2.16.840.1.113883.6.24", "131330")
    return observation(valueQuantity=None, code=None, valueSampledData=data) | {"code": lead}


def test_a_waveform_of_either_version_is_the_same_piece(tmp_path: Path) -> None:
    older, newer = wave(period=4), wave(interval=4, intervalUnit="ms")
    batch = read(write(tmp_path, "Observation.ndjson", older, newer))
    assert len(batch.signals) == 2
    assert len({one.event_id for one in batch.signals}) == 1
    assert facts(batch) == set()
