"""Who is who: subject ids and the identifiers their sources know them by. A few rows a subject, kept in memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

import pyarrow as pa

from clinical_jepa.records.batch import Identity
from clinical_jepa.records.errors import BadRequest


@dataclass(frozen=True, kw_only=True)
class Crosswalk:
    """Identities in the order in which they became known; a subject may have several."""

    by_subject: dict[int, tuple[Identity, ...]]

    def new(self, identities: Iterable[Identity]) -> list[Identity]:
        """Those not known yet, each once."""
        return [one for one in dict.fromkeys(identities) if one not in self.by_subject.get(one.subject_id, ())]

    def identity(self, subject_id: int) -> Identity | None:
        """The first identity of a subject."""
        return next(iter(self.by_subject.get(subject_id, ())), None)

    def identify(self, text: str) -> int:
        """The subject with this identifier, or this subject id; ``BadRequest`` with the nearest identifier."""
        wanted = _plain(text)
        found = {
            one.subject_id for ones in self.by_subject.values() for one in ones if _plain(one.identifier) == wanted
        }
        if len(found) == 1:
            return found.pop()
        if len(found) > 1:
            raise BadRequest(f"{len(found)} subjects are called {text!r}; give one of the ids {sorted(found)}")
        if (subject := {str(one): one for one in self.by_subject}.get(wanted)) is not None:
            return subject
        raise BadRequest(f"no subject is called {text!r}{self._nearest(text)}")

    def _nearest(self, text: str) -> str:
        names = [one.identifier for ones in self.by_subject.values() for one in ones]
        close = get_close_matches(text, names, n=1, cutoff=0.0)
        return f"; the nearest is {close[0]!r}" if close else "; the store knows no subjects yet"


def crosswalk(table: pa.Table) -> Crosswalk:
    """From CROSSWALK rows with their commit."""
    by_subject: dict[int, tuple[Identity, ...]] = {}
    for row in sorted(table.to_pylist(), key=lambda row: (row["commit"], row["namespace"], row["identifier"])):
        one = Identity(**{name: row[name] for name in ("subject_id", "namespace", "identifier")})
        by_subject[one.subject_id] = (*by_subject.get(one.subject_id, ()), one)
    return Crosswalk(by_subject=by_subject)


def _plain(text: str) -> str:
    name = text.strip()
    return name.lstrip("0") or "0" if name.isdigit() else name
