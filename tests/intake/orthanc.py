"""A real Orthanc on the loopback, with DICOMweb and C-STORE, in a folder of the test's own."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
TITLE = "TESTPACS"


@dataclass
class Orthanc:
    """``base``: of DICOMweb; ``stop`` and ``start`` it as a test likes."""

    folder: Path
    http: int
    dicom: int
    peers: Mapping[str, tuple[str, int]]
    process: subprocess.Popen[bytes] | None = None

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.http}/dicom-web"

    def start(self) -> None:
        settings = {
            "Name": "TEST",
            "StorageDirectory": str(self.folder / "db"),
            "IndexDirectory": str(self.folder / "db"),
            "HttpPort": self.http,
            "DicomPort": self.dicom,
            "DicomAet": TITLE,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "DicomAlwaysAllowStore": True,
            "DicomCheckCalledAet": False,
            "OverwriteInstances": True,
            "DicomModalities": {name: [title, "127.0.0.1", port] for name, (title, port) in self.peers.items()},
            "Plugins": [str(PLUGIN)],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "EnableWado": True, "WadoRoot": "/wado", "Ssl": False},
        }
        (self.folder / "db").mkdir(exist_ok=True)
        (self.folder / "orthanc.json").write_text(json.dumps(settings))
        with (self.folder / "orthanc.log").open("ab") as log:
            self.process = subprocess.Popen(
                [shutil.which("Orthanc") or "Orthanc", str(self.folder / "orthanc.json")], stdout=log, stderr=log
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"http://127.0.0.1:{self.http}/system").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
        raise RuntimeError((self.folder / "orthanc.log").read_text()[-2000:])

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def store(self, path: Path) -> str:
        """Orthanc's own id of the instance."""
        answer = httpx.post(f"http://127.0.0.1:{self.http}/instances", content=path.read_bytes(), timeout=60)
        answer.raise_for_status()
        return str(answer.json()["ID"])

    def send(self, peer: str, instances: list[str]) -> httpx.Response:
        """C-STORE of instances to a modality that it knows."""
        return httpx.post(f"http://127.0.0.1:{self.http}/modalities/{peer}/store", json=instances, timeout=120)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def running(folder: Path, peers: Mapping[str, tuple[str, int]] | None = None) -> Iterator[Orthanc]:
    """Started and stopped; skips, visibly, where Orthanc is not installed."""
    if shutil.which("Orthanc") is None or not PLUGIN.is_file():
        pytest.skip("Orthanc is not installed (make servers)")
    made = Orthanc(folder=folder, http=free_port(), dicom=free_port(), peers=peers or {})
    made.start()
    try:
        yield made
    finally:
        made.stop()
