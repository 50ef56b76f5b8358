"""Files that are cut or damaged, however near their beginning: what was readable is kept, and the rest is refused."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import orjson
import pytest

from clinical_jepa.sources.fhir import reader
from tests.sources.fhir.builders import observation, only, read, write

LINES = [orjson.dumps(observation(f"o{number}")) for number in range(50)]
PACKED = gzip.compress(b"\n".join(LINES), mtime=0)


def put(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def wrong_checksum(packed: bytes) -> bytes:
    return packed[:-8] + bytes([packed[-8] ^ 1]) + packed[-7:]


@pytest.mark.fault(source="fhir", fault="truncation", ends="the lines before it are kept, the end is refused")
@pytest.mark.fault(source="fhir", fault="wrong checksum", ends="the lines are kept, the file is refused as damaged")
@pytest.mark.parametrize("packed", [PACKED[:-6], wrong_checksum(PACKED)], ids=["cut in its trailer", "wrong checksum"])
def test_a_small_damaged_gzip_beside_a_sound_file_is_refused_and_its_lines_are_kept(
    packed: bytes, tmp_path: Path
) -> None:
    write(tmp_path, "a.ndjson", observation("sound"))
    damaged = put(tmp_path, "labs.ndjson.gz", packed)
    assert damaged in reader.find(tmp_path)
    rejection = only(batch := read(tmp_path))
    assert (rejection.file, rejection.record, rejection.reason) == ("labs.ndjson.gz", "after line 50", "unreadable")
    assert batch.events.num_rows == 51


def test_a_line_that_the_damage_cuts_is_refused_with_its_bytes(tmp_path: Path) -> None:
    content = b"\n".join(LINES)[:-10]
    path = put(tmp_path, "labs.ndjson.gz", gzip.compress(content, compresslevel=0)[:-8])
    rejection = only(batch := read(path))
    assert (rejection.record, rejection.original) == ("after line 49", LINES[-1][:-10])
    assert batch.events.num_rows == 49


@pytest.mark.parametrize("keep", [0, 1, 9, 20, len(PACKED) // 2])
@pytest.mark.parametrize("name", ["labs.ndjson.gz", "labs.json.gz"])
def test_a_gzip_cut_anywhere_is_never_overlooked(name: str, keep: int, tmp_path: Path) -> None:
    path = put(tmp_path, name, PACKED[:keep])
    assert reader.find(tmp_path) == [path]
    assert only(read(path)).reason == "unreadable"


def test_every_byte_of_a_gzip_that_changes_is_noticed(tmp_path: Path) -> None:
    whole = gzip.compress(LINES[0] + b"\n", mtime=0)
    for place in range(len(whole)):
        if 3 < place < 10:
            continue  # time, level and system of its making, which say nothing of the content
        path = put(tmp_path, "a.ndjson.gz", whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        assert reader.find(tmp_path) == [path], place
        assert [one.reason for one in read(path).rejections], place


@pytest.mark.fault(source="fhir", fault="cut in its first word", ends="the file is refused with its bytes")
@pytest.mark.parametrize("name", ["labs.ndjson", "labs.json"])
def test_a_file_cut_before_it_names_its_type_is_refused(name: str, tmp_path: Path) -> None:
    path = put(tmp_path, name, b'{"resourceTy')
    assert reader.find(tmp_path) == [path]
    rejection = only(read(path))
    assert (rejection.reason, rejection.original) == ("unreadable", b'{"resourceTy')


def test_a_member_cut_before_it_names_its_type_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("labs.ndjson", b'{"resourceTy')
    assert reader.find(tmp_path) == [path]
    assert only(read(path)).record == "member labs.ndjson line 1"


def test_a_type_named_late_in_a_long_line_is_read(tmp_path: Path) -> None:
    long = observation("long", note=[{"text": "x" * 100_000}])
    path = write(tmp_path, "labs.ndjson", dict(reversed(long.items())))
    assert reader.find(tmp_path) == [path]
    assert read(path).events.num_rows == 1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("log.ndjson", b'\n{"exportId": "1"}\n{"exportId"'),
        ("metrics.json", b'{"loss": NaN}'),
        ("marked.json", b'\xef\xbb\xbf{"a": 1}'),
        ("tokens.json", b'{"model": "' + b"x" * 100_000),
        ("empty.ndjson", b""),
        ("empty.json.gz", gzip.compress(b"", mtime=0)),  # the name of a test is no clock
    ],
)
def test_what_is_plainly_something_else_is_not_taken(name: str, content: bytes, tmp_path: Path) -> None:
    put(tmp_path, name, content)
    assert reader.find(tmp_path) == []


@pytest.mark.parametrize("name", ["labs.ndjson", "labs.json", "labs.ndjson.gz", "labs.zip"])
def test_a_file_that_the_system_cannot_read_is_not_overlooked(name: str, tmp_path: Path) -> None:
    (tmp_path / name).symlink_to("/proc/self/mem")  # reading it at 0 is an input/output error
    assert reader.find(tmp_path) == [tmp_path / name]
