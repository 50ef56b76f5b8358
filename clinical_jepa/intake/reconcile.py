"""What is gone from a server: known resources that a full listing no longer shows, each asked for once more by name.

They are written as a transaction Bundle of DELETE entries, which is how a bulk export tells of deletions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

import orjson

from clinical_jepa.intake.door import Answer, Question, ask
from clinical_jepa.intake.fhir_pages import FHIR, digest_of, is_resource, written
from clinical_jepa.intake.visit import Visit, named
from clinical_jepa.intake.waiting import http_date


@dataclass(frozen=True, kw_only=True)
class Deletions:
    """When a gap in a listing is believed. A server that suddenly shows less than ``1 - share`` of what it had, and lacks
    more than ``few``, is taken to hide it (a narrower right, a new data base) unless that is ``accepted``.

    ``hidden``: types that this client may no longer read in full; of these nothing is taken as deleted.
    """

    share: float = 0.5
    few: int = 10
    accepted: bool = False
    hidden: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Reconciled:
    """``returned``: resources that the listing had left out and the server still holds."""

    deleted: int = 0
    returned: int = 0
    files: int = 0
    notes: tuple[str, ...] = ()


def reconcile(visit: Visit, kind: str, deletions: Deletions) -> Reconciled:
    """What a full listing in this run says of the resources of ``kind`` that were known before."""
    missing, known = visit.state.unlisted(kind, visit.run), visit.state.count(kind)
    if not missing:
        return Reconciled()
    if kind in deletions.hidden:
        note = (
            f"{len(missing)} are no longer listed, but the scope granted is narrower than asked: not taken as deleted"
        )
        return Reconciled(notes=(note,))
    if len(missing) > deletions.few and len(missing) > deletions.share * known and not deletions.accepted:
        note = (
            f"{len(missing)} of {known} are no longer listed: too many to be taken as deleted unasked. If they are, run "
            "once with --accept-deletions"
        )
        return Reconciled(notes=(note,))
    gone, returned, files, last = _ask_each(visit, kind, missing)
    if gone and last is not None:
        _tell_of(visit, kind, gone, last)
    return Reconciled(deleted=len(gone), returned=returned, files=files + bool(gone))


def _ask_each(visit: Visit, kind: str, missing: Sequence[str]) -> tuple[list[str], int, int, Answer | None]:
    gone: list[str] = []
    returned = files = 0
    answer = None
    for one in missing:
        url = f"{visit.base}/{kind}/{quote(one, safe='')}"
        fine = frozenset({200, 404, 410})
        answer = ask(visit.door, Question(url=url, what=kind, headers=FHIR, fine=fine))
        if answer.status != 200:
            gone.append(one)
        elif is_resource(answer.body):
            returned, files = returned + 1, files + _still_there(visit, kind, one, answer)
    return gone, returned, files, answer


def _still_there(visit: Visit, kind: str, one: str, answer: Answer) -> bool:
    key, mark = (kind, one), digest_of(answer.body)
    changed = visit.state.digests([key]).get(key) != mark
    receipt = visit.keep(named(kind, answer.body), answer.body, entries=1, answer=answer) if changed else None
    visit.state.note({key: mark}, visit.run, receipt)
    return changed


def _tell_of(visit: Visit, kind: str, gone: Sequence[str], answer: Answer) -> None:
    at = http_date(answer.headers.get("date", "")) or datetime.fromtimestamp(visit.now(), UTC)
    bundle = {
        "resourceType": "Bundle",
        "meta": {"lastUpdated": written(at)},
        "type": "transaction",
        "timestamp": written(at),
        "entry": [{"request": {"method": "DELETE", "url": f"{kind}/{one}"}} for one in gone],
    }
    body = orjson.dumps(bundle)
    receipt = visit.keep(named("deleted", body), body, entries=len(gone), answer=answer)
    visit.state.forget(kind, gone, receipt)
