"""Bulk ``$export``: asked for once, waited for as told, its files fetched whole, one by one; deletions and errors too.

Each step is durable before the next, so that a kill anywhere goes on where it was: the server is not asked for a second
export, and a file that is here is not fetched again. The next export begins at this one's ``transactionTime``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlencode

import orjson

from clinical_jepa.intake import export_files, export_state, spool
from clinical_jepa.intake.allowed import joined, require
from clinical_jepa.intake.door import Answer, Question, Refused, Unanswered, ask, host
from clinical_jepa.intake.export_files import Look, Manifest, Named
from clinical_jepa.intake.export_state import Done, Standing
from clinical_jepa.intake.fhir_pages import FHIR
from clinical_jepa.intake.state import Receipt
from clinical_jepa.intake.visit import Visit, file_name
from clinical_jepa.intake.waiting import told
from clinical_jepa.records.errors import FetchFailed

_ASKS = FHIR | {"Prefer": "respond-async"}
_GONE = frozenset({404, 410})


@dataclass(frozen=True, kw_only=True)
class Exporting:
    """``level``: empty for all, ``Patient``, or ``Group/ID``. ``full``: from the beginning, not from the last export.

    ``patience_s``: how long one run waits for the server to have it ready; the next run waits on.
    """

    level: str = ""
    types: Sequence[str] = ()
    full: bool = False
    patience_s: float = 6 * 3600.0

    @property
    def name(self) -> str:
        """What keeps the cursors of different exports apart."""
        return f"{self.level}/$export {','.join(sorted(self.types))}"


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    """``files`` came now, ``kept`` were here from an interrupted run. ``lines`` of resources, ``deleted`` and ``errors``."""

    transaction_time: str
    full: bool
    files: int
    kept: int
    lines: int
    deleted: int
    errors: int
    notes: tuple[str, ...]


class _Expired(Exception):
    """The server no longer knows the export, or its files."""


def export(visit: Visit, exporting: Exporting) -> ExportReport:
    """One export, from wherever it stands to its end. ``FetchFailed`` where it could not be finished: run again."""
    current = export_state.standing(visit.state, exporting.name)
    if current is None:
        current = _begin(visit, exporting, run=visit.run, again=False)
    while True:
        try:
            return _finish(visit, exporting, current)
        except _Expired:
            if current.again:
                export_state.forget(visit.state, exporting.name)
                raise FetchFailed("the export expired at the server twice; the next run asks for a new one") from None
        current = _begin(visit, exporting, run=current.run, again=True)


def _begin(visit: Visit, exporting: Exporting, *, run: int, again: bool) -> Standing:
    asked = {"_outputFormat": "application/fhir+ndjson"}
    if exporting.types:
        asked["_type"] = ",".join(exporting.types)
    cursor = visit.state.cursor(exporting.name)
    if cursor is not None and not exporting.full:
        asked["_since"] = cursor[0]
    url = f"{visit.base}/{exporting.level + '/' if exporting.level else ''}$export"
    answer = _kick_off(visit, url, asked)
    location = answer.headers.get("content-location")
    if not location:
        raise FetchFailed(f"$export: {host(visit.base)} accepted it and did not say where to ask for it")
    status_url = require(joined(url, location), visit.door.bases)
    one = Standing(name=exporting.name, status_url=status_url, run=run, manifest=None, again=again)
    export_state.begin(visit.state, one)
    return one


def _kick_off(visit: Visit, url: str, asked: dict[str, str]) -> Answer:
    accepted = frozenset({202})
    question = Question(url=f"{url}?{urlencode(asked)}", what="$export", headers=_ASKS, fine=accepted)
    try:
        return ask(visit.door, question)
    except Refused as error:
        if error.status != 405:
            raise
    # the newest servers take the question as a resource only
    kinds = {"_since": "valueInstant"}
    parameters = [{"name": key, kinds.get(key, "valueString"): value} for key, value in asked.items()]
    body = orjson.dumps({"resourceType": "Parameters", "parameter": parameters})
    headers = _ASKS | {"Content-Type": "application/fhir+json"}
    posted = Question(url=url, what="$export", method="POST", headers=headers, content=lambda: body, fine=accepted)
    return ask(visit.door, posted)


def _finish(visit: Visit, exporting: Exporting, current: Standing) -> ExportReport:
    body = current.manifest or _wait(visit, exporting, current)
    manifest = export_files.manifest(body)
    kept = export_state.done(visit.state, current.name)
    notes = [f"{manifest.odd} entries of the manifest name no file"] if manifest.odd else []
    counts = dict.fromkeys(("output", "deleted", "error"), 0)
    at = replace(visit, run=current.run)
    for number, named in enumerate(manifest.files, start=1):
        one = kept.get(named.url) or _fetch(at, current, manifest, named)
        counts[named.section] += one.entries
        notes += [one.problem] if one.problem else []
        visit.tell(number, len(manifest.files))
    full = visit.state.cursor(current.name) is None or exporting.full
    if any(" instead of " in note for note in notes):
        notes.append("a file holds another number of lines than announced: the next export begins where this one began")
    else:
        visit.state.move(current.name, manifest.transaction_time, visit.now())
    _let_go(visit, current)
    return ExportReport(
        transaction_time=manifest.transaction_time,
        full=full,
        files=len(manifest.files) - len(kept),
        kept=len(kept),
        lines=counts["output"],
        deleted=counts["deleted"],
        errors=counts["error"],
        notes=tuple(notes),
    )


def _wait(visit: Visit, exporting: Exporting, current: Standing) -> bytes:
    waited, polls, unread = 0.0, 0, 0
    while True:
        answer = _status(visit, current)
        if answer.status == 200 and export_files.is_manifest(answer.body):
            export_state.ready(visit.state, current.name, answer.body)
            return answer.body
        unread += answer.status == 200
        if unread >= visit.door.manners.tries:
            _let_go(visit, current)
            raise FetchFailed("$export: the server's list of files cannot be read; the next run asks for a new export")
        polls += 1
        said = told(answer.headers)
        seconds = min(said or visit.door.manners.backoff(polls), visit.door.manners.longest_wait_s)
        if waited + seconds > exporting.patience_s:
            raise FetchFailed("$export: the server is still at work; run the same command again to go on waiting")
        visit.door.sleep(seconds)
        waited += seconds


def _status(visit: Visit, current: Standing) -> Answer:
    question = Question(
        url=current.status_url,
        what="$export status",
        headers={"Accept": "application/json"},
        fine=frozenset({200, 202}) | _GONE,
    )
    try:
        answer = ask(visit.door, question)
    except (Refused, Unanswered) as error:
        if isinstance(error, Unanswered) and error.status != 500:
            raise
        _let_go(visit, current)
        raise FetchFailed(f"{error}. The export failed at the server: the next run asks for a new one") from None
    if answer.status in _GONE:
        raise _Expired
    return answer


def _fetch(visit: Visit, current: Standing, manifest: Manifest, named: Named) -> Done:
    """One file, durable. It is fetched again where it has not the lines announced; if that lasts, kept as it is, and said."""
    url, tries = joined(current.status_url, named.url), visit.door.manners.tries
    part = visit.state.folder / "file.part"  # what a kill leaves of it is written over
    try:
        seen = _read(visit, url, part, named, authorised=manifest.needs_token)
        for number in range(1, tries):
            if named.count in (None, seen.lines) or (number > 1 and not seen.cut):
                break
            seen = _read(visit, url, part, named, authorised=manifest.needs_token)
        name = file_name(named.kind, seen.digest, ".ndjson.gz" if seen.packed else ".ndjson")
        receipt = _adopt(visit, part, name, seen) if seen.lines else None
    finally:
        part.unlink(missing_ok=True)
    file = "" if receipt is None else receipt.file
    one = Done(url=named.url, file=file, entries=seen.lines, problem=_problem(named, seen))
    export_state.finish_file(visit.state, current.name, one, receipt)
    return one


def _adopt(visit: Visit, part: Path, name: str, seen: Look) -> Receipt:
    size = part.stat().st_size
    return visit.receipt(spool.adopt(part, visit.begin() / name), size=size, entries=seen.lines)


def _problem(named: Named, seen: Look) -> str:
    if named.section != "error" or not seen.lines:
        return seen.problem(named)
    codes = f" ({', '.join(seen.codes)})" if seen.codes else ""
    return f"the server tells of {seen.lines} problems{codes}: resources may be missing; run once with --full later"


def _read(visit: Visit, url: str, part: Path, named: Named, *, authorised: bool) -> Look:
    headers = {"Accept": "application/fhir+ndjson"}
    fine = frozenset({200}) | _GONE
    question = Question(url=url, what=f"{named.kind} file", headers=headers, fine=fine, authorised=authorised)
    for _ in range(visit.door.manners.tries):
        if ask(visit.door, question, lambda *_: part.open("wb")).status in _GONE:
            raise _Expired
        seen = export_files.look(part, named)
        if seen is not None:
            return seen
    raise FetchFailed(f"{named.kind} file: {host(url)} sends compressed data that breaks off; run again later")


def _let_go(visit: Visit, current: Standing) -> None:
    """The server may clean up; whether it does is its own affair."""
    question = Question(
        url=current.status_url, what="$export", method="DELETE", fine=frozenset({200, 202, 204}) | _GONE
    )
    with contextlib.suppress(FetchFailed):
        ask(replace(visit.door, manners=replace(visit.door.manners, tries=1, told_waits=0)), question)
    export_state.forget(visit.state, current.name)
