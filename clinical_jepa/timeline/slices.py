"""Arrivals of all beds → one ``Slice`` a subject: what the model eats."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from clinical_jepa.records.instant import floor_minute
from clinical_jepa.records.views import Arrivals, Items, Pictures, Slice
from clinical_jepa.timeline.columns import code_ids, instants, numbers, text_ids
from clinical_jepa.timeline.patches import patches

Load = Callable[[str], np.ndarray]


def slices(
    arrivals: Arrivals, *, subjects: Iterable[int], since: Mapping[int, int] | int, load: Load
) -> dict[int, Slice]:
    """A slice for each subject, an empty one where nothing arrived.

    ``since`` is where each memory ends; rows of ``arrivals`` at or before it are left out. ``load`` gives the float32
    array of a reference.
    """
    events, signals, images = (_Grouped.of(table) for table in (arrivals.events, arrivals.signals, arrivals.images))
    items = _Items.of(arrivals.events)
    found = {}
    for subject in subjects:
        start = since if isinstance(since, int) else since[subject]
        found[subject] = Slice(
            subject_id=subject,
            since=start,
            now=arrivals.until,
            origin=arrivals.origins.get(subject, floor_minute(arrivals.until)),
            items=items.take(events.places(subject, start)),
            patches=patches(arrivals.signals, signals.places(subject, start), load),
            pictures=_pictures(arrivals.images, images.places(subject, start), load),
        )
    return found


@dataclass(frozen=True, kw_only=True)
class _Grouped:
    """Places of each subject's rows, in the table's own order."""

    order: np.ndarray
    subjects: np.ndarray
    starts: np.ndarray
    available: np.ndarray

    @staticmethod
    def of(table: pa.Table) -> _Grouped:
        subject = table["subject_id"].to_numpy()
        order = np.argsort(subject, kind="stable")
        subjects, starts = np.unique(subject[order], return_index=True)
        ends = np.append(starts, len(order))
        return _Grouped(order=order, subjects=subjects, starts=ends, available=instants(table, "available_time"))

    def places(self, subject: int, since: int) -> np.ndarray:
        index = int(np.searchsorted(self.subjects, subject))
        if index == len(self.subjects) or self.subjects[index] != subject:
            return self.order[:0]
        places = self.order[self.starts[index] : self.starts[index + 1]]
        return places[self.available[places] > since]


@dataclass(frozen=True, kw_only=True)
class _Items:
    """The events of all subjects as columns."""

    time: np.ndarray
    available: np.ndarray
    code: np.ndarray
    value: np.ndarray
    text: np.ndarray

    @staticmethod
    def of(table: pa.Table) -> _Items:
        return _Items(
            time=instants(table, "time"),
            available=instants(table, "available_time"),
            code=code_ids(table),
            value=numbers(table, "numeric_value"),
            text=text_ids(table),
        )

    def take(self, places: np.ndarray) -> Items:
        return Items(**{name: frozen(column[places]) for name, column in self._columns()})

    def _columns(self) -> Iterator[tuple[str, np.ndarray]]:
        return ((name, getattr(self, name)) for name in self.__dataclass_fields__)


def frozen(array: np.ndarray) -> np.ndarray:
    """The same array, read-only."""
    array.flags.writeable = False
    return array


_NO_TIMES = frozen(np.zeros(0, np.int64))
_NO_PICTURES = Pictures(time=_NO_TIMES, available=_NO_TIMES, pixels=frozen(np.zeros((0, 64, 64), np.float32)))


def _pictures(table: pa.Table, places: np.ndarray, load: Load) -> Pictures:
    if not len(places):
        return _NO_PICTURES
    rows = table.take(places)
    pixels = [load(reference) for reference in rows["prepared"].to_pylist()]
    return Pictures(
        time=frozen(instants(rows, "time")),
        available=frozen(instants(rows, "available_time")),
        pixels=frozen(np.stack(pixels).reshape(-1, 64, 64)),
    )
