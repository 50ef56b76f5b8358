"""The newest seconds of a waveform at its own rate."""

from __future__ import annotations

import math

import numpy as np
from markupsafe import Markup

from clinical_jepa.records.views import Strip
from clinical_jepa.web.charts.svg import Scale, element, path, picture
from clinical_jepa.web.words import printed_unit

_WIDTH, _HEIGHT, _SECONDS = 1080, 96, 10
_COLUMNS = 2500


def strip_picture(strip: Strip) -> Markup:
    """The last 10 s of a strip; a lead that is off stays a gap. One column keeps its least and its largest sample."""
    samples = _newest(strip)
    usable = np.isfinite(samples)
    label = f"{strip.channel}, last {len(samples) / strip.rate_hz:.0f} seconds"
    seconds = [
        element("line", x1=x, x2=x, y1=0, y2=_HEIGHT, class_="hour") for x in np.linspace(0, _WIDTH, _SECONDS + 1)
    ]
    if not usable.any():
        note = element("text", "no usable signal in this piece", x=_WIDTH / 2, y=_HEIGHT / 2, class_="tick middle")
        return picture(_WIDTH, _HEIGHT, label + ": no usable signal", *seconds, note, kind="strip")
    low, high = (float(edge) for edge in np.percentile(samples[usable], (0.5, 99.5)))
    air = 0.08 * (high - low) or 1.0
    y = Scale(low=low - air, high=high + air, start=_HEIGHT - 4, end=4)
    line = element("path", d=path(_lines(samples, y)), class_=f"wave {_kind(strip.channel)}")
    return picture(_WIDTH, _HEIGHT, label, *seconds, line, kind="strip")


def strip_words(strip: Strip) -> str:
    """Rate, unit and range of what is drawn: ``250 Hz, -0.2 to 1.1 mV, 10 s``."""
    samples = _newest(strip)
    usable = samples[np.isfinite(samples)]
    span = _span(float(usable.min()), float(usable.max()), printed_unit(strip.unit)) if len(usable) else "no values"
    return f"{strip.rate_hz:g} Hz, {span}, {len(samples) / strip.rate_hz:.0f} s"


def _span(low: float, high: float, unit: str) -> str:
    decimals = max(0, 1 - math.floor(math.log10(high - low))) if high > low else 2
    return f"{low:.{decimals}f} to {high:.{decimals}f} {unit}".strip()


def _newest(strip: Strip) -> np.ndarray:
    return np.asarray(strip.samples, dtype=np.float32)[-round(_SECONDS * strip.rate_hz) :]


def _lines(samples: np.ndarray, y: Scale) -> list[list[tuple[float, float]]]:
    width = _WIDTH / max(1, len(samples))
    per_column = max(1, len(samples) // _COLUMNS)
    lines: list[list[tuple[float, float]]] = [[]]
    for start in range(0, len(samples), per_column):
        column = samples[start : start + per_column]
        kept = column[np.isfinite(column)]
        if not len(kept):
            lines.append([])
            continue
        x = start * width
        lines[-1].extend((x, y(float(value))) for value in dict.fromkeys((kept.min(), kept.max())))
    return [line for line in lines if line]


def _kind(channel: str) -> str:
    return channel.lower() if channel in ("ECG", "PPG", "ABP", "PAP", "RESP") else "other"
