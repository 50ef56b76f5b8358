"""One source of one namespace is read in one zone: a second one would put every time without an offset there twice."""

from __future__ import annotations

import json
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from clinical_jepa.records.errors import BadRequest, BrokenStore
from clinical_jepa.store import zones
from clinical_jepa.store.events import Store
from tests.ingest.builders import rows, run
from tests.sources.hl7v2.builders import obx, result

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    plain = result(obx("80", when="20260105090000"), when="20260105093000")
    (folder / "one.hl7").write_bytes(plain)
    return folder


@pytest.mark.fault(source="hl7v2", fault="another zone", ends="the run is refused before anything is read")
def test_another_zone_is_refused_and_nothing_is_there_twice(source: Path, tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store", create=True)
    run(source, store, zone=BERLIN)
    before = rows(store), store.watermark
    with pytest.raises(BadRequest, match=r"hl7v2 of mrn .*in zone Europe/Berlin, and now in UTC.*--zone Europe/Berlin"):
        run(source, store)
    assert (rows(store), store.watermark) == before
    (source / "two.hl7").write_bytes(result(obx("81", when="20260105100000"), when="20260105103000", control="C2"))
    assert run(source, store, zone=BERLIN).total.events == 1  # in its own zone it goes on


def test_another_namespace_or_another_source_may_have_a_zone_of_its_own(source: Path, tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store", create=True)
    run(source, store, zone=BERLIN)
    assert run(source, store, namespace="elsewhere").total.events == 1
    (tmp_path / "fhir").mkdir()
    (tmp_path / "fhir" / "Patient.ndjson").write_text('{"resourceType": "Patient", "id": "p", "gender": "male"}\n')
    assert run(tmp_path / "fhir", store).total.files == 1


@pytest.mark.fault(source="store", fault="a changed byte of zones.json", ends="BrokenStore; nothing is read")
def test_any_changed_byte_of_the_account_of_zones_is_seen(source: Path, tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store", create=True)
    run(source, store, zone=BERLIN)
    account = store.path / zones.NAME
    content = account.read_bytes()
    for place in range(len(content)):
        for bit in (1, 2, 4, 8, 16, 32, 64, 128):
            account.write_bytes(content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :])
            with pytest.raises(BrokenStore, match=r"zones\.json is damaged"):
                zones.read(store.path)
        account.write_bytes(content[:place])
        with pytest.raises(BrokenStore, match=r"zones\.json is damaged"):
            zones.read(store.path)
    account.write_bytes(b"{}")  # no account of before: an empty one was never written
    with pytest.raises(BrokenStore, match=r"zones\.json"):
        zones.read(store.path)
    with pytest.raises(BrokenStore, match=r"zones\.json"):
        run(source, store, zone=BERLIN)


def test_an_account_without_a_checksum_is_taken_and_has_one_at_the_next_change(source: Path, tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store", create=True)
    account, before = store.path / zones.NAME, {"hl7v2 of mrn": "Europe/Berlin"}
    account.write_text(json.dumps(before, indent=1))
    with pytest.raises(BadRequest, match="in zone Europe/Berlin, and now in UTC"):
        run(source, store)
    run(source, store, zone=BERLIN)
    assert json.loads(account.read_bytes()) == before  # nothing changed
    run(source, store, namespace="elsewhere")
    assert zones.read(store.path) == before | {"hl7v2 of elsewhere": "UTC"}
    assert "check" in json.loads(account.read_bytes())
