"""A scheduled round to one server: its fetch as counts that name no patient. ``flows/fetch.py`` calls it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from clinical_jepa.records.errors import BadRequest, FetchFailed
from clinical_jepa.wiring import fetch as servers
from clinical_jepa.wiring import pacs
from clinical_jepa.wiring.settings import Settings

KINDS = ("fhir", "fhir-bulk", "pacs")


def fetch(settings: Settings, kind: str, base: str, spool: str) -> dict[str, int]:
    """How much of ``base`` is new, gone, and to be looked at (the verb of that kind says what it is).

    ``FetchFailed`` where a part did not come; what did is kept, and the next round goes on from there.
    """
    server = servers.Server(base=base, spool=Path(spool))
    match kind:
        case "fhir":
            came = servers.fhir(settings, server)
            new, gone = (sum(one[name] for one in came["types"]) for name in ("new", "deleted"))
        case "fhir-bulk":
            came = servers.fhir_bulk(settings, server)
            new, gone = came["export"]["lines"], came["export"]["deleted"]
        case "pacs":
            return _images(pacs.fetch(settings, base, _folder(server)))
        case _:
            raise BadRequest(f"{kind!r} is no kind of server; {', '.join(KINDS)} are")
    if came["problems"]:
        raise FetchFailed(f"{len(came['problems'])} resource types did not come; what came is kept")
    return {"new": new, "gone": gone, "to look at": len(came["notes"])}


def _images(told: Mapping[str, Any]) -> dict[str, int]:
    """Instances that do not come are asked for again by every round; they fail none."""
    return {"new": told["new"], "gone": 0, "to look at": sum(told["failed"].values())}


def _folder(server: servers.Server) -> Path:
    """One a PACS, so that two of them do not share a cursor."""
    from clinical_jepa.intake.visit import folder_of

    return folder_of(server.spool, server.base)


def row(kind: str, base: str, came: Mapping[str, int] | BaseException) -> dict[str, Any]:
    """A line of the artifact; of an error its kind, as its words may quote an address."""
    counts = {} if isinstance(came, BaseException) else came
    state = f"failed: {type(came).__name__}" if isinstance(came, BaseException) else "done"
    head = {"server": urlsplit(base).hostname, "kind": kind, "state": state}
    return head | {name: counts.get(name) for name in ("new", "gone", "to look at")}
