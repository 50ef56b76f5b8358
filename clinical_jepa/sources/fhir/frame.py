"""What every resource is read with: whose it is, which version, and when that version could be known."""

from __future__ import annotations

from dataclasses import dataclass

from clinical_jepa.records.events import REVISING
from clinical_jepa.sources.availability import availability
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.fhir.files import Json
from clinical_jepa.sources.fhir.folder import Folder, plain_id
from clinical_jepa.sources.fhir.times import instant
from clinical_jepa.sources.rows import Fact


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A resource, or a part of it, that becomes a ``Rejection``."""

    reason: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Ignored:
    """A resource, or a part of it, that is no fact of this system: counted by ``kind``."""

    kind: str


# their lastUpdated tells of the newest state of something that goes on, not of each of its facts
_GOES_ON = ("stay", "treatment")

Outcome = Fact | Refusal | Ignored


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Around one resource. ``reference`` is the subject's id as the file writes it, ``key`` is ``Type/id``."""

    context: ReadContext
    folder: Folder
    key: str
    subject_id: int
    reference: str
    meta: Json

    def instant(self, text: str) -> int:
        """The instant of a FHIR date or time, in the site's zone where it has none."""
        return instant(text, self.context.zone)

    @property
    def revised(self) -> bool:
        """True for a version after the first: whatever its status says, it replaces an earlier one."""
        version = self.meta.get("versionId", "1")
        return bool(version.isdigit()) and int(version) > 1

    def updated(self, status: str, kind: str | None) -> int | None:
        """``meta.lastUpdated`` where it may be used: version 1 of a site that vouches for it, or any correction.

        For a correction it is an upper bound, and too late never leaks; without it a correction would be known before
        anyone made it.
        """
        text = self.meta.get("lastUpdated")
        vouched = self.context.trust_last_updated and not self.revised and kind not in _GOES_ON
        return self.instant(text) if text is not None and (vouched or status in REVISING) else None

    def known(
        self, time: int, *, status: str = "final", reported: str | None = None, kind: str | None = None
    ) -> tuple[int, str]:
        """``(available_time, basis)`` of a fact of this resource."""
        return availability(
            time,
            reported=None if reported is None else self.instant(reported),
            updated=None if reported is not None else self.updated(status, kind),
            delay=None if kind is None else self.context.delays[kind],
        )


def encounter_of(body: Json) -> str | None:
    """The encounter a resource belongs to (``context`` in R4 medications)."""
    reference = (body.get("encounter") or body.get("context") or {}).get("reference")
    return None if reference is None else plain_id(reference)
