"""Headers beside one that cannot be read: each may be a segment of that record, and waits for it.

Read as a record of its own, a segment would stand in the store once more when its record can be read. So a header that no
other one lists waits, if its name is a segment's (``…_0001``, ``…_layout``); or if it does not tell whose it is and when, and
its name begins with the name of the one in doubt, or stands in what is left of that. Any other record is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.unread import Unread, readable
from clinical_jepa.sources.wfdb import header as headers
from clinical_jepa.sources.wfdb.record import SOURCE, TopRecord, open_record, refuse

_WAITS = (
    "may be of "  # begins the name of a waiting unit: <header>/may be of <other>.hea; no segment's name has a space
)
_SEGMENT = re.compile(r".*_(\d{4}|layout)", re.DOTALL)


def doubtful(header: Path) -> bool:
    """Whether a header may be that of a record of segments, and does not list them all: unreadable, or damaged."""
    try:
        content = header.read_bytes()
        segmented = headers.segmented(content)
        if segmented:
            headers.parse(content, header)
    except headers.BadHeader:
        return True
    except OSError:
        return not header.is_dir()
    return segmented is None


def waiting(tops: Iterable[Path], doubted: list[Path]) -> list[Path]:
    """The units of these top-level headers: those that may be segments of a header in doubt beside them wait for it."""
    beside: dict[Path, dict[Path, set[str]]] = {}
    for header in doubted:
        beside.setdefault(header.parent, {})[header] = _named(header)
    return [_unit(top, beside[top.parent]) if top.parent in beside else top for top in tops]


def awaited(unit: Path) -> tuple[Path, Path] | None:
    """(the header that waits, the one it waits for) of a waiting unit; None of any other."""
    if not unit.name.startswith(_WAITS) or unit.parent.suffix != ".hea" or unit.parent.is_dir():
        return None
    return unit.parent, unit.parent.with_name(unit.name.removeprefix(_WAITS))


def opened(header: Path, other: Path) -> None:
    """``Unread``, naming both, where the other header cannot be opened."""
    try:
        with readable(SOURCE, other):
            other.open("rb").close()
    except (Unread, OSError) as error:
        why = error.rejection.message if isinstance(error, Unread) else f"it cannot be opened ({type(error).__name__})"
        raise Unread(refuse(header, "file", "unreadable", reason(other, why))) from error


def reason(other: Path, why: str) -> str:
    """Why a header waits, and until when."""
    return f"it may be a segment of {other.name}, and nothing of it is read before that header is: {why}"


def _unit(top: Path, doubted: dict[Path, set[str]]) -> Path:
    """The header, or the waiting unit of it: for the one in doubt that it belongs to by name, else for the first."""
    record = open_record(top, ReadContext(root=top.parent))  # in whatever zone: only whether it says when
    if not isinstance(record, TopRecord) or record.header.master:
        return top
    kin = [one for one, named in doubted.items() if top.stem.startswith(one.stem) or top.stem in named]
    if _SEGMENT.fullmatch(top.stem) is None and not (record.relative and kin):
        return top
    return top / f"{_WAITS}{(kin or list(doubted))[0].name}"


def _named(header: Path) -> set[str]:
    """What may be the names of segments in the bytes of a header: the first word of each line."""
    try:
        lines = header.read_bytes().decode("latin-1").splitlines()
    except OSError:
        return set()
    return {words[0] for line in lines if (words := line.split())}
