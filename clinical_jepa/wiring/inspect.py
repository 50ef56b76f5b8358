"""What is in the store, for a person: its files, subjects, aligned timelines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clinical_jepa.records.errors import BadRequest
from clinical_jepa.records.instant import END, HOUR, from_us, iso
from clinical_jepa.wiring import compose
from clinical_jepa.wiring.settings import Settings

if TYPE_CHECKING:
    from clinical_jepa.records.views import Window

_PANELS = 12  # of a picture that a page can hold


def compact(settings: Settings) -> dict[str, int]:
    """Merges the store's files and lays its rows by subject; how many rows it has, and files of them before and after."""
    store = compose.store(settings)
    before = store.segments
    store.compact()
    return {"rows": store.rows, "files_before": before, "files": store.segments}


def subjects(settings: Settings, as_of: str | None) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Rows by subject, and how many rows known then rest on each basis of availability."""
    store = compose.store(settings)
    then = END if as_of is None else compose.instant(as_of)
    rows = store.subjects(then).to_pylist()
    return [{key: _text(value) for key, value in row.items()} for row in rows], store.bases(then)


def _text(value: Any) -> Any:
    return value.isoformat(sep=" ", timespec="minutes") if hasattr(value, "isoformat") else value


def timeline(settings: Settings, subject: str, *, step: str, hours: float, as_of: str | None) -> Window:
    """The aligned window of a subject that ends at ``as_of`` (default: the last minute anything is known of)."""
    from clinical_jepa.forecast.tasks import parse_duration
    from clinical_jepa.records.instant import ceil_minute
    from clinical_jepa.timeline.windows import window
    from clinical_jepa.vocabulary.codes import by_code

    store = compose.store(settings)
    subject_id = store.identify(subject)
    arrivals = store.history(subject_id, as_of=END if as_of is None else compose.instant(as_of))
    if not arrivals.events.num_rows and not arrivals.signals.num_rows:
        raise BadRequest("nothing was known of this subject then; leave out --as-of, or give a later one")
    end = compose.instant(as_of) if as_of else ceil_minute(_last(arrivals))
    found = set(arrivals.events.filter(_numeric(arrivals.events))["code"].to_pylist())
    codes = sorted(
        found, key=lambda code: (by_code()[code].id if code in by_code() else END, code)
    )  # vital signs first
    if hours <= 0:
        raise BadRequest(f"--hours {hours:g}: a length above 0 is meant, like 24")
    start = end - int(hours * HOUR)
    if not (width := parse_duration(step, "--step")):
        raise BadRequest("--step: bins need a width above 0, like 15m or 1h")
    return window(
        arrivals,
        subject_id=subject_id,
        as_of=end,
        start=start,
        step=width,
        codes=codes,
        load=store.samples,
    )


def _numeric(table: Any) -> Any:
    import pyarrow.compute as pc

    return pc.is_valid(table["numeric_value"])


def _last(arrivals: Any) -> int:
    import pyarrow as pa
    import pyarrow.compute as pc

    tables = (arrivals.events, arrivals.signals, arrivals.images)
    return int(max(pc.max(table["available_time"].cast(pa.int64())).as_py() for table in tables if table.num_rows))


def timeline_rows(aligned: Window) -> list[dict[str, Any]]:
    """One row a bin that holds anything; empty cells were not observed."""
    from clinical_jepa.vocabulary.codes import by_code

    names = [by_code()[code].name if code in by_code() else code for code in aligned.codes]
    rows = []
    for index, end in enumerate(aligned.edges[1:]):
        if aligned.observed[index].any():
            values: list[str | None] = [
                f"{value:g}" if seen else None
                for value, seen in zip(aligned.values[index], aligned.observed[index], strict=True)
            ]
            rows.append({"until": iso(int(end)), **dict(zip(names, values, strict=True))})
    return rows


def write_timeline(aligned: Window, out: Path) -> None:
    """The window as .parquet (with ages), .csv or .png; ``BadRequest`` for another ending."""
    if out.suffix == ".png":
        _plot(aligned, out)
        return
    import polars as pl

    ends = [from_us(int(end)).replace(tzinfo=None) for end in aligned.edges[1:]]
    columns: dict[str, Any] = {"until": ends}
    for index, code in enumerate(aligned.codes):
        columns[code] = np.where(aligned.observed[:, index], aligned.values[:, index], np.nan)
        columns[f"{code} age_us"] = aligned.age[:, index]
    frame = pl.DataFrame(columns, nan_to_null=True)
    match out.suffix:
        case ".parquet":
            frame.write_parquet(out)
        case ".csv":
            frame.write_csv(out)
        case other:
            raise BadRequest(f"--out {out}: {other or 'no ending'} is not one of .parquet, .csv, .png")


def _plot(aligned: Window, out: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from clinical_jepa.vocabulary.codes import by_code

    seen_at_all = [index for index in range(len(aligned.codes)) if aligned.observed[:, index].any()]
    shown = seen_at_all[:_PANELS]
    figure, axes = plt.subplots(len(shown), 1, figsize=(10, 1.2 * len(shown) + 1), sharex=True, squeeze=False)
    ends = [from_us(int(end)) for end in aligned.edges[1:]]
    for axis, index in zip(axes[:, 0], shown, strict=True):
        seen = aligned.observed[:, index]
        code = by_code().get(aligned.codes[index])
        axis.plot(
            [end for end, here in zip(ends, seen, strict=True) if here], aligned.values[seen, index], "o-", ms=3, lw=1
        )
        label = f"{code.label}\n{code.unit or ''}" if code else aligned.codes[index]
        axis.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=8)
        axis.grid(alpha=0.3)
    of = "" if len(shown) == len(seen_at_all) else f"; {len(shown)} of {len(seen_at_all)} variables, the table has all"
    figure.suptitle(f"known at {iso(aligned.as_of)}; bins (start, end], nothing filled{of}", fontsize=9)
    axes[0, 0].set_xlim(from_us(int(aligned.edges[0])), from_us(int(aligned.edges[-1])))
    figure.autofmt_xdate()
    figure.tight_layout()
    figure.savefig(out, dpi=120)
    plt.close(figure)
