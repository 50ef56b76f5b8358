"""Polls a FHIR server: searches by type and page, from where the last poll ended, now and then from the beginning.

Every page that says something new becomes a durable file, as it came; only then is it noted as seen, and only when all
pages of a type are durable does its cursor move. The cursor is the server's own ``meta.lastUpdated``, never our clock,
held back to the server's own ``Date`` where a stamp lies in its future.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from urllib.parse import urlencode

from clinical_jepa.intake import fhir_pages, reconcile
from clinical_jepa.intake.allowed import joined
from clinical_jepa.intake.door import Answer, Question, Refused, ask
from clinical_jepa.intake.fhir_pages import FHIR, Page, instant, is_searchset, later, written
from clinical_jepa.intake.visit import Visit, named
from clinical_jepa.intake.waiting import http_date
from clinical_jepa.records.errors import BadRequest, FetchFailed

TYPES = (
    *("Patient", "Encounter", "Observation", "Condition", "DiagnosticReport", "MedicationAdministration"),
    *("MedicationRequest", "MedicationStatement", "Procedure", "ServiceRequest", "ImagingStudy", "DocumentReference"),
    *("Device", "Flag"),
)
_ORDERED = {"_sort": "_lastUpdated", "_total": "accurate"}  # left out where a server refuses them


@dataclass(frozen=True, kw_only=True)
class Polling:
    """``overlap_s``: how far before the cursor a poll begins, for what a server stamped before it showed it.

    ``reconcile_s``: after so long everything is read again and what is gone is found out; ``full`` does so now.
    ``looks``: how often pages that changed while they were read are read again.
    """

    types: Sequence[str] = TYPES
    count: int = 200
    overlap_s: float = 300.0
    reconcile_s: float = 7 * 86_400.0
    full: bool = False
    looks: int = 3
    most_pages: int = 100_000
    deletions: reconcile.Deletions = field(default_factory=reconcile.Deletions)


@dataclass(frozen=True, kw_only=True)
class TypeReport:
    """What came of one type. ``notes`` say what is worth a look, ``problem`` why the type was not read to its end."""

    type: str
    full: bool = False
    pages: int = 0
    files: int = 0
    listed: int = 0
    new: int = 0
    deleted: int = 0
    notes: tuple[str, ...] = ()
    problem: str = ""


@dataclass(kw_only=True)
class _Look:
    """One reading of all pages of a type, under way."""

    pages: int = 0
    files: int = 0
    listed: int = 0
    new: int = 0
    nameless: int = 0  # resources that cannot be told apart later
    warnings: int = 0
    newest: datetime | None = None
    began: datetime | None = None  # by the server's clock
    totals: set[int | None] = field(default_factory=set)


def poll(visit: Visit, polling: Polling) -> list[TypeReport]:
    """A report for each type. A type that a server refuses costs that type; a server that is gone costs the rest."""
    reports: list[TypeReport] = []
    gone = ""
    for number, kind in enumerate(polling.types, start=1):
        if gone:
            reports.append(TypeReport(type=kind, problem="not asked for: the server was not to be reached"))
            continue
        try:
            reports.append(_read_type(visit, polling, kind))
        except (Refused, BadRequest) as error:
            reports.append(TypeReport(type=kind, problem=str(error)))
        except FetchFailed as error:
            gone = str(error)
            reports.append(TypeReport(type=kind, problem=gone))
        visit.tell(number, len(polling.types))
    return reports


def _read_type(visit: Visit, polling: Polling, kind: str) -> TypeReport:
    cursor = visit.state.cursor(kind)
    since = None if cursor is None else instant(cursor[0])
    last_full = 0.0 if cursor is None else cursor[1]
    full = polling.full or since is None or visit.now() - last_full >= polling.reconcile_s
    begin = None if full or since is None else since - timedelta(seconds=polling.overlap_s)
    look, notes, settled = _settled(visit, polling, kind, begin)
    report = TypeReport(
        type=kind, full=full, pages=look.pages, files=look.files, listed=look.listed, new=look.new, notes=tuple(notes)
    )
    if full:
        report = _reconciled(visit, polling, report)
    moved = _cursor(since, look)
    if moved is not None:
        read_at = visit.now() if full else last_full if settled else 0.0
        visit.state.move(kind, written(moved), read_at)
    return report


def _reconciled(visit: Visit, polling: Polling, report: TypeReport) -> TypeReport:
    found = reconcile.reconcile(visit, report.type, polling.deletions)
    return replace(
        report,
        deleted=found.deleted,
        files=report.files + found.files,
        new=report.new + found.returned,
        notes=report.notes + found.notes,
    )


def _settled(visit: Visit, polling: Polling, kind: str, begin: datetime | None) -> tuple[_Look, list[str], bool]:
    """All pages, read again while they change under our hands; what to say of it; whether they came to rest."""
    first = look = _look(visit, polling, kind, begin)
    tries = 1
    while (sign := _sign(visit, kind, look)) and tries < polling.looks:
        look, tries = _look(visit, polling, kind, begin), tries + 1
        first.pages, first.files, first.new = first.pages + look.pages, first.files + look.files, first.new + look.new
        first.newest = later(first.newest, look.newest)
        if look.new == 0:
            break
    first.listed = look.listed
    notes = []
    if sign and look.new:
        notes.append(f"kept changing while it was read ({sign}); the next full reading looks again")
    if sign == _FEWER:
        notes.append(f"the server counts more {kind} than it lists; it may not show all to this client")
    if odd := first.nameless + first.warnings:
        notes.append(f"{odd} entries without type and id, or remarks of the server; ingest says what they are")
    return first, notes, not (sign and look.new)


_FEWER = "fewer than counted"


def _sign(visit: Visit, kind: str, look: _Look) -> str:
    """Why a listing may have missed something; empty where nothing speaks for it."""
    if len(look.totals) > 1:
        return "the count changed between pages"
    if look.pages > 1 and look.began is not None and look.newest is not None and look.newest >= look.began:
        return "resources changed between pages"
    (total,) = look.totals or {None}
    return _FEWER if total is not None and visit.state.listed(kind, visit.run) + look.nameless < total else ""


def _look(visit: Visit, polling: Polling, kind: str, begin: datetime | None) -> _Look:
    look = _Look()
    url, answer = _first(visit, polling, kind, begin)
    asked = {url}
    while True:
        page = fhir_pages.read(answer.body)
        _take(visit, kind, page, answer, look)
        if page.next is None:
            return look
        url = joined(url, page.next)
        if url in asked or len(asked) >= polling.most_pages:
            raise Refused(f"{kind}: the pages of the server lead in a circle, or never end", 200)
        asked.add(url)
        answer = ask(visit.door, _page(kind, url))


def _first(visit: Visit, polling: Polling, kind: str, begin: datetime | None) -> tuple[str, Answer]:
    asked = {"_count": str(polling.count)} | ({} if begin is None else {"_lastUpdated": f"ge{written(begin)}"})
    url = f"{visit.base}/{kind}?{urlencode(asked | _ORDERED)}"
    try:
        return url, ask(visit.door, _page(kind, url))
    except Refused as error:
        if error.status != 400:
            raise
    url = f"{visit.base}/{kind}?{urlencode(asked)}"
    return url, ask(visit.door, _page(kind, url))


def _page(kind: str, url: str) -> Question:
    return Question(url=url, what=kind, headers=FHIR, whole=is_searchset)


def _take(visit: Visit, kind: str, page: Page, answer: Answer, look: _Look) -> None:
    """The page as a durable file where it says anything new; then, and only then, what it lists as seen."""
    known = visit.state.digests(page.digests)
    new = sum(known.get(key) != mark for key, mark in page.digests.items())
    entries = len(page.digests) + page.nameless
    receipt = None
    if new or page.nameless:
        receipt = visit.keep(named(kind, answer.body), answer.body, entries=entries, answer=answer)
        look.files += 1
    visit.state.note(page.digests, visit.run, receipt)
    look.pages += 1
    look.listed += entries
    look.new += new
    look.nameless += page.nameless
    look.warnings += page.warnings
    look.began = look.began or http_date(answer.headers.get("date", ""))
    look.totals.add(page.total)
    look.newest = later(look.newest, page.newest)


def _cursor(since: datetime | None, look: _Look) -> datetime | None:
    """Where the next poll begins: the newest stamp, not beyond the server's clock, never behind the last cursor."""
    newest = look.newest
    if newest is not None and look.began is not None:
        newest = min(newest, look.began)
    return later(since, newest)
