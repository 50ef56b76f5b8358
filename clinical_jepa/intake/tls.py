"""What a listener proves of itself, and what it asks of those who call."""

from __future__ import annotations

import ssl

from clinical_jepa.records.errors import BadRequest


def listening(certificate: str, ca_file: str) -> ssl.SSLContext | None:
    """The TLS of a port, or None where no certificate is given. ``BadRequest`` where a file does not hold what is meant.

    ``certificate``: a PEM file with the certificate, those between it and its authority, and its key. ``ca_file``: whoever calls
    must prove itself by a certificate of one of these authorities; empty: anybody may call.
    """
    if not certificate:
        if ca_file:
            raise BadRequest(
                f"callers are to prove themselves by {ca_file}, but the port has no certificate of its own"
            )
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, password=_none)
        if ca_file:
            context.load_verify_locations(ca_file)
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:  # ssl.SSLError is one
        wrong = f"{certificate} or {ca_file}" if ca_file else certificate
        raise BadRequest(f"{wrong} cannot be used: {error.strerror or 'no certificate with its key in PEM'}") from error
    return context


def _none() -> str:
    """Instead of asking at the terminal: a key that is locked is refused."""
    return ""
