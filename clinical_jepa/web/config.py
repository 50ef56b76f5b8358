"""Settings of the page. Durations are whole seconds, ward time unless they say wall."""

from __future__ import annotations

from dataclasses import dataclass

# How long each kind of source may be quiet before its feed is called late; the longest matching prefix counts.
QUIET = (
    ("wfdb:numerics", 10 * 60),
    ("wfdb:alarms", 365 * 24 * 3600),  # no alarm is no fault
    ("wfdb", 2 * 3600),
    ("dicom", 36 * 3600),
    ("fhir", 2 * 3600),
    ("mimic3", 6 * 3600),
)


@dataclass(frozen=True, kw_only=True)
class WebConfig:
    """``secret`` signs sessions and forms; empty means a new one for each start of the server."""

    zone: str = "UTC"
    host: str = "127.0.0.1"
    port: int = 8417
    secret: str = ""
    simulated_patients: bool = False
    loop_quiet_s: int = 20  # wall: an older heartbeat of the loop means "not live"
    relay_quiet_s: int = 30  # wall: an older heartbeat of the relay means that nobody carries alerts
    unrouted_s: int = 120  # wall: an alert message undelivered for longer is called unrouted
    poll_s: int = 5  # wall: how often an open page asks again
    page_beds: int = 50  # on one page of the list
    past_s: int = 24 * 3600  # ward time: where nothing newer came from any source, the page shows the past
    trend_s: int = 8 * 3600
    chart_s: int = 12 * 3600
    vitals_s: int = 12 * 3600  # readings that became available earlier are not put on the list of beds
    news2_s: int = 6 * 3600  # an older component counts as missing
    quiet: tuple[tuple[str, int], ...] = QUIET
    quiet_otherwise_s: int = 2 * 3600
    session_s: int = 12 * 3600
