"""How a number of a unit under given codings becomes a row: worked out once for each, then looked up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from clinical_jepa.sources.columnar.events import NOTHING, SEPARATOR
from clinical_jepa.sources.fhir.mapping import chosen
from clinical_jepa.sources.fhir.ordinary import Coding, Quantity
from clinical_jepa.vocabulary.codes import by_code
from clinical_jepa.vocabulary.tables import when_changed
from clinical_jepa.vocabulary.units import conversion

_MANY = 1 << 16  # different codings kept in memory


class Plan(NamedTuple):
    """``value * factor + offset`` in ``unit`` is the row's number where it lies within ``low`` … ``high``.

    ``before`` and ``after`` are what stands around the number in what the row's id is made of.
    """

    code: str
    unit: str
    factor: float
    offset: float
    low: float
    high: float
    before: str
    after: str


plans: dict[tuple[object, ...], Plan] = {}
when_changed(plans.clear)


def plan_of(codings: Sequence[Coding], quantity: Quantity) -> Plan | None:
    """The plan of a number; None where the careful path must say why there is none."""
    key: tuple[object, ...]
    if len(codings) == 1:
        one = codings[0]
        key = (one.system, one.code, quantity.code)
    else:
        key = (tuple([(one.system, one.code) for one in codings]), quantity.code)
    return plans.get(key) or _made(key, codings, quantity)


def _made(key: tuple[object, ...], codings: Sequence[Coding], quantity: Quantity) -> Plan | None:
    code = code_of(codings)
    if code is None:
        return None
    known, unit = by_code().get(code), quantity.code
    factors, low, high = (1.0, 0.0), None, None
    if known is not None and known.unit is not None:
        found = conversion(unit, known.unit, code=known.code)
        if found is None:
            return None
        unit, factors, low, high = known.unit, found, known.low, known.high
    plan = Plan(
        *(code, unit, *factors),
        *(float("-inf") if low is None else low, float("inf") if high is None else high),
        before=f"{SEPARATOR}{code}{SEPARATOR}",
        after=f"{SEPARATOR}{NOTHING}{SEPARATOR}{unit}{SEPARATOR}",
    )
    if len(plans) >= _MANY:
        plans.clear()
    plans[key] = plan
    return plan


def code_of(codings: Sequence[Coding]) -> str | None:
    """The code that codings lead to; None where they lead to none that can be trusted."""
    code = chosen(tuple([(one.system, one.code) for one in codings]))
    return code if isinstance(code, str) else None
