"""Data sets as the command line shows them: what became of every line of tables, MEDS written and checked."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinical_jepa.bench.peak import peak
from clinical_jepa.records.errors import BadRequest
from clinical_jepa.records.instant import END
from clinical_jepa.wiring import compose, tables
from clinical_jepa.wiring.settings import Settings

if TYPE_CHECKING:
    from clinical_jepa.sources.tables.accounts import TableAccount

SHOWN = 100  # violations that are printed


def export_meds(settings: Settings, out: Path, *, view: str, as_of: str | None) -> dict[str, int]:
    """The store as a MEDS dataset; its counts."""
    from clinical_jepa.store import meds_views

    if view not in meds_views.VIEWS:
        raise BadRequest(f"there is no view {view!r}; there are {' and '.join(meds_views.VIEWS)}")
    until = END if as_of is None else compose.instant(as_of)
    made = datetime.now(UTC)
    return meds_views.export(compose.store(settings), out, view=view, as_of=until, made=made)


def check_meds(folder: Path) -> tuple[bool, list[str]]:
    """Whether a folder is a valid MEDS dataset, and everything in which it is not."""
    from clinical_jepa.sources.meds.rules import violations

    if not folder.is_dir():
        raise BadRequest(f"there is no folder {folder}")
    found = list(violations(folder))
    lines = [
        f"{one.file}{'' if one.row is None else f' row {one.row}'}: {one.rule}: {one.message}" for one in found[:SHOWN]
    ]
    if len(found) > SHOWN:
        lines.append(f"… and {len(found) - SHOWN} more")
    return not found, [*lines, f"meds: {len(found)} violations"]


def check_tables(settings: Settings, folder: Path, *, items: bool = False) -> tuple[bool, list[str]]:
    """Reads every table at or below a folder without storing it: is every line stored, refused or ignored, and why.

    With ``items`` also which items no code map lists, the most frequent ones of each table, and of which listed ones the
    rows do not state the unit.
    """
    from clinical_jepa.sources.tables.accounts import accounts

    if not folder.exists():
        raise BadRequest(f"there is no {folder}")
    found = list(accounts(folder, compose.context(settings, folder)))
    if not found:
        raise BadRequest(f"no table of a data set that is known here at or below {folder}")
    rows = [_row(one) for one in found]
    whys = [
        {"table": one.path.name, "fate": fate, "why": why, "lines": count}
        for one in found
        for fate, kinds in (("refused", one.lines.refused), ("ignored", one.lines.ignored))
        for why, count in sorted(kinds.items())
    ]
    total, stored = (sum(getattr(one.lines, name) for one in found) for name in ("count", "stored"))
    short = [one.path.name for one in found if not one.holds]
    sentence = (
        f"tables: {total} lines, {stored} stored, {sum(one.facts for one in found)} facts, "
        f"{sum(one.seconds for one in found):.0f} s, {peak() >> 20} MiB at most; "
        f"lines that do not add up: {', '.join(short) or 'none'}"
    )
    unlisted = [
        {"table": one.path.name, "item not in the code map": item, "lines": count}
        for one in found
        for item, count in one.lines.items.most_common(SHOWN if items else 0)
    ]
    listed = (
        ["", tables.text(unlisted), "", tables.text(_not_in_rows({one.data_set for one in found}))] if items else []
    )
    return not short, [tables.text(rows), "", tables.text(whys), *listed, "", sentence]


def _not_in_rows(data_sets: Iterable[str]) -> list[dict[str, Any]]:
    """The items whose unit is not the row's: only documented, or documented and disputed by the values."""
    from clinical_jepa.sources.columnar.codemap import code_map

    return [
        {
            "data set": name,
            "of table": line["table"],
            "item": line["item"],
            "code": line["code"],
            "unit": line["unit"],
            "unit from": line["unit_from"],
        }
        for name in sorted(data_sets)
        for line in code_map(name)
        if line["unit_from"] in ("documentation", "disputed")
    ]


def _row(one: TableAccount) -> dict[str, Any]:
    return {
        "data set": one.data_set,
        "table": one.path.name,
        "in file": "unreadable" if one.in_file is None else one.in_file,
        "stored": one.lines.stored,
        "refused": one.lines.refused.total(),
        "ignored": one.lines.ignored.total(),
        "in part refused": one.lines.partly,
        "facts": one.facts,
        "refusals": one.refusals,
        "s": f"{one.seconds:.1f}",
        "adds up": "yes" if one.holds else "NO",
    }
