"""A policy as canonical JSON: versioned, named by its own content, refused for another model or when altered."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields, replace
from typing import Any

import numpy as np

from clinical_jepa.forecast import tasks
from clinical_jepa.records.errors import BrokenStore, WrongModel
from clinical_jepa.records.forecasts import Policy

SCHEMA = "clinical-jepa/policy/1"
_ARRAYS = ("calibration_scores", "calibration_p0", "calibration_p1", "band_margin", "novelty_scores")


def seal(policy: Policy) -> Policy:
    """The policy under the id of its content (16 hex characters)."""
    return replace(policy, policy_id=_content_id(_content(policy)))


def to_json(policy: Policy) -> bytes:
    """Canonical JSON, numbers exact (shortest round-trip form); an infinite margin is written as null."""
    return json.dumps(_content(policy), sort_keys=True, indent=1, allow_nan=False).encode()


def from_json(text: bytes, *, model_id: str | None = None) -> Policy:
    """The policy that ``to_json`` wrote.

    ``BrokenStore`` when it is no policy of this version or its content does not match its id; ``WrongModel`` when
    ``model_id`` is given and the policy belongs to another model.
    """
    try:
        content = json.loads(text)
        if content.get("schema") != SCHEMA:
            raise BrokenStore(
                f"a policy of schema {SCHEMA} is expected, {content.get('schema')!r} was found; run fit again"
            )
        if _content_id(content) != content["policy_id"]:
            raise BrokenStore("the policy's content does not match its policy_id: it was altered; run fit again")
        policy = _policy(content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BrokenStore(f"the policy cannot be read ({type(error).__name__}); run fit again") from error
    if model_id is not None and policy.model_id != model_id:
        raise WrongModel(
            f"the policy was fitted for model {policy.model_id}, the model here is {model_id}; run fit again"
        )
    return policy


def _content(policy: Policy) -> dict[str, Any]:
    plain = {field.name: getattr(policy, field.name) for field in fields(Policy)}
    arrays = {name: _numbers(plain[name]) for name in _ARRAYS}
    return {
        **plain,
        **arrays,
        "schema": SCHEMA,
        "task": tasks.to_dict(policy.task),
        "recipients": list(policy.recipients),
    }


def _numbers(array: np.ndarray) -> Any:
    """Nested lists of floats, None where infinite."""
    values = np.asarray(array, np.float64).astype(object)
    values[values == np.inf] = None
    return values.tolist()


def _policy(content: dict[str, Any]) -> Policy:
    kept = {key: value for key, value in content.items() if key != "schema"}
    arrays = {name: _array(content[name]) for name in _ARRAYS}
    task = tasks.from_dict(content["task"])
    return Policy(**{**kept, **arrays, "task": task, "recipients": tuple(content["recipients"])})


def _array(values: Any) -> np.ndarray:
    array = np.array(values, object)
    array[array == None] = np.inf  # noqa: E711 elementwise
    numbers = array.astype(np.float64)
    numbers.flags.writeable = False
    return numbers


def _content_id(content: dict[str, Any]) -> str:
    named = {key: value for key, value in content.items() if key != "policy_id"}
    text = json.dumps(named, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
