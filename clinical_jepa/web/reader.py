"""One reader for all requests: a lock around store and ledger, and a list of beds that is at most a second old."""

from __future__ import annotations

import threading
import time

from clinical_jepa.records.alerts import OPEN, Acknowledgement
from clinical_jepa.records.errors import BadRequest
from clinical_jepa.web.bedside import Bedside, read_bedside, read_image
from clinical_jepa.web.config import WebConfig
from clinical_jepa.web.health import Health, read_health
from clinical_jepa.web.recent import Recent
from clinical_jepa.web.state import WardState
from clinical_jepa.web.ward import Ward, answers, read_ward

_KEPT_S = 1.0


class Reader:
    """What the routes ask; every answer is read at the ward's now."""

    def __init__(self, state: WardState, config: WebConfig) -> None:
        self._state, self._config = state, config
        self._recent = Recent(state.ledger)
        self._lock = threading.Lock()
        self._ward: tuple[float, Ward] | None = None

    def ward(self) -> Ward:
        """The list of beds; many open pages share one reading."""
        with self._lock:
            if self._ward is None or time.monotonic() - self._ward[0] > _KEPT_S:
                self._state.store.reload()
                self._ward = (time.monotonic(), read_ward(self._state, self._config, self._recent))
            return self._ward[1]

    def bedside(self, subject_id: int) -> Bedside:
        """One bed's page; ``BadRequest`` for an unknown subject."""
        with self._lock:
            self._state.store.reload()
            return read_bedside(self._state, self._config, subject_id)

    def image(self, subject_id: int) -> bytes | None:
        """The newest image as PNG, or None where there is none."""
        with self._lock:
            self._state.store.reload()
            return read_image(self._state, subject_id)

    def health(self) -> Health:
        """What the banner says."""
        with self._lock:
            return read_health(self._state, self._config)

    def acknowledge(self, alert_id: str, by: str) -> int:
        """Write that ``by`` answered an alert, now; the subject it is about. An answer already given stands.

        ``BadRequest`` when no such alert is open.
        """
        with self._lock:
            alert = next((alert for alert in self._state.ledger.alerts() if alert.alert_id == alert_id), None)
            if alert is None or alert.state not in OPEN:
                raise BadRequest("this alert is not open any more, so nothing was written; go back to the list of beds")
            if alert_id not in answers(self._state, (alert,)):
                self._state.ledger.acknowledge(Acknowledgement(alert_id=alert_id, by=by, at=self._state.clock.now()))
            self._ward = None
            return alert.subject_id
