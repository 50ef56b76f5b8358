"""Who trains, tunes, calibrates and tests: by a hash of the subject, so that it never depends on who else is there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

SHARES = (("tuning", 0.10), ("calibration", 0.20), ("test", 0.20))  # the rest trains


@dataclass(frozen=True, kw_only=True)
class Splits:
    """Subject ids, ascending; no subject is in two. ``test`` is for ``evaluate`` alone."""

    train: tuple[int, ...]
    tuning: tuple[int, ...]
    calibration: tuple[int, ...]
    test: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        parts = (self.train, self.tuning, self.calibration, self.test)
        if len(set().union(*parts)) != sum(len(part) for part in parts):
            raise ValueError("a subject is in two parts of a split, or twice in one")


def split(subjects: Iterable[int]) -> Splits:
    """The four parts of these subjects."""
    parts: dict[str, list[int]] = {name: [] for name in ("train", *dict(SHARES))}
    for subject in sorted(set(subjects)):
        parts[part(subject)].append(subject)
    return Splits(**{name: tuple(found) for name, found in parts.items()})


def part(subject: int) -> str:
    """The part of one subject, always the same."""
    place = int.from_bytes(hashlib.blake2b(str(subject).encode(), digest_size=8).digest(), "big") / 2**64
    for name, share in SHARES:
        if place < share:
            return name
        place -= share
    return "train"
