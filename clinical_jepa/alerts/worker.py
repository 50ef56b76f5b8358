"""The delivery worker: what ticks committed to the outbox is carried to its receiver, at least once.

Lease, deliver, mark. A kill between "delivered" and "marked" sends the message again, so receivers go by its key. A
message that cannot be delivered waits longer each time and never holds up the others; one whose validity has passed is
not sent any more, but marked ``expired``, which the ward page shows as an alert nobody was told of.

Light by design: this program must start and run where models, tables and flows cannot.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from clinical_jepa.records.alerts import Message
from clinical_jepa.records.instant import MINUTE, SECOND
from clinical_jepa.store.crash_points import reached

Deliver = Callable[[Message], None]
Clock = Callable[[], int]


class Outbox(Protocol):
    """The side of ``store.ledger.Ledger`` that the worker uses; instants are of the ward clock."""

    def lease(self, worker: str, now: int, seconds: int, limit: int) -> Sequence[Message]:
        """Up to ``limit`` messages that are due, oldest first, and nobody else's until the lease ends."""
        ...

    def delivered(self, key: str, at: int) -> None: ...
    def failed(self, key: str, at: int, error: str, retry_at: int) -> None: ...
    def expired(self, key: str, at: int) -> None: ...


class Stop(Protocol):
    """Asked for by a signal, or by a test; ``threading.Event`` is one."""

    def is_set(self) -> bool: ...
    def wait(self, timeout: float) -> bool: ...


@dataclass(frozen=True, kw_only=True)
class RelayConfig:
    """``lease_s`` (ward time) should be longer than a batch of deliveries takes; a dead worker's lease ends by itself.

    ``batch`` is small so that ``run`` gives signs of life between receivers that let it wait.
    """

    worker: str = "relay"
    lease_s: int = 120
    batch: int = 4
    retry_least: int = 5 * SECOND
    retry_most: int = 5 * MINUTE
    pause_s: float = 1.0  # wall time between looks at an empty outbox


@dataclass(frozen=True, kw_only=True)
class Relayed:
    """What became of the messages of one pass."""

    delivered: int = 0
    failed: int = 0
    expired: int = 0

    def __add__(self, other: Relayed) -> Relayed:
        return Relayed(
            delivered=self.delivered + other.delivered,
            failed=self.failed + other.failed,
            expired=self.expired + other.expired,
        )


def relay(outbox: Outbox, deliver: Deliver, *, clock: Clock, config: RelayConfig | None = None) -> Relayed:
    """Everything that is due now, carried once; what fails is left for later."""
    config = config or RelayConfig()
    total, due = Relayed(), clock()
    # due by the instant at which this began: what fails meanwhile is not tried again, so this ends
    while (done := _batch(outbox, deliver, due, clock, config)) is not None:
        total += done
    return total


def run(
    outbox: Outbox,
    deliver: Deliver,
    *,
    clock: Clock,
    stop: Stop,
    config: RelayConfig | None = None,
    after: Callable[[Relayed], None] = lambda _: None,
) -> Relayed:
    """Batch after batch until ``stop``; ``after`` is called with what each did (a heartbeat, a log line)."""
    config = config or RelayConfig()
    total = Relayed()
    while not stop.is_set():
        done = _batch(outbox, deliver, clock(), clock, config)
        after(done or Relayed())
        total += done or Relayed()
        if done is None:
            stop.wait(config.pause_s)
    return total


def retry_at(message: Message, now: int, config: RelayConfig) -> int:
    """When to try again: after as long as the message is old, so that waits double and survive a restart of the worker."""
    return now + min(max(now - message.created_at, config.retry_least), config.retry_most)


def _batch(outbox: Outbox, deliver: Deliver, due: int, clock: Clock, config: RelayConfig) -> Relayed | None:
    """What became of the next messages that were due at ``due``; None when there are none."""
    leased = outbox.lease(config.worker, due, config.lease_s, config.batch)
    if not leased:
        return None
    reached("relay.after-lease")
    return sum((_carry(outbox, deliver, message, clock, config) for message in leased), Relayed())


def _carry(outbox: Outbox, deliver: Deliver, message: Message, clock: Clock, config: RelayConfig) -> Relayed:
    now = clock()
    if now > message.valid_until:
        outbox.expired(message.key, now)
        return Relayed(expired=1)
    try:
        deliver(message)
    except Exception as error:  # a message that cannot be delivered, for whatever reason, must not stop the others
        # the type alone: an error's text may quote the payload
        outbox.failed(message.key, clock(), type(error).__name__, retry_at(message, clock(), config))
        return Relayed(failed=1)
    reached("relay.after-delivery")
    outbox.delivered(message.key, clock())
    reached("relay.after-mark")
    return Relayed(delivered=1)
