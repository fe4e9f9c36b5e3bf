"""Chooses the waiting room that fits a broker, and says how long the broker lets a worker hold a message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from limitkit.clock import SYSTEM
from limitkit.waiting import room_names
from limitkit.waiting.redelivery import redelivery

if TYPE_CHECKING:
    from limitkit.clock import Clock
    from limitkit.waiting.room import Room

_VISIBILITY_TIMEOUT: Final = 3600.0
"""Seconds; kombu's default for Redis."""
CONSUMER_TIMEOUT: Final = 1800.0
"""Seconds; RabbitMQ's default."""
SHARE: Final = 4
"""A request is held for at most this part of the time after which the broker delivers it again."""


def open_room(consumer: Any, prefix: str, clock: Clock = SYSTEM) -> Room:
    """Return the waiting room of a consumer's broker; the connection need not be there yet."""
    kind = room_names.kind_of_transport(consumer.app.connection_for_read().transport)
    if kind == room_names.REDIS:
        from limitkit.waiting.redis_room import RedisRoom  # noqa: PLC0415 (redis is imported only by those who need it)

        return RedisRoom(prefix, lambda: consumer.connection.default_channel, lambda: _queues(consumer.app))
    if kind == room_names.RABBITMQ:
        from limitkit.waiting.rabbitmq_room import RabbitMQRoom  # noqa: PLC0415 (likewise)

        return RabbitMQRoom(consumer.app, lambda: consumer.connection)
    from limitkit.waiting.eta_room import EtaRoom  # noqa: PLC0415 (likewise)

    return EtaRoom(consumer.app, clock)


def longest_hold(consumer: Any) -> float:
    """Return the seconds that a worker may hold a message unacknowledged."""
    if room_names.kind_of_transport(consumer.connection.transport) == room_names.RABBITMQ:
        options = consumer.app.conf.broker_transport_options or {}
        return float(options.get("consumer_timeout", CONSUMER_TIMEOUT)) / SHARE
    return min(redelivery(consumer.connection.default_channel), default=_VISIBILITY_TIMEOUT) / SHARE


def _queues(app: Any) -> list[str]:
    """Name the queues that the worker consumes from and messages can come back to."""
    queues = app.amqp.queues.consume_from
    return [name for name, queue in queues.items() if queue.exchange is None or queue.exchange.type != "fanout"]
