"""One self-contained HTML page: figures inline, nothing fetched, light and dark."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from clinical_jepa.evaluate import figures, timeline_figure
from clinical_jepa.evaluate.contents import ReportContents
from clinical_jepa.forecast.alert_counting import Burden
from clinical_jepa.records.instant import iso

_TEMPLATE = Path(__file__).with_name("report.html")


def write_report(path: Path, contents: ReportContents) -> Path:
    """Writes the page, whole or not at all, and returns its path. Sections without content are left out."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    drawn = {name: Markup(svg) for name, svg in _figures(contents).items()}  # noqa: S704 our own SVG, text escaped in it
    page = template.render(
        contents=contents,
        figures=drawn,
        lines=[] if contents.board is None else contents.board.lines(),
        burden=[] if contents.burden is None else burden_rows(contents.burden),
        when=lambda instant: iso(instant)[:16].replace("T", " "),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(page, encoding="utf-8")
    part.replace(path)
    return path


def burden_rows(burden: Burden) -> list[tuple[str, str]]:
    """Alert burden as (what, value) pairs for people; missed events stand beside the caught ones."""

    def number(value: float, digits: int = 2) -> str:
        return "–" if math.isnan(value) else f"{value:.{digits}f}"

    early = sum(lead >= 1 for lead in burden.leads)
    return [
        ("Events while the question was asked", str(burden.events)),
        ("caught by an alert", f"{burden.caught} ({number(100 * burden.recall, 0)} %)"),
        ("missed", str(burden.events - burden.caught)),
        ("at least 1 h ahead", str(early)),
        ("median warning, hours (caught only)", number(burden.median_lead, 1)),
        ("Alerts", str(burden.alerts)),
        ("per patient-day of asking", number(burden.per_patient_day)),
        ("followed by an event within 8 h", f"{burden.true_alerts} ({number(100 * burden.precision, 0)} %)"),
        ("not followed by one", str(burden.false_alerts)),
        ("undecided (record ends)", str(burden.undecided)),
    ]


def _figures(contents: ReportContents) -> dict[str, str]:
    found: dict[str, str] = {}
    board: Any = contents.board
    if board is not None:
        found["leaderboard"] = figures.forest(board)
        if board.reliability:
            found["reliability"] = figures.reliability(board)
    if contents.burden is not None:
        found["leads"] = figures.lead_times(contents.burden)
    if contents.story is not None:
        found["timeline"] = timeline_figure.timeline(contents.story)
        if contents.story.strips:
            found["strip"] = timeline_figure.strip(contents.story)
        if contents.story.image is not None:
            found["picture"] = timeline_figure.picture(contents.story)
    if contents.known_when is not None:
        found["known_when"] = figures.known_when(contents.known_when)
    return found
