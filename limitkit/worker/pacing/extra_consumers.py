"""Widens a prefetch window that is each consumer's own, as RabbitMQ has it where there are quorum queues.

Such a window can't be changed while its consumer consumes. So when held requests fill it, the worker consumes from the
queue once more, over the same channel, with a window of what is wanted besides; and cancels that when it is needed no
longer. What was received that way stays the worker's.
"""

from __future__ import annotations

from collections import Counter, deque
from itertools import count
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHARE: Final = 4
"""A further window is at least this part of those that there are: so a thousand requests need some twenty."""
_LATE: Final = 100
"""A delivery may come after its consumer was cancelled, but not when so many others were cancelled since."""


class _Extra(NamedTuple):
    tag: str
    places: int
    beside: str
    """The tag of the queue's consumer that Celery knows."""


def extra_consumers(consumer: Any, first: int) -> ExtraConsumers:
    """Return those on the present connection, on which ``first`` is each consumer's own window."""
    follower = getattr(consumer.qos.callback, "__self__", None)
    return follower if isinstance(follower, ExtraConsumers) else ExtraConsumers(consumer, first)


class ExtraConsumers:
    """The further consumers on one connection; once made, they follow what Celery sets as its prefetch count."""

    def __init__(self, consumer: Any, first: int) -> None:
        self._consumer = consumer
        self._first = first
        self._held: Counter[str] = Counter()
        """The places that each queue has beyond those that Celery gives to all."""
        self._extras: dict[str, list[_Extra]] = {}
        self._cancelled: deque[str] = deque()
        self._numbers = count(1)
        self._cancel = consumer.task_consumer.channel.basic_cancel
        consumer.task_consumer.channel.basic_cancel = self._cancel_with
        consumer.qos.callback = self._follow

    def widen(self, queue: str, places: int) -> None:
        """Note that one queue alone, if it is known, has so many more of the places that Celery counts, or less.

        The windows are fitted when Celery sets its prefetch count the next time.
        """
        if queue:
            self._held[queue] += places

    def _follow(self, prefetch_count: int) -> None:
        """Fit the windows of all queues. Celery calls it between two rounds of its event loop."""
        task_consumer = self._consumer.task_consumer
        own = max(1, prefetch_count - sum(self._held.values()))  # 0 would be no window at all
        wider = False
        for queue, tag in self._consumed():
            held = self._held[queue.name]
            wanted = own + held
            extras = self._extras.get(queue.name, [])
            there = self._first + sum(extra.places for extra in extras)
            if wanted > there:
                places = max(wanted - there, there // _SHARE)
                extra = _Extra(f"{tag}.limitkit{next(self._numbers)}", places, tag)
                task_consumer.qos(prefetch_count=places)
                queue.consume(extra.tag, task_consumer._receive_callback, no_ack=False, nowait=True)  # noqa: SLF001 (as its own consume does)
                self._extras[queue.name] = [*extras, extra]
                wider = True
            else:
                keep, wanted = len(extras), wanted + min(own, held)  # what is just too much is soon wanted again
                while keep and wanted <= there - extras[keep - 1].places:
                    keep -= 1
                    there -= extras[keep].places
                if keep < len(extras):
                    self._narrow(queue.name, keep)
        if wider:
            task_consumer.qos(prefetch_count=own)  # for a queue that is added later

    def _consumed(self) -> Iterator[tuple[Any, str]]:
        task_consumer = self._consumer.task_consumer
        for queue in task_consumer.queues:
            tag = task_consumer._active_tags.get(queue.name)  # noqa: SLF001 (kombu says it nowhere else)
            if tag is not None and not queue.no_ack:
                yield queue, tag

    def _cancel_with(self, consumer_tag: str, *args: Any, **kwargs: Any) -> Any:
        """Cancel a consumer, and the extra ones beside it."""
        for queue in [queue for queue, extras in self._extras.items() if extras[0].beside == consumer_tag]:
            self._narrow(queue, 0)
        return self._cancel(consumer_tag, *args, **kwargs)

    def _narrow(self, queue: str, left: int) -> None:
        """Cancel all but the first ones of a queue's extra consumers."""
        extras = self._extras.pop(queue)
        channel = self._consumer.task_consumer.channel
        for extra in extras[left:]:
            self._cancel(extra.tag, nowait=True)
            self._cancelled.append(extra.tag)
        if left:
            self._extras[queue] = extras[:left]
        while len(self._cancelled) > _LATE:
            channel.callbacks.pop(self._cancelled.popleft(), None)
