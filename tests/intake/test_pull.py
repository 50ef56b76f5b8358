"""Open data sets from a server of our own that drops, lies and forgets; and from folders, the real ones too."""

from __future__ import annotations

import errno
import gzip
import hashlib
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote

import pytest

from clinical_jepa.intake import download as downloading
from clinical_jepa.intake.datasets import DataSet, data_set, data_sets, listed, safe
from clinical_jepa.intake.door import Door, client
from clinical_jepa.intake.pull import RECORD, Pulled, copy, pull
from clinical_jepa.records.errors import BadRequest, ClinicalJepaError, FetchFailed
from tests.intake.fhir_site import QUICK
from tests.intake.server import Answering, Reply, Request, Site, bent, dead, on, serving, status

Fault = Callable[[Request, Answering], Reply | None]
BODIES = {"a.csv": b"alpha" * 1000, "b/c d.csv": b"beta" * 1000, "e.txt": b"epsilon"}
SUMS = {name: hashlib.sha256(body).hexdigest() for name, body in BODIES.items()}


def fault(name: str, ends: str) -> pytest.MarkDecorator:
    return pytest.mark.fault(source="open data", fault=name, ends=ends)


@dataclass(kw_only=True)
class Publisher:
    """Files below /set/, with Range and ETag unless told otherwise."""

    files: dict[str, bytes] = field(default_factory=lambda: dict(BODIES))
    ranges: bool = True
    tag: str | None = '"one"'
    site: Site = None  # type: ignore[assignment]
    ranged: list[str] = field(default_factory=list)

    def answer(self, request: Request) -> Reply:
        body = self.files.get(unquote(request.path.removeprefix("/set/")))
        if body is None:
            return Reply(status=404)
        headers = {} if self.tag is None else {"ETag": self.tag}
        wanted = request.headers.get("range")
        if wanted is None or not self.ranges or request.headers.get("if-range") not in (None, self.tag):
            return Reply(body=body, headers=headers)
        self.ranged.append(wanted)
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(body):
            return Reply(status=416, headers={"Content-Range": f"bytes */{len(body)}"})
        headers |= {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
        return Reply(status=206, body=body[start:], headers=headers)


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    made = Publisher()
    made.site = Site(answer=made.answer)
    with serving(made.site):
        yield made


def wanted(publisher: Publisher, **said: object) -> DataSet:
    base = f"{publisher.site.url}/set/"
    return replace(DataSet(name="made", title="Made", licence="CC0-1.0", base=base, sha256=SUMS), **said)  # type: ignore[arg-type]


def with_list(publisher: Publisher, sums: dict[str, str] = SUMS) -> DataSet:
    publisher.files["SHA256SUMS.txt"] = "".join(f"{digest} {name}\n" for name, digest in sums.items()).encode()
    return wanted(publisher, sha256={}, list="SHA256SUMS.txt", take=("*.csv", "e.txt"))


def pulled(publisher: Publisher, data: DataSet, to: Path) -> Pulled:
    with client(QUICK) as asks:
        door = Door(client=asks, bases=(data.base,), manners=QUICK, sleep=lambda _: None)
        return pull(door, data, to)


def held(to: Path) -> dict[str, bytes]:
    files = [path for path in to.rglob("*") if path.is_file() and path.name != RECORD and "SUMS" not in path.name]
    return {path.relative_to(to).as_posix(): path.read_bytes() for path in files}


def test_a_set_comes_whole_and_only_once(publisher: Publisher, tmp_path: Path) -> None:
    report = pulled(publisher, wanted(publisher), tmp_path)
    assert (report.files, report.kept, report.trusted, report.problems) == (3, 0, 0, [])
    assert held(tmp_path) == BODIES
    asked = len(publisher.site.seen)
    report = pulled(publisher, wanted(publisher), tmp_path)
    assert (report.files, report.kept, len(publisher.site.seen)) == (0, 3, asked)
    subprocess.run(["sha256sum", "-c", "--status", RECORD], cwd=tmp_path, check=True)


def test_a_published_list_says_what_there_is_and_is_trusted_at_first_sight(
    publisher: Publisher, tmp_path: Path
) -> None:
    report = pulled(publisher, with_list(publisher), tmp_path)
    assert (report.files, report.trusted, report.problems) == (3, 3, [])
    assert held(tmp_path) == BODIES
    asked = len(publisher.site.seen)
    assert (pulled(publisher, with_list(publisher), tmp_path).kept, len(publisher.site.seen)) == (3, asked)


@fault("list changes after first sight", "refused: the list that was seen first holds")
def test_a_list_that_changes_is_refused(publisher: Publisher, tmp_path: Path) -> None:
    pulled(publisher, with_list(publisher), tmp_path)
    (tmp_path / "SHA256SUMS.txt").unlink()
    data = with_list(publisher, SUMS | {"a.csv": "0" * 64})
    with pytest.raises(FetchFailed, match="not those published or first seen"):
        pulled(publisher, data, tmp_path)


@fault("list against known checksum", "that file is refused and said, the others come")
def test_a_list_that_contradicts_what_was_known_is_said(publisher: Publisher, tmp_path: Path) -> None:
    data = replace(with_list(publisher), sha256={"a.csv": "0" * 64})
    report = pulled(publisher, data, tmp_path)
    assert "a.csv: the publisher's list has another checksum" in report.problems[0]
    assert sorted(held(tmp_path)) == ["b/c d.csv", "e.txt"]


@fault("path outside the folder", "not asked for, and said")
def test_a_list_that_names_files_elsewhere_is_not_followed(publisher: Publisher, tmp_path: Path) -> None:
    data = with_list(publisher, SUMS | {"../../evil.csv": "0" * 64, "/etc/evil.csv": "0" * 64})
    report = pulled(publisher, data, tmp_path)
    assert len(report.problems) == 2
    assert held(tmp_path) == BODIES
    assert publisher.site.asked("evil") == []


PASSING = {
    "dropped connection": ([bent("a.csv", lambda reply: replace(reply, cut=1234))], ["bytes=1234-"]),
    "dropped without a byte": ([bent("a.csv", dead)], []),
    "429": ([status(429, "a.csv", Retry_After="1")], []),
    "500": ([status(500, "a.csv")], []),
    "slow answer": ([bent("a.csv", lambda reply: replace(reply, delay_s=0.8))], []),
    "wrong checksum": ([bent("a.csv", lambda reply: replace(reply, body=b"wrong"))], []),
}


@pytest.mark.parametrize(
    ("faults", "ranged"),
    [
        pytest.param(
            *said, id=name, marks=fault(name, "asked again, from where it was where it can be; then the same result")
        )
        for name, said in PASSING.items()
    ],
)
def test_a_passing_fault_leaves_no_trace(
    publisher: Publisher, tmp_path: Path, faults: list[Fault], ranged: list[str]
) -> None:
    publisher.site.faults = list(faults)
    report = pulled(publisher, wanted(publisher), tmp_path)
    assert (report.files, report.problems) == (3, [])
    assert held(tmp_path) == BODIES
    assert publisher.ranged == ranged
    assert publisher.site.faults == []


@fault("killed in the middle", "the next run goes on in the middle of the file")
def test_an_interrupted_file_is_gone_on_with_by_the_next_run(publisher: Publisher, tmp_path: Path) -> None:
    publisher.site.faults = [bent("a.csv", lambda reply: replace(reply, cut=2000)), *[bent("a.csv", dead)] * 4]
    with pytest.raises(FetchFailed, match="What had come is kept"):
        pulled(publisher, wanted(publisher), tmp_path)
    assert (tmp_path / ".a.csv.part").stat().st_size == 2000
    publisher.site.faults = []
    pulled(publisher, wanted(publisher), tmp_path)
    assert set(publisher.ranged) == {"bytes=2000-"}
    assert held(tmp_path) == BODIES


@fault("no Range", "fetched from its beginning; then the same result")
def test_a_server_without_range(publisher: Publisher, tmp_path: Path) -> None:
    publisher.ranges = False
    publisher.site.faults = [bent("a.csv", lambda reply: replace(reply, cut=2000))]
    pulled(publisher, wanted(publisher), tmp_path)
    assert held(tmp_path) == BODIES


@fault("file changes in the middle", "fetched from its beginning; never two halves of two files")
@pytest.mark.parametrize("tag", ['"two"', None])
def test_a_file_that_changes_in_the_middle(publisher: Publisher, tmp_path: Path, tag: str | None) -> None:
    data = with_list(publisher)
    publisher.site.faults = [bent("a.csv", lambda reply: replace(reply, cut=2000)), *[bent("a.csv", dead)] * 4]
    with pytest.raises(FetchFailed):
        pulled(publisher, data, tmp_path)
    publisher.site.faults, publisher.tag = [], tag
    publisher.files["a.csv"] = b"gamma" * 1000
    data = with_list(publisher, {**SUMS, "a.csv": hashlib.sha256(b"gamma" * 1000).hexdigest()})
    (tmp_path / RECORD).unlink()
    (tmp_path / "SHA256SUMS.txt").unlink()
    pulled(publisher, data, tmp_path)
    assert held(tmp_path) == BODIES | {"a.csv": b"gamma" * 1000}


def test_without_a_checksum_two_halves_of_two_files_are_told_by_their_tag(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / ".a.csv.part").write_bytes(b"old!!" * 400)
    (tmp_path / ".a.csv.tag").write_text('"old"')
    with client(QUICK) as asks:
        door = Door(client=asks, bases=(publisher.site.url,), manners=QUICK)
        downloading.download(door, f"{publisher.site.url}/set/a.csv", tmp_path / "a.csv", None)
    assert (tmp_path / "a.csv").read_bytes() == BODIES["a.csv"]


@fault("another piece than asked for", "fetched from its beginning; then the same result")
def test_a_server_that_sends_another_piece(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / ".a.csv.part").write_bytes(BODIES["a.csv"][:100])
    wrong = Reply(status=206, body=b"x" * 10, headers={"Content-Range": "bytes 7-16/5000"})
    publisher.site.faults = [lambda request, _: wrong if "range" in request.headers else None]
    pulled(publisher, wanted(publisher), tmp_path)
    assert held(tmp_path) == BODIES


@pytest.mark.parametrize("there", [BODIES["a.csv"], BODIES["a.csv"] + b"more"], ids=["whole", "too long"])
def test_a_part_that_has_it_all_or_more(publisher: Publisher, tmp_path: Path, there: bytes) -> None:
    (tmp_path / ".a.csv.part").write_bytes(there)
    report = pulled(publisher, wanted(publisher), tmp_path)
    assert (report.files, held(tmp_path)) == (3, BODIES)


ELSEWHERE = Reply(status=302, headers={"Location": "http://foreign.example/"})
LASTING = {
    "404": ([status(404, "a.csv")], "answered 404"),
    "wrong bytes": ([bent("a.csv", lambda reply: replace(reply, body=b"wrong"))] * 2, "not those published"),
    "redirect to a foreign host": ([on("a.csv", lambda _: ELSEWHERE)], "redirects are not followed"),
}


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        pytest.param(
            *said, id=name, marks=fault(name, "that file is left out and said, the others come; a later run is whole")
        )
        for name, said in LASTING.items()
    ],
)
def test_a_file_that_cannot_be_had_costs_that_file(
    publisher: Publisher, tmp_path: Path, faults: list[Fault], said: str
) -> None:
    publisher.site.faults = list(faults)
    report = pulled(publisher, wanted(publisher), tmp_path)
    assert len(report.problems) == 1
    assert said in report.problems[0]
    assert held(tmp_path) == {name: body for name, body in BODIES.items() if name != "a.csv"}
    assert pulled(publisher, wanted(publisher), tmp_path).files == 1
    assert held(tmp_path) == BODIES


@fault("unreachable server", "stops and says so; what came is kept, a later run is whole")
def test_a_publisher_that_is_gone(publisher: Publisher, tmp_path: Path) -> None:
    publisher.site.faults = [bent("c%20d", dead)] * 4
    with pytest.raises(FetchFailed, match="could not be read"):
        pulled(publisher, wanted(publisher), tmp_path)
    assert sorted(held(tmp_path)) == ["a.csv"]
    pulled(publisher, wanted(publisher), tmp_path)
    assert held(tmp_path) == BODIES


@fault("neither length nor checksum", "asked again, then refused: nothing tells whether it is whole")
def test_what_cannot_be_known_to_be_whole_is_refused(publisher: Publisher, tmp_path: Path) -> None:
    data = with_list(publisher)
    publisher.site.faults = [bent("SUMS", lambda reply: replace(reply, unsized=True))] * 4
    with pytest.raises(FetchFailed, match="neither its length nor its checksum"):
        pulled(publisher, data, tmp_path)


@fault("disk full", "stops; no file under its name is half; a later run is whole")
def test_a_full_disk(publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(downloading, "adopt", full)
    with pytest.raises(OSError, match="No space left"):
        pulled(publisher, wanted(publisher), tmp_path)
    assert not (tmp_path / "a.csv").exists()
    monkeypatch.undo()
    pulled(publisher, wanted(publisher), tmp_path)
    assert held(tmp_path) == BODIES


@fault("damaged after it came", "seen by its checksum and fetched again")
def test_a_file_damaged_here_is_fetched_again(publisher: Publisher, tmp_path: Path) -> None:
    pulled(publisher, wanted(publisher), tmp_path)
    (tmp_path / "a.csv").write_bytes(b"rotten")
    assert pulled(publisher, wanted(publisher), tmp_path).files == 1
    assert held(tmp_path) == BODIES


def test_a_record_that_a_kill_cut_in_half_is_gone_on_with(publisher: Publisher, tmp_path: Path) -> None:
    pulled(publisher, wanted(publisher), tmp_path)
    record = tmp_path / RECORD
    record.write_bytes(record.read_bytes()[:-20])
    pulled(publisher, wanted(publisher), tmp_path)
    assert dict(listed(record.read_text())) == SUMS


@fault("wrong bytes in the folder", "left behind and said; the others are copied")
def test_from_a_folder(publisher: Publisher, tmp_path: Path) -> None:
    source = tmp_path / "have"
    source.mkdir()
    (source / "a.csv.gz").write_bytes(gzip.compress(BODIES["a.csv"]))
    (source / "c d.csv").write_bytes(b"not beta")
    report = copy(wanted(publisher), source, tmp_path / "to")
    assert (report.files, report.missing) == (1, ["e.txt"])
    assert report.problems == ["b/c d.csv: the bytes in the folder are not those published; left behind"]
    assert list(held(tmp_path / "to")) == ["a.csv.gz"]
    assert copy(wanted(publisher), source, tmp_path / "to").kept == 1
    assert publisher.site.seen == []
    subprocess.run(["sha256sum", "-c", "--status", RECORD], cwd=tmp_path / "to", check=True)


@fault("truncation in the folder", "left behind and said")
def test_a_damaged_gzip_in_a_folder(publisher: Publisher, tmp_path: Path) -> None:
    source = tmp_path / "have"
    source.mkdir()
    (source / "a.csv.gz").write_bytes(gzip.compress(BODIES["a.csv"])[:-9])
    (source / "e.txt").write_bytes(BODIES["e.txt"])
    assert len(copy(wanted(publisher), source, tmp_path / "to").problems) == 1


def test_without_checksums_the_first_sight_of_a_file_is_trusted(publisher: Publisher, tmp_path: Path) -> None:
    data, source = wanted(publisher, sha256={}, list="SHA256SUMS.txt", take=("*.csv",)), tmp_path / "have"
    source.mkdir()
    (source / "a.csv").write_bytes(b"first")
    assert copy(data, source, tmp_path / "to").trusted == 1
    (source / "a.csv").write_bytes(b"second")
    with pytest.raises(BadRequest, match="holds no file"):
        copy(data, source, tmp_path / "to")
    assert held(tmp_path / "to") == {"a.csv": b"first"}


@pytest.mark.parametrize("name", ["../a", "/a", "a/../../b", "", "a\\b", "a\0b"])
def test_names_that_leave_the_folder(name: str) -> None:
    assert not safe(name)


def test_the_known_sets_are_well_formed() -> None:
    for one in data_sets().values():
        assert one.base.startswith("https://physionet.org/files/")
        assert one.base.endswith("/")
        assert one.list or one.sha256
        assert not one.list or one.take
        assert all(safe(name) and len(bytes.fromhex(digest)) == 32 for name, digest in one.sha256.items())


def test_an_unknown_set_names_the_nearest() -> None:
    with pytest.raises(ClinicalJepaError, match="did you mean mimic3-demo"):
        data_set("mimic3_demo")


# what the folders' own notes say: which files are byte-equal to the published ones, and which are not
REAL = {
    "mimic3-demo": ("mimic3_demo", 24, 0, {"CHARTEVENTS.csv", "LABEVENTS.csv"}),
    "mimic4-demo": ("mimic4_demo", 32, 1, {"icu/outputevents.csv.gz"}),
    "mitdb": ("mitdb", 12, 0, set()),
    "alarms2015": ("alarms2015", 24, 0, set()),
}


@pytest.mark.data
@pytest.mark.parametrize("name", REAL)
def test_real_folders_are_told_from_their_published_checksums(name: str, data: Path, tmp_path: Path) -> None:
    folder, files, missing, refused = REAL[name]
    report = copy(data_set(name), data / folder, tmp_path)
    assert {problem.partition(":")[0] for problem in report.problems} == refused
    assert (report.files, len(report.missing), report.trusted) == (files, missing, 0)
