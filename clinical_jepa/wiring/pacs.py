"""The PACS verbs as plain functions of settings: fetch over DICOMweb, receive over C-STORE."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinical_jepa.wiring.ports import asked_for
from clinical_jepa.wiring.settings import Settings, listed

if TYPE_CHECKING:
    from clinical_jepa.intake.dicom_receive import ReceiverConfig

Tell = Callable[[str], None]


def fetch(settings: Settings, base: str, folder: Path, **options: Any) -> dict[str, Any]:
    """Counts of what a PACS had that is new; its files lie below ``folder``."""
    from clinical_jepa.intake.dicomweb import Pacs
    from clinical_jepa.intake.dicomweb import fetch as fetch_new

    site = settings.pacs
    pacs = Pacs(base=base, bases=listed(site.bases), token=site.token, ca_file=site.ca_file)
    return asdict(fetch_new(pacs, folder, **options))


def receiver_config(settings: Settings, folder: Path, *, host: str, port: int) -> ReceiverConfig:
    """The C-STORE port of these settings."""
    from clinical_jepa.intake.dicom_receive import ReceiverConfig
    from clinical_jepa.intake.tls import listening

    site = settings.pacs
    tls = listening(site.certificate, site.callers_ca_file)
    return ReceiverConfig(spool=folder, host=host, port=port, title=site.title, callers=listed(site.callers), tls=tls)


def receive(settings: Settings, folder: Path, *, host: str, port: int, tell: Tell) -> dict[str, Any]:
    """Listens until it is asked to stop; counts of instances by DIMSE status. ``BadRequest`` for an address it cannot have."""
    from clinical_jepa.intake.allowed import is_loopback
    from clinical_jepa.intake.dicom_receive import start
    from clinical_jepa.monitor.stopping import stopping

    answered: Counter[str] = Counter()
    config = receiver_config(settings, folder, host=host, port=port)
    with stopping() as stop:
        with asked_for("the receiver", host, port, setting="--port"):
            server = start(config, lambda status: answered.update([f"0x{status:04X}"]))
        try:
            over = " over TLS" if config.tls else ""
            tell(f"receiving as {config.title} on {host}:{server.server_address[1]}{over}; instances land in {folder}")
            if config.tls is None and not is_loopback(host):
                tell(
                    "C-STORE without pacs.certificate has neither encryption nor login: whoever reaches this port under a "
                    "listed AE title is believed; keep it within a tunnel"
                )
            while not stop.wait(3600):
                pass
        finally:
            server.shutdown()
    return {"instances": dict(answered)}
