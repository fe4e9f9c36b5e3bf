"""Carries what a worker has received over Redis from a lost connection to the next one.

With Redis as broker, what was delivered and not acknowledged is noted in a hash there, and comes back after the
visibility timeout: an hour. kombu tries to put it back into its queues as it closes the connection, which a broker
that is gone refuses; kombu 5.7 even dies of it, since the connection is half closed by then (``AttributeError …
hostname``). A worker that holds requests always has some of these, so here they wait until there is a new connection.
Then what the pool still works on is acknowledged over the new one, and all the rest goes back to its queues at once.

RabbitMQ delivers again by itself what a lost connection has not acknowledged.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from queue import Empty
from typing import TYPE_CHECKING, Any, Final

from kombu.transport.redis import QoS

from limitkit.waiting.origin_queue import QUEUE
from limitkit.worker.pool.in_pool import tags_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from limitkit.worker.pool.in_pool import InPool

logger = logging.getLogger("limitkit")

_AT_ONCE: Final = 4
"""Messages that may be acknowledged at once."""


class LastingQoS(QoS):
    """A channel's unacknowledged messages; once its connection is lost, calls go to those of the next channel."""

    unacked: Unacked
    lost = False
    _from: str | None = None
    """The queue of the message that is being delivered."""
    _tag_as_sent: str | None = None
    """The tag that it came with; any other program may use that again."""

    def comes(self, raw: Any, queue: str) -> None:
        """Note the queue of a message that is about to be delivered, and give it a tag, before the message is noted.

        An exchange puts one message with one tag into each queue that is bound there. Under that tag only one of them
        would be unacknowledged, and when the first is acknowledged, or parked, the others would be lost.
        """
        self._from, properties = queue, raw["properties"]
        if properties["delivery_info"].get("exchange"):
            properties["delivery_tag"] = self.channel._next_delivery_tag()  # noqa: SLF001
        self._tag_as_sent = None
        if self.unacked.new_tag is not None:
            self._tag_as_sent, properties["delivery_tag"] = properties["delivery_tag"], self.unacked.new_tag()

    def append(self, message: Any, delivery_tag: str) -> None:
        """Note a message as delivered; one that was popped and can't be noted is kept.

        It is noted with its queue, without its exchange: else kombu, also in another worker, would put it back into
        each queue that is bound there. And it is noted with a tag that names no worker: it goes back with that one.
        """
        if self._tag_as_sent is not None:
            properties = {**message._raw["properties"], "delivery_tag": self._tag_as_sent}  # noqa: SLF001
            message._raw = {**message._raw, "properties": properties}  # noqa: SLF001
            self._tag_as_sent = None
        info = message.delivery_info
        queue = info.get(QUEUE, self._from)
        direct = info.get("exchange") == "" and info.get("routing_key") == queue  # kombu fails without an exchange
        if queue and not direct and queue not in self.channel._fanout_queues:  # noqa: SLF001
            message.delivery_info = {**info, "exchange": "", "routing_key": queue}
        try:
            super().append(message, delivery_tag)  # type: ignore[no-untyped-call]
        except Exception:
            self.unacked.popped[delivery_tag] = message
            raise
        finally:
            message.delivery_info = {**info, QUEUE: queue} if queue else info

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge a message; what fails now is done over the next connection."""
        if self.lost:
            self.unacked.ack(delivery_tag)
            return
        try:
            with self.unacked.turns:
                super().ack(delivery_tag)  # type: ignore[no-untyped-call]
        except Exception:
            self.unacked.owed.add(delivery_tag)
            raise

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:  # noqa: FBT001, FBT002 (kombu's signature)
        """Reject a message, over the next connection if this one is lost."""
        if self.lost:
            self.unacked.reject(delivery_tag, requeue=requeue)
        else:
            with self.unacked.turns:
                super().reject(delivery_tag, requeue=requeue)  # type: ignore[no-untyped-call]


class Unacked:
    """Takes over to the next connection what a lost one leaves unacknowledged."""

    def __init__(self, consumer: Any, in_pool: InPool) -> None:
        self._consumer = consumer
        self._pool = in_pool
        self.batches: Callable[[], Iterable[Any]] = tuple
        """Returns the runs of batches that the pool has."""
        self._qos: Any = None
        """Of the present connection, or the last one."""
        self._left: dict[str, Any] = {}
        """Messages that lost connections have left, by delivery tag, the oldest first."""
        self._in_pool: dict[str, Any] = {}
        """Requests that the pool has, by tag."""
        self._ran: dict[str, Any] = {}
        """What ran when the last connection was lost."""
        self.owed: set[str] = set()
        """Tags that must still be acknowledged."""
        self.turns = threading.Semaphore(_AT_ONCE)
        """In gevent each task acknowledges by itself, and kombu refuses more connections than ten."""
        self.popped: dict[str, Any] = {}
        """Messages that exist only here, by tag."""
        self.new_tag: Callable[[], str] | None = None
        """Names a delivery to this worker, where others must know that it is this worker's."""
        on_lost = consumer.on_connection_error_after_connected

        def lost(error: Exception) -> None:
            self.lose()
            on_lost(error)

        # This is before Celery closes the connection; bootsteps are stopped only after it.
        consumer.on_connection_error_after_connected = lost

    def lose(self) -> None:
        """Have the closing of a lost connection not try to put its messages back."""
        qos = self._qos
        if qos is None or qos.lost:
            return
        qos.lost = True
        qos.restore_at_shutdown = False
        self._pool.settle()
        if self._consumer.hub is None:  # Celery 5.5 leaves acknowledgements to the next round of its loop
            self._consumer.perform_pending_operations()
        self._ran = self._running()
        self._in_pool.update(self._ran)

    def _running(self) -> dict[str, Any]:
        """Return what runs on, by tag."""
        return {tag: each for each in (*self._pool.running(), *self.batches()) for tag in tags_of(each)}

    def receive_last(self) -> None:
        """Receive what is on its way to a worker that stops; else it would get what is given back first."""
        if self._qos is not None and not self._qos.lost and self._qos.channel._in_poll:  # noqa: SLF001 (as its close does)
            with contextlib.suppress(Empty):
                self._qos.channel._brpop_read()  # noqa: SLF001 (waits for a second at most, kombu's own timeout)

    def give_back(self) -> None:
        """Put what the pool does not have back into its queues, since the worker stops.

        Celery does so only once the pool has ended, which takes as long as its longest task.
        """
        qos = self._qos
        if qos is None or qos.lost:
            return
        self._pool.settle()  # else Celery, as it stops the pool, believes that what just began can start again
        # First, since some end meanwhile.
        given = {tag for request in (*self._pool.given(), *self.batches()) for tag in tags_of(request)}
        self._run_pending_acks()
        for tag in list(self.owed):
            qos.ack(tag)
            self.owed.discard(tag)
        qos._flush()  # noqa: SLF001
        with qos.channel.conn_or_acquire() as client:
            for tag in reversed(list(qos._delivered)):  # noqa: SLF001
                if tag not in given and tag not in self._in_pool:
                    qos.restore_by_tag(tag, client)
                    del qos._delivered[tag]  # noqa: SLF001

    def _run_pending_acks(self) -> None:
        """Make the acknowledgements that Celery has left to the next round of its event loop: there won't be one."""
        hub = self._consumer.hub
        if hub is None:
            self._consumer.perform_pending_operations()
            return
        for call in hub._pop_ready():  # noqa: SLF001 (as closing the hub does, later)
            _do(call)

    def connected(self) -> None:
        """Settle what the last connection has left. Raises what the broker's client raises; then nothing is lost."""
        channel = self._consumer.connection.default_channel
        qos = channel.qos
        if qos.__class__ is not QoS:  # without acknowledgements, or of another package
            return
        qos.__class__ = LastingQoS  # nothing is delivered yet, but Celery's own step may have set its window already
        before, self._qos = self._qos, qos
        self._qos.unacked = self
        if before is not None:
            # Some may have begun as the connection closed. Those that were there before may have gone meanwhile.
            self._in_pool.update({tag: each for tag, each in self._running().items() if tag not in self._ran})
            before._flush()  # noqa: SLF001 (kombu has no other way to see what was delivered)
            self._left.update(before._delivered)  # noqa: SLF001
            before._delivered.clear()  # noqa: SLF001
            with channel.conn_or_acquire() as client:
                self._settle(qos, client)

    def _settle(self, qos: Any, client: Any) -> None:
        for tag in list(self.owed):
            if not _was_cancelled(self._in_pool.get(tag)):  # in gevent Celery acknowledges what it has stopped
                qos.ack(tag)
                self._left.pop(tag, None)
            self.owed.discard(tag)
        for tag, message in self.popped.items():
            qos.append(message, tag)
            self._left[tag] = message
        self.popped.clear()
        kept: dict[str, Any] = {}
        returned = 0
        for tag in reversed(list(self._left)):  # each goes to the head of its queue
            request = self._in_pool.get(tag)
            # Celery may have stopped those that it can't acknowledge, so that they start again.
            if request is not None and not _was_cancelled(request):
                kept[tag] = request
                qos._delivered[tag] = self._left[tag]  # noqa: SLF001
            else:
                qos.restore_by_tag(tag, client)
                qos._delivered.pop(tag, None)  # noqa: SLF001
                returned += 1
            del self._left[tag]
        self._in_pool = kept
        logger.info(
            "Back in their queues: %d messages that had come before the connection was lost. %d run on.",
            returned,
            len(kept),
        )

    @property
    def lasts(self) -> bool:
        """Whether what the present connection delivers is noted here."""
        return self._qos is not None and self._consumer.connection.default_channel.qos is self._qos

    @property
    def is_empty(self) -> bool:
        """Whether nothing is unacknowledged here."""
        if self._qos is None or self._left or self.owed or self.popped:
            return False
        self._qos._flush()  # noqa: SLF001
        return not self._qos._delivered  # noqa: SLF001

    def ack(self, tag: str) -> None:
        """Acknowledge a message of a connection that was lost, over the present or the next one."""
        if self._qos.lost:
            self.owed.add(tag)
        else:
            self._qos.ack(tag)

    def reject(self, tag: str, *, requeue: bool) -> None:
        """Reject a message of a connection that was lost, over the present or the next one."""
        if not self._qos.lost:
            self._qos.reject(tag, requeue=requeue)
        elif requeue:
            self._in_pool.pop(tag, None)
        else:
            self.owed.add(tag)


def _was_cancelled(request: Any) -> bool:
    """Whether Celery has stopped a request, so that it starts again."""
    return bool(getattr(request, "_already_cancelled", False))


def _do(call: Callable[[], Any]) -> None:
    try:
        call()
    except Exception:
        logger.exception("A call that was left to the event loop failed as the worker stopped.")
