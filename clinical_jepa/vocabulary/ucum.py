"""What UCUM says of two units, worked out exactly by ucumvert and pint, and refused where it is not certain.

Dimensions let pass what medicine must not: an arbitrary unit ([iU], [CFU]) counts as a pure number, an equivalent as a mole,
a becquerel as a rate; ug/kg/min counts as /min. Here such a unit converts only where it stands on both sides, and no mass
cancels another. Loaded only for a unit outside the committed table: importing it takes more than a second.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Any

# names in pint's registry
_NUMBERS = {"_10", "percent", "ppm", "ppth", "parts_per_thousand", "per_mille", "dimensionless"}
_NAMED = {
    "equivalent",
    "equivalents",
    "osmole",
    "enzyme_unit",
    "katal",
    "becquerel",
    "curie",
    "gray",
    "sievert",
    "rad",
    "drop",
}
_AFFINE = {"degree_Celsius", "degree_Fahrenheit", "kelvin"}
_SAME = ({"enzyme_unit", "katal"},)  # of which one is a multiple of the other

Factors = tuple[Fraction, Fraction]


@cache
def _registry() -> Any:
    from ucumvert import PintUcumRegistry

    return PintUcumRegistry(non_int_type=Fraction)


@cache
def quantity(unit: str) -> Any | None:
    """One of ``unit`` as a quantity of pint; None where it is not UCUM."""
    try:
        found = _registry().from_ucum(unit)
    except Exception:  # of lark, of pint, of ucumvert: each says in its own way that this is no unit
        return None
    return found if hasattr(found, "_units") else None  # a bare annotation is given back as a token


def worked_out(unit: str, canonical: str) -> Factors | None:
    """``(factor, offset)``, exact, with ``canonical = value * factor + offset``; None where that is not certain."""
    here, there = quantity(unit), quantity(canonical)
    if here is None or there is None or here.dimensionality != there.dimensionality:
        return None
    if (
        _marked(here) != _marked(there)
        or _kinds(here) != _kinds(there)
        or _ratio(unit, here)
        or _ratio(canonical, there)
    ):
        return None
    if _affine(here) or _affine(there):
        return _shifted(here, there) if _alone(here) and _alone(there) else None
    return _at(1, here, there), Fraction(0)


def _at(value: int, here: Any, there: Any) -> Fraction:
    amount = _registry().Quantity(Fraction(value) * Fraction(here.magnitude), here.units)
    return Fraction(amount.to(there.units).magnitude) / Fraction(there.magnitude)


def _shifted(here: Any, there: Any) -> Factors:
    offset = _at(0, here, there)
    return _at(1, here, there) - offset, offset


def _names(found: Any) -> dict[str, Any]:
    """The unit's parts without their prefixes, and their powers."""
    parts: dict[str, Any] = {}
    for name, power in found._units.items():
        parsed = _registry().parse_unit_name(name)
        base = parsed[0][1] if parsed else name
        parts[base] = parts.get(base, 0) + power
    return parts


def _marked(found: Any) -> dict[str, Any]:
    """The parts that pint takes for less than they are."""
    marked: dict[str, Any] = {}
    for name, power in _names(found).items():
        if name in _NAMED or (name not in _NUMBERS and _dimensionless(name)):
            marked[next((min(same) for same in _SAME if name in same), name)] = power
    return marked


def _dimensionless(name: str) -> bool:
    return not _registry().get_dimensionality(name)


def _kinds(found: Any) -> list[list[tuple[str, float]]]:
    """What its parts measure, each on its own: mg/kg/h is a mass by a mass by a time, and no rate."""
    parts = [(_registry().get_dimensionality(name), power) for name, power in found._units.items()]
    return sorted(sorted((kind, float(size * power)) for kind, size in part.items()) for part, power in parts if part)


def _ratio(unit: str, found: Any) -> bool:
    """Whether two of a kind cancelled each other, as in mg/mg."""
    return "/" in unit and set(_names(found)) <= _NUMBERS


def _affine(found: Any) -> bool:
    return bool(_AFFINE & set(_names(found)))


def _alone(found: Any) -> bool:
    return found.magnitude == 1 and [*found._units.values()] == [1]
