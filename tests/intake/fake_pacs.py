"""A small DICOMweb server on the loopback that misbehaves as a test tells it to."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

Answer = tuple[int, dict[str, str], bytes]
BOUNDARY = "here"


def multipart(*contents: bytes) -> Answer:
    """A WADO-RS answer."""
    head = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    body = b"".join(head + content + b"\r\n" for content in contents) + f"--{BOUNDARY}--\r\n".encode()
    return 200, {"Content-Type": f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'}, body


@dataclass
class FakePacs:
    """``studies``: study → (date, {instance: bytes}). ``fault(path, times)`` may answer in place of the server."""

    studies: dict[str, tuple[str, dict[str, bytes]]]
    fault: Callable[[str, int], Answer | str | None] = lambda _path, _times: None
    knows_offset: bool = True
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    port: int = 0
    scheme: str = "http"

    @property
    def base(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/dicom-web"

    def answer(self, target: str) -> Answer | str:
        parts = urlsplit(target)
        path, query = parts.path.removeprefix("/dicom-web"), parse_qs(parts.query)
        self.asked.append(path)
        planted = self.fault(path, self.asked.count(path))
        if planted is not None:
            return planted
        names = path.strip("/").split("/")
        if names == ["studies"]:
            first = query.get("StudyDate", ["-"])[0].partition("-")[0]
            rows = [
                {"0020000D": {"vr": "UI", "Value": [uid]}, "00080020": {"vr": "DA", "Value": [date]}}
                for uid, (date, _) in sorted(self.studies.items())
                if date >= first
            ]
        elif names[-1] == "instances":
            rows = [
                {
                    "00080018": {"vr": "UI", "Value": [uid]},
                    "0020000D": {"vr": "UI", "Value": [names[1]]},
                    "0020000E": {"vr": "UI", "Value": ["1.2.9"]},
                }
                for uid in sorted(self.studies[names[1]][1])
            ]
        else:
            return multipart(self.studies[names[1]][1][names[-1]])
        offset = int(query.get("offset", ["0"])[0]) if self.knows_offset else 0
        page = rows[offset : offset + int(query.get("limit", ["1000"])[0])]
        return 200, {"Content-Type": "application/dicom+json"}, json.dumps(page).encode()


@contextmanager
def serving(pacs: FakePacs, certificate: Path | None = None) -> Iterator[FakePacs]:
    """The server in a thread; with a certificate (and its key) over TLS."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            pacs.headers.append(dict(self.headers))
            answer = pacs.answer(self.path)
            if answer == "drop":
                self.close_connection = True
                return
            status, headers, body = answer  # type: ignore[misc]
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    pacs.port = server.server_address[1]
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        server.socket, pacs.scheme = context.wrap_socket(server.socket, server_side=True), "https"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield pacs
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
