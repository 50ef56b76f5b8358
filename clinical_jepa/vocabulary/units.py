"""Conversion to a code's canonical UCUM unit: certain, or None.

Most pairs stand in ``schemas/codes/units.csv``, which ``unit_table`` generates; UCUM itself is asked only about a unit that
is not there. What UCUM cannot know depends on the code: molar mass and valence (``molar_masses.csv``), what an annotation
may stand with (``annotations.csv``: {beats}/min is no respiratory rate), and equivalences of one substance alone
(``unit_rules.csv``). A site may add rows to each.
"""

from __future__ import annotations

import re

from clinical_jepa.vocabulary.tables import Row, cached, cached_up_to, read, rows, schemas

Factors = tuple[float, float]

MASS, AMOUNT, CHARGE = "g/L", "mol/L", "eq/L"  # concentrations that a substance's molar mass and valence join
_ANNOTATION = re.compile(r"\{([^{}]*)\}")
_MANY = 1 << 14


def conversion(unit: str, canonical: str, *, code: str | None = None) -> Factors | None:
    """``(factor, offset)`` with ``canonical = value * factor + offset``, or None where it is not certain.

    ``code`` is the code that the value stands under: what only the code can tell is refused without it.
    """
    if unit == canonical:
        return 1.0, 0.0
    if not unit or not canonical:
        return None
    return _conversion(unit, canonical, code)


@cached_up_to(_MANY)
def _conversion(unit: str, canonical: str, code: str | None) -> Factors | None:
    rule = _rule(unit, canonical, code)
    if rule is not None:
        return rule
    plain = _without_annotation(unit, code)
    if plain is None:
        return None
    if plain == canonical:
        return 1.0, 0.0
    if plain != unit and (rule := _rule(plain, canonical, code)) is not None:
        return rule
    return _known(plain, canonical) or _of_substance(plain, canonical, code)


def ucum_of(written: str, system: str = "free") -> str | None:
    """The UCUM unit that a table, a monitor or an HL7 v2 message means by a spelling of its own; None if not certain.

    ``system``: whose word it is (``MDC``, ``WFDB``), where that gives it a meaning that it has not in free text. FHIR's
    Quantity.code is UCUM already and must not come here: ``K/uL`` is kelvin there.
    """
    exact, loose = _spellings()
    for whose in (system, "free"):
        if (whose, written) in exact:
            return exact[whose, written]
    return loose.get(_loosely(written))


def _loosely(written: str) -> str:
    return re.sub(r"\s+", "", written).lower().rstrip(".")


@cached
def _spellings() -> tuple[dict[tuple[str, str], str | None], dict[str, str | None]]:
    ours = {row["unit"] for row in rows("variables.csv")}
    exact: dict[tuple[str, str], str | None] = {("free", unit): unit for unit in _listed() | ours if unit}
    loose: dict[str, str | None] = {}
    for row in rows("units_met.csv"):
        exact[row["system"], row["written"]] = row["ucum"] or None
        if row["system"] == "free":
            known = loose.setdefault(_loosely(row["written"]), row["ucum"] or None)
            if known != (row["ucum"] or None):  # mg and Mg may differ: only the exact spelling counts
                loose[_loosely(row["written"])] = None
    return exact, loose


@cached
def _table() -> dict[tuple[str, str], Factors]:
    return {(row["from"], row["to"]): _factors(row) for row in rows("units.csv")}


@cached
def _listed() -> frozenset[str]:
    """Units about which the table is complete: a pair that is not there is no conversion."""
    met = {
        row["ucum"] for row in read(schemas() / "codes" / "units_met.csv")
    }  # a site's spellings make nothing complete
    return frozenset(unit for pair in _table() for unit in pair) | met


@cached
def _rules() -> dict[tuple[str, str], list[tuple[frozenset[str], Factors]]]:
    found: dict[tuple[str, str], list[tuple[frozenset[str], Factors]]] = {}
    for row in rows("unit_rules.csv"):
        found.setdefault((row["from"], row["to"]), []).append((frozenset(row["codes"].split()), _factors(row)))
    return found


@cached
def _annotations() -> dict[str, frozenset[str]]:
    return {row["annotation"]: frozenset(row["codes"].split()) for row in rows("annotations.csv")}


@cached
def _substances() -> dict[str, tuple[float | None, float | None]]:
    """Code → grams in a mole, charges of a particle."""
    return {
        row["code"]: (
            float(row["g_per_mol"]) if row["g_per_mol"] else None,
            float(row["valence"]) if row["valence"] else None,
        )
        for row in rows("molar_masses.csv")
    }


def _factors(row: Row) -> Factors:
    return float(row["factor"]), float(row["offset"])


def _rule(unit: str, canonical: str, code: str | None) -> Factors | None:
    for codes, factors in _rules().get((unit, canonical), ()):
        if code in codes:
            return factors
    return None


def _without_annotation(unit: str, code: str | None) -> str | None:
    """The unit without {annotations}, which UCUM ignores; None where one contradicts the code or is not listed."""
    for annotation in _ANNOTATION.findall(unit):
        may = _annotations().get(annotation, frozenset())
        if not may or (code is not None and code not in may):
            return None
    plain = _ANNOTATION.sub("", unit)
    return plain or "1"


def _known(unit: str, canonical: str) -> Factors | None:
    if (unit, canonical) in _table():
        return _table()[unit, canonical]
    if unit in _listed() and canonical in _listed():
        return None
    from clinical_jepa.vocabulary.ucum import worked_out  # the slow road: a unit that nobody has met yet

    found = worked_out(unit, canonical)
    return None if found is None else (float(found[0]), float(found[1]))


def _of_substance(unit: str, canonical: str, code: str | None) -> Factors | None:
    """Mass, amount and charge of one substance: through moles, by molar mass and valence."""
    mass, valence = _substances().get(code or "", (None, None))
    moles = {MASS: 1 / mass if mass else None, AMOUNT: 1.0, CHARGE: 1 / valence if valence else None}
    for here, into in moles.items():
        for there, out in moles.items():
            first, last = _known(unit, here), _known(canonical, there)
            if here != there and into and out and first and last:
                return first[0] * into / out / last[0], 0.0
    return None
