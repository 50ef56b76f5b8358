"""The guards of these settings, as the command line shows them: did it hold, and what was found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from tempfile import TemporaryDirectory

from clinical_jepa.records.instant import END, iso, to_us
from clinical_jepa.wiring import compose, road, tables
from clinical_jepa.wiring.settings import Settings

HOURS = 48
STEPS = 20  # a model that has been trained, and no more: the guards ask about the path, not about skill

Checked = tuple[bool, list[str]]  # whether it holds, and lines for a person; the last line is the figure


def agreement(settings: Settings, subjects: Sequence[str] = (), *, out: Path | None = None) -> Checked:
    """Charted against monitor heart rate of these subjects (none: of all). Holds where at least one minute was matched
    and all matched ones agree; ``out`` takes a picture."""
    from clinical_jepa.evaluate.checks.agreement import heart_rate_agreement, plot_agreement

    store = compose.store(settings)
    chosen = [store.identify(one) for one in subjects] or store.subjects(END)["subject_id"].to_pylist()
    found = heart_rate_agreement(store, chosen)
    rows = [
        {
            "subject": store.identifier(pair["subject_id"]),
            "time": iso(to_us(pair["time"].replace(tzinfo=UTC))),
            "charted": f"{pair['charted']:g}",
            "monitor": f"{pair['monitor']:.1f}",
            "difference": f"{pair['charted'] - pair['monitor']:+.1f}",
        }
        for pair in found.pairs.to_pylist()
    ]
    lines = [tables.text(rows)]
    if out is not None:
        lines.append(f"picture: {plot_agreement(found, out)}")
    if not found.matched:
        lines.append(
            "no charted heart rate lies in a minute of which the monitor's is stored: ingest chart and monitor of the "
            "same subjects, with the same namespace and zone"
        )
    return 0 < found.matched == found.within, [*lines, found.sentence()]


def leakage(*, subjects: int, cuts: int, seed: int, tell: compose.Tell) -> Checked:
    """Everything after a cut scrambled, on a simulated ward and a model of its own."""
    from clinical_jepa.evaluate.checks.leakage import check_leakage

    with _own_ward(subjects=subjects, records_only=60, hours=HOURS, seed=seed, tell=tell) as folder:
        report = check_leakage(
            folder / "store",
            folder / "model",
            truth=folder / "truth",
            pairs=min(1000, cuts * subjects),
            cuts=cuts,
            seed=seed,
            tell=tell,
        )
    return report.passed, [report.figure]


def replay(*, subjects: int, ticks: int, seed: int, tell: compose.Tell) -> Checked:
    """Fresh processes against the backtest: a scripted ward, and a simulated one with a model of its own."""
    from clinical_jepa.evaluate.checks.replay import check_replay

    with _own_ward(subjects=subjects, records_only=80, hours=16, seed=seed, tell=tell) as folder:
        report = check_replay(folder / "store", folder / "model", ticks=ticks, seed=seed, tell=tell)
    return report.passed, [*(trial.line for trial in report.trials), report.figure]


def crash(*, kills: int, seed: int, tell: compose.Tell) -> Checked:
    """Kills of real processes at named points and random moments, and the same with a planted bug."""
    from clinical_jepa.evaluate.checks.crash import check_crash

    report = check_crash(kills, seed, tell=tell)
    points = ", ".join(f"{name} {count}" for name, count in sorted(report.real.points.items()))
    return report.passed, [f"killed at: {points}", report.figure]


@contextmanager
def _own_ward(*, subjects: int, records_only: int, hours: int, seed: int, tell: compose.Tell) -> Iterator[Path]:
    """A simulated ward with store and fitted model in a folder that goes when the check ends."""
    with TemporaryDirectory(prefix="clinical-jepa-check-") as name:
        folder = Path(name)
        settings = road.settings({"paths.store": str(folder / "store"), "paths.model": str(folder / "model")})
        tell("simulating a ward of its own")
        road.simulate(folder, subjects=subjects, hours=hours, seed=seed, records_only=records_only)
        tell("ingesting it")
        road.ingest_summary(settings, [folder / "ward"], mode="history")
        tell("training a model for it")
        road.pretrain(settings, steps=STEPS)
        road.fit(settings)
        yield folder
