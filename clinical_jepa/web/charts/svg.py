"""SVG elements as escaped markup, and the two scales that every chart needs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from markupsafe import Markup, escape


def element(name: str, *inside: str | Markup, **attributes: object) -> Markup:
    """``<name …>…</name>``; text and attribute values are escaped, ``class_`` is class and ``_`` a hyphen."""
    written = "".join(
        f' {"class" if key == "class_" else key.replace("_", "-")}="{escape(_plain(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{written}>") + Markup("").join(escape(part) for part in inside) + Markup(f"</{name}>")  # noqa: S704


def picture(width: float, height: float, label: str, *inside: Markup, kind: str) -> Markup:
    """An SVG of that many units, which says to a screen reader what it shows."""
    return element(
        "svg",
        *inside,
        class_=kind,
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        aria_label=label,
        preserveAspectRatio="xMidYMid meet",
    )


def together(parts: Iterable[Markup]) -> Markup:
    """The parts one after another."""
    return Markup("").join(parts)


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Maps [low, high] to [start, end]; values outside are held at the ends."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low or 1.0)
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)


def path(runs: Iterable[Iterable[tuple[float, float]]]) -> str:
    """Path data of several lines that are not joined: a gap stays a gap. A lone point gives a dot."""
    return " ".join(_run(list(run)) for run in runs)


def _run(points: list[tuple[float, float]]) -> str:
    if len(points) == 1:
        points = [*points, (points[0][0] + 0.1, points[0][1])]
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) if points else ""


def runs(points: Iterable[tuple[int, float | None]], longest: int) -> Iterator[list[tuple[int, float]]]:
    """(instant, value) points parted wherever a value is missing or the next lies more than ``longest`` µs away."""
    current: list[tuple[int, float]] = []
    for at, value in points:
        missing = value is None or not math.isfinite(value)
        if current and (missing or at - current[-1][0] > longest):
            yield current
            current = []
        if value is not None and not missing:
            current.append((at, value))
    if current:
        yield current


def steps(low: float, high: float, count: int = 3) -> list[float]:
    """About ``count`` round numbers within [low, high]."""
    raw = (high - low) / max(1, count) or 1.0
    power = 10.0 ** math.floor(math.log10(raw))
    size = next(multiple * power for multiple in (1, 2, 2.5, 5, 10) if multiple * power >= raw)
    first = math.ceil(low / size)
    return [number * size for number in range(first, math.floor(high / size) + 1)]


def _plain(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)
