"""An error of the operating system says what to do about it, and wrong use ends with 2."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

from clinical_jepa import cli
from clinical_jepa.cli import app as verbs
from clinical_jepa.store.events import Store
from tests.permissions import modes_hold
from tests.wiring.test_people import ward

PLACE = "/ward/store/events/1.parquet"


def ended(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: object) -> tuple[object, str]:
    monkeypatch.setattr(sys, "argv", ["clinical-jepa", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return end.value.code, capsys.readouterr().err


def raising(error: OSError) -> object:
    def app(**_: object) -> None:
        raise error

    return app


@pytest.mark.parametrize(
    ("number", "path", "said"),
    [
        (errno.ENOSPC, PLACE, f"no space left where {PLACE} lies; what was committed is kept"),
        (errno.ENOSPC, None, "no space left where the file that was being written lies; what was committed is kept"),
        (errno.EDQUOT, None, "this user's quota is used up where the file that was being written lies"),
        (errno.EACCES, PLACE, f"this user may not read or write {PLACE}; give it the right"),
        (errno.EPERM, PLACE, f"this user may not read or write {PLACE}; give it the right"),
        (errno.EROFS, PLACE, f"{PLACE} lies where nothing can be written"),
    ],
)
def test_what_to_do_is_said(
    number: int,
    path: str | None,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(verbs, "app", raising(OSError(number, os.strerror(number), *([path] if path else []))))
    status, text = ended(monkeypatch, capsys, "doctor")
    assert status == 1
    assert text.startswith(f"clinical-jepa: {said}")
    assert "--debug" not in text


@pytest.mark.parametrize("error", [OSError("of no number"), OSError(errno.EIO, "Input/output error", PLACE)])
def test_an_error_that_is_not_known_is_told_as_it_is(
    error: OSError, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(verbs, "app", raising(error))
    assert ended(monkeypatch, capsys, "doctor") == (1, f"clinical-jepa: {error}; run again with --debug to see where\n")


def test_a_full_device_is_one_of_them(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def app(**_: object) -> None:
        Path("/dev/full").write_bytes(b"what finds no room")

    monkeypatch.setattr(verbs, "app", app)
    assert "no space left" in ended(monkeypatch, capsys, "doctor")[1]


@pytest.mark.fault(
    source="store",
    fault="no permission to read a file",
    ends="the file is named with the right it needs; nothing is refused",
)
@pytest.mark.parametrize("folder", ["events", "crosswalk", "units", "index"])
def test_a_file_of_the_store_that_may_not_be_read_is_not_called_damaged(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source, store = ward(tmp_path / "good", "/min"), tmp_path / "store"
    assert ended(monkeypatch, capsys, "ingest", source, "--store", store)[0] == 0
    path = next((store / folder).iterdir())
    more = ward(tmp_path / "more", None)
    verb = ("subjects",) if folder in ("events", "crosswalk") else ("ingest", more)
    path.chmod(0)
    with modes_hold():
        status, text = ended(monkeypatch, capsys, *verb, "--store", store)
    assert status == 1
    assert text.splitlines()[-1].startswith(f"clinical-jepa: this user may not read or write {path}; give it the right")
    path.chmod(0o600)
    assert ended(monkeypatch, capsys, "subjects", "--store", store)[0] == 0
    assert Store.open(store).refusals == 0


def test_a_file_that_is_given_as_the_store_or_the_spool_is_wrong_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file, source = tmp_path / "afile", ward(tmp_path / "good", "/min")
    file.write_text("kept")
    told = (2, f"clinical-jepa: {file} is a file where a folder is needed; name another\n")
    assert ended(monkeypatch, capsys, "ingest", source, "--store", file) == told
    assert ended(monkeypatch, capsys, "receive", "mllp", "--spool", file, "--port", 0) == told
    assert ended(monkeypatch, capsys, "subjects", "--store", file)[0] == 2
    assert file.read_text() == "kept"
