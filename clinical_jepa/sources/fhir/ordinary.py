"""The ordinary shape of an Observation: what one of the flood has or may have, decoded straight from its bytes.

An element that is not named here, or one of another type, is an error: the Observation is not of this shape.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from clinical_jepa.sources.fhir.validation import LONGEST_ID

_NONE = Raw()


class _Loose(msgspec.Struct, gc=False):
    """Part of a resource of which only what stands here matters; the rest must be JSON, and is passed over."""


class _Exact(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """Part of a resource in which an element that does not stand here could change what the others mean."""


class Coding(_Loose):
    """One code of a concept."""

    code: str
    system: str = ""


class _Concept(_Loose):
    coding: list[Coding]


class _Word(_Loose):
    code: str = ""
    display: str = ""


class _Words(_Loose):
    coding: list[_Word] | UnsetType = UNSET
    text: str = ""


class _Category(_Loose):
    coding: list[_Loose] | UnsetType = UNSET


class _Reference(_Loose):
    reference: str


class _Period(_Loose):
    start: str = ""
    end: str = ""


class _Meta(msgspec.Struct, gc=False, frozen=True):
    versionId: str = "1"


class _Narrative(_Loose):
    status: Raw
    div: Raw


class Quantity(_Exact):
    """A number with its UCUM unit."""

    value: float
    code: str
    system: Literal["http://unitsofmeasure.org"]
    unit: str = ""


class Component(_Exact):
    """One number of a panel."""

    code: _Concept
    valueQuantity: Quantity
    id: Raw = _NONE
    interpretation: list[_Loose] | UnsetType = UNSET
    referenceRange: list[_Loose] | UnsetType = UNSET


class Observation(_Exact):
    """What an Observation of the ordinary shape has or may have."""

    resourceType: Literal["Observation"]
    id: Annotated[str, Meta(min_length=1, max_length=LONGEST_ID)]
    status: Literal["final", "preliminary", "corrected"]
    code: _Concept
    subject: _Reference
    issued: str
    effectiveDateTime: str = ""
    effectiveInstant: Annotated[str, Meta(min_length=1)] = ""
    effectivePeriod: _Period | UnsetType = UNSET
    valueQuantity: Quantity | UnsetType = UNSET
    valueCodeableConcept: _Words | UnsetType = UNSET
    valueString: str | UnsetType = UNSET
    component: list[Component] | UnsetType = UNSET
    encounter: _Reference | UnsetType = UNSET
    meta: _Meta = _Meta()
    text: _Narrative | UnsetType = UNSET
    category: list[_Category] | UnsetType = UNSET
    interpretation: list[_Loose] | UnsetType = UNSET
    referenceRange: list[_Loose] | UnsetType = UNSET
    identifier: Raw = _NONE
    basedOn: Raw = _NONE
    partOf: Raw = _NONE
    performer: Raw = _NONE
    note: Raw = _NONE
    bodySite: Raw = _NONE
    method: Raw = _NONE
    specimen: Raw = _NONE
    device: Raw = _NONE
    hasMember: Raw = _NONE
    derivedFrom: Raw = _NONE


decode = msgspec.json.Decoder(Observation).decode


def otherwise_effective(one: Observation) -> str:
    """When an Observation without ``effectiveDateTime`` was true; "" where it does not say that in one ordinary way."""
    period = one.effectivePeriod
    if period is UNSET:
        return one.effectiveInstant
    return "" if one.effectiveInstant else period.end or period.start


def words(one: Observation) -> str:
    """What an Observation without numbers says, by exactly one of its elements; "" where it does not."""
    concept, text = one.valueCodeableConcept, one.valueString
    if concept is UNSET:
        return "" if text is UNSET else text
    if text is not UNSET:
        return ""
    first = concept.coding[0] if concept.coding else _Word()
    return concept.text or first.display or first.code
