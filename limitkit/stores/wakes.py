"""Listens for wakes: word from the store that a slot is free for which somebody here waits."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import RedisClusterException, RedisError

from limitkit.stores.failure_reason import FAILURES

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger("limitkit")

_LOOK: Final = 1.0
"""Seconds in which the thread looks whether it is to stop."""
_PAUSE: Final = 1.0
"""Seconds between two tries to connect: until then, who waits asks once a second anyway."""


def listen(
    client: Callable[[], Any], close: Callable[[Any], None], waiter: str, on_wake: Callable[[str], None]
) -> Callable[[], None]:
    """Call ``on_wake`` with a bucket's key, in a thread of its own, when this waiter is woken; returns what stops it.

    ``client`` makes a client for that thread alone, ``close`` closes it. A connection that is lost is made again.
    """
    stopped = threading.Event()

    def follow() -> None:
        mine = client()
        try:
            channel = mine.pubsub(ignore_subscribe_messages=True)
            try:
                channel.subscribe(waiter)
                while not stopped.is_set():
                    message = channel.get_message(timeout=_LOOK)
                    if message is not None and message["type"] == "message" and not stopped.is_set():
                        _wake(on_wake, message["data"])
            finally:
                channel.close()
        finally:
            close(mine)

    def follow_once() -> None:
        try:
            follow()
        except (RedisError, RedisClusterException, *FAILURES) as error:
            logger.debug("Wakes of %s can't be heard: %s", waiter, type(error).__name__)
            stopped.wait(_PAUSE)

    def run() -> None:
        while not stopped.is_set():
            follow_once()

    threading.Thread(target=run, name="limitkit-wakes", daemon=True).start()
    return stopped.set


def _wake(on_wake: Callable[[str], None], key: Any) -> None:
    try:
        on_wake(key.decode() if isinstance(key, bytes) else str(key))
    except Exception:
        logger.exception("A wake could not be passed on.")
