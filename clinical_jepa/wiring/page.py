"""The ward page of these settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from clinical_jepa.wiring import compose
from clinical_jepa.wiring.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI


def app(settings: Settings) -> FastAPI:
    """The application; without a fitted model it shows the beds and says that nothing is forecast."""
    from clinical_jepa.web.app import create_app
    from clinical_jepa.web.config import WebConfig
    from clinical_jepa.web.state import WardState

    fitted = (Path(settings.paths.model) / "policy.json").is_file()
    state = WardState(
        store=compose.store(settings),
        ledger=compose.ledger(settings),
        clock=compose.clock(settings),
        task=compose.task(settings),
        policy=compose.policy(settings) if fitted else None,
    )
    config = WebConfig(
        zone=settings.site.zone,
        host=settings.web.host,
        port=settings.web.port,
        secret=settings.web.secret,
        simulated_patients=settings.ward.simulated,
    )
    return create_app(state, config=config)


def serve(settings: Settings) -> None:
    """Serves until Ctrl-C. No access log: addresses carry surrogate ids, and nobody needs them in a log."""
    import uvicorn

    uvicorn.run(app(settings), host=settings.web.host, port=settings.web.port, access_log=False, log_level="warning")
