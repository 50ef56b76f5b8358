"""No future: whatever becomes available after now changes nothing that is said or remembered now.

At each cut time the tick runs twice from the same ledger: on the store, and on a copy in which everything available later
is scrambled or removed. Memory, forecast, eligibility and alert of each patient must be the same bytes. By induction
over the cuts nothing that a patient's memory ever held came from later than it says.

Seeded mistakes must be seen: an as-of rule that goes by ``time``, a source stamped too early; and scrambling what *was*
known must change what is said, or the comparison is blind.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clinical_jepa.evaluate.checks.raw import Raw, available, raw, store_of
from clinical_jepa.evaluate.checks.scramble import scrambled
from clinical_jepa.evaluate.checks.subject import ward
from clinical_jepa.evaluate.checks.truth import Knowable, knowable, stamped_early
from clinical_jepa.monitor.presence import present
from clinical_jepa.monitor.tick import tick
from clinical_jepa.monitor.ward import Ward
from clinical_jepa.records.instant import HOUR, MINUTE
from clinical_jepa.store.chains import view
from clinical_jepa.store.codecs import outcome_to_json
from clinical_jepa.store.events import Store
from clinical_jepa.store.large import Large
from clinical_jepa.store.ledger import Ledger
from clinical_jepa.store.manifest import Manifest
from clinical_jepa.store.reader import Reader, nothing

_CONTROLS = 3  # cuts at which each seeded mistake is made
_KNOWN_LEAST = 0.95  # of stored rows the truth must know so many for its check to mean something


@dataclass(frozen=True, kw_only=True)
class LeakageReport:
    """Counts over (subject, cut time) pairs; ``truth`` is None where no truth was given."""

    cuts: int
    pairs: int
    wanted: int  # pairs that were asked for; fewer are no answer
    changed: int
    by_time_changed: int  # planted: visibility by ``time``
    past_changed: int  # planted: what was known two hours before the cut is scrambled too
    truth: Knowable | None
    stamped_early: int  # planted: rows found too early when one source is stamped with the time it is about

    @property
    def passed(self) -> bool:
        """As many pairs as wanted, nothing changed, nothing was early, and every seeded mistake was seen."""
        seen = self.by_time_changed > 0 and self.past_changed > 0
        if self.truth is not None:
            honest = self.truth.too_early == 0 and self.truth.share_known >= _KNOWN_LEAST
            seen = seen and honest and self.stamped_early > 0
        return seen and self.changed == 0 and self.pairs >= max(1, self.wanted)

    @property
    def figure(self) -> str:
        """One line for a person."""
        few = "" if self.pairs >= self.wanted else f" (TOO FEW pairs: {self.wanted} wanted)"
        truth = "no truth given"
        if self.truth is not None:
            rows = sum(self.truth.rows.values())
            truth = f"{self.truth.too_early} of {rows} rows before they could be known ({self.truth.share_known:.1%} matched)"
        return (
            f"leakage: {self.changed} of {self.pairs} (subject, time) pairs changed at {self.cuts} cuts{few}; {truth}; seeded "
            f"mistakes: as-of by time {self.by_time_changed} changed, past scrambled {self.past_changed} changed, "
            f"source stamped early {self.stamped_early} rows found"
        )


class AsOfTime(Store):
    """A planted fault: to every read a row counts as known from the moment that it is about."""

    _by_time: Reader = nothing()

    def _known(self, manifest: Manifest) -> Reader | Large:
        known = super()._known(manifest)
        assert isinstance(known, Reader), "the check reads stores that fit into memory"
        if self._by_time.commit != known.commit:
            self._by_time = replace(
                known, views={kind: view(_known_at_once(one.table)) for kind, one in known.views.items()}
            )
        return self._by_time


def _known_at_once(rows: pa.Table) -> pa.Table:
    place = rows.column_names.index("available_time")
    return rows.set_column(place, rows.schema.field(place), pc.coalesce(rows["time"], rows["available_time"]))


def check_leakage(
    store: Path,
    model: Path | None = None,
    *,
    truth: Path | None = None,
    pairs: int = 1000,
    cuts: int = 25,
    seed: int = 7,
    tell: Callable[[str], None] = lambda _: None,
) -> LeakageReport:
    """At least ``cuts`` cut times, more where fewer than ``pairs`` pairs came of them. ``truth``: the folder OUT/truth."""
    source, chance = Store.open(store), np.random.default_rng(seed)
    rows = raw(source)
    instants = cut_times(source, rows, pairs, cuts, chance)
    controls = set(instants[1 :: max(1, len(instants) // _CONTROLS)])
    made = ward(source, model)
    counts = dict.fromkeys(("pairs", "changed", "by_time", "past"), 0)
    for number, cut in enumerate(instants):
        true, patients = _ticked(made, cut)
        later = scrambled(rows, cut, chance, remove=number % 3 == 2)
        counts["changed"] += _differing(true, made, later, cut)
        if cut in controls:
            wrong, _ = _ticked(replace(made, store=AsOfTime.open(store)), cut)
            counts["by_time"] += _differing(wrong, made, later, cut, AsOfTime)
            counts["past"] += _differing(true, made, scrambled(rows, cut - 2 * HOUR, chance), cut)
        counts["pairs"] += patients
        made = replace(made, ledger=true)
        tell(f"cut {number + 1} of {len(instants)}: {counts['changed']} of {counts['pairs']} pairs changed")
    return LeakageReport(
        cuts=len(instants),
        pairs=counts["pairs"],
        wanted=pairs,
        changed=counts["changed"],
        by_time_changed=counts["by_time"],
        past_changed=counts["past"],
        truth=None if truth is None else knowable(rows, truth),
        stamped_early=0 if truth is None else knowable(stamped_early(rows, "fhir"), truth).too_early,
    )


def cut_times(store: Store, rows: Raw, pairs: int, cuts: int, chance: np.random.Generator) -> list[int]:
    """Whole minutes, ascending, drawn from the ward's hours: as many as asked for, and more until the patients who are
    present at them make up the pairs (at most four times as many)."""
    known = available(rows.tables["events"])
    first, last = int(np.quantile(known, 0.02)) // MINUTE, int(known.max()) // MINUTE
    drawn = chance.permutation(np.arange(first + 120, max(first + 121, last)))[: 4 * cuts] * MINUTE
    chosen: list[int] = []
    here = 0
    for cut in drawn.tolist():
        if len(chosen) >= cuts and here >= pairs:
            break
        chosen.append(cut)
        here += len(present(store, store.arrivals(cut, cut)))
    return sorted(chosen)


def copied(ledger: Ledger) -> Ledger:
    """A ledger in memory with the same content."""
    copy = Ledger.open(":memory:")
    ledger._connection.backup(copy._connection)
    return copy


def _ticked(made: Ward, cut: int) -> tuple[Ledger, int]:
    """A copy of the ward's ledger after the tick at ``cut``, and of how many patients it was."""
    after = copied(made.ledger)
    return after, tick(replace(made, ledger=after), cut).patients


def _differing(true: Ledger, made: Ward, other: Raw, cut: int, kind: type[Store] = Store) -> int:
    """How many patients are remembered or spoken of differently when the tick at ``cut`` reads ``other`` rows."""
    folder = Path(tempfile.mkdtemp(prefix="check-leakage-"))
    try:
        after, _ = _ticked(replace(made, store=kind.open(store_of(other, folder).path)), cut)
    finally:
        shutil.rmtree(folder)
    left, right = _left_behind(true, cut), _left_behind(after, cut)
    return sum(left.get(subject) != right.get(subject) for subject in left.keys() | right.keys())


def _left_behind(ledger: Ledger, cut: int) -> Mapping[int, tuple[Any, ...]]:
    """By subject: bytes of everything that the tick at ``cut`` leaves behind."""
    said = {one.subject_id: outcome_to_json(one) for one in ledger.outcomes(since=cut, until=cut)}
    sent: dict[str, list[bytes]] = {}
    for row in ledger.messages():
        sent.setdefault(row.alert_id, []).append(row.payload)
    changes: dict[int, list[Any]] = {}
    for one in ledger.transitions():
        changes.setdefault(one.subject_id, []).append((repr(one), sent.get(one.alert_id)))
    return {
        subject: (ledger.memory(subject), said.get(subject), patient.eligibility, changes.get(subject))
        for subject, patient in ledger.patients().items()
    }
