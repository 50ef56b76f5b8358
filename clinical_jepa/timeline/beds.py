"""Which bed a patient is in, and whose a device's stream is, at an instant, as known at another. Never guessed.

A stay in a bed, and a device's place, hold for ``(start, end]``: what was measured in the minute of a transfer belongs to
the bed that was left. Where two answers are possible the answer is a refusal with its reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import pyarrow as pa

from clinical_jepa.records.instant import END
from clinical_jepa.timeline.columns import instants
from clinical_jepa.timeline.stays import STAY_CODES

Why = Literal["nobody", "ambiguous", "unknown-device"]


@dataclass(frozen=True, kw_only=True)
class Occupancy:
    """A patient in a bed for ``(start, end]`` (µs; ``END`` while it lasts)."""

    subject_id: int
    bed: str
    start: int
    end: int


@dataclass(frozen=True, kw_only=True)
class Association:
    """A device at a bed, or on a patient, for ``(start, end]``; ``known``: from when on this system could know it."""

    device: str
    start: int
    end: int = END
    bed: str | None = None
    subject_id: int | None = None
    known: int | None = None  # None: a site's own table, known at any time


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """No answer: ``ambiguous`` where several patients come into question; ``message`` names no patient."""

    why: Why
    message: str


@dataclass(frozen=True, kw_only=True)
class Whereabouts:
    """Who lay where and which device stood where, as known at one instant."""

    as_of: int
    occupancies: tuple[Occupancy, ...]
    associations: tuple[Association, ...]

    def bed_of(self, subject_id: int, instant: int) -> str | None:
        """The bed of a patient; None where none is known."""
        beds = [one.bed for one in self.occupancies if one.subject_id == subject_id and one.start < instant <= one.end]
        return beds[0] if beds else None

    def patient_in(self, bed: str, instant: int) -> int | Refusal:
        """The one patient in a bed."""
        return _only({one.subject_id for one in self._in(bed, instant)}, f"bed {bed!r}")

    def patient_of(self, device: str, instant: int) -> int | Refusal:
        """The one patient whose stream a device sends: the one it is on, and that of the bed it stands at, where they agree."""
        mine = [one for one in self.associations if one.device == device]
        if not mine:
            return Refusal(why="unknown-device", message=f"no place of device {device!r} is known")
        here = [one for one in mine if one.start < instant <= one.end]
        beds = {one.bed for one in here if one.bed is not None}
        found = {one.subject_id for bed in beds for one in self._in(bed, instant)}
        found |= {one.subject_id for one in here if one.subject_id is not None}
        if len(beds) > 1:
            return Refusal(why="ambiguous", message=f"device {device!r} is said to stand at {len(beds)} beds at once")
        return _only(found, f"device {device!r}")

    def _in(self, bed: str, instant: int) -> list[Occupancy]:
        return [one for one in self.occupancies if one.bed == bed and one.start < instant <= one.end]


def whereabouts(events: pa.Table, as_of: int, associations: Iterable[Association] = ()) -> Whereabouts:
    """From EVENTS rows with ``STAY_CODES`` seen as of ``as_of``, and what was known by then of devices."""
    known = tuple(one for one in associations if one.known is None or one.known <= as_of)
    return Whereabouts(as_of=as_of, occupancies=occupancies(events, as_of), associations=known)


def occupancies(events: pa.Table, as_of: int) -> tuple[Occupancy, ...]:
    """Stays in beds, by subject and start. Rows act in the order of their ``time``; what lies after ``as_of`` is a plan."""
    rows = events.select(["subject_id", "code", "text_value", "encounter_id"]).to_pylist()
    acts: dict[int, list[tuple[int, int, str | None, str | None]]] = {}
    for time, row in zip(instants(events, "time").tolist(), rows, strict=True):
        what = STAY_CODES.index(row["code"].partition("//")[0])
        if time <= as_of:
            acts.setdefault(row["subject_id"], []).append((time, what, row["encounter_id"], row["text_value"]))
    return tuple(
        stay
        for subject in sorted(acts)
        for stay in _walk(subject, sorted(acts[subject], key=lambda act: act[:2]))
        if stay.start < stay.end
    )


def _walk(subject: int, acts: Sequence[tuple[int, int, str | None, str | None]]) -> list[Occupancy]:
    """One patient's stays: a transfer ends the one before, so does the end of its encounter, or death."""
    found: list[Occupancy] = []
    under_way: str | None = None  # the encounter of the newest bed
    for time, what, encounter, bed in acts:
        moves = STAY_CODES[what] == "TRANSFER_TO"
        ends = STAY_CODES[what] == "MEDS_DEATH" or (
            STAY_CODES[what] == "HOSPITAL_DISCHARGE" and (encounter is None or under_way in (None, encounter))
        )
        if (moves or ends) and found and found[-1].end == END:
            found[-1] = replace(found[-1], end=time)
        if moves:
            under_way = encounter
            if bed is not None:
                found.append(Occupancy(subject_id=subject, bed=bed, start=time, end=END))
    return found


def _only(found: set[int], where: str) -> int | Refusal:
    if len(found) == 1:
        return next(iter(found))
    if not found:
        return Refusal(why="nobody", message=f"nobody is known to be at {where} then")
    return Refusal(
        why="ambiguous", message=f"{len(found)} patients come into question for {where} then; mend the stays"
    )
