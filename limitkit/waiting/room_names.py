"""Names of the waiting rooms by kind of broker, which is told by the class of kombu's transport."""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from limitkit.config.model.units import duration_text
from limitkit.config.wording import one_line

if TYPE_CHECKING:
    from limitkit.config.declared import WaitingSettings

REDIS: Final = "the broker's Redis"
RABBITMQ: Final = "queues of RabbitMQ with a time to live"
OTHER: Final = "their own queue, with an ETA"
_STRUCTURE: Final = ("QoS", "_put", "_get", "_size", "_purge", "_brpop_start", "_brpop_read", "_q_for_pri", "priority")
"""What of kombu's channel says how a Redis broker keeps messages."""
_TO_LOOK: Final = {
    RABBITMQ: "They are named limitkit.wait.QUEUE.SECONDS; to count them: rabbitmqctl list_queues name messages",
    OTHER: "To count them, look into that queue with the broker's own tools.",
}


class UnusableBrokerError(Exception):
    """An app's broker is not one that kombu can use; its text says why, without the URL."""


def kind_of_transport(transport: Any) -> str:
    """Name the waiting room that fits a transport, by its class.

    Another package's may have the same type of driver, or extend kombu's, and keep messages in its own way.
    """
    given: Any = type(transport)
    return _kind_of_class(given)


@cache
def _kind_of_class(given: Any) -> str:
    of_redis = sys.modules.get("kombu.transport.redis")  # whoever has such a transport has imported it
    if of_redis is not None and issubclass(given, of_redis.Transport):
        same = (getattr(given.Channel, name, None) is getattr(of_redis.Channel, name) for name in _STRUCTURE)
        return REDIS if all(same) else OTHER
    of_amqp = sys.modules.get("kombu.transport.pyamqp")
    return RABBITMQ if of_amqp is not None and issubclass(given, of_amqp.Transport) else OTHER


def kind_of(app: Any) -> str:
    """Name the waiting room of an app's broker, which is not connected to for that.

    Raises UnusableBrokerError when kombu can't use such a broker, or not here.
    """
    try:
        return kind_of_transport(app.connection_for_read().transport)
    except Exception as error:
        # Other errors may quote a part of the URL as its port that belongs to its password.
        why = one_line(str(error)) if isinstance(error, (ImportError, KeyError)) else "its URL can't be read"
        raise UnusableBrokerError(f"the app's broker can't be used: {why}") from error


def parked_where(kind: str, settings: WaitingSettings) -> str:
    """Say in one line when a task leaves its worker, and where it is then."""
    return f"Tasks that can't start within {duration_text(settings.hold)} are parked in {kind}."


def to_look(kind: str) -> str:
    """Say how to see what is parked where limitkit can't list it; an empty string where it can."""
    return _TO_LOOK.get(kind, "")
