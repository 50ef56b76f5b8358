"""The pieces of a recorded waveform as one version of one fact, so that a correction takes the place of all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from clinical_jepa.records.batch import SignalPiece
from clinical_jepa.vocabulary.identity import content_id


@dataclass(frozen=True, kw_only=True)
class Said:
    """Which waveform of its source the samples are, in what state, and which record says it, by its ``record_id``."""

    fact_id: str
    record_id: str
    status: str = "final"


def as_version(pieces: Iterable[SignalPiece], said: Said) -> Iterator[SignalPiece]:
    """The pieces bound together; the same said again has the same ids, whatever differs is another version."""
    found = tuple(pieces)
    content = [part for one in found for part in (one.event_id, one.unit, one.available_time)]
    version = content_id(said.fact_id, said.status, *content)
    for one in found:
        yield replace(
            one,
            event_id=content_id(version, one.event_id),
            fact_id=said.fact_id,
            version_id=version,
            status=said.status,
            record_id=said.record_id,
        )
