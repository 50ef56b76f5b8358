"""Rows as text for a terminal, or as Markdown for an artifact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Rows = Sequence[Mapping[str, Any]]


def text(rows: Rows, *, title: str | None = None) -> str:
    """An aligned plain table; the keys of the first row are the head."""
    if not rows:
        return "(nothing)"
    cells = _cells(rows)
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([title, *lines] if title else lines)


def markdown(rows: Rows) -> str:
    """The same as a Markdown table."""
    if not rows:
        return "(nothing)"
    head, *body = [f"| {' | '.join(line)} |" for line in _cells(rows)]
    return "\n".join([head, "|" + "---|" * len(rows[0]), *body])


def listing(report: Mapping[str, Any]) -> str:
    """The scalar entries of a report, one a line."""
    return text([{"what": key, "value": value} for key, value in flat(report).items()])


def flat(report: Mapping[str, Any]) -> dict[str, Any]:
    """The scalar entries of a report, floats to four figures: one row."""
    scalars = {key: value for key, value in report.items() if isinstance(value, bool | int | float | str)}
    return {key: f"{value:.4g}" if isinstance(value, float) else value for key, value in scalars.items()}


def _cells(rows: Rows) -> list[list[str]]:
    head = list(rows[0])
    return [head, *[["" if row.get(key) is None else str(row.get(key)) for key in head] for row in rows]]
