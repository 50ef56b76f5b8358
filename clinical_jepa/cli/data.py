"""Verbs of the data: simulate, ingest, quarantine, subjects, timeline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clinical_jepa.cli import options
from clinical_jepa.cli.options import Config, Json, Store
from clinical_jepa.wiring import tables

quarantine = typer.Typer(help="What was refused, why, and its original bytes.", no_args_is_help=True)


def simulate(
    out: Annotated[Path, typer.Argument(help="Folder to write: OUT/ward is real files, OUT/truth lies apart.")],
    subjects: Annotated[int, typer.Option(help="Subjects with waveforms, images and records.")] = 40,
    hours: Annotated[int, typer.Option(help="Length of the ward's time.")] = 48,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 7,
    records_only: Annotated[int, typer.Option(help="Further subjects with records alone.")] = 0,
    as_json: Json = False,
) -> None:
    """A ward whose truth is known, as real WFDB, DICOM and FHIR files.

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


@quarantine.command("list")
def quarantine_list(store: Store = None, config: Config = None, as_json: Json = False) -> None:
    """Refusals by source and reason, then one line each (the newest 50).

    Example: clinical-jepa quarantine list --store demo/store
    """
    from clinical_jepa.wiring import inspect

    rows = inspect.quarantine(options.settings(config, paths_store=store))
    counts = inspect.quarantine_counts(rows)
    shown = rows[-50:]
    more = f"\n\n{len(shown)} of {len(rows)} shown; all with --json" if len(shown) < len(rows) else ""
    options.show(
        {"counts": counts, "rows": rows},
        as_json=as_json,
        text=lambda: f"{tables.text(counts)}\n\n{tables.text(shown)}{more}",
    )


@quarantine.command("show")
def quarantine_show(
    rejection: Annotated[str, typer.Argument(help="Id from list, or its start.")],
    out: Annotated[Path | None, typer.Option(help="A new file for the original's bytes, to be mended there.")] = None,
    store: Store = None,
    config: Config = None,
) -> None:
    """One refusal with its original (which may identify a patient).

    Example: clinical-jepa quarantine show 3f2a --out mended.hl7 --store demo/store
    """
    from clinical_jepa.wiring import inspect

    settings = options.settings(config, paths_store=store)
    print(
        inspect.rejection_text(settings, rejection) if out is None else inspect.write_original(settings, rejection, out)
    )


@quarantine.command("replay")
def quarantine_replay(
    rejection: Annotated[str, typer.Argument(help="Id from list, or its start.")],
    mended: Annotated[Path, typer.Argument(help="File or folder with the mended original.")],
    store: Store = None,
    as_: options.Mode = "history",
    namespace: options.Namespace = None,
    zone: options.Zone = None,
    clock: options.Clock = None,
    config: Config = None,
) -> None:
    """Ingest a mended original. It is read as its source was: give the same namespace and zone as to ingest.

    The refusal is dropped when facts were read and nothing was refused again; otherwise it stays (exit status 3).

    Example: clinical-jepa quarantine replay 3f2a mended/ --store demo/store
    """
    from clinical_jepa.wiring import inspect

    settings = options.settings(config, paths_store=store, site_namespace=namespace, site_zone=zone, ward_clock=clock)
    accepted, said = inspect.replay(settings, rejection, mended, mode=as_)
    print(said)
    raise typer.Exit(0 if accepted else 3)


@quarantine.command("drop")
def quarantine_drop(
    rejection: Annotated[str, typer.Argument(help="Id from list, or its start.")],
    store: Store = None,
    config: Config = None,
) -> None:
    """Forget one refusal and its original.

    Example: clinical-jepa quarantine drop 3f2a --store demo/store
    """
    from clinical_jepa.wiring import inspect

    print(inspect.drop(options.settings(config, paths_store=store), rejection))


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
    hours: Annotated[float, typer.Option(help="How far back from --as-of.")] = 24,
    as_of: Annotated[str | None, typer.Option(help="What was known then; default: everything.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write .parquet, .csv or .png instead of a table.")] = None,
    store: Store = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """What is known of one subject, in (start, end] bins. Never filled.

    Example: clinical-jepa timeline 000123 --step 1h --as-of 2026-01-06T08:00Z --store demo/store
    """
    from clinical_jepa.wiring import inspect

    settings = options.settings(config, paths_store=store)
    aligned = inspect.timeline(settings, subject, step=step, hours=hours, as_of=as_of)
    if out is not None:
        inspect.write_timeline(aligned, out)
        options.note(f"written: {out}")
        return
    rows = inspect.timeline_rows(aligned)
    options.show(rows, as_json=as_json, text=lambda: tables.text(rows))
