"""Files of names that are no text: read like any other, named so that it can be stored and shown, and once."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import orjson
import pytest

from clinical_jepa.records.errors import NothingToRead
from clinical_jepa.store.events import Store
from clinical_jepa.vocabulary.identity import content_id, printable
from tests.ingest.builders import run
from tests.sources.fhir.builders import observation

LINES = orjson.dumps(observation()) + b"\n{bad\n"
HEADER = b"r 1 250 500\nr.dat 16 200/mV 16 0 0 %d 0 II\n" % (sum(range(500)) % 65536)


def put(folder: Path, name: bytes, content: bytes) -> None:
    (folder / os.fsdecode(name)).parent.mkdir(parents=True, exist_ok=True)
    (folder / os.fsdecode(name)).write_bytes(content)


@pytest.mark.fault(source="fhir", fault="file name that is no text", ends="read like any other, and shown escaped")
def test_a_name_that_is_no_text_costs_nothing(tmp_path: Path) -> None:
    root = tmp_path / "in"
    put(root, b"ward\xfe/a\xff.ndjson", LINES)
    put(root, b"b\xff.hl7", b"no message")
    put(root, b"h\xff.hea", b"none")
    store = Store.open(tmp_path / "store", create=True)
    report = run(root, store)
    named = set(store.rejections()["file"].to_pylist())
    assert (report.total.files, report.total.events) == (3, 1)
    assert {"ward\\xfe/a\\xff.ndjson", "h\\xff.hea"} <= named
    assert run(root, store).total.skipped == 3


def test_a_record_without_a_patient_is_a_subject_whatever_its_name(tmp_path: Path) -> None:
    root = tmp_path / "in"
    put(root, b"r\xff.hea", HEADER)
    put(root, b"r.dat", np.arange(500, dtype="<i2").tobytes())
    store = Store.open(tmp_path / "store", create=True)
    assert run(root, store).total.signals == 1
    assert [one.identifier for one in store.identities()] == ["in/r\\xff"]


def test_a_folder_with_nothing_in_it_is_named_in_printable_words(tmp_path: Path) -> None:
    root = tmp_path / os.fsdecode(b"in\xff")
    root.mkdir()
    with pytest.raises(NothingToRead, match=r"in\\xff") as caught:
        run(root, Store.open(tmp_path / "store", create=True))
    str(caught.value).encode()


@pytest.mark.fault(source="fhir", fault="failing disk", ends="the file is refused by its name, the others are read")
def test_files_that_cannot_be_read_are_refused_and_read_once_they_can_be(tmp_path: Path) -> None:
    root = tmp_path / "in"
    put(root, b"a.ndjson", orjson.dumps(observation()))
    for name in ("b.ndjson", "1.2.840.113", "notes.txt"):
        (root / name).symlink_to("/proc/self/mem")  # reading it at 0 is an input/output error
    store = Store.open(tmp_path / "store", create=True)
    report = run(root, store)
    assert (report.total.events, dict(report.reasons)) == (1, {"unreadable": 2})
    assert set(store.rejections()["file"].to_pylist()) == {"b.ndjson", "1.2.840.113"}
    assert run(root, store).total.files == 0
    (root / "b.ndjson").unlink()
    put(root, b"b.ndjson", orjson.dumps(observation("o2")))
    assert run(root, store).total.events == 1


def test_ids_of_ordinary_texts_are_those_of_their_utf8() -> None:
    expected = hashlib.blake2b("Größe\x1f\x00\x1f3".encode(), digest_size=16).hexdigest()
    assert content_id("Größe", None, 3) == expected
    assert content_id(os.fsdecode(b"a\xff")) != content_id(os.fsdecode(b"a\xfe")) != content_id("a\\xff")
    assert printable("Größe/a.ndjson") == "Größe/a.ndjson"
