"""Listening for what is sent to us: into a spool folder, from which ``ingest`` reads."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clinical_jepa.intake.mllp import MllpConfig

Tell = Callable[[str], None]


def mllp(config: MllpConfig, *, tell: Tell) -> dict[str, int]:
    """Listens until it is asked to end (SIGINT, SIGTERM); the counts of what came."""
    return asyncio.run(_listen(config, tell))


async def _listen(config: MllpConfig, tell: Tell) -> dict[str, int]:
    from clinical_jepa.intake.allowed import is_loopback
    from clinical_jepa.intake.mllp import Listener

    listener = Listener(config=config, tell=tell)
    ended = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, ended.set)
    port = await listener.start()
    tell(f"MLLP: listening on {config.host}:{port}; messages go to {config.spool}  (Ctrl-C ends it)")
    if not is_loopback(config.host):
        tell("MLLP knows neither encryption nor login: whoever reaches this port is believed; keep it within a tunnel")
    await ended.wait()
    await listener.stop()
    return asdict(listener.received)
