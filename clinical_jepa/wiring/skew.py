"""``check skew``: the estimate of the clock skew on simulated cases, or on the subjects of a store; certain ones written down."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from clinical_jepa.records.instant import END, HOUR, MINUTE, SECOND, iso
from clinical_jepa.wiring import compose
from clinical_jepa.wiring.settings import Settings

if TYPE_CHECKING:
    from clinical_jepa.store.events import Store
    from clinical_jepa.timeline.clock_skew import Skew

Checked = tuple[bool, list[str]]
BASIS = "heart rate of chart and monitor"


def simulated(*, cases: int, seed: int, tell: compose.Tell) -> Checked:
    """Known offsets: how many are recovered, refused, wrong and certain."""
    from clinical_jepa.evaluate.checks.skew import check_skew

    report = check_skew(cases, seed, tell=tell)
    return report.passed, [report.sentence()]


def of_store(settings: Settings, subjects: Sequence[str], *, write: Path | None = None) -> Checked:
    """Offset, interval and verdict of each subject; no subject at all is a failure.

    ``write``: the certain offsets that ingest does not apply yet go to this table of clock offsets, beside what it holds.
    """
    from clinical_jepa.evaluate.checks.skew import line, skew_of_subjects

    store = compose.store(settings)
    ids = [store.identify(name) for name in subjects] or store.subjects(END)["subject_id"].to_pylist()
    found = list(skew_of_subjects(store, ids))
    lines = [f"{store.identifier(one)}: {line(skew)}" for one, skew in found]
    if write is not None:
        lines += _written(settings, store, found, write)
    return bool(found), lines or ["the store holds no subject"]


def _written(settings: Settings, store: Store, found: Sequence[tuple[int, Skew]], path: Path) -> list[str]:
    """What went to the table, and why the rest did not. The whole is read as ingest reads it before it takes its place."""
    from clinical_jepa.sources.clocks import COLUMNS, table
    from clinical_jepa.store.files import write_bytes

    zone = compose.zone(settings)
    held = path.read_text(encoding="utf-8-sig") if path.is_file() else ",".join(COLUMNS) + "\n"
    known = {one.subject for one in table(held.splitlines(), zone)}
    text, said, count = io.StringIO(), [], 0
    for subject, skew in found:
        name, monitor = store.identifier(subject), _monitor(store, subject)
        why = unfit(skew, set(monitor["source"].to_pylist()))
        if why is None and name in known:
            why = f"{path} says something of this subject already"
        if why is None:
            csv.writer(text, lineterminator="\n").writerow(_row(name, skew, monitor))
            count += 1
        said.append(f"{name}: {'written' if why is None else f'not written: {why}'}")
    after = held + ("" if held.endswith("\n") else "\n") + text.getvalue()
    table(after.splitlines(), zone)
    write_bytes(path, after.encode())
    return [*said, f"{count} written to {path}; ingest applies them where site.clock_offsets names that file"]


def unfit(skew: Skew, sources: set[str]) -> str | None:
    """Why an estimate is not to be applied to the monitor's records, or None where it is."""
    from clinical_jepa.sources import clocks
    from clinical_jepa.sources.wfdb.numerics import SOURCE

    if skew.verdict != "shift":
        return skew.reason
    if any(clocks.moved(one) for one in sources):
        return "ingest moves this monitor's clock already; mend its row by hand"
    if sources != {SOURCE}:
        return "its monitor's values do not all come from WFDB records on their own clocks"
    return None


def _monitor(store: Store, subject: int) -> pa.Table:
    from clinical_jepa.evaluate.checks.agreement import MONITOR

    return store.with_codes((MONITOR,), END).filter(pc.field("subject_id") == subject)


def _row(name: str, skew: Skew, monitor: pa.Table) -> list[object]:
    """``COLUMNS`` for the records that hold these values; one begins up to an hour before its first heart rate."""
    times = monitor["time"].cast(pa.int64()).to_numpy()
    start, end = iso(int(times.min()) - HOUR), iso(int(times.max()) + MINUTE)
    offset, low, high = (round((one or 0) / SECOND, 1) for one in (skew.offset, skew.low, skew.high))
    return [name, "", start, end, offset, low, high, BASIS]
