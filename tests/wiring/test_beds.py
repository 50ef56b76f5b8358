"""``beds`` as typed: transfers, a swap, two patients in one bed, and the devices that stand there."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from typer.testing import CliRunner, Result

from clinical_jepa.cli.app import app
from clinical_jepa.evaluate.checks.script import at
from clinical_jepa.records.batch import Identity, SourceBatch
from clinical_jepa.records.errors import BadRequest
from clinical_jepa.records.events import EVENTS
from clinical_jepa.records.instant import iso
from clinical_jepa.store.events import Store
from tests.monitor.scenes import plain
from tests.timeline.builders import event


def typed(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def act(who: int, what: str, minute: int, bed: str | None = None) -> dict[str, object]:
    name = f"{who}{what}{minute}"
    return event(who, what, at(minute), at(minute), text_value=bed, encounter_id=f"e{who}", event_id=name, fact_id=name)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """1 and 2 swap their beds at minute 50, 3 is put into the bed of 1 at minute 80, 2 leaves at minute 90."""
    acts = [
        act(1, "TRANSFER_TO", 10, "A"), act(2, "TRANSFER_TO", 10, "B"),
        act(1, "TRANSFER_TO", 50, "B"), act(2, "TRANSFER_TO", 50, "A"),
        act(3, "TRANSFER_TO", 80, "B"), act(2, "HOSPITAL_DISCHARGE", 90),
    ]  # fmt: skip
    people = tuple(Identity(subject_id=who, namespace="mrn", identifier=f"H{who}") for who in (1, 2, 3))
    batch = SourceBatch(events=pa.Table.from_pylist(acts, EVENTS), identities=people)
    Store.open(tmp_path / "store", create=True).append([batch], mode="history", now=0, prepare=plain)
    return tmp_path / "store"


@pytest.fixture
def devices(tmp_path: Path) -> Path:
    table = tmp_path / "devices.csv"
    table.write_text(
        "device,bed,from,to\n"
        f"m1,A,{iso(at(0))},\nm2,B,{iso(at(0))},{iso(at(60))}\nm3,B,{iso(at(60))},\nm4,C,{iso(at(0))},\n"
    )
    return table


def shown(store: Path, devices: Path, minute: int) -> tuple[int, list[tuple[str, ...]], list[tuple[str | None, ...]]]:
    done = typed("beds", "--store", store, "--at", iso(at(minute)), "--devices", devices, "--json")
    told = json.loads(done.stdout)
    beds = [(row["bed"], row["patient"], row["state"]) for row in told["beds"]]
    return done.exit_code, beds, [(row["device"], row["patient"], row["state"]) for row in told["devices"]]


def test_patients_and_streams_change_places_at_a_transfer(store: Path, devices: Path) -> None:
    nobody = [("m4", None, "nobody")]
    assert shown(store, devices, 50) == (
        0,
        [("A", "H1", "certain"), ("B", "H2", "certain")],
        [("m1", "H1", "certain"), ("m2", "H2", "certain"), ("m3", None, "nobody"), *nobody],
    )
    assert shown(store, devices, 70) == (
        0,
        [("A", "H2", "certain"), ("B", "H1", "certain")],
        [("m1", "H2", "certain"), ("m2", None, "nobody"), ("m3", "H1", "certain"), *nobody],
    )


def test_two_patients_in_one_bed_are_shown_as_ambiguous(store: Path, devices: Path) -> None:
    code, beds, streams = shown(store, devices, 95)
    assert code == 3
    assert beds == [("B", "H1", "ambiguous"), ("B", "H3", "ambiguous")]
    assert streams[:3] == [("m1", None, "nobody"), ("m2", None, "nobody"), ("m3", None, "ambiguous")]
    said = typed("beds", "--store", store)
    assert said.exit_code == 3
    assert "2 patients come into question for bed 'B' then" in said.stdout


def test_what_is_not_known_yet_is_not_shown(store: Path, devices: Path) -> None:
    assert shown(store, devices, 10)[1] == []


def test_empty_beds_say_what_to_try(store: Path) -> None:
    assert typed("beds", "--store", store, "--at", iso(at(5))).stdout == (
        f"nobody lies in a bed at {iso(at(5))}; try another --at\n"
    )


def test_a_ward_that_is_empty_by_all_that_is_stored_says_so(tmp_path: Path) -> None:
    Store.open(tmp_path / "store", create=True)
    said = typed("beds", "--store", tmp_path / "store").stdout
    assert said == "nobody lies in a bed by all that is stored; try --at T\n"


def test_a_table_of_devices_that_cannot_be_read_is_said(store: Path, tmp_path: Path) -> None:
    for name, content in (("absent.csv", None), ("other.csv", "device;bed\n")):
        if content is not None:
            (tmp_path / name).write_text(content)
        done = typed("beds", "--store", store, "--devices", tmp_path / name)
        assert isinstance(done.exception, BadRequest), done.output
