"""Fetching over DICOMweb: every instance once, durable; each way in which a server can fail ends as stated."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from clinical_jepa.intake import dicomweb, pacs_session, spool
from clinical_jepa.intake.dicomweb import Fetched, Pacs, fetch
from clinical_jepa.intake.waiting import Manners
from clinical_jepa.records.errors import BadRequest, FetchFailed
from tests.intake.fake_pacs import Answer, FakePacs, multipart, serving
from tests.sources.dicom.builders import dataset

STUDIES = {"1.2.1": "20260103", "1.2.2": "20260110", "1.2.3": "20260120"}


def instance(uid: str, value: int = 0) -> bytes:
    stream = io.BytesIO()
    made = dataset(np.full((4, 6), value, np.uint16), SOPInstanceUID=uid)
    made.file_meta.MediaStorageSOPInstanceUID = uid
    made.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def pacs(fault: Callable[[str, int], Answer | str | None] = lambda _path, _times: None) -> FakePacs:
    return FakePacs(
        {
            study: (date, {f"{study}.{n}": instance(f"{study}.{n}", n) for n in (1, 2)})
            for study, date in STUDIES.items()
        },
        fault,
    )


def run(server: FakePacs, folder: Path, waits: list[float] | None = None, **options: object) -> Fetched:
    slept = waits if waits is not None else []
    asked = Pacs(base=server.base, bases=(server.base,), sleep=slept.append, token="secret-word")
    return fetch(asked, folder, **options)  # type: ignore[arg-type]


def files(folder: Path) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in folder.rglob("*.dcm")}


@pytest.mark.fault(source="dicomweb", fault="duplicate", ends="known instances are not asked for again; one file each")
def test_every_instance_comes_once_as_it_is(tmp_path: Path) -> None:
    with serving(pacs()) as server:
        first = run(server, tmp_path)
        asked = len(server.asked)
        second = run(server, tmp_path)
        assert files(tmp_path) == {uid: body for _, held in server.studies.values() for uid, body in held.items()}
        assert not any(path.count("/") > 3 for path in server.asked[asked:])  # no instance was asked for again
    assert (first.studies, first.new, first.known, first.failed) == (3, 6, 0, {})
    assert (second.new, second.known) == (0, 2)
    assert first.since == "20260113"  # a week before the newest


@pytest.mark.fault(
    source="dicomweb", fault="out of order", ends="a late instance of a recent study comes; --full brings any"
)
def test_what_comes_late_is_found_within_the_overlap_and_by_full_beyond_it(tmp_path: Path) -> None:
    with serving(pacs()) as server:
        run(server, tmp_path)
        server.studies["1.2.3"][1]["1.2.3.9"] = instance("1.2.3.9")
        server.studies["1.2.1"][1]["1.2.1.9"] = instance("1.2.1.9")
        assert run(server, tmp_path).new == 1
        assert run(server, tmp_path, full=True).new == 1
    assert {"1.2.3.9", "1.2.1.9"} <= set(files(tmp_path))


@pytest.mark.fault(
    source="dicomweb", fault="correction", ends="with --again a changed instance is a file beside the first"
)
def test_a_changed_instance_is_kept_beside_the_first(tmp_path: Path) -> None:
    with serving(pacs()) as server:
        run(server, tmp_path)
        server.studies["1.2.3"][1]["1.2.3.1"] = instance("1.2.3.1", 77)
        assert run(server, tmp_path).new == 0
        assert run(server, tmp_path, again=True).new == 1
    assert len(list((tmp_path / "1.2.3").glob("*1.2.3.1.dcm"))) == 2


@pytest.mark.parametrize("knows_offset", [True, False])
def test_pages_end_whatever_the_server_knows_of_offsets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, knows_offset: bool
) -> None:
    monkeypatch.setattr(dicomweb, "PAGE", 2 if knows_offset else 10)
    with serving(pacs()) as server:
        server.knows_offset = knows_offset
        assert run(server, tmp_path).new == 6


def is_instance(path: str) -> bool:
    return "/instances/" in path


TRUNCATED: Answer = (200, {"Content-Type": "application/dicom", "Content-Length": "9999"}, b"DICM")
BUSY: Answer = (429, {"Retry-After": "7"}, b"")
DOWN: Answer = (503, {}, b"")


@pytest.mark.parametrize(
    ("answer", "wait"),
    [
        pytest.param(
            BUSY,
            7.0,
            marks=pytest.mark.fault(source="dicomweb", fault="429", ends="waits as told, then the same files"),
        ),
        pytest.param(
            (429, {"Retry-After": "Fri, 31 Dec 2100 23:59:59 GMT"}, b""), 300.0, id="429 until a date, no longer"
        ),
        pytest.param(DOWN, 1.0, id="503"),
        pytest.param(
            TRUNCATED,
            1.0,
            marks=pytest.mark.fault(
                source="dicomweb", fault="truncation", ends="asked again; only whole files are kept"
            ),
        ),
        pytest.param("drop", 1.0, id="a lost connection"),
        pytest.param((200, {"Content-Type": "text/html"}, b"<html>"), 1.0, id="no multipart"),
    ],
)
def test_a_passing_fault_costs_a_wait(tmp_path: Path, answer: Answer | str, wait: float) -> None:
    waits: list[float] = []
    with serving(pacs(lambda path, times: answer if is_instance(path) and times == 1 else None)) as server:
        assert run(server, tmp_path, waits).new == 6
        assert files(tmp_path)["1.2.1.1"] == server.studies["1.2.1"][1]["1.2.1.1"]
    assert waits == [wait] * 6


@pytest.mark.fault(
    source="dicomweb", fault="unreachable server", ends="stops with a message; the next run brings the rest"
)
def test_a_server_that_dies_half_way_leaves_whole_files_and_the_next_run_goes_on(tmp_path: Path) -> None:
    down = False

    def fault(path: str, _times: int) -> Answer | str | None:
        nonlocal down
        down = down or path.endswith("1.2.2.2")
        return "drop" if down else None

    waits: list[float] = []
    with serving(pacs(fault)) as server:
        with pytest.raises(FetchFailed, match="cannot be reached"):
            run(server, tmp_path, waits)
        assert set(files(tmp_path)) == {"1.2.1.1", "1.2.1.2", "1.2.2.1"}
        assert waits == [1, 2, 4, 8, 16]
        assert not (tmp_path / "cursor.json").exists()
        server.fault = lambda _path, _times: None
        again = run(server, tmp_path)
    assert (again.new, again.known) == (3, 3)


@pytest.mark.fault(
    source="dicomweb", fault="expired token", ends="stops at once and says which token; no wait, no loop"
)
def test_a_refused_token_stops_at_once(tmp_path: Path) -> None:
    with serving(pacs(lambda path, _: (401, {}, b"") if is_instance(path) else None)) as server:
        with pytest.raises(FetchFailed, match="CLINICAL_JEPA_PACS_TOKEN") as refused:
            run(server, tmp_path)
        assert sum(map(is_instance, server.asked)) == 1
        assert server.headers[0]["Authorization"] == "Bearer secret-word"
    assert "secret-word" not in str(refused.value)


def test_an_instance_that_never_comes_is_counted_and_holds_the_cursor_back(tmp_path: Path) -> None:
    with serving(pacs(lambda path, _: (404, {}, b"") if path.endswith("1.2.2.1") else None)) as server:
        found = run(server, tmp_path)
        assert (found.new, found.failed, found.since) == (5, {"the server answered 404": 1}, "20260110")
        server.fault = lambda _path, _times: None
        assert run(server, tmp_path).new == 1


@pytest.mark.parametrize(
    "answer",
    [multipart(instance("9.9.9")), multipart(b"no DICOM"), multipart(instance("1.2.1.1"), instance("1.2.1.1"))],
)
@pytest.mark.fault(source="dicomweb", fault="wrong answer", ends="another instance than asked for is counted, not kept")
def test_another_instance_than_asked_for_is_not_kept(tmp_path: Path, answer: Answer) -> None:
    with serving(pacs(lambda path, _: answer if path.endswith("1.2.1.1") else None)) as server:
        found = run(server, tmp_path)
    assert sum(found.failed.values()) == 1
    assert "1.2.1.1" not in files(tmp_path)


def test_an_instance_without_an_envelope_is_taken(tmp_path: Path) -> None:
    bare = (200, {"Content-Type": "application/dicom"}, instance("1.2.1.1", 1))
    with serving(pacs(lambda path, _: bare if path.endswith("1.2.1.1") else None)) as server:
        assert run(server, tmp_path).new == 6


@pytest.mark.parametrize("base", ["http://127.0.0.1:1/other", "http://example.org/dicom-web", "file:///etc"])
def test_a_foreign_base_is_not_asked(tmp_path: Path, base: str) -> None:
    with pytest.raises(BadRequest):
        fetch(Pacs(base=base, bases=("http://127.0.0.1:1/dicom-web",)), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("uid", ["../../../admin", "..%2f..%2f..%2fadmin", "x/../../../../../admin"])
def test_an_identifier_that_points_elsewhere_is_not_followed(tmp_path: Path, uid: str) -> None:
    with serving(pacs()) as server:
        server.studies[uid] = ("20260120", {})
        server.studies["1.2.1"][1][uid] = b""
        found = run(server, tmp_path)
        assert not any("admin" in path for path in server.asked)
    assert (found.new, sum(found.failed.values())) == (6, 2)


def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    with serving(pacs()) as other, serving(pacs()) as server:
        server.fault = lambda path, _: (302, {"Location": other.base + path}, b"") if is_instance(path) else None
        with pytest.raises(BadRequest, match="redirect"):
            run(server, tmp_path)
        assert other.asked == []


def test_an_endless_answer_is_not_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacs_session, "MANNERS", Manners(most_bytes=2000))
    with serving(pacs()) as server:
        server.studies["1.2.1"][1]["1.2.1.1"] = instance("1.2.1.1") + b"\0" * 5000
        assert sum(run(server, tmp_path).failed.values()) == 1


@pytest.mark.fault(source="dicomweb", fault="disk full", ends="stops; no half file; the next run brings the rest")
def test_a_full_disk_stops_and_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(pacs()) as server:
        with monkeypatch.context() as patch:
            patch.setattr(spool.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
            with pytest.raises(OSError, match="No space"):
                run(server, tmp_path)
        assert files(tmp_path) == {}
        assert not any(path.is_file() for path in tmp_path.rglob("*"))
        assert run(server, tmp_path).new == 6


@pytest.mark.fault(
    source="dicomweb", fault="half-written file", ends="a damaged cursor asks for everything; nothing doubles"
)
@pytest.mark.parametrize("content", [b"", b'{"base": "x', b"[]", b'{"base": 1, "since": "yesterday"}'])
def test_a_damaged_cursor_costs_questions_and_nothing_else(tmp_path: Path, content: bytes) -> None:
    with serving(pacs()) as server:
        run(server, tmp_path)
        (tmp_path / "cursor.json").write_bytes(content)
        again = run(server, tmp_path)
    assert (again.new, again.known) == (0, 6)
