"""Purges what is parked with its queue: for ``celery purge``, ``celery worker --purge`` and ``app.control.purge()``.

All of them, and ``celery amqp queue.purge`` too, end in a call of kombu's channel that purges one queue. What is parked
of that queue is removed there, and first: a message that comes back meanwhile is in the queue by then.
"""

from __future__ import annotations

import logging
import weakref
from typing import TYPE_CHECKING, Any, Final

from limitkit.config.wording import one_line, quote
from limitkit.waiting.message_copy import WAITS
from limitkit.waiting.room_names import RABBITMQ, REDIS, kind_of_transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

logger = logging.getLogger("limitkit")

_NOT_FOUND: Final = 404
"""What an AMQP broker says of a queue that is not there."""


def purge_parked_too(app: Any, prefix: Callable[[], str]) -> None:
    """Have an app's channels purge what is parked of a queue with it; ``prefix`` returns the store's."""
    given, consumer_of = app.amqp.Connection, app.amqp.TaskConsumer
    if isinstance(given, type):

        class Connection(given):  # type: ignore[misc, valid-type] # the app may have its own in place of kombu's
            def channel(self) -> Any:
                channel = super().channel()
                _extend(channel, kind_of_transport(self.transport), prefix)
                return channel

        app.amqp.Connection = Connection

    def task_consumer(*args: Any, **kwargs: Any) -> Any:
        """Make a consumer, which may be one over a connection of a pool: kombu makes these by itself."""
        consumer = consumer_of(*args, **kwargs)
        _extend(consumer.channel, kind_of_transport(consumer.connection.transport), prefix)
        return consumer

    app.amqp.TaskConsumer = task_consumer


def _extend(channel: Any, kind: str, prefix: Callable[[], str]) -> None:
    """Extend a channel for its present user: a pool of kombu's serves all apps of a process."""
    if not hasattr(type(channel), "queue_purge"):
        return
    of, purge = weakref.ref(channel), type(channel).queue_purge

    def queue_purge(queue: str = "", *args: Any, **kwargs: Any) -> int:
        """Purge a queue; returns how many messages are gone, with those that were parked."""
        channel = of()
        parked = _purge_parked(channel, kind, queue, prefix)
        return parked + (purge(channel, queue, *args, **kwargs) or 0)

    channel.queue_purge = queue_purge


def _purge_parked(channel: Any, kind: str, queue: str, prefix: Callable[[], str]) -> int:
    removed = 0
    try:
        if kind == REDIS:
            from limitkit.waiting.parked_messages import ParkedMessages  # noqa: PLC0415 (redis is imported only by those who need it)

            for count in ParkedMessages(channel, prefix()).purge_queue(queue):
                removed += count
        elif kind == RABBITMQ and not queue.startswith(WAITS):
            for count in _wait_queues(channel, queue):
                removed += count
    except Exception as error:  # noqa: BLE001 (whatever a broker's client raises: the queue itself is purged even so)
        logger.warning(
            "What is parked of the queue %s can't be purged (%s), so it still starts; purge it with the config and the "
            "rights that the workers have.",
            quote(queue),
            one_line(str(error)) or type(error).__name__,
        )
    return removed


def _wait_queues(channel: Any, queue: str) -> Iterator[int]:
    """Purge the queues in which messages of this one wait; says of each how many there were."""
    from limitkit.waiting.rabbitmq_room import STEPS, wait_queue  # noqa: PLC0415 (as above)

    for quorum in (False, True):
        for step in STEPS:
            name, _ = wait_queue(queue, step, quorum=quorum)
            try:
                with channel.connection.channel() as own:  # a queue that is not there closes it
                    yield own.queue_purge(name) or 0
            except channel.connection.channel_errors as error:
                if getattr(error, "code", None) != _NOT_FOUND:
                    raise
