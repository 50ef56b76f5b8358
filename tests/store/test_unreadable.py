"""A file of a store that this user may not read is no damaged one: the system's own error goes on, and names the file."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from clinical_jepa.records.errors import BadRequest
from clinical_jepa.records.instant import BEGINNING, END
from clinical_jepa.store import arrays, files
from clinical_jepa.store.events import Store
from tests.permissions import modes_hold
from tests.store.builders import Row, batch, ids, piece, stored
from tests.store.test_migration import VERSION_1


@pytest.mark.parametrize("known", [False, True])  # whether this process has gone over the bytes before
@pytest.mark.parametrize("folder", ["events", "signals", "arrays"])
def test_the_file_is_named_and_its_rows_are_there_once_it_may_be_read(tmp_path: Path, folder: str, known: bool) -> None:
    stored(tmp_path, batch(Row("a", 1), signals=(piece("s", [1.0, 2.0]),)))
    (path,) = (tmp_path / folder).iterdir()

    def looked() -> list[str]:
        store = Store.open(tmp_path)
        found = store.arrivals(BEGINNING, END)
        store.samples(found.signals["reference"][0].as_py())
        return ids(found.events)

    looked()
    arrays._mapped.cache_clear()
    if not known:
        files._digest_of.cache_clear()
    path.chmod(0)
    with modes_hold(), pytest.raises(PermissionError) as denied:
        looked()
    assert denied.value.filename == str(path)
    path.chmod(0o600)
    assert looked() == ["a"]


@pytest.mark.parametrize("name", ["events/00000001.parquet", "arrays/00000001.npy"])
def test_an_old_store_that_may_not_be_read_is_not_migrated_and_not_called_damaged(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(VERSION_1) as kept:
        kept.extractall(tmp_path)
    (tmp_path / name).chmod(0)
    with modes_hold(), pytest.raises(BadRequest, match=f"{tmp_path / name} may not be read or written"):
        Store.open(tmp_path)
    (tmp_path / name).chmod(0o600)
    assert ids(Store.open(tmp_path).arrivals(BEGINNING, END).events) == ["b", "c"]
