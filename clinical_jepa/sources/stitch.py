"""A stitched ward: subjects of different years put side by side, each shifted whole to one start, and named so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clinical_jepa.records.batch import ImageItem, Retraction, SignalPiece, SourceBatch, SubjectLink
from clinical_jepa.vocabulary.identity import content_id

_STATICS = ("MEDS_BIRTH", "GENDER//F", "GENDER//M")
_NEVER = np.iinfo(np.int64).max
Item = TypeVar("Item", SignalPiece, ImageItem)
Change = TypeVar("Change", Retraction, SubjectLink)
Rank = Literal["admission", "fact", "known"]


@dataclass(frozen=True, kw_only=True)
class Beginnings:
    """The earliest admission, fact and availability of every subject of the batches noted so far.

    ``person`` holds the subjects that a source ever linked, as sets shared by their members: they are moved as one.
    ``records`` tells whose a record is, so that its withdrawal moves with it.
    """

    start: int  # where they are all moved to
    earliest: dict[Rank, dict[int, int]] = field(default_factory=lambda: {"admission": {}, "fact": {}, "known": {}})
    person: dict[int, set[int]] = field(default_factory=dict)
    records: dict[str, int] = field(default_factory=dict)

    def note(self, batches: Iterable[SourceBatch]) -> None:
        """Look at these batches too; nothing of them is kept."""
        for batch in batches:
            events = batch.events
            admitted = pc.starts_with(events["code"], "HOSPITAL_ADMISSION")
            static = pc.is_in(events["code"], pa.array(_STATICS))
            self._least("admission", events.filter(admitted), "time")
            self._least("fact", events.filter(pc.invert(static)), "time")
            self._least("known", events, "available_time")
            facts = self.earliest["fact"]
            items: tuple[SignalPiece | ImageItem, ...] = (*batch.signals, *batch.images)
            for one in items:
                facts[one.subject_id] = min(one.time, facts.get(one.subject_id, _NEVER))
                if one.record_id is not None:
                    self.records[one.record_id] = one.subject_id
            for link in batch.links:
                both = self.person.get(link.absorbed, {link.absorbed}) | self.person.get(link.survivor, {link.survivor})
                self.person.update(dict.fromkeys(both, both))
            named = events.filter(pc.is_valid(events["record_id"]))
            self.records.update(zip(named["record_id"].to_pylist(), named["subject_id"].to_pylist(), strict=True))

    def shift(self, subject_id: int) -> int:
        """How far a subject moves: its first admission, else its first fact, comes to lie at ``start``."""
        for times in self.earliest.values():
            known = [times[one] for one in self.person.get(subject_id, {subject_id}) if one in times]
            if known:
                return self.start - min(known)
        return 0

    def _least(self, rank: Rank, events: pa.Table, column: str) -> None:
        if events.num_rows == 0:
            return
        least = events.group_by("subject_id").aggregate([(column, "min")])
        times = least[f"{column}_min"].cast(pa.int64()).to_pylist()
        for subject, time in zip(least["subject_id"].to_pylist(), times, strict=True):
            if time is not None:
                self.earliest[rank][subject] = min(time, self.earliest[rank].get(subject, _NEVER))


def stitched(batch: SourceBatch, beginnings: Beginnings) -> SourceBatch:
    """The batch at its new times, with sources ``stitched:…`` and ids of their own."""
    return replace(
        batch,
        events=_events(batch.events, beginnings),
        signals=tuple(_piece(piece, beginnings) for piece in batch.signals),
        images=tuple(
            replace(_moved(image, beginnings), fact_id=_id(image.fact_id, beginnings)) for image in batch.images
        ),
        rejections=tuple(replace(one, source=f"stitched:{one.source}") for one in batch.rejections),
        retractions=tuple(
            _shifted(one, beginnings.shift(beginnings.records[one.record_id]))
            for one in batch.retractions
            if one.record_id in beginnings.records  # else it withdraws nothing of what was read
        ),
        links=tuple(_shifted(one, beginnings.shift(one.survivor)) for one in batch.links),
    )


def _shifted(change: Change, shift: int) -> Change:
    return replace(
        change,
        time=change.time + shift,
        available_time=change.available_time + shift,
        source=f"stitched:{change.source}",
    )


def _events(events: pa.Table, beginnings: Beginnings) -> pa.Table:
    subjects = events["subject_id"].to_pylist()
    shifts = pa.array([beginnings.shift(subject) for subject in subjects], pa.int64())
    for name in ("time", "available_time"):
        moved = pc.add(events[name].cast(pa.int64()), shifts).cast(pa.timestamp("us"))
        events = _with(events, name, moved)
    for name in ("event_id", "fact_id"):
        events = _with(events, name, pa.array([_id(one, beginnings) for one in events[name].to_pylist()], pa.string()))
    return _with(events, "source", pc.binary_join_element_wise("stitched", events["source"], ":"))


def _with(events: pa.Table, name: str, column: pa.Array) -> pa.Table:
    place = events.schema.get_field_index(name)
    return events.set_column(place, events.schema.field(place), column)


def _moved(item: Item, beginnings: Beginnings) -> Item:
    shift = beginnings.shift(item.subject_id)
    return replace(
        item,
        time=item.time + shift,
        available_time=item.available_time + shift,
        source=f"stitched:{item.source}",
        event_id=_id(item.event_id, beginnings),
    )


def _piece(piece: SignalPiece, beginnings: Beginnings) -> SignalPiece:
    fact, version = (None if one is None else _id(one, beginnings) for one in (piece.fact_id, piece.version_id))
    return replace(_moved(piece, beginnings), fact_id=fact, version_id=version)


def _id(original: str, beginnings: Beginnings) -> str:
    return content_id("stitched", beginnings.start, original)
