"""Whose memory is wrong, and from when on: what came late or changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from clinical_jepa.store.changes import NEVER
from clinical_jepa.store.visible import View


def earliest(doubts: Iterable[tuple[int, int]]) -> dict[int, int]:
    """The earliest instant of each subject."""
    found: dict[int, int] = {}
    for subject, instant in doubts:
        found[subject] = min(instant, found.get(subject, instant))
    return found


def late(views: Mapping[str, View], since: int, known_commits: int) -> tuple[int, dict[int, int]]:
    """(rows of later commits that were available by ``since``, whom they and late changes put in doubt).

    Where links join subjects, a doubt about one is a doubt about all: what is late may have decided where a row was.
    """
    rows, doubts = 0, list[tuple[int, int]]()
    for one in views.values():
        places = one.late(since, known_commits)
        rows += places.size
        doubts += one.doubted(places)
        ended = one.late_withdrawals(since, known_commits)
        doubts += zip(one.subject[ended].tolist(), one.available[ended].tolist(), strict=True)
    changes = views["events"].changes
    for link in changes.late_links(since, known_commits):
        kin = changes.owners.kin(link.absorbed)
        first = min((one.first_of_all(kin) for one in views.values()), default=NEVER)
        doubts += [(subject, first) for subject in kin if first <= since]
    return rows, changes.spread(earliest(doubts))
