"""Full validation by fhir.resources, for what the fast paths doubt and for sites that ask for it, and what it does not check.

fhir.resources has no R4: R4 and R4B are validated by its R4B classes, R5 by its root package. Messages name places, never
values.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from clinical_jepa.sources.fhir.bindings import foreign
from clinical_jepa.sources.fhir.files import Json
from clinical_jepa.sources.fhir.frame import Refusal
from clinical_jepa.sources.fhir.versions import Version, fields

LONGEST_ID = 64


def doubtful(body: Json, version: Version) -> bool:
    """True where a cheap look finds what R4 or R5 may not allow: only the full validator can tell."""
    known = fields()[body["resourceType"]]
    if any(known.get(name) not in ("both", version) for name in body if name != "resourceType"):
        return True
    if sum(name.startswith("value") for name in body) > 1:
        return True
    text = body.get("text", body)
    return not isinstance(text, dict) or (text is not body and not {"status", "div"} <= text.keys())


def own_checks(body: Json, version: Version) -> Refusal | None:
    """What the library lets pass and this system must not."""
    name = body.get("id")
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_ID:
        message = (
            f"{body['resourceType']} without an id of 1 to {LONGEST_ID} characters: its versions could not be told"
        )
        return Refusal(reason="invalid", message=message)
    element = foreign(body, version)
    return (
        None if element is None else Refusal(reason="invalid", message=f"{element} is none of FHIR {version}'s codes")
    )


def verdict(body: Json, version: Version) -> Refusal | None:
    """What the full validator refuses; None where it finds nothing."""
    from pydantic import ValidationError

    kind, standard = body["resourceType"], "FHIR " + version
    try:
        _model(kind, version).model_validate(body)
    except ValidationError as problem:
        places = sorted({_place(entry) for entry in problem.errors()})
        return Refusal(reason="invalid", message=f"{kind} breaks {standard} at {', '.join(places[:5])}")
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return Refusal(reason="invalid", message=f"{kind} cannot be validated as {standard}")
    return None


def twice_named(raw: bytes) -> bool:
    """True where an object names a key twice: parsers keep one of them, and not all the same."""
    twice = False

    def note(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal twice
        kept = dict(pairs)
        twice = twice or len(kept) < len(pairs)
        return kept

    json.loads(raw, object_pairs_hook=note)
    return twice


def _model(kind: str, version: Version) -> Any:
    if version == "R5":
        from fhir.resources import get_fhir_model_class as of_r5

        return of_r5(kind)
    from fhir.resources.R4B import get_fhir_model_class as of_r4b

    return of_r4b(kind)


def _place(entry: Mapping[str, Any]) -> str:
    """Where in the resource; a name that the standard does not know is the sender's own, and is not repeated."""
    parts = [str(part) for part in entry["loc"]]
    if entry["type"] == "extra_forbidden":
        parts[-1:] = ["an element it does not know"]
    return ".".join(parts) or "resource"
