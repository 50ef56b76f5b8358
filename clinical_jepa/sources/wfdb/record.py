"""A top-level record before its samples are read: whose it is, when it starts, and where its segments lie."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinical_jepa.records.batch import Identity, Rejection
from clinical_jepa.records.instant import DAY, SECOND, to_us

if TYPE_CHECKING:
    from clinical_jepa.sources.context import ReadContext

SOURCE = "wfdb"
RATES = (1e-4, 1e5)  # frames per second that a bedside record can have
LONGEST = 366 * DAY
_SUBJECT = re.compile(r"^p(\d+)-")


@dataclass(frozen=True, kw_only=True)
class Span:
    """A segment in its record: ``frames`` frames from frame ``start``; ``frames`` None where no header says."""

    path: Path  # the segment's header
    start: int
    frames: int | None


@dataclass(frozen=True, kw_only=True)
class TopRecord:
    """``start`` is µs UTC of frame 0, ``rate_hz`` frames per second."""

    path: Path
    identity: Identity
    start: int
    rate_hz: float
    spans: tuple[Span, ...]
    numerics: bool

    def instant(self, frame: int) -> int:
        """µs UTC of a frame; rates written as 0.0166666666667 are taken as one a minute."""
        period = SECOND / self.rate_hz
        whole = round(period)
        return self.start + round(frame * (whole if abs(period - whole) < 1e-3 else period))


def refuse(path: Path, record: str, reason: str, message: str) -> Rejection:
    """A rejection of a whole record, a segment or a signal; the file itself is the original."""
    return Rejection(source=SOURCE, file=path.name, record=record, reason=reason, message=message)


def open_record(path: Path, context: ReadContext) -> TopRecord | Rejection:
    """The record of a header file, or why it cannot be placed on a subject's timeline."""
    import wfdb

    found = _SUBJECT.match(path.stem)
    if found is None:
        return refuse(path, path.stem, "no-subject", "the record name holds no subject (p<number>-…); nothing was kept")
    # MIMIC pads its subject numbers to six digits in record names, and nowhere else
    identifier = found[1].lstrip("0") if context.namespace.startswith("mimic") else found[1]
    subject = context.subject(identifier)
    if context.subjects is not None and subject not in {context.subject(name) for name in context.subjects}:
        return refuse(path, path.stem, "unknown-subject", "the source does not declare this subject; nothing was kept")
    try:
        header = wfdb.rdheader(str(path.with_suffix("")))
        spans = _spans(path, header)
    except Exception as error:  # wfdb raises many kinds on a broken header
        return refuse(path, path.stem, "unreadable", f"the header cannot be read ({type(error).__name__})")
    if header.base_date is None or header.base_time is None:
        # Keeping such records on a relative clock of their own needs a store that knows of such clocks.
        return refuse(path, path.stem, "no-time", "the header gives no base date and time, so no sample has an instant")
    rate = float(header.fs)
    frames = max((span.start + (span.frames or 0) for span in spans), default=0)
    if not RATES[0] <= rate <= RATES[1] or frames / rate > LONGEST / SECOND:
        return refuse(path, path.stem, "invalid", f"{rate:g} frames a second over {frames} frames is no bedside record")
    return TopRecord(
        path=path,
        identity=Identity(subject_id=subject, namespace=context.namespace, identifier=identifier),
        start=to_us(datetime.combine(header.base_date, header.base_time, tzinfo=context.zone)),
        rate_hz=rate,
        spans=spans,
        numerics=rate <= 1.0 and path.stem.endswith("n"),
    )


def _spans(path: Path, header: Any) -> tuple[Span, ...]:
    names = getattr(header, "seg_name", None)
    if names is None:
        return (Span(path=path, start=0, frames=header.sig_len),)
    spans, start = [], 0
    for name, frames in zip(names, header.seg_len, strict=True):
        if name != "~" and frames > 0:  # "~" is a gap, length 0 the layout header
            spans.append(Span(path=path.with_name(f"{name}.hea"), start=start, frames=frames))
        start += frames
    return tuple(spans)
