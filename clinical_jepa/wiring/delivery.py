"""The delivery worker of these settings. Light by design: nothing here may need tables or tensors."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from clinical_jepa.wiring import compose
from clinical_jepa.wiring.settings import Settings

if TYPE_CHECKING:
    from clinical_jepa.alerts.worker import Relayed
    from clinical_jepa.records.alerts import Message


def channel(settings: Settings) -> Callable[[Message], None]:
    """The webhook if one is configured, else the file in the store folder."""
    if settings.delivery.webhook:
        from clinical_jepa.alerts.delivery.webhook import WebhookConfig, to_webhook

        return to_webhook(WebhookConfig(url=settings.delivery.webhook))
    from clinical_jepa.alerts.delivery.file import to_file

    return to_file(Path(settings.paths.store) / settings.delivery.file)


def relay(settings: Settings, *, once: bool, tell: compose.Tell) -> str:
    """Delivers what is due, once or until SIGTERM or Ctrl-C; what it did, as one line."""
    from clinical_jepa.alerts import worker
    from clinical_jepa.monitor.stopping import stopping

    ledger, clock, deliver = compose.ledger(settings), compose.clock(settings), channel(settings)
    config = worker.RelayConfig(worker=f"relay-{os.getpid()}")
    if once:
        return _line(worker.relay(ledger, deliver, clock=clock.now, config=config))

    def after(done: Relayed) -> None:
        ledger.heartbeat("relay", clock.wall(), clock.now())
        if done != worker.Relayed():
            tell(_line(done))

    with stopping() as stop:
        return _line(worker.run(ledger, deliver, clock=clock.now, stop=stop, config=config, after=after))


def _line(done: Relayed) -> str:
    return f"delivered {done.delivered}, to be tried again {done.failed}, expired {done.expired}"
