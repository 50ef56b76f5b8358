"""Parts made from settings: context, store, ledger, task, policy, forecaster, ward. Heavy rooms are imported when asked for."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from clinical_jepa.records.errors import BadRequest
from clinical_jepa.records.instant import MINUTE, to_us
from clinical_jepa.wiring.settings import Settings, listed

if TYPE_CHECKING:
    from clinical_jepa.forecast.forecaster import Forecaster
    from clinical_jepa.monitor.clock import WardClock
    from clinical_jepa.monitor.ward import Ward
    from clinical_jepa.records.forecasts import Policy, Task
    from clinical_jepa.sources.clocks import ClockOffset
    from clinical_jepa.sources.context import ReadContext
    from clinical_jepa.store.events import Store
    from clinical_jepa.store.ledger import Ledger
    from clinical_jepa.training.fit import FitConfig

Tell = Callable[[str], None]
LEDGER = "ledger.sqlite"  # within the store folder


def instant(text: str) -> int:
    """The instant of ``2026-01-06T08:00Z``; ``BadRequest`` where it is no time or has no zone."""
    try:
        return to_us(datetime.fromisoformat(text))
    except ValueError as error:
        raise BadRequest(f"{text!r} is not a time with a zone, like 2026-01-06T08:00Z ({error})") from error


def zone(settings: Settings) -> ZoneInfo:
    """The site's zone; ``settings.load`` has refused what is none."""
    return ZoneInfo(settings.site.zone)


def context(settings: Settings, root: Path) -> ReadContext:
    """What readers of this site's sources need to know."""
    from clinical_jepa.sources.context import ReadContext
    from clinical_jepa.vocabulary.identity import OPEN_KEY

    key = settings.site.identity_key.encode() or OPEN_KEY
    return ReadContext(
        root=root,
        zone=zone(settings),
        namespace=settings.site.namespace,
        identity_key=key,
        trust_last_updated=settings.site.trust_last_updated,
        strict=settings.site.strict,
        delays={kind: None if minutes < 0 else minutes * MINUTE for kind, minutes in asdict(settings.delays).items()},
        hl7_statuses=hl7_statuses(settings.hl7.statuses),
        clock_offsets=clock_offsets(settings),
    )


def clock_offsets(settings: Settings) -> tuple[ClockOffset, ...]:
    """The site's table of monitors' clocks; ``BadRequest`` where it cannot be read or believed."""
    from clinical_jepa.sources.clocks import table

    if not settings.site.clock_offsets:
        return ()
    path = Path(settings.site.clock_offsets)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"site.clock_offsets: {path} cannot be read ({type(error).__name__})") from error
    return table(lines, zone(settings))


def hl7_statuses(text: str) -> dict[str, str]:
    """``R=preliminary,none=final`` as a map; ``BadRequest`` for what has a meaning already, or is no status."""
    from clinical_jepa.records.events import STATUSES
    from clinical_jepa.sources.hl7v2.mapping import STATUSES as OFFICIAL

    found: dict[str, str] = {}
    for one in text.split(",") if text.strip() else ():
        letter, _, status = (part.strip() for part in one.partition("="))
        if not (letter == "none" or (len(letter) == 1 and letter.isupper() and letter not in OFFICIAL)):
            raise BadRequest(
                f"hl7.statuses: {letter!r} is no OBX-11 letter that a site may declare (B, I, O, R, S, U, V, none)"
            )
        if status not in STATUSES:
            raise BadRequest(f"hl7.statuses: {status!r} is none of {', '.join(STATUSES)}")
        found[letter] = status
    return found


def store(settings: Settings, *, create: bool = False) -> Store:
    """The store of these settings."""
    from clinical_jepa.store.events import Store

    return Store.open(Path(settings.paths.store), create=create)


def ledger(settings: Settings) -> Ledger:
    """The ledger beside the store's tables."""
    from clinical_jepa.store.ledger import Ledger

    folder = Path(settings.paths.store)
    if not folder.is_dir():
        raise BadRequest(f"no store at {folder}; make one with: clinical-jepa ingest SOURCE --store {folder}")
    return Ledger.open(folder / LEDGER)


def task(settings: Settings) -> Task:
    """The question of these settings: what ``fit`` fits. Whatever runs afterwards takes it from the policy."""
    from clinical_jepa.forecast.tasks import load_task

    return load_task(settings.ward.task)


def alert_rules(settings: Settings) -> FitConfig:
    """What the site chooses about alerts; ``BadRequest`` where nobody would be told, or never."""
    from clinical_jepa.training.fit import FitConfig

    recipients = listed(settings.alerts.recipients)
    if not recipients:
        raise BadRequest("alerts.recipients names nobody; give one or more, with commas between")
    if not 0 < settings.alerts.budget < math.inf:
        raise BadRequest(f"alerts.budget is alerts per patient-day, above 0, not {settings.alerts.budget:g}")
    return FitConfig(recipients=recipients, budget=settings.alerts.budget)


def policy(settings: Settings) -> Policy:
    """Calibration and alert rules that ``fit`` wrote beside the model."""
    from clinical_jepa.forecast.policies import from_json

    path = Path(settings.paths.model) / "policy.json"
    if not path.is_file():
        raise BadRequest(
            f"no policy at {path}; run: clinical-jepa fit --model {path.parent} --store {settings.paths.store}"
        )
    return from_json(path.read_bytes())


def forecaster(settings: Settings) -> Forecaster:
    """The served model: one thread, so that its bytes do not depend on the machine's load."""
    from clinical_jepa.model.forecaster import load_forecaster

    return load_forecaster(Path(settings.paths.model))


def prepare() -> Callable[[Any, Any], Any]:
    """The MONAI transforms that make of a picture what the encoder takes."""
    from clinical_jepa.model.encoders.images import prepare as monai_prepare

    return monai_prepare


def ward(settings: Settings) -> Ward:
    """Store, ledger, model and policy, ready to tick."""
    from clinical_jepa.monitor.ward import Ward

    return Ward(
        store=store(settings),
        ledger=ledger(settings),
        forecaster=forecaster(settings),
        policy=policy(settings),
        simulated=settings.ward.simulated,
    )


def clock(settings: Settings) -> WardClock:
    """The one clock of this ward; its anchor is kept in the store folder, so that all processes share it."""
    from clinical_jepa.monitor.clock import open_clock

    return open_clock(settings.ward.clock, Path(settings.paths.store))
