"""Who a reference means: by the Patients that the file or folder declares, those met before, or by its own id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from clinical_jepa.records.batch import Identity
from clinical_jepa.sources.context import ReadContext
from clinical_jepa.sources.fhir.files import Json
from clinical_jepa.sources.fhir.folder import plain_id


@dataclass(frozen=True, kw_only=True)
class People:
    """``declared`` maps Patient ids of the folder to identifiers; ``met`` are the identities asked for so far."""

    context: ReadContext
    declared: Mapping[str, str]
    met: dict[str, Identity] = field(default_factory=dict)

    def identity(self, name: str) -> Identity | None:
        """Who a Patient id means; None for a subject that the source, which declares its subjects, does not declare."""
        if name in self.met:
            return self.met[name]
        context = self.context
        identifier = self.declared.get(name) or context.aliases.get(name) or (None if self.declared else name)
        if identifier is None:
            return None
        subject = context.subject(identifier)
        identity = Identity(subject_id=subject, namespace=context.namespace, identifier=identifier)
        self.met[name] = identity
        if name != identifier:  # later files may refer to the patient without declaring it again
            self.met[f"{name} "] = Identity(subject_id=subject, namespace=context.alias_namespace, identifier=name)
        return identity

    def subject(self, name: str) -> int | None:
        """The subject id of ``identity``."""
        identity = self.identity(name)
        return None if identity is None else identity.subject_id


def patient_id(body: Json) -> str | None:
    """The id of the Patient a resource is of or about; None where it is about none."""
    if body["resourceType"] == "Patient":
        return str(body["id"])
    subject = body.get("subject") or body.get("patient") or {}
    return referred(subject.get("reference"))


def referred(reference: str | None) -> str | None:
    """The id in a reference to a Patient; None in one to anything else."""
    if reference is None or not (reference.startswith("urn:uuid:") or "Patient/" in reference):
        return None
    return plain_id(reference)
