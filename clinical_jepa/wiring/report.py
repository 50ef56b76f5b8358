"""The HTML report of a backtested ward: the table, the alerts, and one patient's story."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinical_jepa.records.forecasts import Forecast
from clinical_jepa.records.instant import END, HOUR
from clinical_jepa.wiring import compose
from clinical_jepa.wiring.settings import Settings

if TYPE_CHECKING:
    from clinical_jepa.evaluate.contents import Story
    from clinical_jepa.evaluate.scoring import Leaderboard
    from clinical_jepa.store.events import Store
    from clinical_jepa.wiring.ward import Backtested

_BEFORE, _AFTER = 18 * HOUR, 9 * HOUR  # of the story, around the alert it tells of


def write(settings: Settings, path: Path, *, board: Leaderboard, history: Backtested, came: Mapping[str, Any]) -> Path:
    """Writes the report and returns its path. Alerts are counted over the subjects that nothing was fitted on."""
    from clinical_jepa.evaluate.contents import ReportContents
    from clinical_jepa.evaluate.report import write_report
    from clinical_jepa.evaluate.story import known_when

    store = compose.store(settings)
    subject, at = protagonist(store, history)
    total = came["total"]
    summary = [(name, f"{total[name]:,}") for name in ("events", "signals", "images", "rejected", "clamped", "assumed")]
    contents = ReportContents(
        title="A ward, end to end",
        made_at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        simulated=settings.ward.simulated,
        summary=[*summary, ("held-out subjects", str(board.subjects)), ("ticks", str(len(history.report.ticks)))],
        board=board,
        burden=history.held_out,
        story=_story(settings, store, history, subject, at),
        known_when=known_when(store, subject, as_of=at),
    )
    return write_report(path, contents)


def protagonist(store: Store, history: Backtested) -> tuple[int, int]:
    """Who the story is about and when: a held-out patient with waveforms whose alert came before an event, if there is
    one; else the first with an alert and waveforms; else anyone who was forecast."""
    shown = {subject for subject, row in _rows(store).items() if row["signals"]}
    ranked = []
    for subject, watch in history.watches.items():
        for alert in watch.alerts or watch.asked[len(watch.asked) // 2 :][:1]:
            came = any(alert < onset.time <= alert + 8 * HOUR for onset in watch.onsets)
            rank = (subject not in shown, not watch.alerts, not came, subject not in history.test)
            ranked.append((*rank, alert, subject))
    *_, at, subject = min(ranked)
    return subject, at


def _rows(store: Store) -> dict[int, dict[str, Any]]:
    return {row["subject_id"]: row for row in store.subjects(END).to_pylist()}


def _story(settings: Settings, store: Store, history: Backtested, subject: int, at: int) -> Story:
    from clinical_jepa.evaluate.story import story
    from clinical_jepa.timeline.windows import window

    policy = compose.policy(settings)
    end = min(at + _AFTER, history.report.ticks[-1].now)
    past = store.history(subject, as_of=end)
    shown = window(
        past,
        subject_id=subject,
        as_of=end,
        start=end - _BEFORE - _AFTER,
        step=HOUR,
        codes=policy.task.vitals,
        load=store.samples,
    )
    said = history.report.ledger.outcomes(since=shown.edges[0].item(), until=end, subject_id=subject)
    changes = [one for one in history.report.ledger.transitions() if one.subject_id == subject and one.at <= end]
    forecasts = sorted((one for one in said if isinstance(one, Forecast)), key=lambda one: one.at)
    return story(store, shown, task=policy.task, policy=policy, forecasts=forecasts, transitions=changes)
