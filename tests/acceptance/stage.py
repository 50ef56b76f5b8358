"""A ward as a script in time: what is charted, who answers, and what must have happened by when.

Times are ``HH:MM`` of one day. ``until`` runs the real tick, live, at every quarter of an hour; the relay carries
messages after each.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clinical_jepa.alerts.delivery.file import read, to_file
from clinical_jepa.alerts.worker import relay
from clinical_jepa.evaluate.checks.script import Line, admission, at, batch, discharge
from clinical_jepa.records.alerts import Acknowledgement, Alert
from clinical_jepa.records.forecasts import Abstention, Forecast
from tests.monitor.scenes import Scene, plain

CADENCE = 15
PATIENT = 1


def minutes(clock: str) -> int:
    """Minutes after 08:00, the script's start."""
    hours, _, rest = clock.partition(":")
    return (int(hours) - 8) * 60 + int(rest)


@dataclass
class Stage:
    scene: Scene
    folder: Path
    clock: int = 0
    relay_runs: bool = True
    _written: dict[str, Line] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path, **rules: Any) -> Stage:
        return cls(Scene.open(folder, **rules), folder)

    def admitted(self, when: str, subject: int = PATIENT, bed: str = "ICU A / Bed 07") -> None:
        self._live(admission(subject, minutes(when), bed), minutes(when))

    def discharged(self, when: str, subject: int = PATIENT) -> None:
        self._live([discharge(subject, minutes(when))], minutes(when))

    def charted(self, values: dict[str, float], subject: int = PATIENT) -> None:
        """Mean pressures, each received at the minute that it is about."""
        for when, value in values.items():
            line = Line(subject=subject, time=minutes(when), value=value, fact=f"{subject}@{when}")
            self._written[f"{subject}@{when}"] = line
            self._live([line], minutes(when))

    def corrected(self, what: str, *, received: str, value: float | None, subject: int = PATIENT) -> None:
        """A value charted at ``what`` is replaced, or withdrawn where ``value`` is None."""
        line = self._written[f"{subject}@{what}"]
        status = "entered-in-error" if value is None else "corrected"
        changed = Line(subject=subject, time=line.time, value=value, status=status, fact=line.fact)
        self._live([changed], minutes(received))

    def acknowledged(self, when: str, by: str, subject: int = PATIENT) -> None:
        alert = self.alert(subject)
        assert alert is not None
        self.scene.ward.ledger.acknowledge(Acknowledgement(alert_id=alert.alert_id, by=by, at=at(minutes(when))))

    def until(self, when: str) -> None:
        """Ticks at every quarter of an hour after the last one, up to ``when``."""
        while self.clock + CADENCE <= minutes(when):
            self.clock += CADENCE
            self.scene.tick(self.clock)
            if self.relay_runs:
                self.relay()

    def relay(self) -> Any:
        return relay(self.scene.ward.ledger, to_file(self.folder / "delivered"), clock=lambda: at(self.clock))

    def alert(self, subject: int = PATIENT) -> Alert | None:
        return next((one for one in self.scene.ward.ledger.alerts(open_only=True) if one.subject_id == subject), None)

    def history(self) -> list[tuple[str, str, str]]:
        """(when, state, cause) of every transition."""
        rows = self.scene.ward.ledger.transitions()
        return [(_clock(one.at), str(one.after), str(one.cause)) for one in rows]

    def said(self, when: str, subject: int = PATIENT) -> Forecast | Abstention | None:
        then = at(minutes(when))
        found = self.scene.ward.ledger.outcomes(since=then, until=then, subject_id=subject)
        return found[0] if found else None

    def received(self, recipient: str = "charge-nurse") -> list[tuple[str, str, str]]:
        """(when, state, bed) of what a recipient was told."""
        told = [one for one in read(self.folder / "delivered") if one["recipient"] == recipient]
        return [(one["at"][11:16], one["state"], one["bed"]) for one in told]

    def _live(self, lines: list[Line], minute: int) -> None:
        self.scene.ward.store.append([batch(lines)], mode="live", now=at(minute), prepare=plain)


def _clock(instant: int) -> str:
    minute = (instant - at(0)) // 60_000_000
    return f"{8 + minute // 60:02d}:{minute % 60:02d}"


def payload(row: Any) -> dict[str, Any]:
    return dict(json.loads(row.payload))
