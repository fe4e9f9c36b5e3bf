"""What each worker has of a Redis broker's messages, unacknowledged, and how that of a dead one comes back.

A delivery's tag begins with its worker's id, so that what a worker has needs no note of its own: kombu keeps all that
is unacknowledged by tag. Each worker notes once a second that it is alive (``alive.lua``). One that is not seen for
long is declared dead by another (``dead.lua``), which returns its messages to their queues (``requeue.lua``). What has
other tags is never touched.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from kombu.utils import json

from limitkit.waiting.redis_keys import close, keys, own_client, script

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SILENCE: Final = 4.0
"""Seconds by the server's clock after which a worker is not seen."""
WATCH: Final = 11.0
"""Seconds for which another worker must then see that it stays so, itself alive, before it declares it dead."""
_USUAL_LISTS: Final = [0, 3, 6, 9, "\x06\x16"]
"""kombu's own priority steps, and what stands between a queue's name and a step."""
_MOST_COUNTED: Final = 2.0
"""Seconds of that between two looks, at most: who was frozen, or could not ask, has not watched meanwhile."""
_TIMEOUT: Final = 2.0
"""Seconds that Redis has for an answer."""
_SCANNED: Final = 1000
"""Tags that are looked at in one call, which bounds the time that Redis needs for it."""
_MOST_AT_ONCE: Final = 64
_MOST_BYTES: Final = 250_000
"""Messages that are returned in one call, and their size, for the same reason."""


class Silent(NamedTuple):
    """A worker that is not seen."""

    worker: str
    last: int
    """See ``alive.lua``; it changes when it, or who returns its messages, is seen again."""


class Watch:
    """Tells for how long this process has watched that others are not seen."""

    def __init__(self) -> None:
        self._watched: dict[Silent, float] = {}
        self._looked = float("-inf")

    def overdue(self, silent: Sequence[Silent], now: float) -> list[Silent]:
        """Take who is not seen ``now``, by ``time.monotonic()``; return those that were watched for long enough."""
        passed = min(now - self._looked, _MOST_COUNTED)
        self._looked = now
        self._watched = {each: self._watched.get(each, -passed) + passed for each in silent}
        return [each for each, watched in self._watched.items() if watched >= WATCH]


def new_worker(name: str) -> str:
    """Return a worker's id, and its name behind it for the log."""
    return f"{secrets.token_hex(8)} {name}"


def tag(worker: str, number: int) -> str:
    """Name a delivery to a worker."""
    return f"{_id(worker)}.{number}"


class Deliveries:
    """Calls for a broker's unacknowledged messages, on connections of its own; threads may share it.

    Each raises what the broker's client raises.
    """

    def __init__(self, channel: Any, prefix: str) -> None:
        self._channel = channel
        self._client: Any = own_client(channel, _TIMEOUT)
        # Apps that keep what is unacknowledged under other keys must not return each other's messages, nor those that
        # know other lists of a queue.
        lists = [*channel.priority_steps, channel.sep]
        own = "" if lists == _USUAL_LISTS else f":{'-'.join(map(str, lists)).encode().hex()}"
        (self._workers,) = keys(channel, prefix, f"workers:{channel.unacked_key}{own}")
        self._index, self._unacked = (
            f"{channel.global_keyprefix}{key}" for key in (channel.unacked_index_key, channel.unacked_key)
        )
        self._alive, self._dead, self._requeue = (
            self._client.register_script(script(name)) for name in ("alive", "dead", "requeue")
        )

    def note(self, worker: str, *, begins: bool = False) -> list[Silent] | None:
        """Note that a worker is alive, and return those that are not seen; None when it was declared dead itself."""
        alive, *silent = self._alive([self._workers], [worker, round(SILENCE * 1000), "1" if begins else ""])
        if not alive:
            return None
        return [Silent(_text(one), int(last)) for one, last in zip(silent[::2], silent[1::2], strict=True)]

    def is_alive(self, worker: str) -> bool:
        """Whether a worker was not declared dead so far. It writes nothing, so a Redis without memory answers too."""
        seen = self._client.zscore(self._workers, worker)
        return seen is not None and float(seen) >= 0

    def declare_dead(self, silent: Silent) -> float | None:
        """Declare a worker dead; returns for how many seconds it was not seen. None when it was, or another does it."""
        passed = int(self._dead([self._workers], list(silent)))
        return None if passed < 0 else passed / 1000

    def tags(self, worker: str) -> Iterator[list[str]]:
        """Find the tags of what a worker has, some at a time."""
        cursor: Any = 0
        while True:
            cursor, found = self._client.zscan(self._index, cursor, match=f"{_id(worker)}.*", count=_SCANNED)
            yield [_text(each) for each, _ in found]
            if not int(cursor):
                return

    def give_back(self, worker: str, tags: Sequence[str]) -> Iterator[int]:
        """Return messages of a dead worker to their queues, in the order in which it got them; yields how many.

        ``tags`` may be in any order. One whose queue is not known stays.
        """
        latest_first = sorted(set(tags), key=lambda each: int(each.rpartition(".")[2]), reverse=True)
        for at in range(0, len(latest_first), _MOST_AT_ONCE):
            some = latest_first[at : at + _MOST_AT_ONCE]
            with self._client.pipeline(transaction=False) as pipe:
                for each in some:
                    pipe.hstrlen(self._unacked, each)
                sizes = pipe.execute()
            step: list[str] = []
            size = 0
            for each, length in zip(some, sizes, strict=True):
                if step and size + length > _MOST_BYTES:
                    yield self._give_back(worker, step)
                    step, size = [], 0
                step.append(each)
                size += length
            yield self._give_back(worker, step)

    def _give_back(self, worker: str, tags: Sequence[str]) -> int:
        lists: dict[str, int] = {}
        args: list[Any] = [worker]
        for each, noted in zip(tags, self._client.hmget(self._unacked, list(tags)), strict=True):
            found = noted and self._place(noted)
            if found:
                queue, message = found
                args += [each, lists.setdefault(queue, len(lists) + 1), message]
        names = [self._index, self._unacked, self._workers, *lists]
        return int(self._requeue(names, args))

    def _place(self, noted: bytes | str) -> tuple[str, str] | None:
        """Read what kombu has noted: return the list to which a message goes back, and its text; as kombu does it."""
        try:
            message, exchange, queue = json.loads(noted)  # type: ignore[no-untyped-call]
            if exchange or not queue:  # a broadcast: it was for that worker alone
                return None
            with suppress(KeyError):
                message["headers"]["redelivered"] = True
                message["properties"]["delivery_info"]["redelivered"] = True
            priority = self._channel._get_message_priority(message, reverse=False)  # noqa: SLF001
            name = self._channel._q_for_pri(queue, priority)  # noqa: SLF001 (the list that kombu would put it into)
            return f"{self._channel.global_keyprefix}{name}", json.dumps(message)  # type: ignore[no-untyped-call]
        except (KeyError, TypeError, ValueError):  # not from kombu, or of another version
            return None

    def forget(self, worker: str) -> None:
        """Remove the note of a worker that has nothing more."""
        self._client.zrem(self._workers, worker)

    def close(self) -> None:
        """Close the connections."""
        close(self._client)


def _id(worker: str) -> str:
    return worker.partition(" ")[0]


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
