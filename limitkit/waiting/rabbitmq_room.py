"""The waiting room in RabbitMQ: parked messages lie in queues beside their own, which send them back after a time."""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING, Any, Final

from limitkit.waiting import room_names
from limitkit.waiting.delivery import delivery_of
from limitkit.waiting.message_copy import WAITS, copy_of, routed, turn_of, waits
from limitkit.waiting.parked_counter import ParkedCounter
from limitkit.waiting.rabbitmq_publisher import Publisher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from limitkit.waiting.room import Brought, Leaving, Steering

logger = logging.getLogger("limitkit")

STEPS: Final = (1, 2, 3, 5, 8, 12, 20, 30, 45, 60)
"""Seconds that a message may wait; one that has to wait longer comes back and is parked again.

Each is at most 5/3 of the one before, so that two rounds bring nearly all within the seconds that a worker holds.
"""
_UNUSED: Final = 24 * 3600
"""Seconds after which RabbitMQ removes such a queue with what is in it, unless a worker declares it again."""
_LONGEST_NAME: Final = 200
"""A queue's name of at most so many bytes is repeated in ours; RabbitMQ takes 255."""


class RabbitMQRoom:
    """Publishes a message to a queue with a time to live, whose dead letters go to the queue that it came from.

    It is acknowledged only when the broker has confirmed that. A batch waits for its confirmations once.
    """

    kind = room_names.RABBITMQ
    steered = False

    def __init__(self, app: Any, connection: Callable[[], Any]) -> None:
        self.most = 100
        self.every = 0.0
        self._app = app
        self._connection = connection
        self._publisher = Publisher(connection)
        self._counter = ParkedCounter()
        self._refused = False

    def park(self, leavers: Sequence[Leaving]) -> None:
        """Park these. What the broker has not confirmed in time is not published twice when it is parked again.

        Raises TimeoutError when some are not confirmed, and what py-amqp raises when the connection is lost.
        """
        try:
            self._publish([leaver for leaver in leavers if not leaver.request.acknowledged])
        except Exception:
            self._publisher.close()
            raise
        finally:
            missing = 0
            for leaver in leavers:
                if self._publisher.confirmed(leaver.request):
                    leaver.request.acknowledge()
                missing += not leaver.request.acknowledged
        if missing:
            why = "takes no messages for now" if self._publisher.blocked else "has not confirmed all in time"
            raise TimeoutError(f"RabbitMQ {why}: {missing} messages are not parked yet")

    def bring(self, steering: Steering) -> Brought:
        """Count those that have come back by themselves."""
        return self._counter.look(steering)

    def retime(
        self,
        intervals: Mapping[str, float],  # noqa: ARG002 (they come when they come)
        weights: Mapping[str, Mapping[str, float]] | None = None,  # noqa: ARG002 (likewise)
    ) -> Iterator[None]:
        """Do nothing."""
        return iter(())

    def close(self) -> None:
        """Close the connection; what RabbitMQ has not confirmed is not acknowledged, and so delivered again."""
        self._publisher.close()
        self._publisher = Publisher(self._connection)

    def _publish(self, leavers: Sequence[Leaving]) -> None:
        publisher = self._publisher
        publisher.read_answers()
        new = [leaver for leaver in leavers if not publisher.knows(leaver.request)]
        for leaver in new:
            if publisher.blocked:
                return
            delivery = delivery_of(leaver.request.message, leaver.queue)
            turn = turn_of(leaver, self._counter.ahead(leaver.bucket) if leaver.taker is None else leaver.turn)
            step = max((step for step in STEPS if step <= turn), default=STEPS[0])
            queue = self._queue(leaver.queue, step)
            copy = copy_of(delivery, routed(delivery, waits(delivery, turn, step)))
            publisher.publish(leaver.request, copy, queue)
            if queue != leaver.queue:
                self._counter.went(leaver.bucket.key, step)
        if new:
            publisher.settle()

    def _queue(self, queue: str, step: int) -> str:
        """Return the queue in which messages of this one wait so long: itself, if the broker allows no other."""
        if self._refused:
            return queue
        name, arguments = wait_queue(queue, step, quorum=self._is_quorum(queue))
        try:
            self._publisher.declare(name, arguments)
        except self._publisher.refusals as error:
            self._refused = True
            self.most, self.every = 25, 0.1  # else a queue of only such messages would spin
            logger.warning(
                "RabbitMQ does not let this worker use a queue for tasks that can't start soon (%s), so these tasks go "
                "back to their own queue again and again; allow the worker's user to configure, write and read queues "
                'whose names begin with "%s" and to write to amq.default, or delete the queue of this kind that was '
                "made with other arguments.",
                error,
                WAITS,
            )
            return queue
        return name

    def _is_quorum(self, queue: str) -> bool:
        known = self._app.amqp.queues.get(queue)
        return known is not None and (known.queue_arguments or {}).get("x-queue-type") == "quorum"


def wait_queue(queue: str, step: int, *, quorum: bool) -> tuple[str, dict[str, Any]]:
    """Return the name and the arguments of the queue in which messages of another one wait so many seconds."""
    arguments: dict[str, Any] = {
        "x-message-ttl": step * 1000,
        "x-expires": (_UNUSED + step) * 1000,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": queue,
    }
    name = queue
    if len(queue.encode()) > _LONGEST_NAME:
        name = hashlib.blake2b(queue.encode(), digest_size=16).hexdigest()
    if not quorum:
        return f"{WAITS}{name}.{step}", arguments
    # As safe as the queue itself: a dead letter is removed only when the other queue has it (RabbitMQ 3.10 and newer).
    arguments |= {"x-queue-type": "quorum", "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}
    return f"{WAITS}{name}.{step}.quorum", arguments
