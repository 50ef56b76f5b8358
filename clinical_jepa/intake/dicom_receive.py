"""A C-STORE receiver: each instance is a durable file before its sender hears 0x0000, so nothing that was confirmed is lost.

It answers C-ECHO, takes the standard's storage classes in the transfer syntaxes that can be decoded here, and refuses other
contexts, a wrong called AE title, and callers that are not listed. With a certificate the port speaks TLS and nothing else.
"""

from __future__ import annotations

import io
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinical_jepa.intake import spool
from clinical_jepa.intake.allowed import is_loopback
from clinical_jepa.records.errors import BadRequest

if TYPE_CHECKING:
    from pynetdicom.transport import ThreadedAssociationServer

STORED, OUT_OF_RESOURCES, MISMATCH, NOT_UNDERSTOOD = 0x0000, 0xA700, 0xA900, 0xC000
_SILENCE_S = 60.0
_VERIFICATION = "1.2.840.10008.1.1"  # C-ECHO
SYNTAXES = (
    *("1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"),
    *("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"),
    *("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"),
    *("1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203", "1.2.840.10008.1.2.5"),
)


@dataclass(frozen=True, kw_only=True)
class ReceiverConfig:
    """``callers``: AE titles that may send; empty: any, which only a loopback address allows. ``port`` 0: a free one.

    ``tls``: of the port.
    """

    spool: Path
    host: str = "127.0.0.1"
    port: int = 11112
    title: str = "CLINICALJEPA"
    callers: tuple[str, ...] = ()
    tls: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        """Refuses to listen to a network without a list of who may send."""
        if not self.callers and not is_loopback(self.host):
            raise BadRequest(
                f"listening on {self.host} without a list of callers: set pacs.callers to the AE titles that may send"
            )
        if not 0 < len(self.title.strip()) <= 16 or any(not 0 < len(name.strip()) <= 16 for name in self.callers):
            raise BadRequest("an AE title has 1 to 16 characters")


class _ShakesHandsLater(ssl.SSLSocket):
    """At the first read, in the thread of its association: where it is accepted, a silent caller would keep all others out."""

    def do_handshake(self, block: bool = False) -> None:
        """Left to the first read, which waits no longer than any other does."""
        self.settimeout(_SILENCE_S)


def start(config: ReceiverConfig, tell: Callable[[int], None] = lambda _: None) -> ThreadedAssociationServer:
    """A listening server in threads of its own; stop it with ``shutdown()``. ``tell`` hears the status of each instance."""
    from pynetdicom import AE, AllStoragePresentationContexts, evt

    def keep(event: Any) -> int:
        status = _kept(event, config.spool)
        tell(status)
        return status

    config.spool.mkdir(parents=True, exist_ok=True)
    entity = AE(ae_title=config.title)
    entity.require_called_aet = True
    entity.require_calling_aet = list(config.callers)
    entity.acse_timeout, entity.dimse_timeout, entity.network_timeout = 30, _SILENCE_S, _SILENCE_S
    entity.maximum_associations = 16
    entity.add_supported_context(_VERIFICATION)
    for context in AllStoragePresentationContexts:
        entity.add_supported_context(str(context.abstract_syntax), list(SYNTAXES))
    if config.tls is not None:
        config.tls.sslsocket_class = _ShakesHandsLater
    server = entity.start_server(
        (config.host, config.port), block=False, evt_handlers=[(evt.EVT_C_STORE, keep)], ssl_context=config.tls
    )
    if server is None:
        raise BadRequest(f"cannot listen on {config.host}:{config.port}")
    return server


def _kept(event: Any, folder: Path) -> int:
    """The status for one C-STORE request; only after a file is durable it is success."""
    try:
        uid = str(event.request.AffectedSOPInstanceUID)
        content = event.encoded_dataset()
        inside, study = _names(content)
    except Exception:  # what pynetdicom or pydicom raise on a damaged request
        return NOT_UNDERSTOOD
    if inside != uid:
        return MISMATCH
    try:
        spool.put(folder / spool.safe(study or "no-study"), f"{uid}.dcm", content)
    except OSError:
        return OUT_OF_RESOURCES
    return STORED


def _names(content: bytes) -> tuple[str, str]:
    import pydicom

    from clinical_jepa.sources.dicom.quiet import quiet

    with quiet():
        tags: list[Any] = ["SOPInstanceUID", "StudyInstanceUID"]
        header = pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True, specific_tags=tags)
        return str(header.get("SOPInstanceUID") or ""), str(header.get("StudyInstanceUID") or "")
