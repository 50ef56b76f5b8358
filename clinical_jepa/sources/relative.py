"""Records without an absolute clock: each on a relative clock of its own, as a subject of its own, and marked so.

Nobody can say when such a record was made, so it is never merged with the charted data of a patient, not even where the
patient is known: it stands under the record's name in the namespace ``…~relative``, its first instant at ``ORIGIN``, its
source named ``relative:…``. Where a site knows the offset, the record is an ordinary one.
"""

from __future__ import annotations

from collections.abc import Iterable

from clinical_jepa.records.batch import Identity
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.vocabulary.identity import printable, subject_id

ORIGIN = 0  # 1970-01-01T00:00Z: no clock of a ward comes near it
_NAMESPACE = "relative"


def identity(record: str, context: ReadContext) -> Identity:
    """The subject that a record is on its own; ``record`` must tell it from every other record of the site."""
    namespace = f"{context.namespace}~{_NAMESPACE}"
    name = printable(record)
    subject = subject_id(namespace, name, key=context.identity_key)
    return Identity(subject_id=subject, namespace=namespace, identifier=name)


def subjects(identities: Iterable[Identity]) -> frozenset[int]:
    """Those of the identities' subjects that are on a relative clock: when they were is not known."""
    return frozenset(one.subject_id for one in identities if one.namespace.endswith(f"~{_NAMESPACE}"))


def source(name: str) -> str:
    """The name of a source whose rows lie on a relative clock."""
    return f"{_NAMESPACE}:{name}"
