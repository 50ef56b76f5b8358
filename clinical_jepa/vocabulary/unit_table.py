"""``schemas/codes/units.csv`` as ucumvert and pint work it out; a test holds the file to this.

Run ``python -m clinical_jepa.vocabulary.unit_table`` after a change of ``variables.csv`` or ``units_met.csv``.
"""

from __future__ import annotations

import csv
import io
from fractions import Fraction

from clinical_jepa.vocabulary import ucum
from clinical_jepa.vocabulary.tables import read, schemas
from clinical_jepa.vocabulary.units import AMOUNT, CHARGE, MASS

_WAVEFORMS = ("mV", "L/min")  # units of channels, which are no codes


def met() -> list[str]:
    """The UCUM units without annotation that were met in files, and every unit that values are converted to."""
    written = {row["ucum"] for row in read(schemas() / "codes" / "units_met.csv")} - {""}
    return sorted({unit for unit in written if "{" not in unit} | set(wanted()))


def wanted() -> list[str]:
    """The units that values are converted to."""
    canonical = {row["unit"] for row in read(schemas() / "codes" / "variables.csv")} - {""}
    return sorted(canonical | {MASS, AMOUNT, CHARGE, *_WAVEFORMS})


def rendered() -> str:
    """The file's text: every unit met by every unit wanted, where the conversion is certain."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("from", "to", "factor", "offset"))
    for unit in met():
        for canonical in wanted():
            found = (Fraction(1), Fraction(0)) if unit == canonical else ucum.worked_out(unit, canonical)
            if found is not None:
                writer.writerow((unit, canonical, *map(_decimal, found)))
    return out.getvalue()


def _decimal(number: Fraction) -> str:
    return repr(float(number)).removesuffix(".0")


if __name__ == "__main__":
    (schemas() / "codes" / "units.csv").write_text(rendered(), encoding="utf-8")
