"""The codes that FHIR fixes (its "required" bindings) in elements that are read, by ``schemas/codes/fhir_bindings.csv``.

The full validator does not check them. Every code of a state has a meaning of its own here; one that FHIR does not have has none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from clinical_jepa.sources.fhir.files import Json
from clinical_jepa.vocabulary.tables import cached, rows


@dataclass(frozen=True, kw_only=True)
class Binding:
    """An element with the version of each of its codes. ``system`` is that of a CodeableConcept, "" where a bare code stands."""

    element: str
    system: str
    codes: dict[str, str] = field(default_factory=dict)

    def said(self, body: Json) -> Iterator[object]:
        """Every code that a resource has there; None for what is none."""
        for found in _at(body, self.element.split(".")):
            if self.system:
                yield from _coded(found, self.system)
            else:
                yield found if isinstance(found, str) else None


def foreign(body: Json, version: str) -> str | None:
    """The first element with a code that this version of FHIR does not have (``Encounter.location.status``)."""
    kind = body["resourceType"]
    for binding in bindings().get(kind, ()):
        for code in binding.said(body):
            if binding.codes.get(code if isinstance(code, str) else "") not in ("both", version):
                return f"{kind}.{binding.element}"
    return None


def has_r5_code(body: Json) -> bool:
    """True where a code stands in a resource that only R5 has."""
    kind = body.get("resourceType")
    held = bindings().get(kind, ()) if isinstance(kind, str) else ()
    return any(
        isinstance(code, str) and binding.codes.get(code) == "R5" for binding in held for code in binding.said(body)
    )


@cached
def bindings() -> Mapping[str, list[Binding]]:
    """By resource: its bound elements."""
    found: dict[str, dict[str, Binding]] = {}
    for row in rows("fhir_bindings.csv"):
        empty = Binding(element=row["element"], system=row["system"])
        held = found.setdefault(row["resource"], {}).setdefault(row["element"], empty)
        held.codes[row["code"]] = row["version"]
    return {kind: list(held.values()) for kind, held in found.items()}


def _at(node: object, path: list[str]) -> Iterator[object]:
    if isinstance(node, list):
        for one in node:
            yield from _at(one, path)
    elif not path:
        yield node
    elif isinstance(node, dict) and path[0] in node:
        yield from _at(node[path[0]], path[1:])


def _coded(concept: object, system: str) -> list[object]:
    """The codes that a concept has of the system, or of none; another system's may stand beside them, not instead."""
    codings = concept.get("coding", ()) if isinstance(concept, dict) else ()
    held = [one for one in codings if isinstance(one, dict)] if isinstance(codings, list) else []
    return [one.get("code") for one in held if one.get("system", system) == system] or [None]
