"""Publishes a message to its queue again: to the queue itself, not through its exchange or its task.

Through its exchange it would reach each queue that is bound there, or none. A task's own ``apply_async`` may do
anything with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from kombu.pools import producers
from kombu.transport import virtual

if TYPE_CHECKING:
    from collections.abc import Callable

    from limitkit.waiting.delivery import Delivery
    from limitkit.waiting.message_copy import Copy

_RETRIES: Final = {"max_retries": 2, "interval_start": 0, "interval_step": 0.2}
"""A connection from the pool may have been idle for long, and be lost."""
_PATIENCE: Final = 30.0
"""Seconds in which RabbitMQ must confirm a message; it may take a while when it is short of memory."""
_ROUTES: Final = frozenset(("CC", "BCC"))
"""RabbitMQ would send a copy to each queue that these headers name, once more."""
_NOT_PROPERTIES: Final = frozenset(("application_headers", "content_type", "content_encoding", "priority"))
"""Properties of a message that py-amqp takes as arguments of their own."""


class NoQueueError(Exception):
    """The queue of a message is not there any more."""


def publish(app: Any, delivery: Delivery, copy_for: Callable[[Any], Copy]) -> None:
    """Put a copy of a message into the queue that it came from. It is there when this returns.

    ``copy_for`` is given the channel over which it goes, and returns what is to be published.

    Raises what the broker's client raises, and NoQueueError; then it is not there, or that is not known.
    """
    with _producers(app).acquire(block=True) as producer:

        def put() -> None:
            _put(producer.connection, producer.channel, delivery, copy_for(producer.channel))

        producer.connection.ensure(producer, put, **_RETRIES)()


def _producers(app: Any) -> Any:
    """Return the pool of producers for the broker that messages come from: an app may write to another."""
    if app.conf.broker_read_url == app.conf.broker_write_url:
        return app.producer_pool
    app.pool  # noqa: B018 (this sets how many connections kombu may open)
    return producers[app.connection_for_read()]


def keeps_routing(channel: Any) -> bool:
    """Whether a message that is put into a queue of this broker still says how its sender has routed it."""
    return isinstance(channel, virtual.Channel)


def _put(connection: Any, channel: Any, delivery: Delivery, copy: Copy) -> None:
    if isinstance(channel, virtual.Channel):
        # As kombu does for a message without an exchange, but with the message's own exchange and routing key.
        properties = {**copy.properties, "delivery_info": {}}
        virtually: Any = channel  # kombu has no types
        message = virtually.prepare_message(
            copy.body,
            content_type=copy.content_type,
            content_encoding=copy.content_encoding,
            headers=dict(copy.headers),
            properties=properties,
        )
        virtually._inplace_augment_message(message, delivery.exchange, delivery.routing_key)  # noqa: SLF001
        virtually._put(delivery.queue, message)  # noqa: SLF001
    elif hasattr(channel, "basic_publish_confirm"):
        with connection.channel() as own:  # the producer's own does not wait for confirmations
            _put_confirmed(own, connection, delivery.queue, copy)
    else:
        prepared = amqp_message(channel, copy, connection.userid)
        channel.basic_publish(prepared, exchange="", routing_key=delivery.queue)


def _put_confirmed(channel: Any, connection: Any, queue: str, copy: Copy) -> None:
    returned: list[Any] = []
    channel.events["basic_return"].add(lambda *said: returned.append(said))
    channel.basic_publish_confirm(
        amqp_message(channel, copy, connection.userid),
        exchange="",
        routing_key=queue,
        mandatory=True,
        confirm_timeout=_PATIENCE,
    )
    if returned:
        raise NoQueueError(f"RabbitMQ has no queue {queue} any more")


def amqp_message(channel: Any, copy: Copy, userid: str | None) -> Any:
    """Return a copy as the message that a channel of AMQP publishes; ``userid`` is who publishes it."""
    properties = {name: value for name, value in copy.properties.items() if name not in _NOT_PROPERTIES}
    if properties.get("user_id") != userid:  # the broker refuses any other
        properties.pop("user_id", None)
    return channel.prepare_message(
        copy.body,
        priority=copy.properties.get("priority"),
        content_type=copy.content_type,
        content_encoding=copy.content_encoding,
        headers={name: value for name, value in copy.headers.items() if name not in _ROUTES},
        properties=properties,
    )
