"""limitkit's own signals, used like Celery's: ``task_throttled.connect(receiver)``.

They are sent in the worker's main process, on its event loop: a receiver must not block. What happens in a pool
process is sent within a quarter of a second. Connect receivers where the app is made: before the pool's processes are
forked. What a receiver raises is logged, and hurts no task.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Final

from celery.utils.dispatch import Signal

from limitkit.events import event_types

if TYPE_CHECKING:
    from limitkit.events.event_types import Event

task_throttled: Final = Signal(name="task_throttled", providing_args={"task_id", "limit", "wait"})
"""A task can't start at once because of a limit; once for each delivery. The sender is the task's name.

``task_id``; ``limit``: the name of the limit that it waits longest for; of a task's own limit, the task's name;
``wait``: seconds until it is expected to start.
"""
task_admitted: Final = Signal(name="task_admitted", providing_args={"task_id", "waited"})
"""All limits of a task have admitted it, and it goes to the pool. The sender is the task's name.

``task_id``; ``waited``: seconds since it first came to a worker. Pools without a pacer don't send it.
"""
task_parked: Final = Signal(name="task_parked", providing_args={"task_id", "limit", "wait"})
"""A task has left the worker for the waiting room. The sender and the arguments are those of ``task_throttled``."""
limit_changed: Final = Signal(name="limit_changed", providing_args={"rate", "burst", "source", "ends"})
"""Another rate is in force in this worker. The sender is the limit's name.

``rate``: tokens a second, 0.0 while it is paused; ``burst``, which is the number of a window, or ``max_running``;
``source``: ``file``, ``schedule``, ``override``, ``pause``, ``stricter file`` or ``control``; ``ends``: when the
declared rate returns by itself (seconds since 1970), or None.
"""
lease_lost: Final = Signal(name="lease_lost", providing_args=set())
"""A running task has lost its slot of a concurrency limit, since its worker could not renew the lease in time: until it
ends, one more may run at once. The sender is the limit's name.
"""
cost_settled: Final = Signal(name="cost_settled", providing_args={"estimate", "cost"})
"""A task has ended, and has said what its start has really cost. The sender is the limit's name.

``estimate``: the tokens that were taken for its start; ``cost``: the tokens that it has really cost.
"""
config_reloaded: Final = Signal(name="config_reloaded", providing_args=set())
"""Another version of the file is in force. The sender is its path."""
store_failed: Final = Signal(name="store_failed", providing_args={"reason"})
"""The store can't be asked any more. The sender is None; ``reason`` says why, without a password."""
store_recovered: Final = Signal(name="store_recovered", providing_args=set())
"""The store answers again. The sender is None."""

_SIGNALS: Final[dict[type[Event], Signal]] = {
    event_types.TaskThrottled: task_throttled,
    event_types.TaskSentBack: task_throttled,
    event_types.TaskAdmitted: task_admitted,
    event_types.TaskParked: task_parked,
    event_types.LimitChanged: limit_changed,
    event_types.LeaseLost: lease_lost,
    event_types.CostSettled: cost_settled,
    event_types.ConfigReloaded: config_reloaded,
    event_types.StoreFailed: store_failed,
    event_types.StoreRecovered: store_recovered,
}
_SENDERS: Final = ("task", "limit", "path")
"""The sender is the first of these fields that an event has."""
_ARGUMENTS: Final = {"id": "task_id"}
"""Fields that have another name as the signal's argument."""


class Signals:
    """The listener that sends the signals."""

    def wants(self, kind: type[Event]) -> bool:
        """Whether this kind of event has a signal with a receiver."""
        signal = _SIGNALS.get(kind)
        return signal is not None and bool(signal.receivers)

    def __call__(self, event: Event) -> None:
        """Send the signal of an event."""
        if isinstance(event, event_types.TaskSentBack) and event.throttled:
            return
        signal = _SIGNALS[type(event)]
        values = {each.name: getattr(event, each.name) for each in fields(event)}
        sender = next((values.pop(name) for name in _SENDERS if name in values), None)
        named = {_ARGUMENTS.get(name, name): value for name, value in values.items()}
        signal.send(sender, **{name: value for name, value in named.items() if name in signal.providing_args})
