"""What of the given folders ingest did not take for anything: counts, and a few names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clinical_jepa.sources.catalog import Found

_FEW = 3  # names told of many


def summary(found: Mapping[Path, Sequence[Found]], store: Path) -> dict[str, Any]:
    """Of all given paths: how many files no reader takes, a few of their names, and the folders that were not looked into."""
    from clinical_jepa.sources.others import Others, others

    rest = sum((others(path, units, store) for path, units in found.items()), Others())
    return {"files": len(rest.files), "names": list(rest.files[:_FEW]), "closed": list(rest.closed)}


def lines(rest: Mapping[str, Any]) -> list[str]:
    """The same in words; none where there is nothing to say."""
    said = []
    if rest["files"]:
        said.append(f"not recognised, and not read: {_few(rest['files'], 'file', rest['names'])}")
    if closed := rest["closed"]:
        few = _few(len(closed), "folder", closed[:_FEW])
        said.append(f"not looked into: {few}; make them readable for this user, and ingest again")
    return said


def markdown(rest: Mapping[str, Any]) -> str:
    """Counts alone, no name."""
    return f"not recognised: {rest['files']} file(s); not looked into: {len(rest['closed'])} folder(s)"


def _few(count: int, what: str, names: Sequence[str]) -> str:
    more = ", …" if count > len(names) else ""
    return f"{count} {what}{'s' if count > 1 else ''} ({', '.join(names)}{more})"
