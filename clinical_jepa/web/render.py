"""Pages from views: one Jinja environment with escaping always on, and filters bound to the site's zone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from clinical_jepa.records.forecasts import Reason
from clinical_jepa.records.instant import HOUR, SECOND, from_us, iso
from clinical_jepa.web import words
from clinical_jepa.web.charts.spark import risk_bar, sparkline
from clinical_jepa.web.config import WebConfig
from clinical_jepa.web.state import WardState
from clinical_jepa.web.ward import Bed, Standing

HEADINGS = (
    (Standing.FORECAST, "By risk"),
    (Standing.IN_EVENT, "Event under way"),
    (Standing.ABSTAINED, "No forecast, for a reason"),
    (Standing.EXPIRED, "Expired: not current"),
    (Standing.NOTHING, "No forecast"),
)

_PARAMETERS = {
    "resp_rate": "RR",
    "spo2": "SpO₂",
    "sbp": "SBP",
    "heart_rate": "HR",
    "temperature": "temp.",
    "consciousness": "ACVPU",
}


def environment(state: WardState, config: WebConfig) -> Environment:
    """Templates with everything that all pages share."""
    env = Environment(
        loader=PackageLoader("clinical_jepa.web", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    stale = state.policy.vitals_max_age if state.policy else 2 * HOUR
    env.filters |= _filters(ZoneInfo(config.zone))
    env.globals |= {
        "config": config,
        "task": state.task,
        "policy": state.policy,
        "clock": state.clock,
        "abstentions": words.ABSTENTIONS,
        "headings": HEADINGS,
        "stale_after": stale,
        **_pictures(env, state, config),
    }
    return env


def _filters(zone: ZoneInfo) -> dict[str, Callable[..., str]]:
    return {
        "hhmm": lambda instant: words.clock_time(instant, zone),
        "near": lambda instant, now: words.near_time(instant, now, zone),
        "seconds": lambda instant: f"{from_us(instant).astimezone(zone):%H:%M:%S}",
        "day": lambda instant: words.day_time(instant, zone).rsplit(" ", 1)[0],
        "dayt": lambda instant: words.day_time(instant, zone),
        "full": lambda instant: words.full_time(instant, zone),
        "iso": iso,
        "age": words.age,
        "pct": words.percent,
        "pct_whole": lambda share: f"{share * 100:.0f}",
        "num": words.number,
        "unit": words.unit,
        "label": words.label,
        "short": words.short,
        "name_of": lambda name: str(_PARAMETERS.get(name, name)),
    }


def _pictures(env: Environment, state: WardState, config: WebConfig) -> dict[str, Callable[..., Markup]]:
    threshold = state.policy.threshold if state.policy else None
    span = config.trend_s * SECOND

    def spark(bed: Bed, now: int) -> Markup:
        return sparkline(bed.trend, now=now, span=span, longest=2 * state.task.cadence, threshold=threshold)

    def why(reasons: Sequence[Reason], caption: str) -> Markup:
        told = env.get_template("why.html").render(reasons=reasons, caption=caption)  # escapes
        return Markup(told)  # noqa: S704

    return {"spark": spark, "why": why, "risk_bar": lambda forecast: risk_bar(forecast, threshold)}
