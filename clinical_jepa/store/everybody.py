"""What is kept of everybody in a store that does not fit into memory: rows of a few codes, and first arrivals.

Each is followed from commit to commit: of whom nothing came, what was known before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from clinical_jepa.records.events import EVENTS
from clinical_jepa.store.chains import arrival_order
from clinical_jepa.store.groups import Groups
from clinical_jepa.store.visible import Coded


@dataclass(frozen=True, kw_only=True)
class CodedRows:
    """The rows of a few codes, in order of arrival, as of a commit."""

    commit: int = 0
    coded: Coded = field(default_factory=lambda: _joined([]))

    def followed(self, groups: Groups, prefixes: tuple[str, ...]) -> CodedRows:
        """The same as of the commit of ``groups``."""
        if self.commit >= groups.manifest.commit:
            return self
        touched = groups.touched(self.commit)
        fresh = [one.coded(prefixes) for one in groups.of(touched.tolist())]
        coded = _joined([_picked(self.coded, ~np.isin(self.coded.table["subject_id"].to_numpy(), touched)), *fresh])
        return CodedRows(commit=groups.manifest.commit, coded=_picked(coded, arrival_order(coded.table)))


@dataclass(frozen=True, kw_only=True)
class KinFirsts:
    """When its first row became available, by subject of those who have kin: a merge moves rows, and that with them.

    Of whoever is alone, what was stored says it (``Groups.reach``).
    """

    commit: int = 0
    instants: dict[int, int] = field(default_factory=dict)

    def followed(self, groups: Groups) -> KinFirsts:
        """The same as of the commit of ``groups``."""
        if self.commit >= groups.manifest.commit:
            return self
        touched = set(groups.touched(self.commit).tolist())
        instants = {one: first for one, first in self.instants.items() if one not in touched}
        for reader in groups.of(touched & groups.kin.keys()):
            instants |= reader.firsts
        return replace(self, commit=groups.manifest.commit, instants=instants)


def _joined(several: Sequence[Coded]) -> Coded:
    return Coded(
        table=pa.concat_tables([EVENTS.empty_table(), *(one.table for one in several)]).combine_chunks(),
        available=np.concatenate([np.zeros(0, np.int64), *(one.available for one in several)]),
        hidden_from=np.concatenate([np.zeros(0, np.int64), *(one.hidden_from for one in several)]),
    )


def _picked(coded: Coded, places: np.ndarray) -> Coded:
    """Those at places or of a mask."""
    places = np.flatnonzero(places) if places.dtype == bool else places
    return Coded(
        table=coded.table.take(pa.array(places)),
        available=coded.available[places],
        hidden_from=coded.hidden_from[places],
    )
