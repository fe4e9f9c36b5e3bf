"""Reads the waiting room of a Redis broker from outside: what is parked, and for which buckets.

Nothing here holds more than a part of the messages in memory, and no call keeps Redis busy for long. Workers go on
meanwhile, so a count is true only for the moment in which it was taken.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

from limitkit.control.workers import connection
from limitkit.waiting.redis_keys import call, client_of, keys, own_line, place, queue_keys, script, span
from limitkit.waiting.room import MOST_ORDERS, ORDER, ORDERS_A_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_COUNT: Final = script("line", "turns", "count")
_PURGE: Final = script("line", "turns", "purge")
_CHUNK: Final = 100
"""Buckets, or messages to remove, of one call: Redis does nothing else meanwhile."""
_MESSAGES: Final = 50
"""Messages that are read in one call; one can be large."""

Item = TypeVar("Item")


@contextmanager
def broker(app: Any) -> Iterator[Any]:
    """Lend a channel to the broker of an app. Raises UnreachableError when it can't be reached, or is lost."""
    with connection(app) as lent:
        yield lent.channel()


@dataclass(frozen=True, slots=True)
class Pile:
    """What is parked for one bucket in one queue."""

    queue: str
    bucket: str
    count: int
    age: float
    """Seconds since the first of them was first parked."""
    due: float
    """Seconds until the next one is due."""
    interval: float
    """Seconds between two of them, as a worker reported last."""
    values: int = 0
    """How many values of ``fair_by`` take turns; 0 without it."""


@dataclass(frozen=True, slots=True)
class Found:
    """One parked message."""

    message: dict[str, Any]
    """As kombu keeps it; its body must not be shown."""
    pile: Pile
    place: int
    """1 is next; among those of its own value, where values take turns."""
    age: float
    """Seconds since it was first parked."""

    @property
    def due(self) -> float:
        """Seconds until it is due, as long as the interval does not change, and all values have a weight of 1."""
        return max(0.0, self.pile.due + (self.place - 1) * self.pile.interval * max(1, self.pile.values))


class ParkedMessages:
    """The waiting room behind one channel; ``prefix`` is the store's."""

    def __init__(self, channel: Any, prefix: str) -> None:
        self._channel = channel
        self._prefix = prefix
        self._messages, self._queues, self._clock = keys(channel, prefix, "messages", "queues", "clock")

    def piles(self, queue: str | None = None) -> Iterator[Pile]:
        """Count what is parked, of one queue or of all, queue by queue and bucket by bucket."""
        for name, buckets in self._buckets(queue):
            yield from self._count(name, buckets)

    def find(self, task_id: str) -> Found | None:
        """Find the parked message of a task; None when there is none."""
        wanted = json.dumps(task_id)[1:-1].encode()
        with client_of(self._channel) as client:
            for tag, kept in client.hscan_iter(self._messages, count=_MESSAGES):
                if wanted in kept:
                    where, _, text = kept.partition(b"\n")
                    message = json.loads(text)
                    if task_id in (message["headers"].get("id"), message["properties"].get("correlation_id")):
                        return self._placed(message, tag, where.partition(b"\0")[2])
        return None

    def purge(self, piles: Iterable[Pile]) -> Iterator[int]:
        """Remove these for good, and yield now and then how many; what was parked since they were counted stays."""
        for queue, wanted in _portions(piles):
            names = [self._messages, self._queues, *queue_keys(self._channel, self._prefix, queue)]
            yield call(self._channel, _PURGE, names, [queue, *wanted])

    def purge_queue(self, queue: str) -> Iterator[int]:
        """Remove all that is parked of a queue now, and yield now and then how many."""
        yield from self.purge(list(self.piles(queue)))

    def _buckets(self, only: str | None = None) -> Iterator[tuple[str, list[bytes]]]:
        """Name the buckets for which something is parked, some of one queue at a time."""
        with client_of(self._channel) as client:
            queues = [only.encode()] if only is not None else sorted(client.sscan_iter(self._queues, count=_CHUNK))
            for queue in queues:
                due = queue_keys(self._channel, self._prefix, queue.decode())[0]
                seen: set[bytes] = set()
                for chunk in _chunks(bucket for bucket, _ in client.zscan_iter(due, count=_CHUNK)):
                    new = [bucket for bucket in dict.fromkeys(chunk) if bucket not in seen]
                    seen.update(new)  # a scan may name one twice
                    yield queue.decode(), new

    def _count(self, queue: str, buckets: Sequence[bytes]) -> Iterator[Pile]:
        names = queue_keys(self._channel, self._prefix, queue)
        now = self._now()
        reply = iter(call(self._channel, _COUNT, names, [MOST_ORDERS, *buckets]))
        for bucket, count, order, due, interval, values in zip(*[reply] * 6, strict=True):
            yield Pile(queue, bucket.decode(), count, _age(order, now), float(due) - now, float(interval), values)

    def _now(self) -> float:
        """Return the time by the waiting room's clock, which is the server's but never goes back (see clock.lua)."""
        with client_of(self._channel) as client:
            seconds, microseconds = client.time()
            _, ahead = (client.get(self._clock) or b"0 0").split()
        return float(seconds + microseconds / 1_000_000) + float(ahead)

    def _placed(self, message: dict[str, Any], tag: bytes, value: bytes) -> Found | None:
        """Find out for which bucket a message waits; the message itself does not say."""
        order = int(message["properties"][ORDER])
        for queue, buckets in self._buckets():
            line = queue_keys(self._channel, self._prefix, queue)[2]
            with client_of(self._channel) as client:
                pipeline = client.pipeline(transaction=False)
                owns = [own_line(bucket, value) for bucket in buckets]
                for own in owns:
                    pipeline.zscore(line, place(own, order, tag))
                scores = zip(buckets, owns, pipeline.execute(), strict=True)
                found = {bucket: own for bucket, own, score in scores if score is not None}
                before = [client.zlexcount(line, span(own)[0], b"(" + place(own, order, tag)) for own in found.values()]
            for bucket, count in zip(found, before, strict=True):
                for pile in self._count(queue, [bucket]):
                    return Found(message, pile, count + 1, _age(order, self._now()))
        return None


def _age(order: Any, now: float) -> float:
    return max(0.0, now - int(order) % MOST_ORDERS / ORDERS_A_SECOND)


def _chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    rest = iter(items)
    while chunk := list(islice(rest, _CHUNK)):
        yield chunk


def _portions(piles: Iterable[Pile]) -> Iterator[tuple[str, list[Any]]]:
    """Cut what is to be removed into short calls: a queue each, with buckets and numbers."""
    queue, size = "", 0
    wanted: list[Any] = []
    for pile in piles:
        left = pile.count
        while left:
            if wanted and (pile.queue != queue or size >= _CHUNK):
                yield queue, wanted
                wanted, size = [], 0
            part = min(left, _CHUNK - size)
            queue, size, left = pile.queue, size + part, left - part
            wanted += (pile.bucket, part)
    if wanted:
        yield queue, wanted
