"""The FHIR files, read with nothing of ours: valid R4, versions in order, planted faults as listed."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from clinical_jepa.simulate.fhir_files import TYPES


def resources(root: Path, kind: str) -> list[dict]:
    lines = (root / "ward" / "fhir" / f"{kind}.ndjson").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("kind", TYPES)
def test_every_resource_is_valid_r4b(root: Path, kind: str) -> None:
    from fhir.resources.R4B import get_fhir_model_class

    model = get_fhir_model_class(kind)
    found = resources(root, kind)
    for resource in found:
        model.model_validate(resource)
    assert found or kind in ("MedicationAdministration", "Condition")


def test_references_lead_somewhere(root: Path) -> None:
    known = {f"{kind}/{resource['id']}" for kind in TYPES for resource in resources(root, kind)}
    for kind in TYPES:
        for resource in resources(root, kind):
            for name in ("subject", "encounter", "context"):
                if name in resource:
                    assert resource[name]["reference"] in known
            for place in resource.get("location", []):
                assert place["location"]["reference"] in known


def test_results_are_issued_after_they_were_drawn(root: Path) -> None:
    delays = []
    for resource in resources(root, "Observation"):
        when = resource.get("effectiveDateTime") or resource["effectivePeriod"]["end"]
        delay = datetime.fromisoformat(resource["issued"]) - datetime.fromisoformat(when)
        delays.append(delay.total_seconds() / 60)
        assert delay.total_seconds() > 0
        assert datetime.fromisoformat(resource["meta"]["lastUpdated"]) >= datetime.fromisoformat(resource["issued"])
        laboratory = resource["category"][0]["coding"][0]["code"] == "laboratory"
        if laboratory and resource["meta"]["versionId"] == "1" and "planted" not in resource["id"]:
            assert 20 <= delays[-1] <= 90
    assert max(delays) > 60  # some rounds are entered hours later


def test_versions_are_corrections_of_what_was_there(tmp_path: Path) -> None:
    from clinical_jepa.simulate.ward import simulate

    simulate(tmp_path / "w", subjects=0, hours=24, seed=5, records_only=20)
    versions: dict[str, list[dict]] = defaultdict(list)
    for resource in resources(tmp_path / "w", "Observation"):
        versions[resource["id"]].append(resource)
    statuses = defaultdict(int)
    for rows in versions.values():
        first, last = rows[0], rows[-1]
        assert {row["meta"]["versionId"] for row in rows} <= {"1", "2"}
        if last["meta"]["versionId"] == "2":
            statuses[last["status"]] += 1
            assert datetime.fromisoformat(last["issued"]) > datetime.fromisoformat(first["issued"])
            assert last.get("effectiveDateTime") == first.get("effectiveDateTime")
            assert last["status"] == "entered-in-error" or last != {
                **first,
                "meta": last["meta"],
                "issued": last["issued"],
            }
        elif len(rows) == 2:
            statuses["twice"] += 1
            assert first == last
    assert {"corrected", "entered-in-error", "final", "twice"} <= set(statuses)
    assert sum(statuses.values()) < 0.03 * len(versions)


def test_planted_faults_are_as_listed(root: Path) -> None:
    planted = pl.read_parquet(root / "truth" / "planted.parquet")
    assert set(planted["fault"]) == {"implausible", "no-unit", "unknown-unit"}
    by_id = {f"Observation/{resource['id']}": resource for resource in resources(root, "Observation")}
    for row in planted.iter_rows(named=True):
        quantity = by_id[row["resource"]]["valueQuantity"]
        assert (row["fault"] == "no-unit") == ("code" not in quantity)
    elsewhere = [resource for name, resource in by_id.items() if name not in set(planted["resource"])]
    quantities = [part.get("valueQuantity") for one in elsewhere for part in (one, *one.get("component", []))]
    assert all(quantity["code"] and 0 <= quantity["value"] < 1000 for quantity in quantities if quantity)


def test_beds_follow_one_another(root: Path) -> None:
    for stay in resources(root, "Encounter"):
        periods = [place["period"] for place in stay["location"]]
        assert periods[0]["start"] == stay["period"]["start"]
        assert periods[-1].get("end") == stay["period"].get("end")
        assert all(one["end"] == two["start"] for one, two in pairwise(periods))
        assert (stay["status"] == "finished") == ("end" in stay["period"])
