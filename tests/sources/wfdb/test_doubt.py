"""A header of segments that cannot be read: its segments wait, and in the end the store is that of one good reading."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import wfdb

from clinical_jepa.ingest import ingest
from clinical_jepa.sources.clocks import ClockOffset
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.wfdb import reader
from clinical_jepa.store.events import Store
from tests.ingest.builders import prepare, run
from tests.permissions import modes_hold
from tests.sources.wfdb import builders
from tests.sources.wfdb.builders import NAME
from tests.sources.wfdb.test_growing import GROWING_S, LATE, content, take, ward

SEGMENTS = [f"p000123_000{number}.hea" for number in (1, 2, 3)]
NO_PERMISSION = f"no permission to read {NAME}.hea: make it readable for this user, and ingest again"
WAITS = f"it may be a segment of {NAME}.hea, and nothing of it is read before that header is: "


def expected(folder: Path) -> tuple[list[tuple], list[dict]]:
    store = Store.open(folder.parent / "once", create=True)
    take(folder, store, growing_s=None)
    return content(store)


def refusals(store: Store) -> dict[str, str]:
    return {row["file"]: row["message"] for row in store.rejections().to_pylist()}


@contextmanager
def closed(header: Path) -> Iterator[None]:
    header.chmod(0)
    with modes_hold():
        yield
    header.chmod(0o600)


@contextmanager
def damaged(header: Path, harm: Callable[[bytes], bytes]) -> Iterator[None]:
    whole = header.read_bytes()
    header.write_bytes(harm(whole))
    yield
    header.write_bytes(whole)


@pytest.mark.fault(
    source="wfdb",
    fault="no permission to read the header of a record of segments",
    ends="its segments wait, named with the header; in the end nothing is lost or doubled",
)
@pytest.mark.parametrize("growing_s", [None, GROWING_S])
def test_segments_wait_for_a_header_that_may_not_be_read(tmp_path: Path, growing_s: float | None) -> None:
    folder = ward(tmp_path / "in")
    whole = expected(folder)
    store = Store.open(tmp_path / "store", create=True)
    with closed(folder / f"{NAME}.hea"):
        first = take(folder, store, growing_s=growing_s)
        again = take(folder, store, growing_s=growing_s)
    assert first.reasons == {"unreadable": 4}
    assert refusals(store) == {f"{NAME}.hea": NO_PERMISSION} | dict.fromkeys(SEGMENTS, WAITS + NO_PERMISSION)
    assert (again.total.rejected, again.again) == (0, 4)
    assert content(store)[0] == []
    assert len(content(store)[1]) == 3  # the numerics tell whose they are, and when: no segment
    take(folder, store, growing_s=growing_s)
    assert content(store) == whole


@pytest.mark.fault(
    source="wfdb",
    fault="damaged header of a record of segments",
    ends="its segments wait, whether it still lists them or not; in the end nothing is lost or doubled",
)
@pytest.mark.parametrize(
    ("harm", "waiting"),
    [
        (lambda whole: whole.replace(b"62.5", b"6x.5"), SEGMENTS[:0]),  # it still lists them all
        (lambda whole: whole[: whole.index(b"p000123_0002")], SEGMENTS[1:]),
        (lambda whole: whole.replace(b"/4 2 62.5", b"@4 2 sixty"), SEGMENTS),
        (lambda whole: b"", SEGMENTS),
        (lambda whole: bytes(200), SEGMENTS),
    ],
)
def test_segments_wait_for_a_header_that_is_damaged(
    tmp_path: Path, harm: Callable[[bytes], bytes], waiting: list[str]
) -> None:
    folder = ward(tmp_path / "in")
    whole = expected(folder)
    store = Store.open(tmp_path / "store", create=True)
    with damaged(folder / f"{NAME}.hea", harm):
        take(folder, store, growing_s=None)
        assert take(folder, store, growing_s=None).total.files == 0
    told = refusals(store)
    assert sorted(told) == sorted([f"{NAME}.hea", *waiting])
    assert {told[name] for name in waiting} <= {WAITS + "it is damaged; put it back whole, and ingest again"}
    assert content(store)[0] == []
    take(folder, store, growing_s=None)
    assert content(store) == whole


def test_a_header_that_is_being_written_is_waited_for_without_a_refusal(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    frames = builders.segment(folder, f"{NAME}_0001", 50)
    segment, header = folder / f"{NAME}_0001.hea", builders.master(folder, [(f"{NAME}_0001", frames)])
    first, *rest = segment.read_text().splitlines()  # it tells whose it is and when: by its name alone it is a segment
    segment.write_text("\n".join([f"{first} {builders.BASE}", *rest, ""]))
    whole = expected(folder)
    long_ago = time.time() - 2 * GROWING_S
    for path in folder.glob("*_0001.*"):
        os.utime(path, (long_ago, long_ago))
    store = Store.open(tmp_path / "store", create=True)
    with damaged(header, lambda content: content[:20]):
        report = take(folder, store)
        assert (report.reasons, report.ignored) == ({}, {"still being written, left for a later run": 2})
        os.utime(header, (long_ago, long_ago))
        assert take(folder, store).reasons == {"unreadable": 2}
        assert take(folder, store).total.files == 0
    take(folder, store)
    assert content(store) == whole


@pytest.mark.parametrize("growing_s", [None, GROWING_S])
def test_segments_wait_in_a_stitched_ward_and_under_another_clock_too(tmp_path: Path, growing_s: float | None) -> None:
    folder = ward(tmp_path / "in")
    store, good = (Store.open(tmp_path / name, create=True) for name in ("store", "good"))
    skewed = ClockOffset(subject=None, record=None, start=0, end=2**60, offset=60_000_000)
    options = {"growing_s": growing_s} | ({"stitch_to": 0} if growing_s is None else {"clock_offsets": (skewed,)})
    with closed(folder / f"{NAME}.hea"):
        assert run(folder, store, **options).reasons == {"unreadable": 4}
    run(folder, store, **options)
    run(folder, good, **options)
    assert content(store)[0] == content(good)[0] != []
    if growing_s is not None:  # the offset was applied
        assert [piece[2] - timedelta(minutes=1) for piece in content(good)[0]] == [
            piece[2] for piece in expected(folder)[0]
        ]


def test_segments_of_other_records_and_other_folders_do_not_wait(tmp_path: Path) -> None:
    folder = ward(tmp_path / "in")
    for name, home in (("s", folder), ("t", tmp_path / "in" / "beside")):
        home.mkdir(exist_ok=True)
        frames = builders.segment(home, f"{name}_0001", 20)
        builders.master(home, [(f"{name}_0001", frames)], name=f"p000777-{name}")
    builders.segment(folder / "beside", "alone_0001", 20)
    with closed(folder / f"{NAME}.hea"):
        found = [path.relative_to(folder).as_posix() for path in reader.find(folder)]
    assert found == [
        "beside/alone_0001.hea",
        "beside/p000777-t.hea",
        f"{NAME}.hea",
        f"{NAME}n.hea",
        *(f"{name}/may be of {NAME}.hea" for name in SEGMENTS),
        "p000777-s.hea",
    ]


def alone(folder: Path, *names: str) -> None:
    """Records that do not tell whose they are, nor when."""
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        samples = builders.wave(4000, seed=number)[:, None]
        wfdb.wrsamp(name, fs=125, units=["mV"], sig_name=["II"], p_signal=samples, fmt=["16"], write_dir=str(folder))


def test_records_wait_for_a_header_that_proves_to_be_of_no_segments_and_are_read_then(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    alone(folder, "100", "100a", "101")
    whole = expected(folder)
    store = Store.open(tmp_path / "store", create=True)
    with closed(folder / "100.hea"):
        assert take(folder, store, growing_s=None).reasons == {"unreadable": 2}
    take(folder, store, growing_s=None)
    assert content(store) == whole
    # one that is damaged, but has no segments for certain, is waited for by nobody
    with damaged(folder / "100.hea", lambda content: content.replace(b"100.dat 16", b"100.dat xx")):
        assert [path.name for path in reader.find(folder)] == ["100.hea", "100a.hea", "101.hea"]


@pytest.mark.fault(
    source="wfdb",
    fault="a file named .hea that is no header",
    ends="it alone is refused; the records beside it are read",
)
@pytest.mark.parametrize("odd", [b"", b"dear colleague,\nthese are from ward 3\n", bytes(50)])
def test_records_do_not_wait_for_an_odd_header_that_has_nothing_to_do_with_them(tmp_path: Path, odd: bytes) -> None:
    folder = tmp_path / "in"
    alone(folder, "100", "101", "s_12_0001_b", "x_00012")
    (folder / "notes.hea").write_bytes(odd)
    store = Store.open(tmp_path / "store", create=True)
    assert take(folder, store, growing_s=None).reasons == {"unreadable": 1}
    assert list(refusals(store)) == ["notes.hea"]
    assert len(content(store)[0]) == 4


def test_segments_under_any_name_wait_for_a_header_that_still_names_them(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    alone(folder, "a", "b", "c")
    builders.master(folder, [("a", 2000), ("b", 2000)])
    with damaged(folder / f"{NAME}.hea", lambda whole: whole.replace(b"/2 2", b"!2 two")):
        found = [path.relative_to(folder).as_posix() for path in reader.find(folder)]
    assert found == [f"a.hea/may be of {NAME}.hea", f"b.hea/may be of {NAME}.hea", "c.hea", f"{NAME}.hea"]


@pytest.mark.parametrize("what", ["folder", "dangling link", "circle of links"])
def test_a_header_that_is_no_file_stops_nobody(tmp_path: Path, what: str) -> None:
    folder = ward(tmp_path / "in")
    shutil.copy(folder / f"{NAME}.hea", tmp_path / "kept.hea")
    (folder / f"{NAME}.hea").unlink()
    if what == "folder":
        (folder / f"{NAME}.hea").mkdir()
    else:
        (folder / f"{NAME}.hea").symlink_to(f"{NAME}.hea" if what == "circle of links" else "nowhere.hea")
    store = Store.open(tmp_path / "store", create=True)
    report = take(folder, store, growing_s=None)
    assert report.total.events == 3
    assert np.all([NAME in one for one in refusals(store).values() if "may be" in one])
    assert f"{NAME}.hea" in refusals(store)


def test_headers_given_one_by_one_are_what_their_folder_gives(tmp_path: Path) -> None:
    folder = ward(tmp_path / "in")
    alone(folder, "other")

    def given() -> list[Path]:
        return sorted({unit for header in folder.glob("*.hea") for unit in reader.find(header)})

    assert given() == reader.find(folder)
    assert [path.name for path in given()] == ["other.hea", f"{NAME}.hea", f"{NAME}n.hea"]
    assert reader.find(folder / SEGMENTS[1]) == [folder / f"{NAME}.hea"]
    with damaged(folder / f"{NAME}.hea", lambda whole: b""):
        assert given() == sorted(reader.find(folder))
        assert folder / SEGMENTS[1] / f"may be of {NAME}.hea" in given()
    with closed(folder / f"{NAME}.hea"):
        assert given() == sorted(reader.find(folder))
    assert given() == reader.find(folder)
    (folder / "nowhere.hea").symlink_to("no.hea")
    assert given() == sorted(reader.find(folder))


@pytest.mark.parametrize("growing_s", [None, GROWING_S])
def test_all_headers_of_a_record_given_one_by_one_are_read_once(tmp_path: Path, growing_s: float | None) -> None:
    folder = ward(tmp_path / "in")
    whole = expected(folder)
    store = Store.open(tmp_path / "store", create=True)
    context = ReadContext(root=folder, growing_s=growing_s)
    for _ in range(2):
        ingest(sorted(folder.glob("*.hea")), store, mode="history", now=lambda: LATE, context=context, prepare=prepare)
    assert content(store) == whole
