"""How figures look: inline SVG whose ink follows the page (``currentColor``), so that it reads in light and dark."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from clinical_jepa.records.instant import from_us

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#010203"  # stands for currentColor until the SVG is written
BLUE, ORANGE, GREEN, RED, VIOLET, GREY = "#3b82c4", "#d97a1f", "#2f9e6e", "#d1495b", "#8b6fc0", "#8a8f98"
_LOOK: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9.0,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 10.0,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}


@contextmanager
def look() -> Iterator[None]:
    """The figures' common style, without touching the process's own."""
    import matplotlib

    with matplotlib.rc_context(_LOOK):
        yield


def canvas(width: float, height: float) -> Figure:
    """An empty figure in inches, drawn without a display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def svg(figure: Figure, name: str) -> str:
    """The figure as an ``<svg>`` element; equal figures give equal text. ``name`` keeps its ids apart from others'."""
    import matplotlib

    out = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name}):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = text.replace(INK, "currentColor").replace("<svg ", f'<svg role="img" aria-label="{name}" ', 1)
    return text.replace('id="', f'id="{name}-').replace('"#', f'"#{name}-').replace("url(#", f"url(#{name}-")


def times(instants: np.ndarray | list[int]) -> list[Any]:
    """Instants as datetimes without a zone (UTC), which is what axes take."""
    return [from_us(int(instant)).replace(tzinfo=None) for instant in instants]


def clock(axes: Axes) -> None:
    """An axis of days and hours, UTC."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator: Any = AutoDateLocator(minticks=4, maxticks=9)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def unit(ucum: str | None) -> str:
    """A UCUM unit for people: without brackets; nothing for a pure number."""
    plain = (ucum or "").translate(str.maketrans("", "", "[]{}"))
    return {"1": "", "Cel": "°C", "ug/kg/min": "µg/kg/min"}.get(plain, plain)
