"""The PACS verbs as a user meets them: closed until the site opens them, the token from the environment only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from clinical_jepa.records.errors import BadRequest
from clinical_jepa.wiring import pacs
from clinical_jepa.wiring.settings import load
from tests.intake.fake_pacs import FakePacs, serving
from tests.intake.test_dicomweb import instance


def verb(cwd: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", "from clinical_jepa.cli import main; main()", "pacs", *arguments]
    return subprocess.run(
        program, cwd=cwd, capture_output=True, text=True, check=False, timeout=120, env=os.environ | environment
    )


def test_nothing_is_asked_or_opened_before_the_site_says_so(tmp_path: Path) -> None:
    settings = load({}).settings
    with pytest.raises(BadRequest, match="no allowed base"):
        pacs.fetch(settings, "http://127.0.0.1:1/dicom-web", tmp_path)
    with pytest.raises(BadRequest, match=r"pacs\.callers"):
        pacs.receive(settings, tmp_path, host="0.0.0.0", port=0, tell=lambda _: None)


def test_fetch_from_the_command_line(tmp_path: Path) -> None:
    held = FakePacs({"1.2.1": ("20260103", {"1.2.1.1": instance("1.2.1.1")})})
    with serving(held) as server:
        allowed = {"CLINICAL_JEPA_PACS_BASES": server.base, "CLINICAL_JEPA_PACS_TOKEN": "hush"}
        done = verb(tmp_path, "fetch", server.base, "--spool", "in", "--json", **allowed)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["new"] == 1
        assert server.headers[0]["Authorization"] == "Bearer hush"
        server.studies["1.2.2"] = ("20260104", {"../x": b""})
        failed = verb(tmp_path, "fetch", server.base, "--spool", "in", "--json", **allowed)
        assert failed.returncode == 3
        closed = verb(tmp_path, "fetch", server.base, "--spool", "in")
    assert closed.returncode == 2
    assert "hush" not in done.stdout + done.stderr + failed.stdout + failed.stderr
    assert (tmp_path / "in" / "1.2.1" / "1.2.1.1.dcm").read_bytes() == held.studies["1.2.1"][1]["1.2.1.1"]


def test_the_token_is_a_secret(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text('[pacs]\ntoken = "hush"\n')
    with pytest.raises(BadRequest, match="CLINICAL_JEPA_PACS_TOKEN"):
        load({}, file=file)
