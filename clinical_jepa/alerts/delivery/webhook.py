"""Delivery by HTTP: one POST a message, with its key as ``Idempotency-Key``; any answer but 2xx is a failure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from clinical_jepa.records.alerts import Message
from clinical_jepa.records.errors import BadRequest


@dataclass(frozen=True, kw_only=True)
class WebhookConfig:
    """``timeout_s`` bounds connecting, sending and waiting, each."""

    url: str
    timeout_s: float = 5.0


def to_webhook(config: WebhookConfig) -> Callable[[Message], None]:
    """A channel to ``config.url``; ``BadRequest`` where that is no http(s) address.

    Redirects are not followed and no proxy of the environment is used: alerts go where the configuration says, and
    nowhere else.
    """
    parts = urlsplit(config.url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadRequest("delivery.webhook must be an http(s) address, like https://pager.example/alerts")
    client = httpx.Client(timeout=config.timeout_s, follow_redirects=False, trust_env=False)

    def deliver(message: Message) -> None:
        headers = {"Idempotency-Key": message.key, "Content-Type": "application/json"}
        answer = client.post(config.url, content=message.payload, headers=headers)
        if not answer.is_success:
            raise NotAccepted(f"the receiver answered {answer.status_code}")

    return deliver


class NotAccepted(Exception):
    """The receiver was reached and did not take the message."""
