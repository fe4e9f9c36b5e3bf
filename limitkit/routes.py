"""Which queue a message came from, whether it can go back there, and before which others it goes."""

from __future__ import annotations

import fnmatch
from typing import Any


def queue_of(app: Any, delivery_info: dict[str, Any]) -> str | None:
    """Return the queue that a message with this exchange and routing key came from, a consumed one first.

    None when it can't be told: a message that goes to a queue that nobody has is lost.
    """
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


def parkable_queue(app: Any, delivery_info: dict[str, Any]) -> str | None:
    """Return the queue that a message came from if it may leave the worker and come back there.

    None for a broadcast, which is each worker's own copy, for a queue that is consumed without acknowledging, where
    nothing but this worker has the message, and for one that can't be told.
    """
    name = queue_of(app, delivery_info)
    queue = _queues(app).get(name) if name else None
    if queue is not None and (queue.no_ack or (queue.exchange is not None and queue.exchange.type == "fanout")):
        return None
    return name


def _queues(app: Any) -> dict[str, Any]:
    """Return an app's queues by name; Celery 5.5 has a broadcast that is consumed under its alias alone."""
    return {**app.amqp.queues, **app.amqp.queues.consume_from}


def priority_of(message: Any, connection: Any) -> int:
    """Return a message's priority; the lower goes first. RabbitMQ serves the higher number first, Redis the lower."""
    given = int(message.properties.get("priority") or 0)
    if connection.transport.driver_type == "amqp":
        return -given
    steps = getattr(message.channel, "priority", None)
    return int(steps(given)) if steps else given
