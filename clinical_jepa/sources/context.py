"""What a site tells its readers: zone, identifiers, delays. One frozen object, passed, never global."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from clinical_jepa.records.instant import HOUR, MINUTE
from clinical_jepa.sources.clocks import ClockOffset
from clinical_jepa.vocabulary.identity import OPEN_KEY, subject_id

_UTC = ZoneInfo("UTC")

# How long each kind of fact takes to reach the record where its source does not say (``available_basis`` "delay");
# None: nothing is declared, and the fact counts as known at its time (``available_basis`` "assumed").
DELAYS: Mapping[str, int | None] = {
    "image": 30 * MINUTE,
    "lab": 1 * HOUR,
    "chart": 0,
    "diagnosis": 0,
    "monitor": 0,
    "stay": None,
    "treatment": None,
}


@dataclass(frozen=True, kw_only=True)
class ReadContext:
    """``delays`` names every kind of ``DELAYS``.

    ``aliases``: identifiers of patients met before, by the id that their source's references use (FHIR ``Patient.id``).
    ``hl7_statuses``: what OBX-11 letters without an official meaning mean at this site (``none``: an empty OBX-11).
    ``stitch_to``: a ward stitched from sources of different years: ingest shifts each subject whole, so that its first
    admission (else its first fact) lies at this instant, and names the sources ``stitched:…``.
    ``shard``: ``(number, of)``: the part of the units that this run takes, so that several runs may share a folder.
    ``growing_s``: live intake; a file that is not whole and was touched less than so many seconds ago may still be in
    the making: it is left for a later run. None: the files are at rest, and what is not whole is refused.
    ``clock_offsets``: how far the monitors' clocks stand off, where the site is certain of it.
    ``strict``: every resource of a standard is validated in full before it is read, not only what looks doubtful.
    """

    root: Path
    zone: ZoneInfo = _UTC
    namespace: str = "mrn"
    identity_key: bytes = OPEN_KEY
    trust_last_updated: bool = False
    delays: Mapping[str, int | None] = field(default_factory=lambda: DELAYS)
    aliases: Mapping[str, str] = field(default_factory=dict)
    hl7_statuses: Mapping[str, str] = field(default_factory=dict)
    stitch_to: int | None = None
    shard: tuple[int, int] = (0, 1)
    growing_s: float | None = None
    strict: bool = False
    clock_offsets: tuple[ClockOffset, ...] = ()

    def __post_init__(self) -> None:
        """Refuses delays that leave a kind out: readers would take the gap for damage of the files."""
        if missing := sorted(DELAYS.keys() - self.delays.keys()):
            raise ValueError(f"delays must name every kind; these are missing: {', '.join(missing)}")

    @property
    def alias_namespace(self) -> str:
        """Under which name the crosswalk keeps ``aliases``; it sorts after ``namespace``, so that identifiers come first."""
        return f"{self.namespace}~fhir"

    def subject(self, identifier: str) -> int:
        """The subject id of an identifier of this site's namespace."""
        return subject_id(self.namespace, identifier, key=self.identity_key)
