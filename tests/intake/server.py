"""A real HTTP server on the loopback whose answers, and faults, a test decides."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import orjson

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Request:
    """One question as it arrived; ``query`` has the last value of each name."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Reply:
    """``cut``: so many bytes of the body are sent, then the line is dead (negative: before the first byte of the answer);
    ``unsized``: the length of the body is not said.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    unsized: bool = False
    delay_s: float = 0.0


def json_reply(value: object, status: int = 200, **headers: str) -> Reply:
    return Reply(status=status, body=orjson.dumps(value), headers={"Content-Type": "application/fhir+json"} | headers)


Answering = Callable[[Request], Reply]


@dataclass(kw_only=True)
class Site:
    """``answer`` says what a sound server says; ``faults`` are taken one by one by the requests they are meant for.

    A fault gets the request and the sound answer's maker; None means that it is not meant for this request.
    ``clock`` is the server's own.
    """

    answer: Answering
    faults: list[Callable[[Request, Answering], Reply | None]] = field(default_factory=list)
    seen: list[Request] = field(default_factory=list)
    clock: datetime = NOON
    lock: threading.Lock = field(default_factory=threading.Lock)
    url: str = ""

    def reply(self, request: Request) -> Reply:
        with self.lock:
            self.seen.append(request)
            for number, fault in enumerate(self.faults):
                reply = fault(request, self.answer)
                if reply is not None:
                    del self.faults[number]
                    return reply
            return self.answer(request)

    def asked(self, part: str = "") -> list[str]:
        """The paths asked for so far that contain ``part``."""
        return [request.path for request in self.seen if part in request.path]


@contextmanager
def serving(site: Site) -> Iterator[Site]:
    """``site`` at an address of its own while the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _any(self) -> None:
            parts = urlsplit(self.path)
            query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
            length = int(self.headers.get("Content-Length", 0))
            request = Request(
                method=self.command,
                path=parts.path,
                query=query,
                headers={key.lower(): value for key, value in self.headers.items()},
                body=self.rfile.read(length),
            )
            self._send(site.reply(request))

        def handle(self) -> None:
            with contextlib.suppress(ConnectionError):  # a client that hangs up is no fault of the server
                super().handle()

        do_GET = do_POST = do_DELETE = do_HEAD = _any

        def _send(self, reply: Reply) -> None:
            time.sleep(reply.delay_s)
            if reply.cut is not None and reply.cut < 0:
                self.close_connection = True
                return
            sent = reply.body if reply.cut is None else reply.body[: reply.cut]
            try:
                self.send_response(reply.status)
                for key, value in reply.headers.items():
                    self.send_header(key, value)
                if reply.unsized:
                    self.send_header("Connection", "close")
                else:
                    self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(sent)
            except OSError:
                pass  # the client has hung up, as a test wanted
            self.close_connection = reply.unsized or reply.cut is not None

        def date_time_string(self, timestamp: float | None = None) -> str:
            return site.clock.strftime("%a, %d %b %Y %H:%M:%S GMT")

        def log_message(self, *_: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    site.url = f"http://127.0.0.1:{httpd.server_address[1]}"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


def status(code: int, part: str = "", **headers: str) -> Callable[[Request, Answering], Reply | None]:
    """A fault: the next request with ``part`` in its path gets ``code``."""
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    body = b'{"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "transient"}]}'
    return on(part, lambda _: Reply(status=code, headers=named, body=body))


def on(part: str, reply: Answering) -> Callable[[Request, Answering], Reply | None]:
    """A fault: the next request with ``part`` in its path gets ``reply``."""
    return lambda request, _: reply(request) if part in request.path else None


def bent(part: str, bend: Callable[[Reply], Reply]) -> Callable[[Request, Answering], Reply | None]:
    """A fault: the next request with ``part`` in its path gets its sound answer, bent."""
    return lambda request, sound: bend(sound(request)) if part in request.path else None


def half(reply: Reply) -> Reply:
    """The line dies in the middle of the body."""
    return replace(reply, cut=len(reply.body) // 2)


def silent_half(reply: Reply) -> Reply:
    """Half the body, and nothing in the headers that gives it away."""
    return replace(reply, body=reply.body[: len(reply.body) // 2], unsized=True)


def dead(reply: Reply) -> Reply:
    """The line dies without a word."""
    return replace(reply, cut=-1)


def later(clock: datetime, seconds: float) -> datetime:
    return clock + timedelta(seconds=seconds)
