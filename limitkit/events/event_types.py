"""What can happen: one frozen value for each kind of event."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskThrottled:
    """A delivery could not start at once because of a limit; emitted once for each delivery."""

    task: str
    id: str
    limit: str
    """The limit that it waits longest for."""
    wait: float
    """Seconds until it is expected to start."""
    held: bool
    """Whether a worker holds it; else it was parked, sent back, dropped or failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskAdmitted:
    """All limits of a task have admitted it, and it goes to the pool."""

    task: str
    id: str
    waited: float
    """Seconds since it first came to a worker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskParked:
    """A task left the worker for the waiting room."""

    task: str
    id: str
    limit: str
    wait: float
    """Seconds until it is expected to start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStarted:
    """The code of a task with limits begins now."""

    task: str
    queue: str | None = None
    """Where its message came from; None where that is not known."""
    late: float | None = None
    """Seconds since the moment for which its tokens were taken; None where it took them itself."""
    failed_open: bool = False
    """Whether a shared limit was not asked, because the store can't be and ``on_error`` allows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSentBack:
    """A pool process sent a task back to its queue because of a limit."""

    task: str
    id: str
    limit: str
    wait: float
    """Seconds until its limits may admit it."""
    throttled: bool = False
    """Whether not to count it as throttled: it is counted already, or it had started and got a "slow down"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDropped:
    """A task was dropped (``on_limit = "drop"``)."""

    task: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFailed:
    """A task failed with ``RateLimitExceeded`` (``on_limit = "fail"``)."""

    task: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskShadowed:
    """A task would have waited if its limit were not in shadow mode."""

    task: str
    limit: str
    wait: float
    """Seconds that it would have waited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseLost:
    """A running task has lost its slot of a concurrency limit, since its worker could not renew the lease in time."""

    limit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CostSettled:
    """A task has said what its start has really cost."""

    limit: str
    estimate: int
    """The tokens that were taken for its start."""
    cost: int
    """The tokens that it has really cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreAsked:
    """The store was asked, and has answered or failed."""

    seconds: float
    failed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFailed:
    """The store can't be asked any more."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreRecovered:
    """The store answers again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitChanged:
    """Another rate is in force for a limit in this worker than before."""

    limit: str
    rate: float
    """Tokens a second; 0.0 while it is paused. Of a concurrency limit, no more than a guess."""
    burst: int
    """The burst, the number of a window, or ``max_running``."""
    source: str
    """``file``, ``schedule``, ``override``, ``pause``, ``stricter file``, or ``control`` for
    ``app.control.rate_limit()``."""
    ends: float | None = None
    """When the declared rate returns by itself (seconds of ``time.time()``); None when it doesn't."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigReloaded:
    """Another version of the file is in force."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigRefused:
    """A changed file can't be used, so the last good one stays in force."""

    path: str
    problems: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackReceived:
    """The other side has answered "slow down", as a limit's ``feedback`` describes it."""

    limit: str
    action: str
    """``pause`` or ``slow``."""


Event = (
    TaskThrottled
    | TaskAdmitted
    | TaskParked
    | TaskStarted
    | TaskSentBack
    | TaskDropped
    | TaskFailed
    | TaskShadowed
    | LeaseLost
    | CostSettled
    | StoreAsked
    | StoreFailed
    | StoreRecovered
    | LimitChanged
    | ConfigReloaded
    | ConfigRefused
    | FeedbackReceived
)
