"""The two channels: a file that survives torn lines, a webhook that goes only where it was told to."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import httpx
import pytest

from clinical_jepa.alerts.delivery.file import read, to_file
from clinical_jepa.alerts.delivery.webhook import NotAccepted, WebhookConfig, to_webhook
from clinical_jepa.records.errors import BadRequest
from tests.alerts.outbox import message


def test_the_file_holds_each_key_once_in_order(tmp_path: Path) -> None:
    path = tmp_path / "new" / "delivered.ndjson"
    deliver = to_file(path)
    for key in ("a", "b", "a"):
        deliver(message(key))
    assert len(path.read_bytes().splitlines()) == 3
    assert [one["key"] for one in read(path)] == ["a", "b"]


def test_a_line_is_on_disk_before_the_delivery_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "delivered.ndjson"
    deliver, synced, real = to_file(path), [], os.fsync

    def watched(handle: int) -> None:
        real(handle)
        synced.append((os.fstat(handle).st_ino, os.fstat(handle).st_size))

    monkeypatch.setattr(os, "fsync", watched)
    for key in ("a", "b"):
        deliver(message(key))
        assert synced[-1:] == [(path.stat().st_ino, path.stat().st_size)]


@pytest.mark.parametrize("kept", range(0, 25, 4))
def test_a_torn_line_is_no_message_and_spoils_no_other(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "delivered.ndjson"
    deliver = to_file(path)
    deliver(message("first"))
    whole = path.read_bytes()
    deliver(message("torn"))
    path.write_bytes(path.read_bytes()[: len(whole) + kept])
    deliver(message("torn"))
    assert [one["key"] for one in read(path)] == ["first", "torn"]


def test_nothing_delivered_yet_is_an_empty_list(tmp_path: Path) -> None:
    assert read(tmp_path / "none") == []


class Receiver(BaseHTTPRequestHandler):
    answer = 200
    got: ClassVar[list[tuple[str, str, dict[str, object]]]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.got.append((self.path, self.headers["Idempotency-Key"], body))
        self.send_response(self.answer)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[str]:
    Receiver.answer, Receiver.got = 200, []
    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/alerts"
        server.shutdown()


def test_a_message_is_posted_with_its_key(receiver: str) -> None:
    to_webhook(WebhookConfig(url=receiver))(message("k1"))
    assert Receiver.got == [("/alerts", "k1", {"key": "k1", "bed": "Bed 7"})]


@pytest.mark.parametrize("answer", [301, 307, 400, 404, 500, 503])
def test_any_answer_but_success_is_a_failure_and_no_redirect_is_followed(receiver: str, answer: int) -> None:
    Receiver.answer = answer
    with pytest.raises(NotAccepted, match=str(answer)):
        to_webhook(WebhookConfig(url=receiver))(message("k1"))
    assert len(Receiver.got) == 1


def test_a_receiver_that_is_not_there_is_a_failure() -> None:
    with pytest.raises(httpx.HTTPError):
        to_webhook(WebhookConfig(url="http://127.0.0.1:9/", timeout_s=1))(message("k1"))


@pytest.mark.parametrize("url", ["", "file:///etc/passwd", "ftp://a/b", "pager", "http://", "javascript:alert(1)"])
def test_only_web_addresses_are_taken(url: str) -> None:
    with pytest.raises(BadRequest, match="http"):
        to_webhook(WebhookConfig(url=url))
