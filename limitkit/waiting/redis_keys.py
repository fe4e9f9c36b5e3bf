"""The waiting room's keys in a Redis broker, its scripts, and kombu's connections, over which they are called."""

from __future__ import annotations

from contextlib import contextmanager
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import redis

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_FOLDER: Final = files("limitkit.waiting")


def keys(channel: Any, prefix: str, *names: str) -> list[str]:
    """Name keys of the waiting room; its prefix is the store's."""
    return [f"{channel.global_keyprefix}{prefix}:waiting:{name}" for name in names]


def queue_keys(channel: Any, prefix: str, queue: str) -> list[str]:
    """Name the keys of one queue: when its buckets are due, their intervals, and the line of all that is parked."""
    return keys(channel, prefix, f"due:{queue}", f"intervals:{queue}", f"line:{queue}")


def lists(channel: Any, queue: str) -> list[str]:
    """Name kombu's lists of one queue: one for each priority step."""
    names = (channel._q_for_pri(queue, step) for step in channel.priority_steps)  # noqa: SLF001 (kombu says it nowhere else)
    return [channel.global_keyprefix + name for name in names]


def span(bucket: bytes) -> tuple[bytes, bytes]:
    """Return between which two the places of a bucket are in a queue's line; see ``line.lua``."""
    return b"[" + bucket + b"\0", b"(" + bucket + b"\1"


def place(bucket: bytes, order: int, tag: bytes) -> bytes:
    """Return the place of a message in a queue's line; see ``line.lua``."""
    return b"%s\0%016d\0%s" % (bucket, order, tag)


def script(*names: str) -> str:
    """Read a script from files; the last has the script itself, the others what it needs."""
    return "\n".join(_FOLDER.joinpath(f"{name}.lua").read_text("ascii") for name in names)


@contextmanager
def client_of(channel: Any) -> Iterator[redis.Redis]:
    """Lend a client on a connection of kombu's."""
    with channel.conn_or_acquire() as client:
        # kombu's own client would put the app's key prefix before the first key only.
        yield redis.Redis(connection_pool=client.connection_pool)


def call(channel: Any, text: str, names: Sequence[str], args: Sequence[Any]) -> Any:
    """Call a script."""
    with client_of(channel) as client:
        return client.register_script(text)(names, args)
