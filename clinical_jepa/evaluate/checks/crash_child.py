"""The processes that ``check crash`` kills: the tick and the relay as they are, with one way to die at a named point.

    python -m clinical_jepa.evaluate.checks.crash_child '{"role": "tick", …}'

Each prints ``ready`` when everything is loaded, does its work, and ends; or kills itself when it reaches its point for
the n-th time. Only the forecaster is a stand-in. The receiver, which is never killed, is here too.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from clinical_jepa.monitor.clock import wall_us
from clinical_jepa.records.alerts import Message
from clinical_jepa.store import crash_points


def main() -> None:
    """Runs the role that the one argument asks for."""
    order = json.loads(sys.argv[1])
    {"tick": _ticks, "relay": _relay, "receiver": _receive}[order["role"]](order)


def ready() -> None:
    """The handshake: from here on the parent may kill at any time."""
    print("ready", flush=True)


def die_at(point: str | None, visit: int) -> None:
    """Kills this process at the ``visit``-th time that it reaches ``point``."""
    visits = 0

    def kill(name: str) -> None:
        nonlocal visits
        visits += name == point
        if visits == visit:
            os.kill(os.getpid(), signal.SIGKILL)

    crash_points.install(kill if point else None)


def _ticks(order: dict[str, Any]) -> None:
    from clinical_jepa.evaluate.checks.crash_ward import CADENCE, ward
    from clinical_jepa.monitor.tick import tick
    from clinical_jepa.store.ledger import Ledger

    made = ward(Path(order["folder"]), Ledger.open(Path(order["folder"]) / "ledger.sqlite"))
    if order["planted"]:
        _plant()
    die_at(order["point"], order["visit"])
    ready()
    last = made.ledger.last_tick()
    for now in range(last[0] + CADENCE if last else order["start"], order["until"] + 1, CADENCE):
        tick(made, now)


def _plant() -> None:
    """The bug that the check must find: outbox rows in a transaction of their own, after the tick's."""
    from clinical_jepa.store import tick_rows
    from clinical_jepa.store.ledger import Ledger

    put, commit = tick_rows.put_messages, Ledger.commit
    tick_rows.put_messages = lambda run, messages: None

    def two_transactions(ledger: Ledger, one: Any) -> bool:
        done = commit(ledger, one)
        with ledger._transaction() as run:
            put(run, [message for advance in one.advances for message in advance.messages])
        return done

    Ledger.commit = two_transactions  # type: ignore[method-assign, assignment]


def _relay(order: dict[str, Any]) -> None:
    from clinical_jepa.alerts.delivery.file import to_file
    from clinical_jepa.alerts.delivery.webhook import WebhookConfig, to_webhook
    from clinical_jepa.alerts.worker import RelayConfig, relay
    from clinical_jepa.evaluate.checks.crash_ward import FILE, WEB
    from clinical_jepa.store.ledger import Ledger

    folder = Path(order["folder"])
    ledger = Ledger.open(folder / "ledger.sqlite")
    channels: dict[str, Callable[[Message], None]] = {
        WEB: to_webhook(WebhookConfig(url=order["url"])),
        FILE: to_file(folder / "delivered.ndjson"),
    }
    # one ward second is one of the wall: a dead worker's lease must end within this check
    config = RelayConfig(lease_s=1, batch=4, retry_least=50_000, retry_most=200_000)
    anchor = order["anchor"]
    die_at(order["point"], order["visit"])
    ready()
    while any(row.delivered_at is None and row.expired_at is None for row in ledger.messages()):
        relay(
            ledger,
            lambda message: channels[message.recipient](message),
            clock=lambda: int(order["until"] + wall_us() - anchor),
            config=config,
        )
        time.sleep(0.02)


def _receive(order: dict[str, Any]) -> None:
    """Takes each key once; every ninth post is refused, and every eleventh taken but answered too late to be known of."""
    accepted: dict[str, Any] = {}
    posts = 0

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            nonlocal posts
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            posts += 1
            if posts % 9 == 0:
                self.send_response(503)
                self.end_headers()
                return
            accepted.setdefault(self.headers["Idempotency-Key"], body)
            if posts % 11 == 0:
                self.close_connection = True
                return
            self.send_response(204)
            self.end_headers()

        def do_GET(self) -> None:
            answer = json.dumps({"posts": posts, "accepted": list(accepted.values())}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
