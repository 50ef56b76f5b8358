"""What came of a run of ingest: counts by kind of source, and refusals by reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clinical_jepa.sources.catalog import Found
    from clinical_jepa.store.parts import Appended


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What came of one kind of source. ``files`` were read, ``skipped`` were in the store already.

    ``withdrawn`` are records that the source took back, ``linked`` subjects that it merged or parted. ``clamped`` and
    ``assumed`` (history) are rows whose available time rests on ``time``; ``clock_faults`` (live) are rows
    that their source says it reported after we received them. Both are kept, and marked.
    """

    files: int = 0
    skipped: int = 0
    events: int = 0
    signals: int = 0
    images: int = 0
    rejected: int = 0
    duplicates: int = 0
    clamped: int = 0
    assumed: int = 0
    clock_faults: int = 0
    ignored: int = 0
    withdrawn: int = 0
    linked: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(**{name: getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__})


@dataclass(frozen=True, kw_only=True)
class IngestReport:
    """``reasons`` counts what was newly refused by reason, ``ignored`` what is no fact of this system, by kind.

    ``again`` counts refusals that stand in quarantine already, from an earlier run or another file of this one.
    ``found`` is what there was to read at or below each given path, whichever shard takes it.
    """

    sources: Mapping[str, Counts]
    reasons: Mapping[str, int]
    ignored: Mapping[str, int]
    again: int = 0
    found: Mapping[Path, Sequence[Found]] = field(default_factory=dict)

    @property
    def empty(self) -> tuple[Path, ...]:
        """The given folders and files in which there was nothing to read."""
        return tuple(path for path, units in self.found.items() if not units)

    @property
    def total(self) -> Counts:
        """All kinds together."""
        return sum(self.sources.values(), Counts())


@dataclass(kw_only=True)
class Tally:
    """The report in the making."""

    sources: dict[str, Counts] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)
    again: int = 0

    def add(self, kind: str, counts: Counts, appended: Appended | None = None) -> None:
        """Of one unit; ``appended`` where anything of it was kept."""
        self.sources[kind] = self.sources.get(kind, Counts()) + counts
        if appended is not None:
            self.reasons.update(appended.reasons)
            self.again += appended.again


def counted(appended: Appended, ignored: Counter[str]) -> Counts:
    """What came of one unit that was read."""
    return Counts(
        files=1,
        events=appended.events,
        signals=appended.signals,
        images=appended.images,
        rejected=appended.rejections,
        duplicates=appended.duplicates,
        clamped=appended.bases.get("clamped", 0),
        assumed=appended.bases.get("assumed", 0),
        clock_faults=appended.bases.get("receipt-clock-fault", 0),
        ignored=ignored.total(),
        withdrawn=appended.retractions,
        linked=appended.links,
    )
