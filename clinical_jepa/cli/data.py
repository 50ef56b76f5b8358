"""Verbs of the data: simulate, ingest, compact, subjects, timeline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clinical_jepa.cli import options
from clinical_jepa.cli.options import Config, Json, Store
from clinical_jepa.wiring import tables


def simulate(
    out: Annotated[Path, typer.Argument(help="Folder to write: OUT/ward is real files, OUT/truth lies apart.")],
    subjects: Annotated[int, typer.Option(help="Subjects with signals, images, records.")] = 40,
    hours: Annotated[int, typer.Option(help="How many hours of the ward.")] = 48,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 7,
    records_only: Annotated[int, typer.Option(help="Further subjects with records alone.")] = 0,
    as_json: Json = False,
) -> None:
    """A ward whose truth is known, as WFDB, DICOM and FHIR files.

    Example: clinical-jepa simulate demo --subjects 40 --hours 48 --seed 7 --records-only 400
    """
    from clinical_jepa.wiring import road

    with road.progress("simulate") as tell:
        summary = road.simulate(
            out, subjects=subjects, hours=hours, seed=seed, records_only=records_only, progress=tell
        )
    options.show(summary, as_json=as_json, text=lambda: tables.listing(summary))


def ingest(
    sources: Annotated[
        list[Path], typer.Argument(help="Folders or files of FHIR, HL7 v2, WFDB, DICOM, MEDS or ICU tables.")
    ],
    store: Store = None,
    as_: options.Mode = "history",
    namespace: options.Namespace = None,
    zone: options.Zone = None,
    stitch: Annotated[
        str | None, typer.Option(help="Shift every subject whole to this start, e.g. 2026-01-05T08:00Z.")
    ] = None,
    strict: Annotated[
        bool | None,
        typer.Option("--strict", help="Validate every FHIR resource in full, not only what looks doubtful."),
    ] = None,
    watch: Annotated[
        float | None, typer.Option(help="Look again every so many seconds, until Ctrl-C or SIGTERM.")
    ] = None,
    clock: options.Clock = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Source files into the store. Twice is once; bad input goes to quarantine and the rest goes on.

    Exit status 3: this run refused something, one of several sources is empty, or a folder could not be looked into.

    Example: clinical-jepa ingest demo/ward --store demo/store --as history
    """
    from clinical_jepa.wiring import road

    flags = {"site_namespace": namespace, "site_zone": zone, "site_strict": strict, "ward_clock": clock}
    settings = options.settings(config, paths_store=store, **flags)
    if watch is not None:
        road.ingest_watch(settings, sources, mode=as_, every=watch, tell=options.note)
        return
    with road.progress("ingest") as tell:
        summary = road.ingest_summary(settings, sources, mode=as_, stitch=stitch, progress=tell)
    options.show(summary, as_json=as_json, text=lambda: road.ingest_text(summary))
    missed = summary["empty"] or summary["unrecognised"]["closed"]
    raise typer.Exit(3 if summary["reasons"] or summary["again"] or missed else 0)


def compact(store: Store = None, config: Config = None, as_json: Json = False) -> None:
    """Merges the store's files and lays its rows by subject. Questions about few people then read little.

    An ingest does it by itself when there are many files. No answer changes, whatever instant it is as of.

    Example: clinical-jepa compact --store demo/store
    """
    from clinical_jepa.wiring import inspect

    found = inspect.compact(options.settings(config, paths_store=store))
    told = f"{found['rows']} rows in {found['files']} files ({found['files_before']} before)"
    options.show(found, as_json=as_json, text=lambda: told)


def subjects(
    store: Store = None,
    as_of: Annotated[str | None, typer.Option(help="Only what was available then, e.g. 2026-01-06T08:00Z.")] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Who is in the store, and how much of whom.

    subject_id: made from namespace and identifier. identifier: the source's own name of the subject. namespace: who issued it.
    events: facts. signals: pieces of at most a minute of one channel. images: pictures. first, last: when the first and the
    newest of them could be known here (UTC). The last line says how many rows rest on which basis of availability.

    Example: clinical-jepa subjects --store demo/store
    """
    from clinical_jepa.wiring import inspect

    rows, bases = inspect.subjects(options.settings(config, paths_store=store), as_of)
    options.show(
        {"subjects": rows, "available_basis": bases},
        as_json=as_json,
        text=lambda: f"{tables.text(rows)}\n\navailability rests on: {bases}",
    )


def timeline(
    subject: Annotated[str, typer.Argument(help="Subject id, or the identifier its source gave.")],
    step: Annotated[str, typer.Option(help="Bin width: 1m, 15m, 1h.")] = "1h",
    hours: Annotated[float, typer.Option(help="How many hours back from --as-of.")] = 24,
    as_of: Annotated[str | None, typer.Option(help="What was known then; default: everything.")] = None,
    variables: Annotated[
        str | None, typer.Option(help="Only these, by short name or code, with commas between, e.g. map,lactate.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write .parquet, .csv or .png instead of a table.")] = None,
    signals: Annotated[
        Path | None, typer.Option(help="Also write the window's signals, each at its own rate, as .parquet.")
    ] = None,
    store: Store = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """What is known of one subject, in (start, end] bins. Never filled.

    Bins are counted from when the subject was first heard of, whatever is asked; the last one is over at --as-of.
    The table has as many variables as fit the terminal, each under its short name and unit, and names the others.

    Example: clinical-jepa timeline 070001 --step 1h --as-of 2026-01-06T08:00Z --store demo/store
    """
    from clinical_jepa.wiring import inspect, timeline_forms, timeline_signals

    settings = options.settings(config, paths_store=store)
    chosen = [name.strip() for name in (variables or "").split(",") if name.strip()]
    aligned = inspect.timeline(settings, subject, step=step, hours=hours, as_of=as_of, variables=chosen)
    if signals is not None:
        options.note(f"written: {signals}, pieces: {timeline_signals.write(settings, aligned, signals)}")
    if out is not None:
        timeline_forms.write(aligned, out)
        options.note(f"written: {out}")
        return
    options.show(
        timeline_forms.values(aligned),
        as_json=as_json,
        text=lambda: timeline_forms.text(aligned, options.width()),
    )
