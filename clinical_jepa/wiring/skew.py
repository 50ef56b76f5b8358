"""``check skew``: the estimate of the clock skew on simulated cases, or on the subjects of a store."""

from __future__ import annotations

from collections.abc import Sequence

from clinical_jepa.records.instant import END
from clinical_jepa.wiring import compose
from clinical_jepa.wiring.settings import Settings

Checked = tuple[bool, list[str]]


def simulated(*, cases: int, seed: int, tell: compose.Tell) -> Checked:
    """Known offsets: how many are recovered, refused, wrong and certain."""
    from clinical_jepa.evaluate.checks.skew import check_skew

    report = check_skew(cases, seed, tell=tell)
    return report.passed, [report.sentence()]


def of_store(settings: Settings, subjects: Sequence[str]) -> Checked:
    """Offset, interval and verdict of each subject; no subject at all is a failure."""
    from clinical_jepa.evaluate.checks.skew import line, skew_of_subjects

    store = compose.store(settings)
    ids = [store.identify(name) for name in subjects] or store.subjects(END)["subject_id"].to_pylist()
    lines = [f"{store.identifier(one)}: {line(found)}" for one, found in skew_of_subjects(store, ids)]
    return bool(lines), lines or ["the store holds no subject"]
