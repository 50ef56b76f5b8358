"""New studies of a PACS over DICOMweb: QIDO-RS says what there is, WADO-RS brings each instance as its own file.

DICOMweb has no "changed since": the cursor is the newest StudyDate that came, less an overlap, so that what is sent late to
a recent study comes too; ``full`` asks for everything. An instance is known by its file, ``STUDY/INSTANCE.dcm``, so an
interrupted run goes on where it was; with ``again`` known ones are fetched once more, and one that changed is a file of its own.
"""

from __future__ import annotations

import io
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinical_jepa.intake import spool
from clinical_jepa.intake.allowed import require
from clinical_jepa.intake.pacs_session import PacsSession, ServerAway, patiently
from clinical_jepa.records.errors import BadRequest, FetchFailed

if TYPE_CHECKING:
    from dicomweb_client import DICOMwebClient

PAGE = 100
CURSOR = "cursor.json"
_ORIGINAL = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_UID = re.compile(r"[0-9.]{1,64}")
_NO_UID = "an identifier that is no UID; nothing was asked with it"
_STUDY, _SERIES, _INSTANCE, _STUDY_DATE = "0020000D", "0020000E", "00080018", "00080020"


@dataclass(frozen=True, kw_only=True)
class Pacs:
    """Where and how. ``bases``: what may be asked; ``token``: a bearer's, from the environment; ``ca_file``: whom to believe."""

    base: str
    bases: tuple[str, ...]
    token: str = field(default="", repr=False)
    ca_file: str = ""
    overlap_days: int = 7
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """``failed`` counts instances that did not come, by why; the cursor then stays before their studies."""

    studies: int
    new: int
    known: int
    failed: Mapping[str, int]
    since: str | None


def fetch(pacs: Pacs, folder: Path, *, since: str | None = None, full: bool = False, again: bool = False) -> Fetched:
    """Whatever is new since the cursor (or ``since``, YYYYMMDD), durable below ``folder``. ``FetchFailed`` keeps what came."""
    from dicomweb_client import DICOMwebClient

    require(pacs.base, pacs.bases)
    if since is not None and not _is_date(since):
        raise BadRequest(f"--since {since}: a date like 20260105 is meant")
    session = PacsSession(pacs.bases, pacs.token, pacs.ca_file)
    client = DICOMwebClient(pacs.base.rstrip("/"), session=session, permissive_uid=True, timeout=60)
    client.set_http_retry_params(retry=False)
    start = None if full else since or _cursor(pacs.base, folder)
    studies = new = known = 0
    failed: Counter[str] = Counter()
    dates: list[str] = []
    missed: list[str] = []
    for study in _pages(pacs, client.search_for_studies, _from(start)):
        studies += 1
        uid, date = _value(study, _STUDY), _value(study, _STUDY_DATE)
        came, had, why = _study(pacs, client, folder / spool.safe(uid), uid, again=again)
        new, known = new + came, known + had
        failed.update(why)
        (missed if why else dates).extend([date] if _is_date(date) else [])
    after = _after(start, dates, missed, pacs.overlap_days)
    _keep_cursor(pacs.base, folder, after)
    return Fetched(studies=studies, new=new, known=known, failed=dict(failed), since=after)


def _study(pacs: Pacs, client: DICOMwebClient, folder: Path, uid: str, *, again: bool) -> tuple[int, int, Counter[str]]:
    """(new, known, failures by why) of the instances of one study."""
    new = known = 0
    failed: Counter[str] = Counter()
    if not _UID.fullmatch(uid):
        return 0, 0, Counter({_NO_UID: 1})
    for instance in _pages(pacs, client.search_for_instances, {"study_instance_uid": uid}):
        series, name = _value(instance, _SERIES), _value(instance, _INSTANCE)
        if not _UID.fullmatch(series) or not _UID.fullmatch(name):
            failed[_NO_UID] += 1
            continue
        if not again and (folder / spool.safe(f"{name}.dcm")).exists():
            known += 1
            continue
        url = f"{pacs.base.rstrip('/')}/studies/{uid}/series/{series}/instances/{name}"
        try:
            content = patiently(partial(_instance, client, url), pacs.sleep)
        except ServerAway:
            raise
        except FetchFailed as error:
            failed[str(error).partition(";")[0]] += 1
            continue
        if not _is(content, name):
            failed["what came is not the instance that was asked for"] += 1
            continue
        _, fresh = spool.put(folder, f"{name}.dcm", content)
        new, known = new + fresh, known + (not fresh)
    return new, known, failed


def _instance(client: DICOMwebClient, url: str) -> bytes:
    """The bytes of one instance in the syntax it is stored in, as they came."""
    session = client._session
    if not isinstance(session, PacsSession):
        raise TypeError("a guarded session is meant")
    session.accept = _ORIGINAL  # the client knows no bulk data of this type, and parses what it takes for an instance
    try:
        parts = client.retrieve_bulkdata(url)
    except ValueError:
        last = session.last
        if last is None or not last.headers.get("Content-Type", "").startswith("application/dicom"):
            raise
        return bytes(last.content)  # against the standard, but not rare: the instance without an envelope
    finally:
        session.accept = None
    return bytes(parts[0]) if len(parts) == 1 else b""


def _is(content: bytes, uid: str) -> bool:
    import pydicom

    from clinical_jepa.sources.dicom.quiet import quiet

    with quiet():
        try:
            header = pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True, specific_tags=["SOPInstanceUID"])
        except Exception:  # pydicom raises many kinds on bytes that are no DICOM
            return False
        return str(header.get("SOPInstanceUID")) == uid


def _pages(pacs: Pacs, search: Callable[..., Any], options: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every result once, page by page, also from a server that repeats itself or knows no offset."""
    seen: set[str] = set()
    offset = 0
    while True:
        page = patiently(partial(search, **options, limit=PAGE, offset=offset), pacs.sleep)
        fresh = [one for one in page if (uid := _value(one, _INSTANCE) or _value(one, _STUDY)) and uid not in seen]
        seen.update(_value(one, _INSTANCE) or _value(one, _STUDY) for one in fresh)
        yield from fresh
        offset += len(page)
        if not fresh:
            return


def _value(attributes: Mapping[str, Any], tag: str) -> str:
    values = (attributes.get(tag) or {}).get("Value") or [""]
    return str(values[0])


def _from(start: str | None) -> dict[str, Any]:
    return {"search_filters": {"StudyDate": f"{start}-"}} if start else {}


def _is_date(text: str) -> bool:
    try:
        return bool(datetime.strptime(text, "%Y%m%d")) and len(text) == 8  # noqa: DTZ007  a calendar date, no instant
    except ValueError:
        return False


def _after(start: str | None, dates: list[str], missed: list[str], overlap: int) -> str | None:
    """Where the next run begins: before what failed, else the overlap before the newest; never before this run's start."""
    today = datetime.now(UTC).strftime("%Y%m%d")  # a study of the future would hide every later one from the next run
    newest = min(missed) if missed else max((date for date in dates if date <= today), default=None)
    if newest is None:
        return start
    back = datetime.strptime(newest, "%Y%m%d") - timedelta(days=0 if missed else overlap)  # noqa: DTZ007
    return max(start or "", back.strftime("%Y%m%d"))


def _cursor(base: str, folder: Path) -> str | None:
    try:
        kept = json.loads((folder / CURSOR).read_bytes())
        return str(kept["since"]) if kept["base"] == base and _is_date(str(kept["since"])) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None  # none yet, or damaged: everything is asked for, and what is here is known


def _keep_cursor(base: str, folder: Path, since: str | None) -> None:
    if since is None:
        return
    spool.make(folder)
    part = folder / f".{CURSOR}.part"
    part.write_text(json.dumps({"base": base, "since": since}), encoding="utf-8")
    spool.adopt(part, folder / CURSOR)
