"""A top-level record before its samples are read: whose it is, when it starts, and where its segments lie.

A record that does not tell both its subject and its date and time, and of which the site says nothing either
(``placing``), goes to a relative clock of its own (``sources.relative``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from clinical_jepa.records.batch import Identity, Rejection
from clinical_jepa.records.instant import DAY, SECOND, to_us
from clinical_jepa.sources import clocks, relative
from clinical_jepa.sources.clocks import offset_of
from clinical_jepa.sources.wfdb import header as headers
from clinical_jepa.sources.wfdb.header import Header
from clinical_jepa.sources.wfdb.placing import placing

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
    """``start`` is µs UTC of frame 0 (on a relative clock: of its origin), ``rate_hz`` frames per second.

    ``offset`` (µs) is in ``start`` already: how far the monitor's clock stood off (``sources.clocks``).
    """

    path: Path
    header: Header
    identity: Identity
    start: int
    rate_hz: float
    spans: tuple[Span, ...]
    numerics: bool
    relative: bool
    offset: int = 0

    def instant(self, frame: int) -> int:
        """µs UTC of a frame; rates written as 0.0166666666667 are taken as one a minute."""
        period = SECOND / self.rate_hz
        whole = round(period)
        return self.start + round(frame * (whole if abs(period - whole) < 1e-3 else period))

    def own(self, instant: int) -> int:
        """An instant of the record as its own clock shows it: what ids are made of, whatever offset is believed."""
        return instant - self.offset

    def source(self, name: str) -> str:
        """The name of a source of this record's facts: marked where its clock is relative."""
        return relative.source(name) if self.relative else name

    def column(self, name: str) -> str:
        """What the source column of its rows says: marked, too, where its clock was moved."""
        return clocks.source(self.source(name)) if self.offset else self.source(name)


def refuse(path: Path, record: str, reason: str, message: str) -> Rejection:
    """A rejection of a whole record, a segment or a signal; the file itself is the original."""
    return Rejection(source=SOURCE, file=path.name, record=record, reason=reason, message=message)


def open_record(path: Path, context: ReadContext) -> TopRecord | Rejection:
    """The record of a header file, or why nothing of it can be taken."""
    try:
        header = headers.load(path)
    except headers.BadHeader as error:
        return refuse(path, path.stem, "unreadable", f"the header cannot be read: {error}; nothing was kept")
    except OSError as error:
        return refuse(path, path.stem, "unreadable", f"the header cannot be read ({type(error).__name__})")
    try:
        identifier, start, offset = _placed(path, header, context)
    except (ValueError, OSError, OverflowError) as error:
        # the message is of our own making where it is a ValueError, and repeats nothing of the files
        why = str(error) if isinstance(error, ValueError) else type(error).__name__
        return refuse(path, path.stem, "invalid", f"it cannot be placed in time: {why}; nothing was kept")
    spans, rate = _spans(path, header), header.rate_hz
    frames = max((span.start + (span.frames or 0) for span in spans), default=0)
    if not RATES[0] <= rate <= RATES[1] or frames / rate > LONGEST / SECOND:
        return refuse(path, path.stem, "invalid", f"{rate:g} frames a second over {frames} frames is no bedside record")
    alone = identifier is None or start is None
    return TopRecord(
        path=path,
        header=header,
        identity=relative.identity(_name(path, context), context) if alone else _identity(identifier or "", context),
        start=relative.ORIGIN if start is None or alone else start,
        rate_hz=rate,
        spans=spans,
        numerics=rate <= 1.0 and path.stem.endswith("n"),
        relative=alone,
        offset=0 if alone else offset,
    )


def _placed(path: Path, header: Header, context: ReadContext) -> tuple[str | None, int | None, int]:
    """(the subject's identifier, µs UTC of frame 0, offset in that): the site's word, else the record's own, else None.

    A start that the site gives is the chart's already; only the monitor's own is moved.
    """
    site = placing(path, context.zone)
    subject, start = site.subject, site.start
    if subject is None and (found := _SUBJECT.match(path.stem)):
        # MIMIC pads its subject numbers to six digits in record names, and nowhere else
        subject = found[1].lstrip("0") if context.namespace.startswith("mimic") else found[1]
    if start is None and header.date is not None and header.time is not None:
        start = to_us(datetime.combine(header.date, header.time, tzinfo=context.zone))
        offset = 0 if subject is None else offset_of(context.clock_offsets, subject, path.stem, start)
        return subject, start + offset, offset
    return subject, start, 0


def _identity(identifier: str, context: ReadContext) -> Identity:
    return Identity(subject_id=context.subject(identifier), namespace=context.namespace, identifier=identifier)


def _name(path: Path, context: ReadContext) -> str:
    """The record's path from the given folder's name on: the same for the folder and for the header given alone."""
    root = context.root.resolve() if context.root.is_dir() else context.root.resolve().parent
    below = path.resolve().with_suffix("")
    return f"{root.name}/{below.relative_to(root).as_posix()}" if below.is_relative_to(root) else below.as_posix()


def _spans(path: Path, header: Header) -> tuple[Span, ...]:
    if not header.master:
        return (Span(path=path, start=0, frames=header.frames),) if header.files else ()
    spans, start = [], 0
    for name, frames in header.segments:
        if name != "~" and frames > 0:  # "~" is a gap, length 0 the layout header
            spans.append(Span(path=path.with_name(f"{name}.hea"), start=start, frames=frames))
        start += frames
    return tuple(spans)
