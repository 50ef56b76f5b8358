"""What a person does about a refusal, by its reason."""

from __future__ import annotations

TO_DO = {
    "unreadable": "make it readable for this user, send it again whole, or mend its original, and ingest it again",
    "invalid": "have the sender mend the record; a mended copy is taken by: clinical-jepa quarantine replay ID FILE",
    "no-time": "the sender must say when it was; a mended copy is taken by: clinical-jepa quarantine replay ID FILE",
    "no-unit": "the sender must give the unit's UCUM code (MIMIC-III: valueuom); a number without one is never guessed",
    "unknown-unit": "a unit that is not UCUM's: the sender gives one, or the site's units.csv (site.codes) says what it is; a "
    "known one that needs more to be converted (ug/min to ug/kg/min: the weight): nothing to mend but at the source",
    "no-pixels": "send the image with its pixels; a report or a structured document is no image",
    "implausible": "look at the value at its source; where it is true, widen its limits in the site's variables.csv (site.codes)",
    "unknown-subject": "send the subject too (FHIR Patient, MIMIC-III PATIENTS) and ingest the files again",
    "no-subject": "the record must name its subject; a mended copy is taken by: clinical-jepa quarantine replay ID FILE",
    "unmapped": "map the name in the site's code tables (site.codes), and ingest the file again",
}


def lines(reasons: dict[str, int]) -> list[str]:
    """One line a reason with its count, and what to do."""
    return [f"  {reason} {count}: {TO_DO[reason]}" for reason, count in sorted(reasons.items())]
