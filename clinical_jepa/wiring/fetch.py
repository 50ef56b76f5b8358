"""What comes over a network: FHIR servers into a spool folder, open data sets into a folder. Nothing here reads a fact."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinical_jepa.records.errors import BadRequest
from clinical_jepa.wiring import tables
from clinical_jepa.wiring.settings import Settings, listed

if TYPE_CHECKING:
    from clinical_jepa.intake.door import Door
    from clinical_jepa.intake.smart import Tokens
    from clinical_jepa.intake.visit import Visit

Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class Server:
    """Whom to ask and where its files go."""

    base: str
    spool: Path
    progress: Progress | None = None


def fhir(
    settings: Settings, server: Server, *, types: str = "", full: bool = False, accept_deletions: bool = False
) -> dict[str, Any]:
    """One poll of a FHIR server: what came of each type."""
    from clinical_jepa.intake.fhir_rest import TYPES, Polling, poll
    from clinical_jepa.intake.reconcile import Deletions

    wanted = _types(types) or TYPES
    with _visit(settings, server) as (visit, tokens):
        hidden = frozenset() if tokens is None else tokens.hidden(wanted)
        polling = Polling(
            types=wanted,
            overlap_s=settings.fetch.overlap_s,
            reconcile_s=settings.fetch.reconcile_days * 86_400,
            full=full,
            deletions=Deletions(accepted=accept_deletions, hidden=hidden),
        )
        reports = poll(visit, polling)
        unknown = not visit.state.count("Patient")
    notes = [f"{one.type}: {note}" for one in reports for note in one.notes] + _narrower(hidden)
    if unknown and "Patient" not in wanted:
        notes.append(
            "Patient was not asked for: subjects go by the server's own ids, unless they are in the store already"
        )
    return {
        "folder": str(visit.state.folder),
        "types": [
            {key: value for key, value in asdict(one).items() if key not in ("notes", "problem")} for one in reports
        ],
        "problems": [f"{one.type}: {one.problem.removeprefix(f'{one.type}: ')}" for one in reports if one.problem],
        "notes": notes,
    }


def fhir_bulk(
    settings: Settings, server: Server, *, level: str = "", types: str = "", full: bool = False
) -> dict[str, Any]:
    """One bulk export, begun or gone on with: what came."""
    from clinical_jepa.intake.fhir_bulk import Exporting, export

    wanted = _types(types)
    with _visit(settings, server) as (visit, tokens):
        hidden = frozenset() if tokens is None or not wanted else tokens.hidden(wanted)
        report = export(visit, Exporting(level=level.strip("/"), types=wanted, full=full))
    counts = {key: value for key, value in asdict(report).items() if key != "notes"}
    notes = [*report.notes, *_narrower(hidden)]
    return {"folder": str(visit.state.folder), "export": counts, "problems": [], "notes": notes}


def pull(
    name: str, *, to: Path | None = None, source: Path | None = None, base: str = "", progress: Progress | None = None
) -> dict[str, Any]:
    """An open data set, from its publisher, a mirror at ``base``, or the folder ``source``."""
    from clinical_jepa.intake import pull as puller
    from clinical_jepa.intake.alone import alone
    from clinical_jepa.intake.datasets import data_set
    from clinical_jepa.intake.door import Door, client
    from clinical_jepa.intake.waiting import Manners

    wanted = data_set(name)
    if base:
        wanted = replace(wanted, base=base.rstrip("/") + "/")
    folder, tell = to or Path("data") / name, progress or (lambda done, total: None)
    with alone(folder), client(Manners()) as asks:
        if source is not None:
            report = puller.copy(wanted, source, folder, tell)
        else:
            report = puller.pull(Door(client=asks, bases=(wanted.base,)), wanted, folder, tell)
    notes = [f"not in the folder: {one}" for one in report.missing]
    return {
        "folder": str(folder),
        "pulled": {"set": wanted.title, "licence": wanted.licence, "files": report.files, "kept": report.kept},
        "trusted": report.trusted,
        "problems": report.problems,
        "notes": notes,
    }


def pulled_text(summary: Mapping[str, Any]) -> str:
    """What came, on what its soundness rests, and what is not there."""
    said = [tables.listing(summary["pulled"])]
    if summary["trusted"]:
        said.append(
            f"{summary['trusted']} files have no checksum that this program knew beforehand: they are as their publisher's "
            f"list, or the first sight of them, says. {summary['folder']}/PULLED.sha256 keeps what was seen"
        )
    said += [f"problem: {one}" for one in summary["problems"]] + [f"note: {one}" for one in summary["notes"]]
    said.append(f"in {summary['folder']}; keep its licence and attribution with any copy")
    return "\n".join(said)


def sets() -> list[dict[str, Any]]:
    """The known data sets, one row each."""
    from clinical_jepa.intake.datasets import data_sets

    rows = []
    for one in data_sets().values():
        checked = f"{len(one.sha256)} files known beforehand" if one.sha256 else "as its publisher lists"
        rows.append({"name": one.name, "what": one.title, "licence": one.licence, "checksums": checked})
    return rows


def status(summary: Mapping[str, Any]) -> int:
    """1 where something could not be fetched, 3 where something is to be looked at, else 0."""
    return 1 if summary["problems"] else 3 if summary["notes"] else 0


def text(summary: Mapping[str, Any]) -> str:
    """What came, what is wrong, and what to do next."""
    said = [tables.text(summary["types"]) if "types" in summary else tables.listing(summary["export"])]
    said += [f"problem: {one}" for one in summary["problems"]]
    said += [f"note: {one}" for one in summary["notes"]]
    said.append(f"next: clinical-jepa ingest {summary['folder']} --as live --store STORE")
    return "\n".join(said)


@contextmanager
def _visit(settings: Settings, server: Server) -> Iterator[tuple[Visit, Tokens | None]]:
    from clinical_jepa.intake import door, state, visit
    from clinical_jepa.intake.waiting import Manners

    base = server.base.rstrip("/")
    bases = listed(settings.fetch.bases)
    if not bases:
        raise BadRequest(
            "no server may be asked: list its base in fetch.bases (clinical-jepa.toml, or CLINICAL_JEPA_FETCH_BASES)"
        )
    with door.client(Manners(), ca_file=settings.fetch.ca_file) as client:
        opened = door.Door(client=client, bases=bases)
        tokens = _tokens(settings, opened, base)
        opened = replace(opened, tokens=tokens)
        with state.opened(visit.folder_of(server.spool, base)) as held:
            statement = _capability(opened, base)
            one = visit.Visit(door=opened, base=base, state=held, run=held.new_run(time.time()), now=time.time)
            one = replace(one, capability=statement)
            yield (one if server.progress is None else replace(one, tell=server.progress)), tokens


def _tokens(settings: Settings, door: Door, base: str) -> Tokens | None:
    if not settings.fetch.client_id:
        return None
    from clinical_jepa.intake import smart

    name = settings.fetch.key_variable
    secret = os.environ.get(name, "")
    if not secret:
        raise BadRequest(f"fetch.client_id is set and {name} is not: it holds the private key, or the name of its file")
    if not secret.lstrip().startswith(("{", "-----BEGIN")):
        try:
            secret = Path(secret).read_text(encoding="utf-8")
        except (OSError, ValueError):
            raise BadRequest(f"{name} is no private key, and no file that can be read") from None
    who = smart.client(settings.fetch.client_id, settings.fetch.scope, secret, name=name, key_id=settings.fetch.key_id)
    return smart.Tokens(door, base, who, time.time)


def _capability(door: Door, base: str) -> bytes | None:
    """What the server says of itself; None where it says nothing, which costs no more than the version of FHIR."""
    from clinical_jepa.intake.door import Question, ask
    from clinical_jepa.intake.fhir_pages import FHIR, is_resource
    from clinical_jepa.records.errors import FetchFailed

    brief = replace(door, manners=replace(door.manners, tries=2))
    try:
        return ask(brief, Question(url=f"{base}/metadata", what="metadata", headers=FHIR, whole=is_resource)).body
    except FetchFailed:
        return None  # what is asked next says why


def _types(said: str) -> Sequence[str]:
    types = listed(said)
    for one in types:
        if not one.isalpha() or not one[0].isupper():
            raise BadRequest(f"{one!r} is no FHIR resource type; give types like Patient,Encounter,Observation")
    # patients first: whoever reads the files in order knows them then
    return sorted(types, key=lambda one: (one != "Patient", one != "Encounter"))


def _narrower(hidden: frozenset[str]) -> list[str]:
    if not hidden:
        return []
    return [f"the scope granted is narrower than asked: {', '.join(sorted(hidden))} not, or not in full"]
