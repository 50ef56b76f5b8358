"""The pages' content as plain JSON values, for machines. Instants are ISO 8601 in UTC."""

from __future__ import annotations

import math
from typing import Any

from clinical_jepa.records.forecasts import Forecast, Reason
from clinical_jepa.records.instant import iso
from clinical_jepa.web.bedside import Bedside
from clinical_jepa.web.health import Health
from clinical_jepa.web.ward import Bed, Outcome, Ward


def ward_json(ward: Ward, health: Health) -> dict[str, Any]:
    """The list of beds, in the order of the page."""
    return {"now": iso(ward.now), "health": health_json(health), "beds": [_bed(bed) for bed in ward.beds]}


def health_json(health: Health) -> dict[str, Any]:
    """What the banner says."""
    return {
        "live": health.live,
        "loop_seen": iso(health.loop_seen) if health.loop_seen is not None else None,
        "ward_now": iso(health.now),
        "wall": iso(health.wall),
        "notices": [{"level": notice.level, "name": notice.name, "text": notice.text} for notice in health.notices],
        "feeds": [
            {"source": feed.source, "newest": iso(feed.newest), "late": feed.late, "rows": feed.rows}
            for feed in health.feeds
        ],
        "quarantined": health.quarantined,
    }


def bed_json(view: Bedside) -> dict[str, Any]:
    """One bed, with the reasons and the story of its alerts."""
    outcome = view.bed.outcome
    return _bed(view.bed) | {
        "now": iso(view.now),
        "here": view.here,
        "reasons": _reasons(outcome.reasons) if isinstance(outcome, Forecast) else [],
        "bands": [
            {
                "code": band.code,
                "at": iso(band.at),
                "low": _finite(band.low),
                "median": _finite(band.median),
                "high": _finite(band.high),
            }
            for band in (outcome.bands if isinstance(outcome, Forecast) else ())
        ],
        "alerts": [
            {
                "alert_id": story.alert.alert_id,
                "state": story.alert.state.value,
                "assessed_at": iso(story.alert.assessed_at),
                "reasons": _reasons(story.alert.reasons),
                "transitions": [
                    {"at": iso(change.at), "after": change.after.value, "cause": change.cause.value}
                    for change in story.transitions
                ],
            }
            for story in view.stories
        ],
    }


def _bed(bed: Bed) -> dict[str, Any]:
    return {
        "subject_id": bed.stay.subject_id,
        "bed": bed.stay.bed,
        "standing": bed.standing.name.lower(),
        "outcome": _outcome(bed.outcome),
        "news2": {"score": bed.news2.score, "band": bed.news2.band, "missing": list(bed.news2.missing)},
        "vitals_time": iso(bed.vitals_time) if bed.vitals_time is not None else None,
        "alert": _alert(bed),
    }


def _outcome(outcome: Outcome | None) -> dict[str, Any] | None:
    if outcome is None:
        return None
    base = {"at": iso(outcome.at), "valid_until": iso(outcome.valid_until), "model_id": outcome.model_id}
    if isinstance(outcome, Forecast):
        return base | {"risk": outcome.risk, "risk_low": outcome.risk_low, "risk_high": outcome.risk_high}
    return base | {"why": outcome.why.value, "detail": outcome.detail}


def _alert(bed: Bed) -> dict[str, Any] | None:
    if bed.alert is None:
        return None
    answer = {"by": bed.answer.by, "at": iso(bed.answer.at)} if bed.answer else None
    return {
        "alert_id": bed.alert.alert_id,
        "raised_at": iso(bed.alert.raised_at),
        "due_at": iso(bed.alert.due_at),
        "answer": answer,
    }


def _reasons(reasons: tuple[Reason, ...]) -> list[dict[str, Any]]:
    return [
        {
            "code": reason.code,
            "value": _finite(reason.value),
            "age_s": reason.age // 1_000_000 if reason.age is not None else None,
            "weight": _finite(reason.weight),
        }
        for reason in reasons
    ]


def _finite(number: float | None) -> float | None:
    """A number that JSON can say: NaN and infinities are null."""
    return number if number is not None and math.isfinite(number) else None
