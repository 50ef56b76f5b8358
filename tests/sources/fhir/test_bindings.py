"""The codes that FHIR fixes: every one of the table is read, no other is, in either version, whichever path reads it."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from clinical_jepa.sources.fhir.bindings import Binding, bindings, foreign, has_r5_code
from clinical_jepa.sources.fhir.reader import READERS
from tests.sources.fhir.builders import LOINC, only, quantity, read, refusals, write
from tests.sources.fhir.twins import accepted, twins

OUTCOME = {"resourceType": "OperationOutcome", "id": "x1", "issue": [{"severity": "error", "code": "exception"}]}
PART = {"code": {"coding": [{"system": LOINC, "code": "8480-6"}]}, "valueQuantity": quantity(120, "mm[Hg]")}
TABLE = [(version, kind, binding) for version in ("R4", "R5") for kind, held in bindings().items() for binding in held]
NAMES = [f"{version} {kind}.{binding.element}" for version, kind, binding in TABLE]


def planted(version: str, kind: str, binding: Binding, code: Any) -> dict[str, Any]:
    """A resource that is right, with this code in the element."""
    body = deepcopy(OUTCOME if kind == "OperationOutcome" else twins(kind)[version])
    path = binding.element.split(".")
    if path[0] == "component":
        body |= {"component": [deepcopy(PART)]}
        del body["valueQuantity"]
    node = body
    for name in path[:-1]:
        node = node[name][0] if isinstance(node[name], list) else node[name]
    node[path[-1]] = {"coding": [{"system": binding.system, "code": code}]} if binding.system else code
    return body


def site(folder: Path, version: str) -> Path:
    """A folder whose server says which version it has."""
    number = {"R4": "4.0.1", "R5": "5.0.0"}[version]
    write(folder, "CapabilityStatement.json", {"resourceType": "CapabilityStatement", "fhirVersion": number})
    return folder


@pytest.mark.parametrize(("version", "kind", "binding"), TABLE, ids=NAMES)
@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("code", ["bogus", 5, None])
def test_a_code_that_fhir_does_not_have_is_refused(
    version: str, kind: str, binding: Binding, strict: bool, code: object, tmp_path: Path
) -> None:
    body = planted(version, kind, binding, code)
    batch = read(write(site(tmp_path, version), f"{kind}.ndjson", body), strict=strict)
    assert (refusals(batch), batch.events.num_rows, batch.links) == ([("invalid", "line 1")], 0, ())
    if not (strict and code != "bogus"):  # the library says that of what is no code
        assert f"{kind}.{binding.element} " in only(batch).message


@pytest.mark.parametrize(("version", "kind", "binding"), TABLE, ids=NAMES)
def test_every_code_of_the_version_is_read(version: str, kind: str, binding: Binding, tmp_path: Path) -> None:
    site(tmp_path, version)
    for code, of in binding.codes.items():
        body = planted(version, kind, binding, code)
        batch = read(write(tmp_path, f"{kind}.ndjson", body), trust_last_updated=True)
        invalid = [one.message for one in batch.rejections if one.reason == "invalid"]
        assert bool(invalid) == (of not in ("both", version)), (code, invalid)


@pytest.mark.parametrize(("version", "kind", "binding"), TABLE, ids=NAMES)
def test_the_library_lets_any_code_pass(version: str, kind: str, binding: Binding) -> None:
    """Why the table is there; where this turns red, the library has begun to look."""
    assert accepted(planted(version, kind, binding, "bogus"), version)


def test_every_state_of_what_is_read_is_in_the_table() -> None:
    stated = {kind for kind, held in bindings().items() if any(one.element == "status" for one in held)}
    assert READERS.keys() - stated == {"Patient", "Condition"}  # these have none


def test_the_words_of_another_system_stand_beside_fhir_s_and_not_instead() -> None:
    body = twins("Condition")["R4"]
    own = body["verificationStatus"]["coding"]
    local = {"system": "urn:ward", "code": "sure"}
    said = {"both": [local, *own], "bare": [{"code": "confirmed"}], "local": [local], "none": []}
    found = {name: foreign(body | {"verificationStatus": {"coding": coding}}, "R4") for name, coding in said.items()}
    element = "Condition.verificationStatus"
    assert found == {"both": None, "bare": None, "local": element, "none": element}


def test_a_code_that_only_r5_has_tells_r5() -> None:
    report = twins("DiagnosticReport")
    assert (has_r5_code(report["R4"]), has_r5_code(report["R5"])) == (False, True)


def test_an_administration_that_is_refused_is_no_further_rate(tmp_path: Path) -> None:
    given = twins("MedicationAdministration")["R4"]
    more = given | {"id": "x2", "status": "bogus", "effectivePeriod": {"start": given["effectivePeriod"]["end"]}}
    batch = read(write(tmp_path, "MedicationAdministration.ndjson", given, more))
    assert [value for value in batch.events["numeric_value"].to_pylist() if value == 0] == [0]
