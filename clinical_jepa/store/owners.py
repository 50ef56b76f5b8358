"""Whom a subject's rows belong to at each instant, from the links between subjects. Pure.

Links act in the order of ``(available, time)``; of two for one subject the later counts. A link that would close a circle
(its survivor already belongs to its absorbed) is not acted upon, and is listed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, order=True, kw_only=True)
class Link:
    """One merge (``active``) or its undoing, as the store keeps it; ordered as links act. Instants in µs."""

    available: int
    time: int
    active: bool
    absorbed: int
    survivor: int
    basis: str
    source: str
    commit: int
    change_id: str


@dataclass(frozen=True, kw_only=True)
class Moves:
    """From ``instants[k]`` on (int64 µs, ascending) a subject's rows belong to ``owners[k]``, known on ``bases[k]``."""

    instants: np.ndarray
    owners: np.ndarray
    bases: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Owners:
    """``moves``: by subject, whom its rows belong to; before the first move, to itself."""

    links: tuple[Link, ...] = ()
    moves: dict[int, Moves] = field(default_factory=dict)
    circular: tuple[Link, ...] = ()
    groups: dict[int, frozenset[int]] = field(default_factory=dict)

    def of(self, subject_id: int, as_of: int) -> int:
        """Whom the rows of a subject belong to as known at ``as_of``."""
        if subject_id not in self.moves:
            return subject_id
        mine = self.moves[subject_id]
        place = int(np.searchsorted(mine.instants, as_of, "right")) - 1
        return subject_id if place < 0 else int(mine.owners[place])

    def kin(self, subject_id: int) -> frozenset[int]:
        """All subjects that links ever joined with this one, itself included."""
        return self.groups.get(subject_id, frozenset({subject_id}))


def owners(links: Iterable[Link]) -> Owners:
    """What the links say together, in whatever order they are given."""
    ordered = tuple(sorted(links))
    tree, circular = _Tree(), []
    for link in ordered:
        if not tree.act(link):
            circular.append(link)
    moves = {
        subject: Moves(
            instants=np.array(list(steps), np.int64),
            owners=np.array([root for root, _ in steps.values()], np.int64),
            bases=tuple(basis for _, basis in steps.values()),
        )
        for subject, steps in tree.steps.items()
    }
    groups = joined((link.absorbed, link.survivor) for link in ordered)
    return Owners(
        links=ordered,
        moves=moves,
        circular=tuple(circular),
        groups=groups,
    )


@dataclass(kw_only=True)
class _Tree:
    """Who is under whom now, and for each subject the instants at which its root changed."""

    above: dict[int, int] = field(default_factory=dict)
    below: dict[int, set[int]] = field(default_factory=dict)
    steps: dict[int, dict[int, tuple[int, str]]] = field(default_factory=dict)

    def act(self, link: Link) -> bool:
        """False where the link would close a circle."""
        if not link.active:
            # a link of a subject to itself undoes any: some sources say only that it stands alone again
            if link.absorbed in self.above and link.survivor in (link.absorbed, self.above[link.absorbed]):
                self._part(link.absorbed)
                self._note(link.absorbed, link.absorbed, link)
            return True
        root = self._root(link.survivor)
        if link.absorbed == link.survivor or self._under(link.survivor, link.absorbed):
            return False
        self._part(link.absorbed)
        self.above[link.absorbed] = link.survivor
        self.below.setdefault(link.survivor, set()).add(link.absorbed)
        self._note(link.absorbed, root, link)
        return True

    def _root(self, subject: int) -> int:
        while subject in self.above:
            subject = self.above[subject]
        return subject

    def _under(self, subject: int, other: int) -> bool:
        while subject in self.above:
            subject = self.above[subject]
            if subject == other:
                return True
        return False

    def _part(self, subject: int) -> None:
        if subject in self.above:
            self.below[self.above.pop(subject)].discard(subject)

    def _note(self, subject: int, root: int, link: Link) -> None:
        """``subject`` and all under it belong to ``root`` from this link on."""
        waiting = [subject]
        while waiting:
            one = waiting.pop()
            steps = self.steps.setdefault(one, {})
            steps.pop(link.available, None)
            if (next(reversed(steps.values()))[0] if steps else one) != root:
                steps[link.available] = root, link.basis
            waiting += self.below.get(one, ())


def joined(pairs: Iterable[tuple[int, int]]) -> dict[int, frozenset[int]]:
    """By subject that stands in a pair: everyone whom pairs connect with it, itself included."""
    groups: dict[int, set[int]] = {}
    for pair in pairs:
        small, large = sorted((groups.setdefault(one, {one}) for one in pair), key=len)
        if small is not large:
            large |= small
            groups |= dict.fromkeys(small, large)
    apart = {id(group): group for group in groups.values()}
    frozen = {name: frozenset(group) for name, group in apart.items()}
    return {subject: frozen[id(group)] for subject, group in groups.items()}
