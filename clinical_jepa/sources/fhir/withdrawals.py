"""What takes records back: deletions in Bundles, errors emptied by their server; and what a server could not send."""

from __future__ import annotations

import re
from collections.abc import Container
from zoneinfo import ZoneInfo

from clinical_jepa.records.batch import Retraction
from clinical_jepa.records.events import RETRACTED
from clinical_jepa.sources.fhir.bindings import foreign
from clinical_jepa.sources.fhir.files import Json
from clinical_jepa.sources.fhir.frame import Frame, Ignored, Outcome, Refusal, retraction
from clinical_jepa.sources.fhir.times import instant
from clinical_jepa.sources.fhir.versions import Version, named

_RECORD = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)/([A-Za-z0-9.-]{1,64})$")
_WORD = re.compile(r"[a-z-]{1,40}")
_FAILED = ("error", "fatal")


def deletion(url: str, moment: str | None, zone: ZoneInfo, kinds: Container[str]) -> Outcome:
    """Of a Bundle entry whose request is DELETE: nothing of the record holds from then on."""
    found = _RECORD.search(url)
    if found is None:
        return Refusal(reason="invalid", message="a deletion that names no Type/id: a conditional one is not guessed")
    kind, name = found.groups()
    if kind not in kinds:
        return Ignored(kind=f"{named(kind)} deleted")
    try:
        at = None if moment is None else instant(moment, zone)
    except ValueError:
        return Refusal(reason="invalid", message="a deletion whose time is none of FHIR's")
    if at is None:
        return Refusal(reason="no-time", message="a deletion, and neither entry nor Bundle says when")
    return retraction(f"{kind}/{name}", at, "last-updated")


def whole_record(body: Json, frame: Frame) -> Retraction | None:
    """Of a record that was cancelled or never should have been: everything of it, also what this version no longer shows."""
    codings = (body.get("verificationStatus") or {}).get("coding", ())
    said = {body.get("status"), *(coding.get("code") for coding in codings)}
    return frame.withdrawal(body.get("issued")) if said & set(RETRACTED) else None


def left_out(body: Json, version: Version) -> list[Outcome]:
    """A server's own account of what it could not send: each error is a refusal, the rest is counted."""
    if (element := foreign(body, version)) is not None:
        return [Refusal(reason="invalid", message=f"{element} is none of FHIR {version}'s codes: it may be an error")]
    out: list[Outcome] = []
    for issue in body.get("issue", ()):
        severity, code = (
            (str(issue.get(name, "")) for name in ("severity", "code")) if isinstance(issue, dict) else ("", "")
        )
        if severity in _FAILED:
            named = code if _WORD.fullmatch(code) else "unknown"
            message = f"the server reports an error of kind {named}; ask it again for what it left out"
            out.append(Refusal(reason="unreadable", message=message))
        else:
            out.append(Ignored(kind="OperationOutcome issue"))
    return out or [Ignored(kind="OperationOutcome")]
