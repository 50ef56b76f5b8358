"""Reads HL7 v2 files: ``.hl7`` and ``.mllp``, with one message or many. Every message is read by itself.

A folder named ``….hl7d`` is one unit: what a line received within some minutes, a file a message, goes into the store in one
commit and not in thousands.

What a message says is kept whole or refused by piece: a damaged OBX costs that result, a message without a patient costs
the message, and the rest of the file goes on. Refusals keep the bytes of their message, so that a mended one can be replayed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from clinical_jepa.records.batch import Identity, Retraction, SignalPiece, SourceBatch, SubjectLink
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.hl7v2 import merges, results, stays, waves
from clinical_jepa.sources.hl7v2.envelope import Piece, pieces
from clinical_jepa.sources.hl7v2.frame import Frame, Ignored, Link, Outcome, Placed, Refusal, frame
from clinical_jepa.sources.hl7v2.frames import TOGETHER
from clinical_jepa.sources.hl7v2.message import Unreadable, damaged, parse
from clinical_jepa.sources.hl7v2.waves import Wave
from clinical_jepa.sources.rows import Origin, Rows

SOURCE = "hl7v2"
BATCH_ROWS = 100_000
BATCH_SIGNALS = 2_000

_SUFFIXES = (".hl7", ".mllp")
_STARTS = (b"MSH", b"FHS", b"BHS", b"\x0bMSH", b"\x0bFHS", b"\x0bBHS")
_RESULTS = ("ORU", "OUL")
_ALARMS = ("R40", "R41", "R42")  # IHE alarm reports travel as ORU, and are no results


@dataclass(frozen=True, kw_only=True)
class _Reading:
    """One unit under way."""

    context: ReadContext
    rows: Rows = field(default_factory=Rows)
    identities: dict[str, Identity] = field(default_factory=dict)
    links: list[SubjectLink] = field(default_factory=list)
    signals: list[SignalPiece] = field(default_factory=list)
    retractions: list[Retraction] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)


def find(root: Path) -> list[Path]:
    """The units at or below ``root``, by name; a file named by itself also where only its content says that it is HL7."""
    if root.is_file():
        return [root] if root.suffix.lower() in _SUFFIXES or _begins(root) else []
    return sorted({_unit(path, root) for path in _files(root)})


def _files(root: Path) -> Iterator[Path]:
    for path in root.rglob("*"):
        if path.suffix.lower() in _SUFFIXES and not path.name.startswith(".") and path.is_file():
            yield path


def _unit(path: Path, root: Path) -> Path:
    return path.parent if path.parent.suffix == TOGETHER and path.parent.is_relative_to(root) else path


def parts(path: Path) -> list[Path]:
    """The file alone, or the folder's files: a message refers to nothing."""
    return sorted(_files(path)) if path.is_dir() else [path]


def read(path: Path, context: ReadContext) -> Iterator[SourceBatch]:
    """The rows, identities, links and rejections of one unit, in batches of about ``BATCH_ROWS`` rows."""
    reading = _Reading(context=context)
    for file in parts(path):
        name = _name(file, context.root)
        with file.open("rb") as content:
            for piece in pieces(content):
                _take(piece, name, reading)
                if len(reading.rows.events) >= BATCH_ROWS or len(reading.signals) >= BATCH_SIGNALS:
                    yield _batch(reading)
                    reading = _Reading(context=context)
    yield _batch(reading)


def _name(file: Path, root: Path) -> str:
    """The file as rejections name it."""
    name = file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name
    return file.name if name == "." else name


def _begins(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(7).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(_STARTS)


def _batch(reading: _Reading) -> SourceBatch:
    return SourceBatch(
        events=reading.rows.table(),
        identities=tuple(reading.identities.values()),
        rejections=tuple(reading.rows.rejections),
        ignored=dict(reading.ignored),
        links=tuple(reading.links),
        signals=tuple(reading.signals),
        retractions=tuple(reading.retractions),
    )


def _take(piece: Piece, file: str, reading: _Reading) -> None:
    outcomes = _outcomes(piece, reading.context)
    for who, signal in waves.pieces([one for one in outcomes if isinstance(one, Wave)]):
        _identity(who, reading)
        reading.signals.append(signal)
    for outcome in outcomes:
        match outcome:
            case Refusal():
                reading.rows.reject(_origin(piece, outcome.place, file), outcome.reason, outcome.message)
            case Ignored():
                reading.ignored[outcome.kind] += 1
            case Retraction():
                reading.retractions.append(outcome)
            case Link():
                reading.links.append(_link(outcome, reading))
            case Placed():
                _keep(outcome, _origin(piece, outcome.place, file), reading)


def _keep(placed: Placed, origin: Origin, reading: _Reading) -> None:
    fact = placed.fact
    if damaged(fact.key, fact.code, fact.unit, fact.text, fact.encounter_id):
        message = "bytes that are no text in the message's character set; MSH-18 must name the right one"
        reading.rows.reject(origin, "unreadable", message)
    elif reading.rows.add(fact, origin):
        _identity(placed.who, reading)


def _outcomes(piece: Piece, context: ReadContext) -> list[Outcome | Wave]:
    """Everything one message says, read to its end before any of it is kept."""
    if piece.problem:
        return [Refusal(reason="invalid", message=piece.problem)]
    try:
        message = parse(piece.raw)
        kept = list(_facts(frame(message, context)))
        if message.stray:
            what = f"{message.stray} line(s) that begin no segment and go on no text; the segments around are read"
            kept.append(Refusal(reason="invalid", message=what))
    except Unreadable as problem:
        return [Refusal(reason="unreadable", message=str(problem))]
    except (ValueError, OverflowError):
        return [Refusal(reason="invalid", message="a time in MSH-7, EVN or PV1 is no HL7 time")]
    return kept


def _facts(whole: Frame) -> Iterator[Outcome | Wave]:
    kind, event = whole.message.kind
    if kind in _RESULTS and event not in _ALARMS:
        yield from results.facts(whole)
    elif kind != "ADT":
        yield Ignored(kind=f"{kind}^{event}" if event else kind)
    elif event in merges.MERGES or event == merges.UNLINK:
        yield from merges.facts(whole)
    else:
        yield from stays.facts(whole)
        if whole.message.first("OBX") is not None and stays.patient(whole):
            yield from results.facts(whole)


def _link(link: Link, reading: _Reading) -> SubjectLink:
    absorbed, survivor = (_identity(name, reading).subject_id for name in (link.absorbed, link.survivor))
    return SubjectLink(
        absorbed=absorbed,
        survivor=survivor,
        active=link.active,
        time=link.time,
        available_time=link.available[0],
        available_basis=link.available[1],
        source=SOURCE,
    )


def _identity(name: str, reading: _Reading) -> Identity:
    context = reading.context
    if name not in reading.identities:
        subject = context.subject(name)
        reading.identities[name] = Identity(subject_id=subject, namespace=context.namespace, identifier=name)
    return reading.identities[name]


def _origin(piece: Piece, place: str, file: str) -> Origin:
    record = f"{piece.record}, {place}" if place else piece.record
    return Origin(source=SOURCE, file=file, record=record, original=piece.raw or None)
