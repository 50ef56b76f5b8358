"""The contracts of ``schemas/contracts/`` as the code has them; a test holds the files to this.

Run ``python -m clinical_jepa.vocabulary.contracts`` after a deliberate change of ``records``.
"""

from __future__ import annotations

import dataclasses
import json
import typing
from enum import EnumType
from typing import Any

import pyarrow as pa

from clinical_jepa.records import alerts, events, forecasts
from clinical_jepa.vocabulary.tables import schemas

_TABLES = {
    "events": events.EVENTS,
    "signals": events.SIGNALS,
    "images": events.IMAGES,
    "rejections": events.REJECTIONS,
    "retractions": events.RETRACTIONS,
    "links": events.LINKS,
}
_RECORDS = {
    "forecasts": (forecasts.Forecast, forecasts.Abstention, forecasts.Band, forecasts.Reason, forecasts.Why),
    "alerts": (
        alerts.Alert,
        alerts.Transition,
        alerts.Acknowledgement,
        alerts.Message,
        alerts.AlertState,
        alerts.Cause,
    ),
}


def contracts() -> dict[str, dict[str, Any]]:
    """File stem → content: columns of the Arrow tables, fields and values of the records."""
    found: dict[str, dict[str, Any]] = {name: _table(schema) for name, schema in _TABLES.items()}
    found["events"]["closed_lists"] = {
        "available_basis": list(events.BASES),
        "status": list(events.STATUSES),
        "rejection_reason": list(events.REASONS),
    }
    for name, kinds in _RECORDS.items():
        found[name] = {kind.__name__: _record(kind) for kind in kinds}
    return found


def _table(schema: pa.Schema) -> dict[str, Any]:
    columns = [{"name": field.name, "type": str(field.type), "nullable": field.nullable} for field in schema]
    return {"columns": columns, "instants": "microseconds since 1970-01-01 UTC"}


def _record(kind: Any) -> Any:
    if isinstance(kind, EnumType):
        return [member.value for member in kind]  # type: ignore[var-annotated]
    hints = typing.get_type_hints(kind)
    return {field.name: _type_name(hints[field.name]) for field in dataclasses.fields(kind)}


def _type_name(hint: Any) -> str:
    return (
        hint.__name__
        if isinstance(hint, type) and not typing.get_args(hint)
        else str(hint).replace("clinical_jepa.records.", "")
    )


def rendered() -> dict[str, str]:
    """File name → text, as committed."""
    return {f"{name}.json": json.dumps(content, indent=1) + "\n" for name, content in contracts().items()}


if __name__ == "__main__":
    for file_name, text in rendered().items():
        (schemas() / "contracts" / file_name).write_text(text, encoding="utf-8")
