"""Verbs of the quarantine: list, show, mend, replay, drop."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from clinical_jepa.cli import options
from clinical_jepa.cli.options import Config, Json, Store
from clinical_jepa.wiring import tables

quarantine = typer.Typer(help="What was refused, why, and its original bytes.", no_args_is_help=True)

_NEWEST = 50
Id = Annotated[str, typer.Argument(help="Id from list, or its start.")]
Source = Annotated[str | None, typer.Option("--source", help="Only of this source, e.g. fhir.")]
Reason = Annotated[str | None, typer.Option("--reason", help="Only for this reason, e.g. no-unit.")]
File = Annotated[str | None, typer.Option("--file", help="Only of this file, or of the files in this folder.")]


@quarantine.command("list")
def quarantine_list(
    source: Source = None,
    reason: Reason = None,
    file: File = None,
    store: Store = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Refusals by source and reason, then one line each (the newest 50).

    Example: clinical-jepa quarantine list --reason no-unit --store demo/store
    """
    from clinical_jepa.wiring import quarantine as wiring

    settings = options.settings(config, paths_store=store)
    rows = wiring.listed(settings, wiring.Which(source, reason, file))
    counts = wiring.counts(rows)
    shown = rows[-_NEWEST:]
    more = f"\n\n{len(shown)} of {len(rows)} shown; all with --json" if len(shown) < len(rows) else ""
    options.show(
        {"counts": counts, "rows": rows},
        as_json=as_json,
        text=lambda: f"{tables.text(counts)}\n\n{tables.text(shown)}{more}",
    )


@quarantine.command("show")
def quarantine_show(
    rejection: Id,
    out: Annotated[Path | None, typer.Option(help="A new file for the original's bytes, to be mended there.")] = None,
    store: Store = None,
    config: Config = None,
) -> None:
    """One refusal with its original (which may identify a patient).

    Example: clinical-jepa quarantine show 3f2a --out mended.hl7 --store demo/store
    """
    from clinical_jepa.wiring import quarantine as wiring

    settings = options.settings(config, paths_store=store)
    print(wiring.text(settings, rejection) if out is None else wiring.write_original(settings, rejection, out))


@quarantine.command("mend")
def quarantine_mend(
    rejection: Id,
    store: Store = None,
    as_: options.Mode = "history",
    namespace: options.Namespace = None,
    zone: options.Zone = None,
    clock: options.Clock = None,
    config: Config = None,
) -> None:
    """Edit an original of FHIR or HL7 v2, and ingest it. As replay does: give the same namespace and zone.

    $VISUAL or $EDITOR opens it in a private file, which is removed when the editor ends; without a change nothing happens. The
    refusal is dropped when facts were read and nothing was refused again; otherwise it stays (exit status 3).

    Example: clinical-jepa quarantine mend 3f2a --store demo/store
    """
    from clinical_jepa.wiring import mend as wiring

    settings = options.settings(config, paths_store=store, site_namespace=namespace, site_zone=zone, ward_clock=clock)
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    accepted, said = wiring.mend(settings, rejection, mode=as_, editor=editor)
    print(said)
    raise typer.Exit(0 if accepted else 3)


@quarantine.command("replay")
def quarantine_replay(
    rejection: Id,
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
    from clinical_jepa.wiring import quarantine as wiring

    settings = options.settings(config, paths_store=store, site_namespace=namespace, site_zone=zone, ward_clock=clock)
    accepted, said = wiring.replay(settings, rejection, mended, mode=as_)
    print(said)
    raise typer.Exit(0 if accepted else 3)


@quarantine.command("drop")
def quarantine_drop(
    rejection: Annotated[
        str | None, typer.Argument(help="Id from list, or its start; or choose many by the options.")
    ] = None,
    source: Source = None,
    reason: Reason = None,
    file: File = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before many are dropped, on a terminal.")] = False,
    store: Store = None,
    config: Config = None,
) -> None:
    """Forget a refusal and its original. Or all that list shows under the same options; it says how many.

    Example: clinical-jepa quarantine drop --source fhir --reason no-unit --store demo/store
    """
    from clinical_jepa.wiring import quarantine as wiring

    settings = options.settings(config, paths_store=store)
    ids = wiring.meant(settings, rejection, wiring.Which(source, reason, file))
    asked = rejection is None and not yes and options.on_a_terminal()
    if asked and not typer.confirm(f"forget {len(ids)} refusals and their originals?"):
        print("nothing was dropped")
        return
    print(wiring.drop(settings, ids))
