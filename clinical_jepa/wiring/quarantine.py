"""What was refused, for a person: listed, shown, mended, given back, dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from clinical_jepa.records.errors import BadRequest
from clinical_jepa.records.events import REASONS
from clinical_jepa.wiring import compose, road
from clinical_jepa.wiring.advice import TO_DO
from clinical_jepa.wiring.settings import Settings

_FACTS = ("events", "signals", "images", "duplicates", "withdrawn", "linked")


class Which(NamedTuple):
    """Refusals of this source, reason and file (or of files in this folder); None: of any."""

    source: str | None = None
    reason: str | None = None
    file: str | None = None

    def __str__(self) -> str:
        return " ".join(f"--{name} {value}" for name, value in self._asdict().items() if value is not None)

    def takes(self, row: dict[str, Any]) -> bool:
        """Whether a refusal is meant."""
        folder = None if self.file is None else self.file.rstrip("/") + "/"
        return (
            (self.source is None or row["source"] == self.source)
            and (self.reason is None or row["reason"] == self.reason)
            and (folder is None or f"{row['file']}/".startswith(folder))
        )


EVERY = Which()


def listed(settings: Settings, which: Which = EVERY) -> list[dict[str, Any]]:
    """One row a refusal, oldest first; without originals."""
    if which.reason is not None and which.reason not in REASONS:
        raise BadRequest(f"--reason {which.reason}: one of {', '.join(REASONS)} is meant")
    table = compose.store(settings).rejections().drop_columns(["original"]).sort_by("received_time")
    rows = (row | {"received_time": row["received_time"].isoformat()} for row in table.to_pylist())
    return [row for row in rows if which.takes(row)]


def counts(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """How many by source and reason."""
    found = Counter((row["source"], row["reason"]) for row in rows)
    return [
        {"source": source, "reason": reason, "count": n, "what to do": TO_DO[reason]}
        for (source, reason), n in sorted(found.items())
    ]


def one(settings: Settings, start: str) -> dict[str, Any]:
    """The refusal whose id starts so, with its original."""
    store = compose.store(settings)
    matches = [one for one in store.rejections()["rejection_id"].to_pylist() if one.startswith(start)]
    if len(matches) != 1:
        what = "no refusal" if not matches else f"{len(matches)} refusals"
        raise BadRequest(f"{what} with an id that starts with {start!r}; see: clinical-jepa quarantine list")
    return store.rejection(matches[0])


def text(settings: Settings, start: str) -> str:
    """Where, why, and the original as text (bytes that are not text are shown escaped)."""
    row = one(settings, start)
    head = "\n".join(f"{key}: {row[key]}" for key in ("rejection_id", "source", "file", "record", "reason", "message"))
    head += f"\nwhat to do: {TO_DO[row['reason']]}"
    original = row["original"]
    body = "(the file itself is the original)" if original is None else original.decode("utf-8", "backslashreplace")
    body = body.replace("\r\n", "\n").replace(
        "\r", "\n"
    )  # HL7 v2 ends its segments so: a terminal would write over them
    return f"{head}\n\n{body}"


def original_of(row: dict[str, Any]) -> bytes:
    """The refused bytes; ``BadRequest`` where the file itself is the original."""
    if row["original"] is None:
        raise BadRequest(
            f"the file itself is the original of {row['rejection_id']}: mend a copy of it, and replay that"
        )
    return bytes(row["original"])


def write_original(settings: Settings, start: str, out: Path) -> str:
    """Writes a refusal's bytes to a file that is not there yet; says how to go on."""
    row = one(settings, start)
    original = original_of(row)
    try:
        with out.open("xb") as file:
            file.write(original)
    except FileExistsError as error:
        raise BadRequest(f"--out {out} is there already; nothing was written") from error
    return f"written: {out}; when it is mended: clinical-jepa quarantine replay {row['rejection_id']} {out}"


def require_whole(row: dict[str, Any], mended: Path | None = None) -> None:
    """``BadRequest`` where a refused record may not be read without what lay beside it, and ``mended`` is no folder with that."""
    rejection = row["rejection_id"]
    then = f"then: clinical-jepa quarantine drop {rejection}; nothing was ingested"
    if row["source"].startswith("stitched:"):
        raise BadRequest(
            f"{rejection} was shifted by --stitch, which needs all of its subject: mend it in {row['file']} and ingest that "
            f"with --stitch again, {then}"
        )
    if row["source"] == "fhir" and not (mended and mended.is_dir()) and _kind(row["original"]) == "Condition":
        raise BadRequest(
            f"{rejection} is a Condition, and only its patient's Encounters say from when on it may be known: mend it in "
            f"{row['file']}, ingest that with its Encounters beside it (or replay a folder of both), {then}"
        )


def _kind(original: bytes | None) -> object:
    """Of a resource of FHIR; None where the bytes name none."""
    from clinical_jepa.sources.fhir.files import NO_JSON, kind_of

    try:
        return None if original is None else kind_of(original)
    except NO_JSON:
        return None


def replay(settings: Settings, start: str, mended: Path, *, mode: str) -> tuple[bool, str]:
    """Ingests a mended original; drops the refusal where facts of it were read and none was refused. Whether that was so."""
    row = one(settings, start)
    rejection = row["rejection_id"]
    require_whole(row, mended)
    summary = road.ingest_summary(settings, [mended], mode=mode)
    total, refused = summary["total"], sum(summary["reasons"].values()) + summary["again"]
    if refused:
        return False, f"{refused} part(s) were refused again; the refusal is kept. See: clinical-jepa quarantine list"
    if not any(total[kind] for kind in _FACTS):
        why = "its bytes were read before" if total["skipped"] else "no fact was in it"
        return False, (
            f"nothing was taken of {mended}: {why}; the refusal is kept. "
            f"To forget it: clinical-jepa quarantine drop {rejection}"
        )
    compose.store(settings).drop_rejections([rejection])
    return True, f"ingested {total['events']} events; the refusal is dropped"


def meant(settings: Settings, start: str | None, which: Which) -> list[str]:
    """The ids of the refusal that starts so, or of those that are chosen; ``BadRequest`` where that is nothing, or no choice."""
    if start is not None and which == EVERY:
        return [one(settings, start)["rejection_id"]]
    if start is not None or which == EVERY:
        raise BadRequest("name one refusal by its id, or many by --source, --reason or --file; nothing was dropped")
    ids = [
        row["rejection_id"] for row in listed(settings, which) if row["file"]
    ]  # links in a circle have none, and stay
    if not ids:
        raise BadRequest(f"no refusal of {which}; nothing was dropped. See: clinical-jepa quarantine list")
    return ids


def drop(settings: Settings, ids: list[str]) -> str:
    """Forgets these refusals."""
    compose.store(settings).drop_rejections(ids)
    return f"dropped {ids[0] if len(ids) == 1 else f'{len(ids)} refusals'}"
