"""The style sheet: every text colour on every ground it stands on has a contrast of at least 4.5 in light and in dark."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import clinical_jepa.web as web

CSS = (Path(web.__file__).parent / "pages" / "static" / "ward.css").read_text(encoding="utf-8")
COLOURS = {
    name: (light, dark) for name, light, dark in re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\);", CSS)
}
ON = {
    "ink": ("paper", "card", "faint", "red-soft", "orange-soft"),
    "muted": ("paper", "card"),
    "stale": ("card",),
    "blue": ("paper", "card"),
    "red": ("paper", "card", "red-soft"),
    "orange": ("card", "orange-soft"),
    "sim": ("card",),
}


def luminance(colour: str) -> float:
    """Relative luminance of ``#rrggbb`` (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("text", "ground"), [(text, ground) for text, grounds in ON.items() for ground in grounds])
@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_can_be_read(text: str, ground: str, scheme: int) -> None:
    assert contrast(COLOURS[text][scheme], COLOURS[ground][scheme]) >= 4.5


def test_the_measure_knows_black_on_white() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


def test_nothing_comes_from_elsewhere_and_nothing_flashes() -> None:
    assert not re.search(r"url\(|@import|@keyframes|animation", CSS)
