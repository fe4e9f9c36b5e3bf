"""Finds which queue a message came from, whether it can go back there, and its priority."""

from __future__ import annotations

import fnmatch
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from kombu.transport import virtual

from limitkit.waiting.room_names import REDIS, kind_of_transport

if TYPE_CHECKING:
    from collections.abc import Callable

_HIGHER_FIRST: Final = frozenset(("amqp", "mongodb", "qpid", "zookeeper"))
QUEUE: Final = "limitkit_queue"
"""Where a message's ``delivery_info`` names the queue that it came from."""


def note_queues(channel: Any) -> None:
    """Have each message that is consumed over a channel from now on say which queue it came from.

    Its exchange and routing key don't say that: several queues may be bound alike. A broker of AMQP names only the
    consumer, and kombu's own transports name nothing.
    """
    consume = channel.basic_consume

    def basic_consume(queue: str, *args: Any, callback: Callable[[Any], Any], **kwargs: Any) -> Any:
        tag = consume(queue, *args, callback=partial(_deliver, queue, callback), **kwargs)
        if isinstance(channel, virtual.Channel):  # it notes what is unacknowledged before it delivers it
            callbacks = channel.connection._callbacks  # noqa: SLF001 (kombu says it nowhere else)
            callbacks[queue] = partial(_announce, channel.qos, queue, callbacks[queue])
        return tag

    channel.basic_consume = basic_consume


def _announce(qos: Any, queue: str, deliver: Callable[[Any], Any], raw: Any) -> Any:
    if hasattr(qos, "comes"):  # limitkit's own
        qos.comes(raw, queue)
    return deliver(raw)


def _deliver(queue: str, callback: Callable[[Any], Any], message: Any) -> Any:
    info = message.delivery_info or {}
    if info.get(QUEUE) != queue:  # else it was said already, as the message was noted as unacknowledged
        message.delivery_info = {**info, QUEUE: queue}
    return callback(message)


def queue_of(app: Any, delivery_info: dict[str, Any]) -> str | None:
    """Return the queue that a message with this exchange and routing key came from, a consumed one first.

    None when it is not known: a message that goes to a queue that nobody consumes is lost.
    """
    noted = delivery_info.get(QUEUE)
    if noted is not None:
        return str(noted)
    exchange = delivery_info.get("exchange") or ""
    routing_key = delivery_info.get("routing_key") or ""
    queues = _queues(app)
    consumed_first = [*app.amqp.queues.consume_from, *queues]
    if not exchange or (exchange in queues and routing_key in ("", exchange)):
        return exchange or routing_key
    for name in consumed_first:
        queue = queues[name]
        for binding in (queue, *(queue.bindings or ())):
            of = binding.exchange.name if binding.exchange is not None else ""
            pattern = (binding.routing_key or "").replace("#", "*")
            if of == exchange and (binding.exchange.type == "fanout" or fnmatch.fnmatchcase(routing_key, pattern)):
                return str(name)
    return None


def parkable_queue(app: Any, message: Any) -> str | None:
    """Return the queue that a message came from if it may leave the worker and come back there.

    None for what only this worker has: a broadcast, and what is consumed without acknowledging; and where the queue is
    not known.
    """
    name = queue_of(app, message.delivery_info or {})
    queue = _by_name(app, name)
    return None if queue is not None and (queue.no_ack or _is_own_copy(queue, message.channel)) else name


def _by_name(app: Any, name: str | None) -> Any:
    """Return the queue that is consumed under a name of the broker's, which may not be the app's name for it."""
    queues = _queues(app)
    found = queues.get(name or "")
    return found if found is not None else next((each for each in queues.values() if each.name == name), None)


def _is_own_copy(queue: Any, channel: Any) -> bool:
    """Whether what comes from a queue is this worker's own copy of a message.

    With AMQP a queue of a fanout exchange is like any other, unless it is deleted with its consumer; kombu's own
    transports have no such queue at all, but channels to which a worker listens.
    """
    if queue.exchange is None or queue.exchange.type != "fanout":
        return False
    return bool(queue.auto_delete or queue.exclusive or isinstance(channel, virtual.Channel))


def _queues(app: Any) -> dict[str, Any]:
    """Return an app's queues by name; Celery 5.5 keeps a consumed broadcast only under its alias."""
    return {**app.amqp.queues, **app.amqp.queues.consume_from}


def priority_of(message: Any, connection: Any) -> int:
    """Return a message's priority; the lower goes first. It is 0 for all where the broker knows no priorities.

    AMQP and MongoDB serve the higher number first, Redis the lower, by steps. What is not a number, or is out of
    bounds, counts as it does for kombu.
    """
    given = message.properties.get("priority")
    channel, transport = message.channel, connection.transport
    if transport.driver_type in _HIGHER_FIRST:
        return -given if isinstance(given, int) else 0
    if channel is None or kind_of_transport(transport) != REDIS:  # a batch has none
        return 0
    return int(channel.priority(channel._get_message_priority({"properties": {"priority": given}})))  # noqa: SLF001 (kombu says it nowhere else)
