"""The doctor calls no broken store good: each of its faults is planted, and the whole one is good."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest

from clinical_jepa.store import files
from clinical_jepa.store import manifest as manifests
from clinical_jepa.store.ledger import Ledger
from clinical_jepa.wiring import doctor
from clinical_jepa.wiring.compose import LEDGER
from tests.permissions import modes_hold
from tests.store.builders import batch, piece, stored
from tests.store.test_migration import VERSION_1, VERSION_2
from tests.wiring.test_people import ward
from tests.wiring.test_verbs import typed


def looked(store: Path) -> tuple[int, dict[str, dict[str, str]]]:
    done = typed("doctor", "--store", store, "--model", store.with_name("none"), "--json")
    return done.exit_code, {row["what"]: row for row in json.loads(done.stdout)}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    typed("ingest", ward(tmp_path / "good", "/min"), "--store", tmp_path / "store")
    return tmp_path / "store"


def test_a_whole_store_is_good_and_every_file_of_it_was_read(store: Path) -> None:
    row = looked(store)[1]["store"]
    written = [path for path in store.rglob("*") if path.suffix in (".parquet", ".npy")]
    size = sum(path.stat().st_size for path in written) / 1e6
    assert row["state"] == "good"
    assert f"{len(written)} files read through ({size:.1f} MB)" in row["seen"]
    assert looked(store)[1]["store's rights"]["state"] == "good"


@pytest.mark.parametrize("folder", ["events", "index", "crosswalk", "units"])
@pytest.mark.parametrize("how", ["missing", "truncated", "changed"])
def test_a_store_with_a_damaged_file_is_wrong(store: Path, folder: str, how: str) -> None:
    path = next((store / folder).iterdir())
    content = path.read_bytes()
    if how == "missing":
        path.unlink()
    else:
        path.write_bytes(content[:-1] if how == "truncated" else content[:-1] + bytes([content[-1] ^ 1]))
    status, rows = looked(store)
    assert (status, rows["store"]["state"]) == (1, "wrong")
    assert path.name in rows["store"]["seen"]


def test_a_damaged_array_is_found_too(tmp_path: Path) -> None:
    stored(tmp_path / "store", batch(signals=(piece("s", [1.0] * 10),)))
    (path,) = (tmp_path / "store" / "arrays").iterdir()
    assert looked(tmp_path / "store")[1]["store"]["state"] == "good"
    path.write_bytes(path.read_bytes()[:-4])
    status, rows = looked(tmp_path / "store")
    assert (status, rows["store"]["state"]) == (1, "wrong")
    assert path.name in rows["store"]["seen"]


def test_a_changed_letter_in_the_account_of_zones_is_found(store: Path) -> None:
    account = store / "zones.json"
    account.write_text(account.read_text().replace("UTC", "UTB"))
    status, rows = looked(store)
    assert (status, rows["store"]["state"]) == (1, "wrong")
    assert "zones.json is damaged" in rows["store"]["seen"]


def test_a_file_that_is_nobodys_is_no_damage(store: Path) -> None:
    (store / "arrays" / "left.npy").write_bytes(b"by a kill")
    assert looked(store)[1]["store"]["state"] == "good"


def test_a_store_that_this_user_may_not_write_is_wrong(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    may = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != store / "events" and may(path, mode))
    status, rows = looked(store)
    assert (status, rows["store's rights"]["state"]) == (1, "wrong")
    assert rows["store's rights"]["seen"] == f"this user may not write {store / 'events'}"


def contents(folder: Path) -> dict[str, bytes | None]:
    """Every file and folder below, and what is in it."""
    return {str(path): path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


@pytest.mark.parametrize("version", [1, 2])
def test_a_store_of_an_earlier_version_is_told_and_left_as_it_is(tmp_path: Path, version: int) -> None:
    with zipfile.ZipFile({1: VERSION_1, 2: VERSION_2}[version]) as kept:
        kept.extractall(tmp_path)
    before = contents(tmp_path)
    row = looked(tmp_path)[1]["store"]
    assert contents(tmp_path) == before
    assert (row["state"], f"schema version {version}" in row["seen"]) == ("worth knowing", True)
    assert f"version {manifests.SCHEMA_VERSION}" in row["mend"]
    assert typed("subjects", "--store", tmp_path).exit_code == 0  # what the finding says to do
    assert looked(tmp_path)[1]["store"]["state"] == "good"


def test_a_look_changes_nothing_of_store_and_ledger(store: Path) -> None:
    ledger = Ledger.open(store / LEDGER)
    ledger.heartbeat("watch", 1, 1)
    ledger.close()
    before = contents(store)
    assert looked(store)[1]["ledger"]["state"] == "good"
    assert contents(store) == before
    (store / LEDGER).write_bytes(b"")  # a tick would make it a ledger
    assert looked(store)[1]["ledger"]["state"] == "good"
    assert contents(store) == before | {str(store / LEDGER): b""}


def test_a_ledger_in_use_is_read_as_it_is(store: Path) -> None:
    ledger = Ledger.open(store / LEDGER)
    ledger.heartbeat("watch", 1, 1)
    with ledger._transaction():  # whoever writes is not waited for
        assert looked(store)[1]["ledger"]["state"] == "good"
    assert list(ledger.heartbeats()) == ["watch"]


def test_a_ledger_in_use_behind_a_link_is_read_with_its_log(store: Path, tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path / "real.sqlite")
    (store / LEDGER).symlink_to(tmp_path / "real.sqlite")
    ledger._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    ledger._connection.execute("PRAGMA user_version=99")  # in the log alone
    assert "version 99" in looked(store)[1]["ledger"]["seen"]
    ledger.close()


def test_a_damaged_ledger_is_wrong(store: Path) -> None:
    ledger = Ledger.open(store / LEDGER)
    for number in range(500):
        ledger.heartbeat(f"a name that takes room {number}", 1, 1)
    ledger.close()
    content = (store / LEDGER).read_bytes()
    for damaged in (b"no ledger" * 100, content[:-4096], content[:-3000] + b"\xff" * 3000):
        (store / LEDGER).write_bytes(damaged)
        status, rows = looked(store)
        assert (status, rows["ledger"]["state"], rows["store"]["state"]) == (1, "wrong", "good")
        assert str(store / LEDGER) in rows["ledger"]["seen"]
    later = bytearray(content)
    later[60:64] = (9).to_bytes(4, "big")  # user_version
    (store / LEDGER).write_bytes(later)
    assert "version 9" in looked(store)[1]["ledger"]["seen"]


@pytest.mark.parametrize("name", ["manifest.json", "zones.json", "events", "index", "crosswalk", "units", "."])
def test_a_file_that_this_user_may_not_read_is_not_called_damaged(store: Path, name: str) -> None:
    path = store / name
    path = next(path.iterdir()) if path.is_dir() and name != "." else path
    path.chmod(0)
    files._digest_of.cache_clear()  # as in a new process
    with modes_hold():
        status, rows = looked(store)
    path.chmod(0o700)
    assert (status, rows["store"]["state"]) == (1, "wrong")
    assert rows["store"]["seen"].startswith(f"this user may not read {path}")
    assert "give this user the right" in rows["store"]["mend"]
    assert looked(store)[0] == 0


def test_a_ledger_that_this_user_may_not_read_is_not_called_damaged(store: Path) -> None:
    Ledger.open(store / LEDGER).close()
    (store / LEDGER).chmod(0)
    with modes_hold():
        rows = looked(store)[1]
    assert rows["ledger"]["state"] == "wrong"
    assert "may read and write" in rows["ledger"]["seen"] + rows["ledger"]["mend"]


def test_a_file_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "afile").write_text("")
    status, rows = looked(tmp_path / "afile")
    assert (status, rows["store"]["seen"]) == (1, f"{tmp_path / 'afile'} is a file")


def test_free_room_is_that_of_the_stores_own_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    usage = shutil.disk_usage
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: asked.append(Path(path)) or usage(path))
    (tmp_path / "there").mkdir()
    seen = looked(tmp_path / "there" / "not" / "yet")[1]["disk"]["seen"]
    assert asked == [tmp_path / "there"]
    assert str(tmp_path / "there") in seen
