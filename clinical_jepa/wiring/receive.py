"""Listening for what is sent to us: into a spool folder, from which ``ingest`` reads."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from clinical_jepa.wiring.ports import asked_for
from clinical_jepa.wiring.settings import Settings

if TYPE_CHECKING:
    from clinical_jepa.intake.mllp import MllpConfig

Tell = Callable[[str], None]


def mllp_config(settings: Settings, spool: Path, *, limit: int) -> MllpConfig:
    """The MLLP port of these settings."""
    from clinical_jepa.intake.mllp import MllpConfig
    from clinical_jepa.intake.tls import listening

    site = settings.mllp
    return MllpConfig(
        spool=spool, host=site.host, port=site.port, limit=limit, tls=listening(site.certificate, site.ca_file)
    )


def mllp(config: MllpConfig, *, tell: Tell) -> dict[str, int]:
    """Listens until it is asked to end (SIGINT, SIGTERM); the counts of what came. ``BadRequest`` for a taken address."""
    return asyncio.run(_listen(config, tell))


async def _listen(config: MllpConfig, tell: Tell) -> dict[str, int]:
    from clinical_jepa.intake.allowed import is_loopback
    from clinical_jepa.intake.mllp import Listener

    listener = Listener(config=config, tell=tell)
    ended = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, ended.set)
    with asked_for("MLLP", config.host, config.port, setting="--port (mllp.port)"):
        port = await listener.start()
    tell(f"MLLP: listening on {config.host}:{port}; messages go to {config.spool}  (Ctrl-C ends it)")
    if config.tls is None and not is_loopback(config.host):
        tell(
            "MLLP without mllp.certificate has neither encryption nor login: whoever reaches this port is believed; "
            "keep it within a tunnel"
        )
    await ended.wait()
    await listener.stop()
    return asdict(listener.received)
