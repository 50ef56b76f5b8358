"""A kill at any instruction leaves a valid store: the last commit or the next, never something between."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from clinical_jepa.records.batch import Identity, Rejection
from clinical_jepa.records.instant import BEGINNING, END
from clinical_jepa.store import crash_points, writing
from clinical_jepa.store.events import Store
from tests.store.builders import Row, batch, ids, picture, piece, put, stored

ROOT = Path(__file__).parents[2]
POINTS = ("append.after-arrays", "append.before-segments", "append.after-segments", "append.before-manifest")
DONE = "append.after-manifest"


class Killed(BaseException):
    """Stands for a kill where a real one would be too slow to try at every place."""


def everything(name: str) -> object:
    """A batch with a row of every kind."""
    return batch(
        Row(name, 5),
        signals=(piece(f"s{name}", [1.0, 2.0]),),
        images=(picture(f"i{name}", np.ones((2, 2), np.float32)),),
        identities=(Identity(subject_id=1, namespace="mrn", identifier=name),),
        rejections=(Rejection(source="x", file="f", record=name, reason="invalid", message="m", original=b"o"),),
    )


def whole(store: Store) -> list[str]:
    """The events held, after checking that everything that belongs to them is there too."""
    found = store.arrivals(BEGINNING, END)
    names = ids(found.events)
    assert ids(found.signals) == [f"s{name}" for name in names]
    assert ids(found.images) == [f"i{name}" for name in names]
    assert sorted(store.rejections()["record"].to_pylist()) == names
    for name in names:
        assert store.identify(name) == 1
    for reference in [*found.signals["reference"].to_pylist(), *found.images["prepared"].to_pylist()]:
        assert np.isfinite(store.samples(reference)).all()
    return names


def count_and_kill(monkeypatch: pytest.MonkeyPatch, place: int) -> Callable[[], int]:
    """Ends the writer at its ``place``-th call that touches the disk; the result counts them."""
    calls = [0]

    def watched(real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **named: object) -> object:
            calls[0] += 1
            if calls[0] == place:
                raise Killed
            return real(*arguments, **named)

        return call

    monkeypatch.setattr(os, "fsync", watched(os.fsync))
    monkeypatch.setattr(Path, "rename", watched(Path.rename))
    monkeypatch.setattr(Path, "unlink", watched(Path.unlink))
    return lambda: calls[0]


@pytest.mark.fault(
    source="store", fault="kill at any step", ends="the last commit stands; what was left behind is swept"
)
@pytest.mark.parametrize("work", ["append", "compact", "drop"])
def test_the_store_is_whole_after_a_kill_at_every_step(tmp_path: Path, work: str) -> None:
    base = stored(tmp_path / "base", everything("a"), everything("b")).path
    place, finished = 0, False
    while not finished:
        place += 1
        folder = tmp_path / str(place)
        shutil.copytree(base, folder)
        store = Store.open(folder)
        with pytest.MonkeyPatch.context() as patch:
            done = count_and_kill(patch, place)
            try:
                _do(store, work)
                finished = done() < place
            except Killed:
                pass
        after = Store.open(folder)
        names = after.arrivals(BEGINNING, END).events["event_id"].to_pylist()
        assert names in ((["a", "b"], ["a", "b", "c"]) if work == "append" else (["a", "b"],))
        if work != "drop":
            assert whole(after) == names
        put(after, everything("c"))
        assert "c" in ids(Store.open(folder).arrivals(BEGINNING, END).events)
        assert files(folder) == after._manifest.names() | pointed_at(after)  # what the kill left behind is swept
    assert place > 5


def _do(store: Store, work: str) -> None:
    if work == "append":
        put(store, everything("c"))
    elif work == "compact":
        store.compact()
    else:
        store.drop_rejections(store.rejections()["rejection_id"][:1].to_pylist())


def pointed_at(store: Store) -> set[str]:
    """The arrays that rows point into."""
    (reader,) = store.readers()
    tables = [reader.views[kind].table for kind in ("signals", "images")]
    references = [one for table in tables for one in table["reference"].to_pylist()]
    return {one.partition("#")[0] for one in references}


def files(folder: Path) -> set[str]:
    return {f"{kind}/{path.name}" for kind in writing.FOLDERS for path in (folder / kind).iterdir()}


CHILD = """
import os, sys, types
sys.modules["tests"] = package = types.ModuleType("tests")
package.__path__ = [sys.argv[1]]
from clinical_jepa.store import crash_points
from clinical_jepa.store.events import Store
from tests.store.builders import put
from tests.store.test_crash import everything
crash_points.install(lambda name: os._exit(9) if name == sys.argv[3] else None)
put(Store.open(sys.argv[2]), everything("b"))
"""


@pytest.mark.parametrize("point", [*POINTS, DONE])
def test_a_process_that_ends_at_a_named_point(tmp_path: Path, point: str) -> None:
    stored(tmp_path, everything("a"))
    ended = subprocess.run(
        [sys.executable, "-c", CHILD, str(ROOT / "tests"), str(tmp_path), point], cwd=ROOT, check=False
    )
    assert ended.returncode == 9
    store = Store.open(tmp_path)
    assert whole(store) == (["a", "b"] if point == DONE else ["a"])
    put(store, everything("b"))  # the lock went with the process; doing it again does it once
    assert whole(store) == ["a", "b"]


def test_points_do_nothing_unless_a_check_asked() -> None:
    seen: list[str] = []
    crash_points.reached("x")
    crash_points.install(seen.append)
    try:
        crash_points.reached("y")
    finally:
        crash_points.install(None)
    crash_points.reached("z")
    assert seen == ["y"]
