"""Records of a tick as canonical JSON and back: equal records give equal bytes. Standard library only, no pickle."""

from __future__ import annotations

import json
from dataclasses import is_dataclass
from typing import Any

from clinical_jepa.records.alerts import Alert, AlertState
from clinical_jepa.records.forecasts import Abstention, Band, Forecast, Reason, Why


def outcome_to_json(outcome: Forecast | Abstention) -> str:
    """A forecast or an abstention, with its kind."""
    return _text({"kind": "forecast" if isinstance(outcome, Forecast) else "abstention", **vars(outcome)})


def outcome_from_json(text: str) -> Forecast | Abstention:
    """What ``outcome_to_json`` was given."""
    fields = json.loads(text)
    if fields.pop("kind") == "abstention":
        return Abstention(**{**fields, "why": Why(fields["why"])})
    bands = tuple(Band(**band) for band in fields["bands"])
    return Forecast(**{**fields, "bands": bands, "reasons": _reasons(fields)})


def alert_to_json(alert: Alert) -> str:
    """An alert."""
    return _text(vars(alert))


def alert_from_json(text: str) -> Alert:
    """What ``alert_to_json`` was given."""
    fields = json.loads(text)
    return Alert(**{**fields, "state": AlertState(fields["state"]), "reasons": _reasons(fields)})


def _reasons(fields: dict[str, Any]) -> tuple[Reason, ...]:
    return tuple(Reason(**reason) for reason in fields["reasons"])


def _text(fields: dict[str, Any]) -> str:
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain)


def _plain(value: Any) -> Any:
    """The fields of a record within a record, or a numpy scalar as its number; ``TypeError`` for anything else."""
    if is_dataclass(value):
        return vars(value)
    if not hasattr(value, "item"):
        raise TypeError(f"a record holds a {type(value).__name__}, which has no canonical form")
    return value.item()
