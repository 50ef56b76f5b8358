"""An outbox in memory that obeys the worker's protocol: what the relay may rely on, and nothing more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from clinical_jepa.records.alerts import Message
from clinical_jepa.records.instant import SECOND
from tests.alerts.cases import T0


@dataclass
class Entry:
    message: Message
    state: str = "waiting"
    not_before: int = -1
    errors: list[str] = field(default_factory=list)


class MemoryOutbox:
    def __init__(self, messages: Sequence[Message]) -> None:
        self.entries = {one.key: Entry(one) for one in messages}

    def lease(self, worker: str, now: int, seconds: int, limit: int) -> list[Message]:
        due = [one for one in self.entries.values() if one.state == "waiting" and one.not_before <= now][:limit]
        for one in due:
            one.not_before = now + seconds * SECOND
        return [one.message for one in due]

    def delivered(self, key: str, at: int) -> None:
        self.entries[key].state = "delivered"

    def failed(self, key: str, at: int, error: str, retry_at: int) -> None:
        self.entries[key].errors.append(error)
        self.entries[key].not_before = retry_at

    def expired(self, key: str, at: int) -> None:
        self.entries[key].state = "expired"


def message(key: str, *, age: int = 0, valid: int = 3600 * SECOND) -> Message:
    return Message(
        key=key,
        recipient="r",
        alert_id="a",
        created_at=T0 - age,
        valid_until=T0 - age + valid,
        payload=f'{{"key": "{key}", "bed": "Bed 7"}}'.encode(),
    )
