"""Bulk export beside the clinic: kick-off, status, manifest, files; what a test may bend is a field."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from clinical_jepa.intake.fhir_pages import written
from tests.intake.fhir_site import Clinic, stamp
from tests.intake.server import Reply, Request, json_reply

Manifest = dict[str, Any]


@dataclass(kw_only=True)
class Bulk:
    """``per_file`` lines a file, ``polls`` answers of 202 before it is ready. ``gone`` are deletions since the last export."""

    clinic: Clinic
    per_file: int = 10
    polls: int = 1
    retry_after: str | None = "5"
    needs_token: bool = False
    gone: list[str] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)
    bend: Callable[[Manifest], Manifest] = lambda manifest: manifest
    packed: str = ""  # "transport" or "file"
    get_only: bool = False
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    deleted_jobs: list[str] = field(default_factory=list)

    def answer(self, request: Request) -> Reply | None:
        if request.path.endswith("/$export"):
            return self.kick_off(request)
        if "/job/" in request.path:
            _, _, _, number, *file = request.path.split("/")
            if number not in self.jobs:
                return json_reply({"resourceType": "OperationOutcome", "issue": [{"code": "not-found"}]}, 404)
            if request.method == "DELETE":
                self.deleted_jobs.append(number)
                return Reply(status=202)
            return self.file(number, file[0]) if file else self.status(number)
        return None

    def kick_off(self, request: Request) -> Reply:
        asked = dict(request.query)
        if request.method == "POST":
            named = orjson.loads(request.body)["parameter"]
            asked = {one["name"]: one.get("valueString") or one["valueInstant"] for one in named}
        elif self.get_only is False and request.headers.get("prefer") != "respond-async":
            return Reply(status=400)
        self.asked.append(asked)
        number = str(len(self.asked))
        self.jobs[number] = {"polls": self.polls, "files": self.written(asked), "at": written(self.clinic.site.clock)}
        return Reply(status=202, headers={"Content-Location": f"{self.clinic.site.url}/fhir/job/{number}"})

    def written(self, asked: dict[str, str]) -> dict[str, tuple[str, str, list[bytes]]]:
        """Files by name: section, type, lines."""
        since = datetime.fromisoformat(asked.get("_since", "1900-01-01T00:00:00Z"))
        wanted = asked["_type"].split(",") if "_type" in asked else sorted({kind for kind, _ in self.clinic.held})
        files = {}
        for kind in wanted:
            held = [one for (type_, _), one in self.clinic.held.items() if type_ == kind and stamp(one) > since]
            for start in range(0, len(held), self.per_file):
                lines = [orjson.dumps(one) for one in held[start : start + self.per_file]]
                files[f"{kind}.{start // self.per_file}"] = ("output", kind, lines)
        if self.gone:
            entry = [{"request": {"method": "DELETE", "url": url}} for url in self.gone]
            bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entry}
            files["deleted"] = ("deleted", "Bundle", [orjson.dumps(bundle)])
        if self.errors:
            files["error"] = ("error", "OperationOutcome", [orjson.dumps(one) for one in self.errors])
        return files

    def status(self, number: str) -> Reply:
        job = self.jobs[number]
        if job["polls"] > 0:
            job["polls"] -= 1
            headers = {"X-Progress": "half"} | ({} if self.retry_after is None else {"Retry-After": self.retry_after})
            return Reply(status=202, headers=headers)
        sections: Manifest = {"output": [], "deleted": [], "error": []}
        for name, (section, kind, lines) in job["files"].items():
            url = f"{self.clinic.site.url}/fhir/job/{number}/{name}"
            sections[section].append({"type": kind, "url": url, "count": len(lines)})
        said = {"transactionTime": job["at"], "request": "", "requiresAccessToken": self.needs_token, **sections}
        return json_reply(self.bend(said))

    def file(self, number: str, name: str) -> Reply:
        _, _, lines = self.jobs[number]["files"][name]
        body = b"".join(line + b"\n" for line in lines)
        match self.packed:
            case "transport":
                return Reply(body=gzip.compress(body, mtime=0), headers={"Content-Encoding": "gzip"})
            case "file":
                return Reply(body=gzip.compress(body, mtime=0), headers={"Content-Type": "application/gzip"})
        return Reply(body=body, headers={"Content-Type": "application/fhir+ndjson"})
