"""Publishes to RabbitMQ on a connection of its own, and knows of each message whether the broker has confirmed it."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from limitkit.waiting.publish import amqp_message

if TYPE_CHECKING:
    from collections.abc import Callable

    from limitkit.waiting.message_copy import Copy

_PATIENCE: Final = 1.0
"""Seconds that the worker waits for a batch to be confirmed; later confirmations count when they arrive."""
_SILENCE: Final = 30.0
"""Seconds after which a connection on which nothing is confirmed counts as lost."""
_SOCKET_TIMEOUT: Final = 4.0
"""Seconds; what Celery gives a broker to accept a connection."""
_FRESH: Final = 600.0
"""Seconds after which a queue is declared again, which keeps it alive."""


class Publisher:
    """A channel in confirm mode. Each published message is identified by an object, such as a request.

    Any error closes it: what was not confirmed by then may have arrived or not.
    """

    def __init__(self, connection: Callable[[], Any]) -> None:
        self._model = connection
        self._client: Any = None
        self._connection: Any = None
        self._channel: Any = None
        self._count = 0
        self._waiting: dict[int, tuple[Any, str, float]] = {}
        """What the broker has not confirmed: by number, with its queue and when it was published."""
        self._known: set[Any] = set()
        self._confirmed: set[Any] = set()
        self._unroutable: set[str] = set()
        """Queues that were not there; what is published to one meanwhile counts as dropped until all is answered."""
        self._declared: dict[str, float] = {}
        self.blocked = False
        """Whether the broker has run out of memory or disk space, and reads nothing that is published."""

    def read_answers(self) -> None:
        """Connect if need be, and read what the broker has answered meanwhile."""
        if self._connection is None:
            self._open()
        if not self._waiting:
            self._unroutable.clear()
        with contextlib.suppress(TimeoutError):
            while True:
                self._connection.drain_events(timeout=0)
        oldest = next(iter(self._waiting.values()), None)
        if oldest and not self.blocked and time.monotonic() - oldest[2] > _SILENCE:
            raise TimeoutError(f"RabbitMQ has confirmed nothing for {_SILENCE:g} s")

    def declare(self, queue: str, arguments: dict[str, Any]) -> None:
        """Declare a durable queue unless it is there; raises one of ``refusals`` when the broker refuses."""
        now = time.monotonic()
        if now - self._declared.get(queue, float("-inf")) < _FRESH:
            return
        with self._connection.channel() as channel:  # its own: a refusal closes it
            channel.queue_declare(queue, durable=True, auto_delete=False, arguments=arguments)
        self._declared[queue] = now

    @property
    def refusals(self) -> tuple[type[Exception], ...]:
        """The errors with which the broker refuses a request and keeps the connection."""
        return tuple(self._client.channel_errors)

    def publish(self, name: Any, copy: Copy, queue: str) -> None:
        """Publish a copy of a message to a queue where it waits."""
        # With an expiration the broker would remove the message early. It came in time; its ``expires`` header decides.
        lasting = {name: value for name, value in copy.properties.items() if name != "expiration"}
        again = amqp_message(self._channel, replace(copy, properties=lasting), self._client.userid)
        self._channel.basic_publish(again, exchange="", routing_key=queue, mandatory=True)
        self._count += 1
        self._waiting[self._count] = name, queue, time.monotonic()
        self._known.add(name)

    def settle(self) -> None:
        """Wait until all is confirmed, or for as long as a worker may wait."""
        deadline = time.monotonic() + _PATIENCE
        with contextlib.suppress(TimeoutError):
            while self._waiting and (left := deadline - time.monotonic()) > 0:
                self._connection.drain_events(timeout=left)

    def knows(self, name: Any) -> bool:
        """Whether this was published, and the broker has not refused it."""
        return name in self._known

    def confirmed(self, name: Any) -> bool:
        """Whether the broker has confirmed this; true only once."""
        if name not in self._confirmed:
            return False
        self._confirmed.discard(name)
        self._known.discard(name)
        return True

    def close(self) -> None:
        """Close the connection and forget what was not confirmed."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):  # whatever is wrong with it: it is dropped
                if not self._waiting:
                    connection.close()
                connection.collect()
        self._known = set(self._confirmed)
        self._count = 0
        for each in (self._waiting, self._unroutable, self._declared):
            each.clear()
        self.blocked = False

    def _open(self) -> None:
        model = self._model()
        options = {**(model.transport_options or {}), "confirm_publish": False}  # that would wait for each one
        self._client = model.clone(heartbeat=0, transport_options=options)
        self._connection = connection = self._client.transport.establish_connection()
        connection.sock.settimeout(_SOCKET_TIMEOUT)
        connection.on_blocked = self._on_blocked
        connection.on_unblocked = self._on_unblocked
        self._channel = channel = connection.channel()
        channel.confirm_select()
        channel.events["basic_ack"].add(self._on_ack)
        channel.events["basic_nack"].add(self._on_nack)
        channel.events["basic_return"].add(self._on_return)

    # -- what the broker says -------------------------------------------------------------------------------------

    def _on_ack(self, number: int, multiple: bool) -> None:  # noqa: FBT001 (py-amqp calls it so)
        for name, queue in self._answered(number, multiple=multiple):
            if queue in self._unroutable:
                self._known.discard(name)
            else:
                self._confirmed.add(name)

    def _on_nack(self, number: int, multiple: bool) -> None:  # noqa: FBT001 (py-amqp calls it so)
        for name, _ in self._answered(number, multiple=multiple):
            self._known.discard(name)

    def _on_return(self, _: Exception, __: str, queue: str, ___: Any) -> None:
        """Note that a queue is not there; RabbitMQ says so before it confirms the message that it dropped."""
        self._unroutable.add(queue)
        self._declared.pop(queue, None)

    def _answered(self, number: int, *, multiple: bool) -> list[tuple[Any, str]]:
        numbers = [each for each in self._waiting if each <= number] if multiple else [number]
        return [self._waiting.pop(each)[:2] for each in numbers if each in self._waiting]

    def _on_blocked(self, _: str) -> None:
        self.blocked = True

    def _on_unblocked(self) -> None:
        self.blocked = False
