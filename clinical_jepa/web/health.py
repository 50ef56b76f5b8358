"""Is what the page shows alive? The loop, the relay, every feed, the quarantine: what must be said, worst first.

The loop and the relay are judged by wall time, feeds and messages by the ward clock. A heartbeat from the future (a
stepped clock) is no sign of life.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from clinical_jepa.records.instant import SECOND
from clinical_jepa.web.config import WebConfig
from clinical_jepa.web.state import WardState
from clinical_jepa.web.words import age

Level = Literal["bad", "warn", "note"]
LOOP, RELAY = "watch", "relay"
_AHEAD = 5 * SECOND


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One line of the banner."""

    level: Level
    name: str
    text: str


@dataclass(frozen=True, kw_only=True)
class FeedHealth:
    """One source at the ward's now: how old its newest row is, and how old it may be (µs)."""

    source: str
    newest: int
    age: int
    allowed: int
    rows: int

    @property
    def late(self) -> bool:
        """Quiet for longer than expected."""
        return self.age > self.allowed


@dataclass(frozen=True, kw_only=True)
class Health:
    """``live`` is false when the loop gives no sign of life; ``loop_seen`` is its newest heartbeat (wall), if any."""

    live: bool
    loop_seen: int | None
    now: int
    wall: int
    notices: tuple[Notice, ...]
    feeds: tuple[FeedHealth, ...]
    quarantined: int
    past: int | None = None  # age (µs) of the newest row of all sources, where the page shows the past


def read_health(state: WardState, config: WebConfig) -> Health:
    """What the banner says now."""
    now, wall = state.clock.now(), state.wall()
    heartbeats = {name: beat.wall for name, beat in state.ledger.heartbeats().items()}
    live = _alive(heartbeats.get(LOOP), wall, config.loop_quiet_s)
    feeds = tuple(sorted(_feeds(state, config, now), key=lambda feed: feed.source))
    unrouted = _unrouted(state, config, now)
    relay_runs = _alive(heartbeats.get(RELAY), wall, config.relay_quiet_s)
    newest = min((feed.age for feed in feeds), default=0)
    past = newest if newest > config.past_s * SECOND else None
    notices = [
        *_past(past),
        *_routing(unrouted, relay_runs, heartbeats.get(RELAY), wall),
        *(_silent(feeds) if past is None else ()),
        *_clock_faults(state, now),
    ]
    return Health(
        live=live,
        loop_seen=heartbeats.get(LOOP),
        now=now,
        wall=wall,
        notices=tuple(notices),
        feeds=feeds,
        quarantined=state.store.refusals,
        past=past,
    )


def _alive(seen: int | None, wall: int, quiet_s: int) -> bool:
    return seen is not None and -_AHEAD <= wall - seen <= quiet_s * SECOND


def _feeds(state: WardState, config: WebConfig, now: int) -> Iterator[FeedHealth]:
    for feed in state.store.feeds(now):
        fitting = [(prefix, allowed) for prefix, allowed in config.quiet if feed.source.startswith(prefix)]
        _, allowed = max(fitting, key=lambda pair: len(pair[0]), default=("", config.quiet_otherwise_s))
        newest = feed.newest_available
        yield FeedHealth(source=feed.source, newest=newest, age=now - newest, allowed=allowed * SECOND, rows=feed.rows)


def _unrouted(state: WardState, config: WebConfig, now: int) -> int:
    """Messages that should have been delivered by now; a fast simulated clock gets the same wall time.

    One that was given up counts for as long as its alert is open: somebody should know, and does not.
    """
    patience = int(config.unrouted_s * SECOND * max(1.0, state.clock.speed))
    waiting = [
        message
        for message in state.ledger.messages()
        if message.delivered_at is None and now - message.created_at > patience
    ]
    still_open = {alert.alert_id for alert in state.ledger.alerts(open_only=True)} if waiting else set()
    return sum(one.expired_at is None or one.alert_id in still_open for one in waiting)


def _past(newest: int | None) -> Iterator[Notice]:
    if newest is not None:
        text = f"The newest row of any source is {age(newest)} old. Nothing below is current; look at the patient."
        yield Notice(level="bad", name="past", text=text)


def _routing(unrouted: int, relay_runs: bool, seen: int | None, wall: int) -> Iterator[Notice]:
    if unrouted:
        yield Notice(
            level="bad", name="routing", text=f"Alerts not routed: {unrouted}. Nobody was told; use the phone."
        )
    if not relay_runs:
        since = "has not been started" if seen is None else f"has given no sign of life for {age(wall - seen)}"
        yield Notice(
            level="bad" if unrouted else "warn",
            name="relay",
            text=f"Alerts are not carried to people now: the relay {since}.",
        )


def _silent(feeds: tuple[FeedHealth, ...]) -> Iterator[Notice]:
    late = [f"{feed.source} (newest {age(feed.age)} ago)" for feed in feeds if feed.late]
    if late:
        yield Notice(level="warn", name="feed", text=f"Silent for longer than expected: {', '.join(late)}.")


def _clock_faults(state: WardState, now: int) -> Iterator[Notice]:
    faults = state.store.bases(now).get("receipt-clock-fault", 0)
    if faults:
        rows = f"{faults} row{'s' if faults > 1 else ''}"
        yield Notice(level="note", name="clock", text=f"{rows} from a clock ahead of ours, kept and marked")
