"""The doctor calls no broken store good: each of its faults is planted, and the whole one is good."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from clinical_jepa.wiring import doctor
from tests.store.builders import batch, piece, stored
from tests.wiring.test_people import ward
from tests.wiring.test_verbs import typed


def looked(store: Path) -> tuple[int, dict[str, dict[str, str]]]:
    done = typed("doctor", "--store", store, "--model", store / "none", "--json")
    return done.exit_code, {row["what"]: row for row in json.loads(done.stdout)}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    typed("ingest", ward(tmp_path / "good", "/min"), "--store", tmp_path / "store")
    return tmp_path / "store"


def test_a_whole_store_is_good_and_every_file_of_it_was_read(store: Path) -> None:
    row = looked(store)[1]["store"]
    files = [path for path in store.rglob("*") if path.suffix in (".parquet", ".npy")]
    size = sum(path.stat().st_size for path in files) / 1e6
    assert row["state"] == "good"
    assert f"{len(files)} files read through ({size:.1f} MB)" in row["seen"]
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
