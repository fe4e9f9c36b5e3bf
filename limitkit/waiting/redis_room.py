"""The waiting room in a Redis broker: parked messages are in that same Redis, taken out of kombu's unacknowledged."""

from __future__ import annotations

import secrets
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final, cast

from kombu.transport import virtual
from kombu.utils import json

from limitkit.buckets.token_bucket import MICROSECONDS
from limitkit.waiting import room_names
from limitkit.waiting.redis_keys import call, keys, lists, queue_keys, script
from limitkit.waiting.room import MOST_ORDERS, ORDER, ORDERS_A_SECOND, Brought

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from limitkit.waiting.room import Leaving, Steering

_MOST_AT_ONCE: Final = 256
"""Messages that come back in one call at most, which bounds the time that Redis needs for it."""
_MOST_KEYS: Final = 2000
"""Keys that are named in one call at most."""
_PARK: Final = script("clock", "line", "turns", "park")
_BRING: Final = script("clock", "line", "turns", "bring")
_RETIME: Final = script("clock", "retime")
_REWEIGH: Final = script("line", "turns", "reweigh")
_SCANNED: Final = 200
"""Buckets that are read in one call, for the same reason."""
_HERE: Final = f'"{secrets.token_hex(8)}"'
"""A placeholder in the message's text, where the script puts the order."""
_IDLE: Final = 2.0
"""Seconds until an empty waiting room is read again: another worker may have parked something, and died."""
_SOONEST: Final = 0.1


class RedisRoom:
    """Parks and brings back with one script call each; see ``park.lua`` and ``bring.lua``.

    Requests of one bucket come back first come, first served; across workers as they were parked, which is as they
    came to a worker within some tenths of a second.
    """

    kind = room_names.REDIS
    most = 64
    """Requests in one call."""
    every = 0.0
    """Seconds between two calls at least."""
    steered = True

    def __init__(self, prefix: str, channel: Callable[[], Any], queues: Callable[[], Iterable[str]]) -> None:
        self._prefix = prefix
        self._channel = channel
        self._queues = queues

    def run(self, channel: Any, text: str, names: Sequence[str], args: Sequence[Any]) -> Any:
        """Call a script over a channel."""
        return call(channel, text, names, args)

    # -- in -------------------------------------------------------------------------------------------------------

    def park(self, leavers: Sequence[Leaving]) -> None:
        """Park these. A message that is not delivered to this worker any more is with another one, and is dropped."""
        by_queue: dict[str, list[Leaving]] = defaultdict(list)
        for leaver in leavers:
            by_queue[leaver.queue].append(leaver)
        for queue, those in by_queue.items():
            channel = those[0].request.message.channel
            names = [
                *(channel.global_keyprefix + key for key in (channel.unacked_index_key, channel.unacked_key)),
                *keys(channel, self._prefix, "messages", "queues", "order", "clock"),
                *queue_keys(channel, self._prefix, queue),
            ]
            args: list[Any] = [queue, MOST_ORDERS, ORDERS_A_SECOND]
            for leaver in those:
                args += self._described(leaver, channel)
            self.run(channel, _PARK, names, args)
            for leaver in those:
                _acknowledged(leaver.request)

    def _described(self, leaver: Leaving, channel: Any) -> list[Any]:
        taker = leaver.taker
        raw = leaver.request.message._raw  # noqa: SLF001 (the message as it came: what kombu itself gives back)
        order = raw["properties"].get(ORDER, "")
        marked = {**raw, "properties": {**raw["properties"], ORDER: _HERE[1:-1]}}
        before, _, behind = cast("str", json.dumps(marked)).partition(_HERE)  # type: ignore[no-untyped-call]
        priority = channel._get_message_priority(raw, reverse=False)  # noqa: SLF001
        queue = channel._q_for_pri(leaver.queue, priority)  # noqa: SLF001 (the list that kombu would put it into)
        return [
            leaver.request.message.delivery_tag,
            leaver.bucket.key,
            leaver.bucket.interval_us / MICROSECONDS,
            leaver.turn,
            channel.priority(priority),
            order,
            channel.global_keyprefix + queue,
            before,
            behind,
            f"{taker.value} {taker.weight!r} {taker.cost}" if taker is not None and taker.value else "",
        ]

    # -- out ------------------------------------------------------------------------------------------------------

    def bring(self, steering: Steering) -> Brought:
        """Put what is due back at the front of the queues that this worker consumes from."""
        queues = list(self._queues())
        most = _MOST_KEYS // (len(queue_keys(self._channel(), self._prefix, "")) + len(lists(self._channel(), "")))
        again, left, places = _IDLE, Counter[str](), min(steering.places, _MOST_AT_ONCE)
        empty = True
        for first in range(0, max(1, len(queues)), most):
            brought, came = self._bring(queues[first : first + most], steering, places)
            again, empty, places = min(again, brought.again), empty and brought.empty, places - came
            left.update(brought.left)
        return Brought(again, left, empty=empty)

    def _bring(self, queues: Sequence[str], steering: Steering, places: int) -> tuple[Brought, int]:
        """Call the script for some queues; returns also how many messages came back."""
        channel = self._channel()
        names = keys(channel, self._prefix, "messages", "queues", "clock")
        for queue in queues:
            names += queue_keys(channel, self._prefix, queue) + lists(channel, queue)
        buckets = (
            [part for bucket, terms in those.items() for part in (bucket, *terms)]
            for those in (steering.hungry, steering.full)
        )
        described = (_json(each) for each in (list(channel.priority_steps), *buckets))
        args = [steering.lead, places, MOST_ORDERS, *described, steering.turns_lead, *queues]
        soonest, came, *counts = self.run(channel, _BRING, names, args)
        named = (each.decode() if isinstance(each, bytes) else each for each in counts[::2])
        left = dict(zip(named, counts[1::2], strict=True))
        again = _IDLE if soonest < 0 else min(_IDLE, max(_SOONEST, soonest / MICROSECONDS))
        return Brought(again, left, empty=soonest < 0), came

    def retime(
        self, intervals: Mapping[str, float], weights: Mapping[str, Mapping[str, float]] | None = None
    ) -> Iterator[None]:
        """See ``retime.lua`` and ``reweigh.lua``."""
        for queue in list(self._queues()):
            yield from self._scan(_RETIME, queue, intervals)
            if weights:
                yield from self._scan(_REWEIGH, queue, {tag: dict(each) for tag, each in weights.items()})

    def _scan(self, text: str, queue: str, wanted: Mapping[str, Any]) -> Iterator[None]:
        """Have a script go through the buckets of a queue, some at each step."""
        cursor: Any = 0
        while True:
            channel = self._channel()
            due, waits, line, turns = queue_keys(channel, self._prefix, queue)
            names = [due, waits, *keys(channel, self._prefix, "clock")] if text is _RETIME else [due, line, turns]
            cursor = int(self.run(channel, text, names, [cursor, _SCANNED, _json(dict(wanted))]))
            yield
            if not cursor:
                break

    def close(self) -> None:
        """Do nothing: the connections are kombu's."""


def _json(value: Any) -> str:
    """Write many values as one argument of a script."""
    return cast("str", json.dumps(value))  # type: ignore[no-untyped-call]


def _acknowledged(request: Any) -> None:
    """Have Celery and kombu count a message as acknowledged; Redis has it so already.

    Not by kombu's own call: the message may be back and delivered to another worker by now, under the same tag.
    """
    message = request.message
    virtual.QoS.ack(message.channel.qos, message.delivery_tag)  # type: ignore[no-untyped-call]
    message._state = "ACK"  # noqa: SLF001
    request.acknowledged = True
