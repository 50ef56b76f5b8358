"""The guards of these settings, as the command line shows them: did it hold, and what was found."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from pathlib import Path

from clinical_jepa.records.instant import iso, to_us
from clinical_jepa.wiring import compose, tables
from clinical_jepa.wiring.settings import Settings

Checked = tuple[bool, list[str]]  # whether it holds, and lines for a person; the last line is the figure


def agreement(settings: Settings, subjects: Sequence[str] = (), *, out: Path | None = None) -> Checked:
    """Charted against monitor heart rate of these subjects (none: of all). Holds where at least one minute was matched
    and all matched ones agree; ``out`` takes a picture."""
    from clinical_jepa.evaluate.checks.agreement import LAST, heart_rate_agreement, plot_agreement

    store = compose.store(settings)
    chosen = [store.identify(one) for one in subjects] or store.subjects(LAST)["subject_id"].to_pylist()
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
