"""The law of the whole road in, on a simulated ward's own files: order, doubling, batching and kills of reading do not matter,
and what its sources say later changes nothing that was known before."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from clinical_jepa.records.instant import to_us
from clinical_jepa.simulate.ward import simulate
from clinical_jepa.sources import catalog
from clinical_jepa.store.events import Store
from tests.ingest.builders import LONG_AFTER, run


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ward")
    simulate(folder, subjects=1, hours=2, seed=3, records_only=3)
    return folder / "ward"


@pytest.fixture(scope="module")
def whole(ward: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The store of the ward, read once in order."""
    store = Store.open(tmp_path_factory.mktemp("whole"), create=True)
    run(ward, store)
    return store


def answers(store: Store, instants: list[int]) -> list[Any]:
    """Everything that is seen as of each instant; where samples and pictures lie may differ, what they are may not."""
    found: list[Any] = []
    for instant in instants:
        seen = store.arrivals(-LONG_AFTER, instant)
        pointers = {
            name: [store.samples(one).tobytes() for one in table[name].to_pylist()] for table, name in _pointers(seen)
        }
        signals, images = seen.signals.drop_columns(["reference"]), seen.images.drop_columns(["reference", "prepared"])
        found.append((seen.events.to_pylist(), signals.to_pylist(), images.to_pylist(), pointers))
    refused = store.rejections().to_pylist()
    return [
        *found,
        {(row["source"], row["reason"], row["original"]) for row in refused},
        store.subjects(LONG_AFTER).to_pylist(),
    ]


def _pointers(seen: Any) -> list[tuple[Any, str]]:
    return [(seen.signals, "reference"), (seen.images, "prepared")]


def cuts(store: Store) -> list[int]:
    """Instants all through the ward, and the end."""
    times = sorted(set(store.arrivals(-LONG_AFTER, LONG_AFTER).events["available_time"].cast("int64").to_pylist()))
    return [*times[:: max(1, len(times) // 5)], LONG_AFTER]


def parted(ward: Path, out: Path, chance: random.Random) -> list[Path]:
    """The same ward as several deliveries: observations mixed, parted and half of them doubled, with all that they refer to."""
    lines = (ward / "fhir" / "Observation.ndjson").read_bytes().splitlines()
    lines += chance.sample(lines, len(lines) // 2)
    chance.shuffle(lines)
    parts = []
    for number, size in enumerate([3, 3, 3]):
        part = out / f"part{number}"
        shutil.copytree(ward / "fhir", part)
        mine = lines[number::size]
        (part / "Observation.ndjson").write_bytes(b"\n".join(mine) + b"\n")
        parts.append(part)
    parts += [ward / "wfdb", ward / "dicom", ward / "dicom"]
    chance.shuffle(parts)
    return parts


def killed_at(place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ends reading in the middle of the ``place``-th unit from here on."""
    plain, calls = catalog.read, [0]

    def interrupted(found: catalog.Found, context: Any) -> Iterator[Any]:
        calls[0] += 1
        batches = plain(found, context)
        if calls[0] == place:
            yield next(iter(batches))
            raise KeyboardInterrupt
        yield from batches

    monkeypatch.setattr(catalog, "read", interrupted)


@pytest.mark.parametrize("seed", range(4))
def test_order_doubling_batching_and_kills_do_not_matter(seed: int, ward: Path, whole: Store, tmp_path: Path) -> None:
    chance = random.Random(seed)
    folder, kills = tmp_path / "store", 0
    Store.open(folder, create=True)
    for number, part in enumerate(parted(ward, tmp_path, chance)):
        with pytest.MonkeyPatch.context() as patch:
            if number == 0 or chance.random() < 0.5:
                killed_at(1 if number == 0 else chance.randint(1, 3), patch)
            try:
                run(part, Store.open(folder))
            except KeyboardInterrupt:
                kills += 1
        run(part, Store.open(folder))
        if chance.random() < 0.3:
            Store.open(folder).compact()
    assert kills > 0
    for mine, expected in zip(answers(Store.open(folder), cuts(whole)), answers(whole, cuts(whole)), strict=True):
        assert mine == expected


def changed(line: bytes, after: int, how: Callable[[dict[str, Any]], bytes]) -> bytes:
    body = orjson.loads(line)
    return how(body) if to_us(datetime.fromisoformat(body["issued"])) > after else line


@pytest.mark.parametrize("place", [1, 2, 3])
def test_what_is_said_later_changes_nothing_before(place: int, ward: Path, whole: Store, tmp_path: Path) -> None:
    cut = cuts(whole)[place]

    def other(body: dict[str, Any]) -> bytes:
        value = body.get("valueQuantity", {})
        return orjson.dumps(body | {"valueQuantity": value | {"value": 1 + value.get("value", 0)}})

    for name, how in (("other", other), ("gone", lambda body: b"")):
        copy = tmp_path / name
        shutil.copytree(ward, copy)
        path = copy / "fhir" / "Observation.ndjson"
        lines = path.read_bytes().splitlines()
        mutated = [changed(line, cut, how) for line in lines]
        assert mutated != lines
        path.write_bytes(b"\n".join(line for line in mutated if line) + b"\n")
        store = Store.open(tmp_path / f"store {name}", create=True)
        run(copy, store)
        assert answers(store, [cut])[0] == answers(whole, [cut])[0]
        assert answers(store, [LONG_AFTER])[0] != answers(whole, [LONG_AFTER])[0]
