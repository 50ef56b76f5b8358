"""What withdrawals and links must do, by living through the instants one after the other; shares nothing with the store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from clinical_jepa.records.batch import Retraction, SubjectLink
from tests.store.builders import Row

GONE = ("cancelled", "entered-in-error")
Held = tuple[str, int, int]  # event id, under whom, since when


@dataclass(frozen=True)
class World:
    """Everything that sources said."""

    rows: Sequence[Row] = ()
    retractions: Sequence[Retraction] = ()
    links: Sequence[SubjectLink] = ()

    def until(self, instant: int) -> World:
        """What of it was available by then."""
        return World(
            [row for row in self.rows if row.available <= instant],
            [one for one in self.retractions if one.available_time <= instant],
            [one for one in self.links if one.available_time <= instant],
        )


def owner(subject: int, links: Iterable[SubjectLink]) -> int:
    """Whom the subject's rows belong to after all these links."""
    above: dict[int, int] = {}
    for link in sorted(links, key=lambda one: (one.available_time, one.time, one.active, one.absorbed, one.survivor)):
        if not link.active:
            if link.absorbed in above and link.survivor in (above[link.absorbed], link.absorbed):
                del above[link.absorbed]
        elif link.absorbed not in _up(link.survivor, above):
            above[link.absorbed] = link.survivor
    return _up(subject, above)[-1]


def _up(subject: int, above: dict[int, int]) -> list[int]:
    path = [subject]
    while path[-1] in above:
        path.append(above[path[-1]])
    return path


@dataclass
class Lived:
    """``held``: by fact, what is seen; ``first``: when each subject was first heard of."""

    held: dict[str, Held] = field(default_factory=dict)
    first: dict[int, int] = field(default_factory=dict)


def lived(world: World, as_of: int) -> Lived:
    """The state after all instants up to ``as_of``."""
    past = world.until(as_of)
    by_id = {row.event_id: row for row in past.rows}
    instants = {row.available for row in past.rows} | {one.available_time for one in [*past.retractions, *past.links]}
    now = Lived()
    for instant in sorted(instants):
        _withdraw(now, past, by_id, instant)
        _say(now, past, instant)
        _move(now, past.until(instant).links, by_id, instant)
    return now


def _withdraw(now: Lived, past: World, by_id: dict[str, Row], instant: int) -> None:
    gone = {one.record_id for one in past.retractions if one.available_time == instant}
    for fact, (name, _, _) in list(now.held.items()):
        if by_id[name].record in gone:
            del now.held[fact]


def _say(now: Lived, past: World, instant: int) -> None:
    links = past.until(instant).links
    for row in sorted(past.rows, key=lambda one: one.event_id):
        if row.available == instant:
            under = owner(row.subject, links)
            now.first.setdefault(under, instant)
            now.held.pop(row.fact_id, None)
            if row.status not in GONE:
                now.held[row.fact_id] = row.event_id, under, instant


def _move(now: Lived, links: Sequence[SubjectLink], by_id: dict[str, Row], instant: int) -> None:
    for fact, (name, under, _) in list(now.held.items()):
        to = owner(by_id[name].subject, links)
        if to != under:
            now.held[fact] = name, to, instant
            now.first.setdefault(to, instant)


def arrivals(world: World, since: int, until: int) -> list[tuple[int, str, int]]:
    """(available, event id, subject) of what is seen and came after ``since``, in order of arrival."""
    times = {row.event_id: row.time for row in world.rows}
    held = [(at, name, under) for name, under, at in lived(world, until).held.values() if at > since]
    return sorted(held, key=lambda one: (one[0], one[0] if times[one[1]] is None else times[one[1]], one[1]))


def rewind(world: World, since: int, until: int) -> dict[int, int]:
    """By subject: since when it held the earliest of what is not seen any more."""
    then, now = lived(world, since).held, lived(world, until).held
    found: dict[int, int] = {}
    for fact, held in then.items():
        if now.get(fact) != held:
            found[held[1]] = min(held[2], found.get(held[1], held[2]))
    return found


def origins(world: World, until: int) -> dict[int, int]:
    return {subject: instant - instant % 60_000_000 for subject, instant in lived(world, until).first.items()}
