"""A message as it was delivered: it travels with its request into the pool, and goes back to its queue as it came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from limitkit.waiting.room import ORDER

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY: Final = "limitkit_delivery"
"""Where ``task.request.properties`` has it until the guard takes it off. What is in there is never sent on."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as its broker delivered it, and the queue that it came from.

    Its parts are the same objects that Celery's request has. So a pool process that gets both gets each part once:
    pickle writes an object that comes again as a reference.
    """

    queue: str
    body: Any
    """Bytes, as they were serialized; decompressed where they came compressed."""
    content_type: str | None
    content_encoding: str | None
    headers: Mapping[str, Any]
    properties: Mapping[str, Any]
    exchange: str
    routing_key: str


def delivery_of(message: Any, queue: str) -> Delivery:
    """Return a kombu message as it was delivered from this queue."""
    info = message.delivery_info or {}
    return Delivery(
        queue,
        message.body,
        message.content_type,
        message.content_encoding,
        message.headers,
        message.properties,
        info.get("exchange") or "",
        info.get("routing_key") or "",
    )


def attach(request: Any, queue: str | None) -> None:
    """Attach the message to its request, which goes to the pool; not without a queue: then it can't go back."""
    if queue is not None:
        properties = request.request_dict.get("properties") or {}
        request.request_dict["properties"] = {**properties, KEY: delivery_of(request.message, queue)}


def collect(context: Any) -> Delivery | None:
    """Take the message off ``task.request``; None when it may not go back, or did not come through the consumer."""
    delivery = (context.properties or {}).pop(KEY, None)
    if not isinstance(delivery, Delivery):  # a sender wrote something else there
        return None
    context.properties.pop(ORDER, None)
    return delivery
