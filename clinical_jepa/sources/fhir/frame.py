"""What every resource is read with: whose it is, which version, and when that version could be known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from clinical_jepa.records.batch import Retraction, SignalPiece, SubjectLink
from clinical_jepa.records.events import RETRACTED, REVISING
from clinical_jepa.sources.availability import availability
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.fhir.files import Json
from clinical_jepa.sources.fhir.folder import Folder, plain_id
from clinical_jepa.sources.fhir.times import instant
from clinical_jepa.sources.rows import Fact
from clinical_jepa.vocabulary.identity import content_id

SOURCE = "fhir"


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A resource, or a part of it, that becomes a ``Rejection``."""

    reason: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Ignored:
    """A resource, or a part of it, that is no fact of this system: counted by ``kind``."""

    kind: str


_APART = 2  # µs between versions of one instant
_MOST = 100  # versions told apart: some servers count all their resources together
# their lastUpdated tells of the newest state of something that goes on, not of each of its facts
_GOES_ON = ("stay", "treatment")

Outcome = Fact | Refusal | Ignored | Retraction | SubjectLink | SignalPiece


def counted(version_id: str) -> int:
    """The number of a version; 1 where ``versionId`` is none."""
    return int(version_id) if version_id.isdecimal() else 1


def after(version_id: str) -> int:
    """µs by which the rows of a version follow what dates them, so that later versions follow earlier ones of one instant."""
    return _APART * (min(counted(version_id), _MOST) - 1)


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Around one resource. ``reference`` is the subject's id as the file writes it, ``key`` is ``Type/id``.

    ``subject_of`` gives the subject that another Patient id means, None for one that is not known.
    """

    context: ReadContext
    folder: Folder
    key: str
    subject_id: int
    reference: str
    meta: Json
    subject_of: Callable[[str], int | None]

    def instant(self, text: str) -> int:
        """The instant of a FHIR date or time, in the site's zone where it has none."""
        return instant(text, self.context.zone)

    @property
    def revised(self) -> bool:
        """True for a version after the first: whatever its status says, it replaces an earlier one."""
        return counted(self.meta.get("versionId", "1")) > 1

    @property
    def after(self) -> int:
        """µs by which this version's rows follow what dates them: its server's order where several have one instant."""
        return after(self.meta.get("versionId", "1"))

    @property
    def last_updated(self) -> int | None:
        """``meta.lastUpdated`` as an instant: when this server's copy last changed, an upper bound of when it could be known."""
        text = self.meta.get("lastUpdated")
        return None if text is None else self.instant(text)

    def updated(self, status: str, kind: str | None) -> int | None:
        """``meta.lastUpdated`` where it may be used: version 1 of a site that vouches for it, or any correction.

        For a correction it is an upper bound, and too late never leaks; without it a correction would be known before
        anyone made it.
        """
        vouched = self.context.trust_last_updated and not self.revised and kind not in _GOES_ON
        return self.last_updated if vouched or status in REVISING else None

    def known(
        self, time: int, *, status: str = "final", reported: str | None = None, kind: str | None = None
    ) -> tuple[int, str]:
        """``(available_time, basis)`` of a fact of this resource.

        Servers withdraw and silently edit without a new reporting time: ``meta.lastUpdated`` counts then, where it is later.
        """
        said = None if reported is None else self.instant(reported)
        silent = status in RETRACTED or (self.revised and status == "amended")
        updated = self.updated(status, kind) if said is None or silent else None
        if said is not None and updated is not None:
            said, updated = (None, updated) if updated > said else (said, None)
        return availability(
            time, reported=said, updated=updated, delay=None if kind is None else self.context.delays[kind]
        )

    def planned(self, time: int, *, authored: str | None, status: str) -> tuple[int, str]:
        """``(available_time, basis)`` of a plan, which may be known long before its time."""
        updated = self.last_updated if status in REVISING or authored is None else None
        said = None if authored is None else self.instant(authored)
        if updated is not None and (said is None or updated > said):
            return updated, "last-updated"
        return (time, "assumed") if said is None else (said, "issued")

    def withdrawal(self, *reported: str | None) -> Retraction | None:
        """That nothing of this record's earlier versions holds from now on; None where nothing says when."""
        said = [self.instant(text) for text in reported if text is not None]
        updated = self.last_updated
        known = max([*said, *([] if updated is None else [updated])], default=None)
        if known is None:
            return None
        return retraction(self.key, known, "issued" if said and known == max(said) else "last-updated")


def retraction(key: str, at: int, basis: str) -> Retraction:
    """Of everything that the record ``Type/id`` said by ``at``."""
    return Retraction(
        record_id=content_id(SOURCE, key), time=at, available_time=at, available_basis=basis, source=SOURCE
    )


def encounter_of(body: Json) -> str | None:
    """The encounter a resource belongs to (``context`` in R4 medications)."""
    reference = (body.get("encounter") or body.get("context") or {}).get("reference")
    return None if reference is None else plain_id(reference)
