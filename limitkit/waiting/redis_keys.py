"""The waiting room's keys in a Redis broker, its scripts, and kombu's connections, over which they are called."""

from __future__ import annotations

import copy
from contextlib import contextmanager
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from limitkit.stores import sentinel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_FOLDER: Final = files("limitkit.waiting")


def keys(channel: Any, prefix: str, *names: str) -> list[str]:
    """Name keys of the waiting room; its prefix is the store's."""
    return [f"{channel.global_keyprefix}{prefix}:waiting:{name}" for name in names]


def queue_keys(channel: Any, prefix: str, queue: str) -> list[str]:
    """Name the keys of one queue: when buckets are due, their intervals, the line of what is parked, and turns."""
    return keys(channel, prefix, f"due:{queue}", f"intervals:{queue}", f"line:{queue}", f"turns:{queue}")


def lists(channel: Any, queue: str) -> list[str]:
    """Name kombu's lists of one queue: one for each priority step."""
    names = (channel._q_for_pri(queue, step) for step in channel.priority_steps)  # noqa: SLF001 (kombu says it nowhere else)
    return [channel.global_keyprefix + name for name in names]


def own_line(bucket: bytes, value: bytes) -> bytes:
    """Name the line of one value of ``fair_by``, by its digest; see ``line.lua``."""
    return b"\0\1" + bucket + b"\0" + value if value else bucket


def span(own: bytes) -> tuple[bytes, bytes]:
    """Return between which two the places of one line are in that of the queue; see ``line.lua``."""
    return b"[" + own + b"\0" + b"0", b"(" + own + b"\0:"


def place(own: bytes, order: int, tag: bytes) -> bytes:
    """Return the place of a message in a queue's line; see ``line.lua``."""
    return b"%s\0%016d\0%s" % (own, order, tag)


def script(*names: str) -> str:
    """Read a script from files; the last has the script itself, the others what it needs."""
    return "\n".join(_FOLDER.joinpath(f"{name}.lua").read_text("ascii") for name in names)


@contextmanager
def client_of(channel: Any) -> Iterator[redis.Redis]:
    """Lend a client on a connection of kombu's."""
    with channel.conn_or_acquire() as client:
        # kombu's own client would put the app's key prefix before the first key only.
        yield redis.Redis(connection_pool=client.connection_pool)


def own_client(channel: Any, timeout: float) -> redis.Redis:
    """Make a client with connections of its own to a channel's broker, for threads other than kombu's.

    ``timeout`` (seconds) bounds each answer, and connecting.
    """
    own = copy.copy(channel)  # kombu keeps what it makes for a pool in its channel, and closes only the last of it
    own.socket_timeout = own.socket_connect_timeout = timeout
    own.retry_on_timeout = False
    pool = own._get_pool()  # noqa: SLF001 (it knows the broker's address, TLS, sentinels and credentials)
    pool.connection_kwargs["retry"] = Retry(NoBackoff(), 0)  # redis-py 8 tries ten times
    return redis.Redis(connection_pool=pool)


def close(client: redis.Redis) -> None:
    """Close the connections of such a client."""
    client.connection_pool.disconnect()
    if hasattr(client.connection_pool, "sentinel_manager"):
        sentinel.close(client)


def call(channel: Any, text: str, names: Sequence[str], args: Sequence[Any]) -> Any:
    """Call a script."""
    with client_of(channel) as client:
        return client.register_script(text)(names, args)
