"""When nothing is said, and why: the first reason that holds, with a line for a person."""

from __future__ import annotations

from clinical_jepa.forecast.conformal import p_value
from clinical_jepa.forecast.eligibility import Eligibility, in_event, vitals_age
from clinical_jepa.forecast.tasks import format_duration
from clinical_jepa.records.forecasts import Policy, Task, Why
from clinical_jepa.records.instant import MINUTE


def why(eligibility: Eligibility, *, now: int, policy: Policy, novelty: float) -> tuple[Why, str] | None:
    """The reason to abstain and its detail, or None when the question may be answered.

    ``novelty`` of NaN or infinity counts as unfamiliar: what cannot be compared is not known.
    """
    reason = ineligible(eligibility, now=now, task=policy.task, vitals_max_age=policy.vitals_max_age)
    if reason is not None:
        return reason
    chance = p_value(policy.novelty_scores, novelty)
    if chance < policy.novelty_alpha:
        return Why.UNFAMILIAR, f"unlike the patients this model was calibrated on (p = {chance:.3f})"
    return None


def ineligible(eligibility: Eligibility, *, now: int, task: Task, vitals_max_age: int) -> tuple[Why, str] | None:
    """The reasons that need no model: too early, already in the event, no vitals, vitals too old."""
    if eligibility.origin is None or now - eligibility.origin < task.warm_up:
        known = 0 if eligibility.origin is None else now - eligibility.origin
        return Why.WARMING_UP, f"known for {_rounded(known)} of the {format_duration(task.warm_up)} needed"
    if in_event(eligibility, now, task):
        return Why.IN_EVENT, f"the event is going on, or ended less than {format_duration(task.refractory)} ago"
    age = vitals_age(eligibility, now)
    if age is None:
        return Why.NO_VITALS, "no vital sign has ever been charted"
    if age > vitals_max_age:
        return Why.STALE_VITALS, f"the newest vital sign is {_rounded(age)} old, {_rounded(vitals_max_age)} is allowed"
    return None


def _rounded(span: int) -> str:
    return format_duration(span - span % MINUTE) if span >= MINUTE else "0 min"
