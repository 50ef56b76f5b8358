"""An aligned window as a table for a terminal, as JSON, as a file and as a picture. Empty cells were not observed."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clinical_jepa.records.errors import BadRequest
from clinical_jepa.records.instant import MINUTE, SECOND, from_us, iso
from clinical_jepa.vocabulary.codes import by_code

if TYPE_CHECKING:
    from clinical_jepa.records.views import Window

_PANELS = 12  # of a picture that a page can hold
_GAP = "  "


def name_of(code: str) -> str:
    """The short name of a listed code; of another one itself."""
    return by_code()[code].name if code in by_code() else code


def unit_of(code: str) -> str | None:
    """The unit (UCUM) that every value of a listed code is in."""
    return by_code()[code].unit if code in by_code() else None


def text(aligned: Window, width: int | None) -> str:
    """The observed bins: as many variables as fit into ``width`` (None: all of them), and the names of the others."""
    seen = _observed(aligned)
    if not seen:
        span = f"{iso(int(aligned.edges[0]))} to {iso(int(aligned.edges[-1]))}"
        return f"(nothing was observed from {span}; --hours looks further back)" + _notes(aligned)
    bins = np.flatnonzero(aligned.observed.any(axis=1)).tolist()
    columns = [["until", "UTC", *_ends(aligned, bins)]]
    for variable in seen:
        code = aligned.codes[variable]
        columns.append([name_of(code), unit_of(code) or "", *(_cell(aligned, index, variable) for index in bins)])
    fitting = _fitting(columns, width)
    rest = [column[0] for column in columns[fitting:]]
    return _laid(columns[:fitting]) + (_others(rest, width) if rest else "") + _notes(aligned)


def _notes(aligned: Window) -> str:
    """What is said of a bin that had begun and was not over, and of what is in no bin: newest image and signals."""
    said, last = [], int(aligned.edges[-1])
    if last < aligned.as_of:
        said.append(f"The bin after {iso(last)} was not over at {iso(aligned.as_of)}: not shown.")
    if aligned.image_time is not None and aligned.image_age is not None:
        said.append(f"Newest image: {iso(aligned.image_time)}, {aligned.image_age // MINUTE} min old.")
    if aligned.strips:
        channels = ", ".join(f"{strip.channel} {strip.rate_hz:g} Hz" for strip in aligned.strips)
        said.append(f"Newest signals: {channels}. Those of the window: --signals FILE.parquet")
    return "".join(f"\n\n{one}" if number == 0 else f"\n{one}" for number, one in enumerate(said))


def _observed(aligned: Window) -> list[int]:
    """The places of the variables that the window holds anything of."""
    return np.flatnonzero(aligned.observed.any(axis=0)).tolist()


def _ends(aligned: Window, bins: Sequence[int]) -> list[str]:
    precise = "minutes" if not (aligned.edges % MINUTE).any() else "auto"
    ends = (from_us(int(aligned.edges[index + 1])).replace(tzinfo=None) for index in bins)
    return [end.isoformat(sep=" ", timespec=precise) for end in ends]


def _cell(aligned: Window, index: int, variable: int) -> str:
    return f"{aligned.values[index, variable]:g}" if aligned.observed[index, variable] else ""


def _fitting(columns: Sequence[Sequence[str]], width: int | None) -> int:
    """How many columns fit; the first two are shown in any case."""
    ends = np.cumsum([max(map(len, column)) + len(_GAP) for column in columns]) - len(_GAP)
    return len(columns) if width is None else max(2, int((ends <= width).sum()))


def _laid(columns: Sequence[Sequence[str]]) -> str:
    """Lines of these columns, two of them the head; bins in which only other variables were observed are left out."""
    widths = [max(map(len, column)) for column in columns]
    lines = [
        [cell.rjust(width) for cell, width in zip(line, widths, strict=True)] for line in zip(*columns, strict=True)
    ]
    lines = lines[:2] + [line for line in lines[2:] if any(cell.strip() for cell in line[1:])]
    lines.insert(2, ["-" * width for width in widths])
    return "\n".join(_GAP.join(line).rstrip() for line in lines)


def _others(names: Sequence[str], width: int | None) -> str:
    said = (
        f"{len(names)} more were observed: {', '.join(names)}. "
        f"To see some: --variables {','.join(names[:2])}; all: --out FILE.csv"
    )
    return "\n\n" + textwrap.fill(said, width or 120, break_long_words=False, break_on_hyphens=False)


def values(aligned: Window) -> dict[str, Any]:
    """For JSON: what the variables are, a row a bin that holds anything (null was not observed), newest image and signals."""
    names = {
        name_of(code): {
            "code": code,
            "unit": unit_of(code),
            "label": by_code()[code].label if code in by_code() else None,
        }
        for code in aligned.codes
    }
    rows = []
    for index in np.flatnonzero(aligned.observed.any(axis=1)).tolist():
        cells = [_cell(aligned, index, variable) for variable in range(len(aligned.codes))]
        held = {name: float(cell) if cell else None for name, cell in zip(names, cells, strict=True)}
        rows.append({"until": iso(int(aligned.edges[index + 1]))} | held)
    return {"as_of": iso(aligned.as_of), "variables": names, "rows": rows} | _newest(aligned)


def _newest(aligned: Window) -> dict[str, Any]:
    """When the newest image was taken and how old it is, and the newest piece of each channel, without samples."""
    image = None
    if aligned.image_time is not None and aligned.image_age is not None:
        image = {"time": iso(aligned.image_time), "age_s": aligned.image_age / SECOND}
    signals = [
        {
            "channel": one.channel,
            "time": iso(one.time),
            "rate_hz": one.rate_hz,
            "unit": one.unit,
            "samples": one.samples.size,
        }
        for one in aligned.strips
    ]
    return {"image": image, "signals": signals}


def write(aligned: Window, out: Path) -> None:
    """The window as .parquet or .csv (with ages), or as .png; ``BadRequest`` for another ending."""
    if out.suffix == ".png":
        _plot(aligned, out)
        return
    import polars as pl

    columns: dict[str, Any] = {"until": [from_us(int(end)) for end in aligned.edges[1:]]}
    for index, code in enumerate(aligned.codes):
        columns[_heading(code)] = np.where(aligned.observed[:, index], aligned.values[:, index], np.nan)
        columns[f"{code} age_us"] = aligned.age[:, index]
    frame = pl.DataFrame(columns, nan_to_null=True)
    match out.suffix:
        case ".parquet":
            frame.write_parquet(out)
        case ".csv":
            frame.write_csv(out, datetime_format="%Y-%m-%dT%H:%M:%S%.fZ")
        case other:
            raise BadRequest(f"--out {out}: {other or 'no ending'} is not one of .parquet, .csv, .png")


def _heading(code: str) -> str:
    """For a machine the code, for a reader its unit: ``LOINC//8867-4 (/min)``."""
    return f"{code} ({unit})" if (unit := unit_of(code)) else code


def _plot(aligned: Window, out: Path) -> None:
    seen = _observed(aligned)
    if not seen:
        raise BadRequest(
            "nothing was observed in this window; nothing was drawn. Give more --hours, or another --as-of"
        )
    import matplotlib

    matplotlib.use("Agg")
    with matplotlib.rc_context({"date.converter": "concise"}):
        _draw(aligned, seen, out)


def _draw(aligned: Window, seen: Sequence[int], out: Path) -> None:
    import matplotlib.pyplot as plt

    shown = seen[:_PANELS]
    figure, axes = plt.subplots(len(shown), 1, figsize=(10, 1.2 * len(shown) + 1), sharex=True, squeeze=False)
    ends = [from_us(int(end)) for end in aligned.edges[1:]]
    for axis, index in zip(axes[:, 0], shown, strict=True):
        here = np.flatnonzero(aligned.observed[:, index])
        axis.plot([ends[place] for place in here], aligned.values[here, index], "o-", ms=3, lw=1)
        code = by_code().get(aligned.codes[index])
        label = f"{code.label}\n{code.unit or ''}" if code else aligned.codes[index]
        axis.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=8, labelpad=12)
        axis.tick_params(labelsize=8)
        axis.grid(alpha=0.3)
    of = "" if len(shown) == len(seen) else f"; {len(shown)} of {len(seen)} variables: --variables names others"
    axes[0, 0].set_title(f"known at {iso(aligned.as_of)}; bins (start, end], nothing filled{of}", fontsize=9)
    axes[-1, 0].set_xlabel("UTC", fontsize=8)
    axes[0, 0].set_xlim(from_us(int(aligned.edges[0])), from_us(int(aligned.edges[-1])))
    figure.tight_layout()
    figure.savefig(out, dpi=120)
    plt.close(figure)
