"""Looks for a message in a Redis broker as kombu keeps it: in a queue, or fetched and not acknowledged."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from limitkit.waiting.redis_keys import client_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MESSAGES: Final = 50
"""Messages that are read in one call; one can be large."""


@dataclass(frozen=True, slots=True)
class Queued:
    """A message that is in a queue, or with a worker that has not acknowledged it."""

    task: str
    queue: str
    """Empty when a worker has fetched it."""
    place: int
    """1 is next."""
    eta: str
    """As its sender wrote it; empty when it has none."""


def find(channel: Any, queues: Iterable[str], task_id: str) -> Queued | None:
    """Find the message of a task; None when it is in none of these queues, and no worker has it."""
    wanted = json.dumps(task_id)[1:-1].encode()
    for queue in queues:
        before = 0
        for step in channel.priority_steps:
            name = f"{channel.global_keyprefix}{channel._q_for_pri(queue, step)}"  # noqa: SLF001 (kombu says it nowhere else)
            for place, message in _messages(channel, name):
                found = _read(message, wanted, task_id, queue, before + place)
                if found is not None:
                    return found
            with client_of(channel) as client:
                before += int(client.llen(name))
    with client_of(channel) as client:
        for _, kept in client.hscan_iter(f"{channel.global_keyprefix}{channel.unacked_key}", count=_MESSAGES):
            found = _read(kept, wanted, task_id, "", 0)
            if found is not None:
                return found
    return None


def _messages(channel: Any, name: str) -> Iterator[tuple[int, Any]]:
    """Go through a list from its tail, where messages come in, and so miss none while workers fetch from its head."""
    at = 0
    with client_of(channel) as client:
        while chunk := client.lrange(name, at, at + _MESSAGES - 1):
            length = int(client.llen(name))
            yield from ((length - at - index, message) for index, message in enumerate(chunk))
            at += len(chunk)


def _read(kept: Any, wanted: bytes, task_id: str, queue: str, place: int) -> Queued | None:
    if wanted not in kept:
        return None
    message = json.loads(kept)
    if isinstance(message, list):  # kombu keeps an unacknowledged message with its exchange and routing key
        message = message[0]
    headers, properties = message.get("headers", {}), message.get("properties", {})
    if task_id not in (headers.get("id"), properties.get("correlation_id")):
        return None
    return Queued(
        str(headers.get("task", "the task")), queue, max(1, place) if queue else 0, str(headers.get("eta") or "")
    )
