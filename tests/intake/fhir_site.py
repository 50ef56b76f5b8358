"""A small FHIR server: search by type with ``_lastUpdated``, sorted, in pages by offset, and reads by id."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import orjson

from clinical_jepa.intake import fhir_rest, state, visit
from clinical_jepa.intake.door import Bearer, Door, client
from clinical_jepa.intake.fhir_pages import written
from clinical_jepa.intake.fhir_rest import Polling, TypeReport
from clinical_jepa.intake.waiting import Manners
from tests.intake.server import NOON, Reply, Request, Site, json_reply

Json = dict[str, Any]
QUICK = Manners(tries=4, first_wait_s=0.5, timeout_s=0.4, answer_s=30.0)


@dataclass(kw_only=True)
class Clinic:
    """``held`` by type and id. ``extra`` answers what is no search and no read; ``total`` says how many it counts."""

    held: dict[tuple[str, str], Json] = field(default_factory=dict)
    extra: Callable[[Request], Reply | None] = lambda _: None
    total: Callable[[int], int | None] = lambda count: count
    before_page: Callable[[Request], None] = lambda _: None
    site: Site = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        self.site = Site(answer=self.answer)

    def put(self, kind: str, name: str, at: datetime | None = None, **fields: object) -> None:
        """A new version of a resource, stamped ``at`` or by the server's clock."""
        before = self.held.get((kind, name))
        version = 1 if before is None else int(before["meta"]["versionId"]) + 1
        meta = {"versionId": str(version), "lastUpdated": written(at or self.site.clock)}
        self.held[kind, name] = {"resourceType": kind, "id": name, "meta": meta, **fields}

    def fill(self, kind: str, count: int, start: datetime = NOON - timedelta(days=1)) -> None:
        for number in range(count):
            self.put(kind, f"{kind.lower()}-{number:03d}", start + timedelta(seconds=number), status="final")

    def answer(self, request: Request) -> Reply:
        other = self.extra(request)
        if other is not None:
            return other
        _, _, kind, *name = request.path.split("/")
        if kind == "metadata":
            return json_reply({"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"})
        if name:
            found = self.held.get((kind, name[0]))
            return json_reply(found) if found is not None else json_reply({"resourceType": "OperationOutcome"}, 404)
        self.before_page(request)
        return json_reply(self.page(kind, request))

    def page(self, kind: str, request: Request) -> Json:
        since = datetime.fromisoformat(request.query.get("_lastUpdated", "ge1900-01-01T00:00:00Z").removeprefix("ge"))
        matching = sorted(
            (one for (type_, _), one in self.held.items() if type_ == kind and stamp(one) >= since),
            key=lambda one: (stamp(one), one.get("id", "")),
        )
        count, offset = int(request.query["_count"]), int(request.query.get("offset", 0))
        shown = matching[offset : offset + count]
        links = [{"relation": "self", "url": f"{self.site.url}{request.path}"}]
        if offset + count < len(matching):
            query = urlencode({**request.query, "offset": offset + count})
            links.append({"relation": "next", "url": f"{self.site.url}{request.path}?{query}"})
        bundle: Json = {"resourceType": "Bundle", "type": "searchset", "link": links}
        total = self.total(len(matching))
        if total is not None:
            bundle["total"] = total
        return bundle | {"entry": [{"resource": one, "search": {"mode": "match"}} for one in shown]}


@cache
def _client() -> httpx.Client:
    return client(QUICK)


def stamp(resource: Json) -> datetime:
    return datetime.fromisoformat(resource["meta"]["lastUpdated"])


@dataclass(kw_only=True)
class Caller:
    """Who asks the clinic: one spool folder, waits that are noted instead of waited."""

    site: Site
    spool: Path
    waits: list[float] = field(default_factory=list)
    wall: float = NOON.timestamp()
    tokens: Bearer | None = None
    manners: Manners = QUICK
    bases: tuple[str, ...] = ()

    @property
    def base(self) -> str:
        return f"{self.site.url}/fhir"

    @property
    def folder(self) -> Path:
        return visit.folder_of(self.spool, self.base)

    def door(self) -> Door:
        bases = self.bases or (self.base,)
        return Door(client=_client(), bases=bases, manners=self.manners, tokens=self.tokens, sleep=self.waits.append)

    def poll(self, *types: str, **settings: Any) -> list[TypeReport]:
        polling = Polling(**{"types": types or ("Observation",), "count": 10} | settings)
        with state.opened(self.folder) as held:
            run = held.new_run(self.wall)
            one = visit.Visit(door=self.door(), base=self.base, state=held, run=run, now=lambda: self.wall)
            return fhir_rest.poll(one, polling)

    def files(self) -> dict[str, bytes]:
        """Everything for ``ingest`` by name; two of one name hold the same."""
        found: dict[str, bytes] = {}
        for path in self.spool.rglob("*"):
            if path.suffix in (".json", ".ndjson") or path.name.startswith("."):
                assert found.setdefault(path.name, path.read_bytes()) == path.read_bytes()
        return found

    def resources(self) -> dict[str, int]:
        """``Type/id/version`` of all that lies in the spool, and how many files hold it."""
        counted: dict[str, int] = {}
        for body in self.files().values():
            value = orjson.loads(body)
            listed = [entry["resource"] for entry in value.get("entry", []) if "resource" in entry] or [value]
            for one in listed:
                if one["resourceType"] != "Bundle":
                    key = f"{one['resourceType']}/{one['id']}/{one['meta']['versionId']}"
                    counted[key] = counted.get(key, 0) + 1
        return counted

    def deletions(self) -> list[str]:
        """What the spool says is gone."""
        bundles = [orjson.loads(body) for name, body in self.files().items() if name.startswith("deleted-")]
        assert all(bundle["type"] == "transaction" for bundle in bundles)
        requests = [entry["request"] for bundle in bundles for entry in bundle["entry"]]
        assert all(request["method"] == "DELETE" for request in requests)
        return sorted(request["url"] for request in requests)
