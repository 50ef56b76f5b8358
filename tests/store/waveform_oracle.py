"""What versions of several rows must do, worked out anew for every instant from what is said; shares nothing with the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clinical_jepa.records.batch import Retraction, SignalPiece, SubjectLink
from tests.store.change_oracle import owner


@dataclass(frozen=True)
class Told:
    """Everything that sources said."""

    pieces: Sequence[SignalPiece] = ()
    retractions: Sequence[Retraction] = ()
    links: Sequence[SubjectLink] = ()

    def until(self, instant: int) -> Told:
        """What of it was available by then."""
        return Told(
            [one for one in self.pieces if one.available_time <= instant],
            [one for one in self.retractions if one.available_time <= instant],
            [one for one in self.links if one.available_time <= instant],
        )

    def instants(self) -> list[int]:
        """Every instant at which something became available, in order."""
        return sorted({one.available_time for ones in (self.pieces, self.retractions, self.links) for one in ones})


def seen(told: Told, as_of: int) -> dict[str, int]:
    """By event id of the pieces seen as of then: whose it is."""
    past = told.until(as_of)
    versions: dict[tuple[str, str], list[SignalPiece]] = {}
    for one in past.pieces:
        fact = one.fact_id or one.event_id
        versions.setdefault((fact, one.version_id or one.event_id), []).append(one)
    newest: dict[str, tuple[tuple[int, str], list[SignalPiece]]] = {}
    for (fact, _), pieces in versions.items():
        began = min((one.available_time, one.event_id) for one in pieces)
        if fact not in newest or began > newest[fact][0]:
            newest[fact] = began, pieces
    return {
        one.event_id: owner(one.subject_id, past.links)
        for (began, _), pieces in newest.values()
        for one in pieces
        if not any(gone.record_id == one.record_id and gone.available_time > began for gone in past.retractions)
    }


def held_since(told: Told, as_of: int) -> dict[tuple[str, int], int]:
    """By (event id, subject) of what is seen as of then: since when without a break."""
    found: dict[tuple[str, int], int] = {}
    for instant in told.until(as_of).instants():
        now = set(seen(told, instant).items())
        found = {key: found.get(key, instant) for key in now}
    return found
