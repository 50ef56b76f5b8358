"""The spool loses and replaces nothing; the allow-list lets nothing past its bases."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinical_jepa.intake import spool
from clinical_jepa.intake.allowed import require
from clinical_jepa.records.errors import BadRequest

BASES = ("https://ehr.example/fhir/r4", "http://127.0.0.1:8042/dicom-web/")


def test_the_same_bytes_twice_are_one_file(tmp_path: Path) -> None:
    first, new = spool.put(tmp_path / "in", "a.hl7", b"one")
    again, newer = spool.put(tmp_path / "in", "a.hl7", b"one")
    assert (first, new, newer) == (again, True, False)
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["a.hl7"]


def test_other_bytes_of_a_name_replace_nothing(tmp_path: Path) -> None:
    first, _ = spool.put(tmp_path, "a.hl7", b"one")
    second, new = spool.put(tmp_path, "a.hl7", b"two")
    assert new
    assert (first.read_bytes(), second.read_bytes()) == (b"one", b"two")


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", ".hidden", "übung", "x" * 300, "..", ""])
def test_names_stay_in_the_folder(tmp_path: Path, name: str) -> None:
    path, _ = spool.put(tmp_path / "in", name, b"x")
    assert path.parent == tmp_path / "in"
    assert not path.name.startswith(".")


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool.os, "fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        spool.put(tmp_path, "a", b"x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url",
    [
        "https://ehr.example/fhir/r4",
        "https://ehr.example/fhir/r4/Observation?code=1",
        "https://EHR.example:443/fhir/r4/x",
        "http://127.0.0.1:8042/dicom-web/studies",
    ],
)
def test_allowed(url: str) -> None:
    assert require(url, BASES) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://ehr.example/fhir/r4",
        "https://ehr.example/fhir/r4evil",
        "https://ehr.example/fhir/r4/../../admin",
        "https://ehr.example/fhir/r4/%2e%2e/%2e%2e/admin",
        "https://ehr.example/fhir/r4/%252e%252e/x/../../admin",
        "https://ehr.example.evil/fhir/r4",
        "https://ehr.example@evil/fhir/r4",
        "https://user:word@ehr.example/fhir/r4",
        "https://ehr.example:8443/fhir/r4",
        "file:///etc/passwd",
        "//ehr.example/fhir/r4",
        "https://[broken",
        "https://ehr.example:99999/fhir/r4",
        "",
    ],
)
def test_refused(url: str) -> None:
    with pytest.raises(BadRequest) as refused:
        require(url, BASES)
    assert "word" not in str(refused.value)
    assert "admin" not in str(refused.value)
