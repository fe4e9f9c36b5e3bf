"""Messages and requests as a worker sees them, made as small as what the real code reads of them."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from celery.worker import state

from limitkit.buckets import ticket
from limitkit.waiting.delivery import KEY as DELIVERY
from limitkit.waiting.origin_queue import QUEUE
from limitkit.waiting.send_back import SendBack

if TYPE_CHECKING:
    from collections.abc import Callable

    from limitkit.trial.scenario import Arrival
    from limitkit.waiting.delivery import Delivery

_JSON: Final = "application/json"
_UTF8: Final = "utf-8"
_encode: Final = json.JSONEncoder().encode
_decode: Final = json.JSONDecoder().raw_decode
_CELERYS: Final = frozenset(("lang", "task", "id"))


def message_text(arrival: Arrival, number: int) -> str:
    """Write a message as kombu puts it into a list of Redis; its id is its number."""
    body = _encode([arrival.args, dict(arrival.kwargs), {}])
    if arrival.headers:
        headers = {**arrival.headers, "lang": "py", "task": arrival.task, "id": str(number)}
        return raw_text(body, headers, _properties(arrival.queue, arrival.priority))
    before, behind = _around_body(arrival.task, arrival.queue, arrival.priority)
    return f'{before}"{number}"{behind}{_encode(body)}}}'


@lru_cache(1024)
def _around_body(task: str, queue: str, priority: int) -> tuple[str, str]:
    """Write all of a message that such messages have in common: what is before their number, and before their body."""
    headers = _encode({"lang": "py", "task": task})[:-1]
    properties = _encode(_properties(queue, priority))
    rest = f', "properties": {properties}, "content-encoding": "{_UTF8}", "content-type": "{_JSON}", "body": '
    return f'{{"headers": {headers}, "id": ', f"}}{rest}"


def _properties(queue: str, priority: int) -> dict[str, Any]:
    return {"priority": priority, "delivery_info": {"exchange": "", "routing_key": queue}}


def raw_text(body: Any, headers: Any, properties: Any) -> str:
    """Write a message from its parts."""
    return _encode(
        {
            "body": body,
            "content-encoding": _UTF8,
            "content-type": _JSON,
            "headers": headers,
            "properties": properties,
        }
    )


class Message:
    """As kombu's message."""

    __slots__ = (
        "_raw",
        "_state",
        "body",
        "channel",
        "content_encoding",
        "content_type",
        "delivery_info",
        "delivery_tag",
        "headers",
        "properties",
    )

    def __init__(self, text: str, channel: Any, tag: str, queue: str) -> None:
        self._raw: dict[str, Any] = _decode(text)[0]
        self._state = "RECEIVED"
        self.body = self._raw["body"]
        self.channel = channel
        self.content_type, self.content_encoding = _JSON, _UTF8
        self.headers: dict[str, Any] = self._raw["headers"]
        self.properties: dict[str, Any] = self._raw["properties"]
        self.delivery_tag = self.properties["delivery_tag"] = tag
        self.delivery_info = {**self.properties["delivery_info"], QUEUE: queue}


class Request:
    """As Celery's request."""

    expires = None

    def __init__(self, message: Message, task: Any, on_dropped: Callable[[Request], None]) -> None:
        headers = message.headers
        self.id: str = headers["id"]
        self.message = message
        self.task, self.name = task, task.name
        self.args, self.kwargs, _ = _decode(message.body)[0]
        self.request_dict = {
            **headers,
            "properties": message.properties,
            "delivery_info": message.delivery_info,
            "headers": {name: value for name, value in headers.items() if name not in _CELERYS},
            "args": self.args,
            "kwargs": self.kwargs,
        }
        self.acknowledged = False
        self.on_end: Callable[[], None] = _nothing
        self._on_dropped = on_dropped

    def __str__(self) -> str:
        return f"{self.name}[{self.id}]"

    def revoked(self) -> bool:
        """Whether it was revoked; then it ends as dropped, once."""
        if self.id not in state.revoked:
            return False
        if not self.acknowledged:
            self._announce_revoked()
        return True

    def maybe_expire(self) -> bool:
        """Whether it has expired: none does."""
        return False

    def acknowledge(self) -> None:
        """Acknowledge its message."""
        if not self.acknowledged:
            self.acknowledged = True
            self.message.channel.ack(self.message.delivery_tag)

    def on_accepted(self, pid: int, time_accepted: float) -> None:  # noqa: ARG002 (Celery passes them)
        """Note that a pool process has begun."""
        self.acknowledge()

    def _announce_revoked(self, *_: Any) -> None:
        """Have it end as dropped."""
        self.acknowledge()
        state.requests.pop(self.id, None)
        self._on_dropped(self)


def _nothing() -> None:
    pass


class PlayedSendBack(SendBack):
    """The guard's way back to a queue: the message goes there as it came."""

    def __init__(self, app: Any, sent_back: Callable[[str, Delivery, float], None]) -> None:
        """``sent_back`` is given the message's text, how it was delivered, and the seconds that it has to wait."""
        super().__init__(app)
        self._sent_back = sent_back

    def __call__(
        self,
        task: Any,  # noqa: ARG002 (as the real one)
        task_id: str,  # noqa: ARG002
        delivery: Delivery | None,
        wait: float = 0.0,
        *,
        refusals: int | None = None,  # noqa: ARG002
    ) -> bool:
        """See ``SendBack``."""
        if delivery is None:
            return False
        own = (DELIVERY, ticket.KEY)
        properties = {name: value for name, value in delivery.properties.items() if name not in own}
        self._sent_back(raw_text(delivery.body, dict(delivery.headers), properties), delivery, wait)
        return True
