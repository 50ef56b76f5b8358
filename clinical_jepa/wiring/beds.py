"""``beds``: who lies where, and whose stream a device sends, as known at an instant; what is not certain is said to be so."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinical_jepa.records.errors import BadRequest
from clinical_jepa.records.instant import END, iso
from clinical_jepa.wiring import compose, tables
from clinical_jepa.wiring.settings import Settings

if TYPE_CHECKING:
    from clinical_jepa.store.events import Store
    from clinical_jepa.timeline.beds import Association, Refusal, Whereabouts


def beds(settings: Settings, *, at: str | None, devices: Path | None) -> dict[str, Any]:
    """``beds``: a row a patient in a bed; ``devices``: a row a device of the site's table. ``at`` None: all that is stored."""
    from clinical_jepa.timeline.beds import whereabouts
    from clinical_jepa.timeline.stays import STAY_CODES

    store = compose.store(settings)
    then = END if at is None else compose.instant(at)
    placed = () if devices is None else _placed(settings, devices)
    found = whereabouts(store.with_codes(STAY_CODES, then), then, placed)
    names = sorted({one.device for one in placed})
    return {
        "at": None if at is None else iso(then),
        "beds": _in_beds(store, found),
        "devices": [_sent_by(store, found, device) for device in names],
    }


def _in_beds(store: Store, found: Whereabouts) -> list[dict[str, Any]]:
    here = [one for one in found.occupancies if one.start < found.as_of <= one.end]
    return [
        {"bed": stay.bed, "patient": store.identifier(stay.subject_id), "since": iso(stay.start)}
        | _state(found.patient_in(stay.bed, found.as_of))
        for stay in sorted(here, key=lambda one: (one.bed, one.start, one.subject_id))
    ]


def _sent_by(store: Store, found: Whereabouts, device: str) -> dict[str, Any]:
    mine = [one for one in found.associations if one.device == device and one.start < found.as_of <= one.end]
    answer = found.patient_of(device, found.as_of)
    return {
        "device": device,
        "bed": ", ".join(sorted({one.bed for one in mine if one.bed is not None})) or None,
        "patient": store.identifier(answer) if isinstance(answer, int) else None,
    } | _state(answer)


def _state(answer: int | Refusal) -> dict[str, Any]:
    return (
        {"state": "certain", "why": None} if isinstance(answer, int) else {"state": answer.why, "why": answer.message}
    )


def _placed(settings: Settings, devices: Path) -> tuple[Association, ...]:
    from clinical_jepa.timeline.devices import site_table

    try:
        lines = devices.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"{devices} cannot be read as a table of devices ({type(error).__name__})") from error
    return site_table(lines, compose.zone(settings))


def ambiguous(found: dict[str, Any]) -> bool:
    """Whether several patients come into question for one bed or device."""
    return any(row["state"] == "ambiguous" for row in [*found["beds"], *found["devices"]])


def text(found: dict[str, Any]) -> str:
    """The beds and, where a table of devices was given, the devices."""
    when = "by all that is stored; try --at T" if found["at"] is None else f"at {found['at']}; try another --at"
    beds = tables.text(found["beds"]) if found["beds"] else f"nobody lies in a bed {when}"
    return "\n\n".join([beds, *([tables.text(found["devices"])] if found["devices"] else [])])
