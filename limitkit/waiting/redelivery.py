"""After how long a broker delivers a message again that a worker has not acknowledged."""

from __future__ import annotations

from typing import Any, Final

_NAMES: Final = ("visibility_timeout", "peek_lock_seconds", "ack_deadline_seconds")
"""Names of that time: in most of kombu's channels, in Azure's Service Bus and in Google's Pub/Sub."""


def redelivery(channel: Any) -> list[float]:
    """Return these seconds as a channel knows them; nothing when its broker waits for ever, or does not say."""
    return [float(seconds) for name in _NAMES if (seconds := getattr(channel, name, None))]
