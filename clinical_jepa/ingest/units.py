"""Which units of reading there are at or below the given paths, and which of them this run's shard takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from clinical_jepa.records.errors import BadRequest, NothingToRead
from clinical_jepa.sources import catalog
from clinical_jepa.sources.catalog import Found
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.vocabulary.identity import content_id, printable


def found_at(paths: Sequence[Path]) -> dict[Path, tuple[Found, ...]]:
    """What there is to read at or below each path; ``NothingToRead`` where that is nothing at all."""
    found: dict[Path, tuple[Found, ...]] = {}
    for path in paths:
        if not path.exists():
            raise BadRequest(f"there is no {printable(str(path))}; nothing was ingested")
        found[path] = catalog.find(path)
    if not any(found.values()):
        named = ", ".join(printable(str(path)) for path in paths) or "no folder given"
        raise NothingToRead(
            f"nothing to read in {named}: looked for FHIR (.ndjson, .json, also .gz), tables (MIMIC-III: PATIENTS.csv beside the "
            "others; MIMIC-IV, eICU, CinC 2012 and 2019), MEDS (.parquet), WFDB headers (.hea), DICOM files and HL7 v2 "
            "(.hl7, .mllp); nothing was ingested"
        )
    return found


def units_of(found: Mapping[Path, Sequence[Found]], context: ReadContext) -> list[tuple[Found, ReadContext]]:
    """Every unit once that this run's shard takes, with the context to read it in."""
    units: dict[Found, ReadContext] = {}
    for path, ones in found.items():
        for one in ones:
            for part in (one,) if context.growing_s is None else catalog.divided(one):
                units.setdefault(part, replace(context, root=path))
    return [(one, site) for one, site in units.items() if ours(one, site)]


def ours(found: Found, site: ReadContext) -> bool:
    """Whether this run's shard takes the unit: by its name below the root, so that a folder that grows keeps its shards.

    The numbered runs of one server's spool stay together: a later page names patients that an earlier one declared.
    """
    number, of = site.shard
    path = found.path.parent.parent if found.kind == "fhir" and found.path.parent.name.isdigit() else found.path
    name = path.relative_to(site.root).as_posix() if path.is_relative_to(site.root) and path != site.root else path.name
    return of == 1 or int(content_id(found.kind, name), 16) % of == number
