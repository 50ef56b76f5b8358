"""Files that the system does not let us read: refused, told, and read by the run that finds them readable."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clinical_jepa.ingest import Counts
from clinical_jepa.records.batch import SourceBatch
from clinical_jepa.sources import catalog
from clinical_jepa.sources.dicom import reader as dicom
from clinical_jepa.sources.hl7v2 import reader as hl7v2
from clinical_jepa.sources.unread import readable
from clinical_jepa.sources.wfdb import reader as wfdb
from clinical_jepa.store.events import Store
from tests.ingest.builders import examples, rows, run
from tests.permissions import modes_hold
from tests.sources.meds.made import write
from tests.sources.tables.made import MADE

NO_PERMISSION = "no permission to read {}: make it readable for this user, and ingest again"
REFUSED = "refused as unreadable, the others read; read by the run that may"


def everything(folder: Path) -> Path:
    """The examples of five formats; the picture under a name as archives write it."""
    root = examples(folder)
    for reader in (hl7v2, wfdb, dicom):
        home = Path(reader.__file__).parent
        shutil.copytree(home / "examples", root / home.name)
    (root / "dicom" / "chest.dcm").rename(root / "dicom" / "IM0001")
    return root


def facts(store: Store) -> list[dict[str, Any]]:
    return sorted(rows(store), key=lambda row: str(row["event_id"]))


def unread(store: Store) -> list[tuple[str, str]]:
    return [
        (row["file"], row["message"])
        for row in store.rejections().to_pylist()
        if (row["reason"], row["record"]) == ("unreadable", "file")
    ]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.fault(source=source, fault="no permission to read", ends=REFUSED))
        for source, name in [
            ("fhir", "fhir/Observation.ndjson"),
            ("mimic3", "mimic3/CHARTEVENTS.csv"),
            ("hl7v2", "hl7v2/ward.hl7"),
            ("dicom", "dicom/IM0001"),
        ]
    ],
)
def test_a_file_that_may_not_be_read_costs_itself_until_it_may(name: str, tmp_path: Path) -> None:
    root = everything(tmp_path)
    store = Store.open(tmp_path / "store", create=True)
    whole = Store.open(tmp_path / "whole", create=True)
    complete = run(root, whole).total
    path = root / name
    path.chmod(0)
    with modes_hold():
        first = run(root, store)
        again = run(root, store)
    assert unread(store) == [(name, NO_PERMISSION.format(path.name))]
    assert first.total.files == complete.files - 1
    assert first.reasons["unreadable"] == 1
    assert (again.total, again.reasons, again.again) == (Counts(skipped=complete.files - 1), {}, 1)
    path.chmod(0o600)
    last = run(root, store).total
    assert (last.files, last.skipped) == (1, complete.files - 1)
    assert facts(store) == facts(whole)
    assert first.total.signals + last.signals == complete.signals
    assert first.total.images + last.images == complete.images


@pytest.mark.fault(source="wfdb", fault="no permission to read", ends=REFUSED)
def test_a_signal_file_that_may_not_be_read_costs_its_record(tmp_path: Path) -> None:
    root = everything(tmp_path)
    store = Store.open(tmp_path / "store", create=True)
    (root / "wfdb" / "p000123_0001.dat").chmod(0)
    with modes_hold():
        assert run(root, store).total.signals == 0
    assert unread(store) == [("wfdb/p000123-2026-01-05-09-12.hea", NO_PERMISSION.format("p000123_0001.dat"))]
    (root / "wfdb" / "p000123_0001.dat").chmod(0o600)
    assert run(root, store).total.signals > 0


@pytest.mark.parametrize("kind", ["eicu", "meds"])
def test_a_file_known_by_its_content_is_refused_by_its_name(kind: str, tmp_path: Path) -> None:
    root = tmp_path / "source"
    if kind == "meds":
        write(root)
        shutil.rmtree(root / "metadata")
    else:
        MADE[kind].write(root)
    found = [one.path for one in catalog.find(root)]
    assert found
    for path in found:
        path.chmod(0)
    with modes_hold():
        assert [one.path for one in catalog.find(root)] == found


def test_a_stay_that_may_not_be_read_does_not_hide_the_others(tmp_path: Path) -> None:
    root = tmp_path / "source"
    MADE["cinc2019"].write(root)
    first = min(root.rglob("*.psv"))
    shutil.copy(first, first.with_name("p999999.psv"))
    first.chmod(0)
    with modes_hold():
        assert [one.kind for one in catalog.find(root)] == ["cinc2019"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (FileNotFoundError(errno.ENOENT, "No such file"), "ward.hl7 was gone when it was to be read"),
        (OSError(errno.EIO, "Input/output error"), "the system cannot read ward.hl7 (input/output error)"),
    ],
)
@pytest.mark.parametrize("stitch", [None, 0])
@pytest.mark.parametrize("where", ["finding", "reading"])
def test_a_file_that_is_gone_or_fails_costs_itself(
    error: OSError, told: str, stitch: int | None, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = everything(tmp_path)
    store = Store.open(tmp_path / "store", create=True)
    opened, read = Path.open, catalog.read

    def failing(path: Path, *arguments: Any, **said: Any) -> Any:
        if path.name == "ward.hl7":
            raise error
        return opened(path, *arguments, **said)

    def broken(found: catalog.Found, *arguments: Any) -> Iterator[SourceBatch]:
        yield from read(found, *arguments)
        if found.path.name == "ward.hl7":
            raise error

    with monkeypatch.context() as patch:
        patch.setattr(*((Path, "open", failing) if where == "finding" else (catalog, "read", broken)))
        files = run(root, store, stitch_to=stitch).total.files
    (file, message), *more = unread(store)
    assert (file, message.startswith(told), more) == ("hl7v2/ward.hl7", True, [])
    assert files > 15
    assert not [row for row in rows(store) if "hl7v2" in row["source"] and "H1" in str(row)]
    assert run(root, store, stitch_to=stitch).total.files == 1


def test_an_error_that_is_ours_goes_on_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(OSError, match="No space left"), readable("fhir", tmp_path / "a.ndjson"):
        raise full


def test_an_error_of_the_store_is_no_error_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_arguments: Any) -> Callable[..., Any]:
        raise PermissionError(errno.EACCES, "Permission denied", "segment")

    monkeypatch.setattr("clinical_jepa.store.parts.write_segment", denied)
    store = Store.open(tmp_path / "store", create=True)
    with pytest.raises(PermissionError, match="segment"):
        run(everything(tmp_path), store)


def test_reasons_add_up_to_what_was_newly_refused(tmp_path: Path) -> None:
    root = tmp_path / "hl7"
    root.mkdir()
    bad = (
        b"MSH|^~\\&|APP|FAC|||20260105093000+0000||ORU^R01|C1|P|2.5\rPID|1||H1^^^HOSP^MR||MADE^UP||19600102|F\r"
        b"OBR|1||F1|24326-1^Panel^LN\rOBX|1|NM|8867-4^Heart rate^LN||80|/min|||||F\r"
    )
    for name in ("a.hl7", "b.hl7"):
        (root / name).write_bytes(bad + bad)
    store = Store.open(tmp_path / "store", create=True)
    report = run(root, store)
    assert report.total.rejected == sum(report.reasons.values()) == store.rejections().num_rows > 0
    assert report.again > 0
