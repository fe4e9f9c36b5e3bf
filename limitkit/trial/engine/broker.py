"""The broker that is played: kombu's lists in the played Redis, and who waits for messages at them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, Protocol

from kombu.transport import redis as kombu_redis
from kombu.transport import virtual

from limitkit.trial.engine.redis_server import packed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from limitkit.trial.engine.redis_server import RedisServer

_VISIBILITY_TIMEOUT: Final = 3600.0


class Reader(Protocol):
    """A worker that waits for a message."""

    cycle: list[str]
    """Its queues, that from which it had its last message at the end: kombu's Redis takes turns like that."""

    def fetched(self, text: str, name: str, queue: str) -> None:
        """Take a message that was popped for it from a list."""


class Channel:
    """A worker's channel: what it was delivered and has not acknowledged; names and priorities are kombu's own."""

    priority_steps: Final = kombu_redis.Channel.priority_steps
    sep: Final = kombu_redis.Channel.sep
    unacked_key: Final = kombu_redis.Channel.unacked_key
    unacked_index_key: Final = kombu_redis.Channel.unacked_index_key
    min_priority: Final = virtual.Channel.min_priority
    max_priority: Final = virtual.Channel.max_priority
    default_priority: Final = virtual.Channel.default_priority
    visibility_timeout: Final = _VISIBILITY_TIMEOUT
    global_keyprefix = ""
    priority: Any = kombu_redis.Channel.priority
    _q_for_pri: Any = kombu_redis.Channel._q_for_pri  # noqa: SLF001 (kombu says it nowhere else)
    _get_message_priority: Any = virtual.Channel._get_message_priority  # noqa: SLF001 (likewise)

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.qos: Any = virtual.QoS(self)  # type: ignore[no-untyped-call] # kombu has no types
        self.qos._on_collect.cancel()  # noqa: SLF001 (kombu would restore what is left when Python ends)

    @property
    def can_consume(self) -> bool:
        """Whether the prefetch window has room."""
        return bool(self.qos.can_consume())

    @property
    def held(self) -> int:
        """How many were delivered and are not acknowledged."""
        return len(self.qos._delivered) - len(self.qos._dirty)  # noqa: SLF001 (as kombu counts them)

    @property
    def unacked(self) -> dict[str, Any]:
        """What was delivered and is not acknowledged, by tag: the messages and their queues."""
        self.qos._flush()  # noqa: SLF001 (kombu does so when it looks)
        return self.qos._delivered  # type: ignore[no-any-return] # noqa: SLF001

    def delivered(self, message: Any, queue: str) -> None:
        """Note a message that was delivered."""
        self.qos._flush()  # noqa: SLF001
        self.qos._quick_append(message.delivery_tag, (message, queue))  # noqa: SLF001 (append does so)

    def show_unacked(self, tags: Iterable[str]) -> None:
        """Have Redis know which of these are not acknowledged, for a script that looks there."""
        unacked = self.unacked
        for tag in tags:
            if tag in unacked:
                self._broker.commands.hset(self.unacked_key, tag, "1")

    def ack(self, tag: str) -> None:
        """Acknowledge a message."""
        self.qos._quick_ack(tag)  # noqa: SLF001 (kombu's ack does so)

    def give_back(self, tags: Iterable[str]) -> None:
        """Return messages to the fronts of their queues; the last one comes first."""
        for tag in tags:
            message, queue = self.unacked[tag]
            self.ack(tag)
            self._broker.return_to_front(self, message, queue)


class Broker:
    """Queues, each a list for each priority step; workers that wait get messages in the order in which they wait."""

    def __init__(self, server: RedisServer) -> None:
        self.server = server
        self.commands = server.commands
        self.queues: dict[str, None] = {}
        self._names = Channel(self)
        self._steps: list[dict[str, str]] = []
        """For each priority step the names of the lists, by queue."""
        self._waiting: deque[Reader] = deque()

    def know(self, queue: str) -> None:
        """Have workers consume from a queue from now on."""
        if queue not in self.queues:
            self.queues[queue] = None
            self._steps = [
                {each: self._list(each, step) for each in self.queues} for step in self._names.priority_steps
            ]

    def send(self, text: str, queue: str, priority: int) -> None:
        """Put a message at the end of a queue."""
        self.know(queue)
        self.commands.lpush(self._list(queue, max(0, min(9, priority))), text)
        self.serve()

    def return_to_front(self, channel: Any, message: Any, queue: str) -> None:
        """Put a message back, as kombu restores what was not acknowledged."""
        from limitkit.trial.engine.messages import raw_text  # noqa: PLC0415 (it needs nothing of this)

        raw = message._raw  # noqa: SLF001
        priority = channel._get_message_priority(raw, reverse=False)  # noqa: SLF001
        text = raw_text(raw["body"], raw["headers"], raw["properties"])
        self.commands.rpush(self._list(queue, priority), text)

    def wait(self, reader: Reader) -> None:
        """Have a worker wait for one message; it may get one at once."""
        self._waiting.append(reader)
        self.serve()

    def leave(self, reader: Reader) -> None:
        """Have a worker wait no more."""
        if reader in self._waiting:
            self._waiting.remove(reader)

    def serve(self) -> None:
        """Give messages to those that wait, as long as there are both."""
        while self._waiting:
            found = self._first(self._waiting[0].cycle)
            if found is None:
                return
            name, queue = found
            self._waiting.popleft().fetched(self.commands.rpop(name), name, queue)

    def _first(self, cycle: list[str]) -> tuple[str, str] | None:
        """Return the list and the queue from which a worker gets its next message."""
        if len(cycle) < len(self.queues):
            cycle.extend(each for each in self.queues if each not in cycle)
        for names in self._steps:
            for queue in cycle:
                if names[queue] in self.commands.data:  # an empty list is not kept
                    if len(cycle) > 1:
                        cycle.remove(queue)
                        cycle.append(queue)
                    return names[queue], queue
        return None

    def texts(self) -> list[str]:
        """Return all messages in the queues and in the waiting room."""
        found: list[str] = []
        for name in (name for names in self._steps for name in names.values()):
            found += self.commands.data.get(name, ())
        for key, value in self.commands.data.items():
            if key.endswith(":waiting:messages"):
                found += (each.partition("\n")[2] for each in value.values())
        return found

    def parked(self) -> int:
        """Count the messages in the waiting room."""
        return sum(len(value) for key, value in self.commands.data.items() if key.endswith(":waiting:messages"))

    def _list(self, queue: str, priority: int) -> str:
        return packed(self._names._q_for_pri(queue, priority))  # noqa: SLF001 (kombu says it nowhere else)
