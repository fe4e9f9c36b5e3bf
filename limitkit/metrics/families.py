"""All metrics by name, with kind, help text and labels. ``docs/metrics.md`` is made from it.

Labels hold limits' names from the file, names of registered tasks, and fixed words. A task's own limit has the name of
the task.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

PREFIX: Final = "celery_rate_limit_"

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Family:
    """A metric with all its label values."""

    short: str
    """The name without the common prefix, and without ``_total``."""
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()
    """Upper bounds of a histogram's buckets, without the infinite one."""

    @property
    def name(self) -> str:
        """The name as prometheus-client wants it."""
        return PREFIX + self.short

    @property
    def shown(self) -> str:
        """The name as Prometheus has it; a histogram's samples have ``_bucket``, ``_sum`` and ``_count`` behind it."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


_WAITS: Final = (0.05, 0.5, 5.0, 30.0, 120.0, 600.0, 3600.0)
_MOMENTS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
_LIMIT: Final = ("limit",)
_TASK: Final = ("task_name",)

HITS: Final = Family("hits", "counter", "Deliveries that could not start at once because of a limit.", _TASK)
RETRIES: Final = Family(
    "retries", "counter", "Deliveries that were sent back through the broker because of a limit.", _TASK
)
OUTCOMES: Final = Family(
    "outcomes",
    "counter",
    "What became of deliveries: started; failed_open (started while the store could not be asked); held or parked "
    "(starts later); dropped; failed; shadowed (would have waited, in shadow mode).",
    (*_TASK, "outcome"),
)
STARTS: Final = Family(
    "starts", "counter", "Starts that a limit counts, also those while the store could not be asked.", _LIMIT
)
WAITS: Final = Family(
    "wait_seconds", "histogram", "Time from a task's first arrival at a worker until it was admitted.", _TASK, _WAITS
)
LATENESS: Final = Family(
    "start_lateness_seconds",
    "histogram",
    "How late a task's code began, after the moment for which its tokens were taken.",
    (),
    _MOMENTS,
)
SHADOW_WAITS: Final = Family(
    "shadow_wait_seconds", "histogram", "How long tasks would have waited for limits in shadow mode.", _LIMIT, _WAITS
)
STORE_CALLS: Final = Family(
    "store_call_seconds", "histogram", "How long calls of the store took, also failed ones.", (), _MOMENTS
)
STORE_ERRORS: Final = Family("store_errors", "counter", "Calls of the store that failed.")
FEEDBACK: Final = Family(
    "feedback", "counter", 'How often the other side said "slow down", and what followed.', (*_LIMIT, "action")
)
LEASES_LOST: Final = Family(
    "leases_lost",
    "counter",
    "Running tasks that have lost their slot of a concurrency limit, since their worker could not renew the lease in "
    "time: another task may have run in their place.",
    _LIMIT,
)
ESTIMATED: Final = Family(
    "tokens_estimated", "counter", "Tokens that were taken for starts whose true cost was told later.", _LIMIT
)
SETTLED: Final = Family("tokens_settled", "counter", "Tokens that the same starts have really cost.", _LIMIT)
RELOADS: Final = Family("config_reloads", "counter", "Changed files that this worker has loaded.")
FAILED_RELOADS: Final = Family(
    "config_reload_failures", "counter", "Changed files that could not be used, so the one before stayed in force."
)
DECLARED: Final = Family(
    "declared_rate", "gauge", "Starts a second as the file declares them. Not for concurrency limits.", _LIMIT
)
RATE: Final = Family(
    "rate",
    "gauge",
    "Starts a second that are in force, and why: file, schedule, override, pause, stricter_file (other workers have "
    "it), or control (app.control.rate_limit in this worker). It does not show what feedback has slowed down or "
    "paused; the exporter's cluster_rate does. Not for concurrency limits.",
    (*_LIMIT, "source"),
)
SLOTS_RUNNING: Final = Family(
    "slots_running",
    "gauge",
    "Tasks of a concurrency limit that run in this worker, all partitions together: use the sum over workers.",
    _LIMIT,
)
SLOTS_LIMIT: Final = Family(
    "slots_limit",
    "gauge",
    "How many tasks of a concurrency limit may run at once as it is in force, 0 while it is paused: in all workers, "
    'or with scope = "worker" in each; and for each partition.',
    _LIMIT,
)
HELD: Final = Family("held", "gauge", "Tasks that wait for a limit in this worker.", _LIMIT)
PARKED: Final = Family(
    "parked",
    "gauge",
    "Tasks parked for a limit by all workers, as this worker last read it: use the maximum over workers.",
    _LIMIT,
)
UTILIZATION: Final = Family(
    "utilization_ratio",
    "gauge",
    "Starts in this worker in the last minute, as a part of what the rate allows: use the sum over workers. "
    "Not for limits with partitions or costs, and not for concurrency limits.",
    _LIMIT,
)
NEAR: Final = Family(
    "near_limit", "gauge", "1 while tasks wait for a limit, or this worker alone uses 80 % of it; else 0.", _LIMIT
)
OVERRIDE: Final = Family(
    "override_rate",
    "gauge",
    "Starts a second that were set at run time, 0 for a pause. Only while there is an override; for a concurrency "
    "limit only while it is paused.",
    _LIMIT,
)
OVERRIDE_ENDS: Final = Family(
    "override_end_timestamp_seconds",
    "gauge",
    "When the override ends and the declared rate is back. Only if it has an end.",
    _LIMIT,
)
DEGRADED: Final = Family("degraded", "gauge", "1 while the store can't be asked, else 0.")
CONFIG_HASH: Final = Family("config_hash", "gauge", "A number that differs from config to config.")
CONFIG_TIME: Final = Family("config_timestamp_seconds", "gauge", "When the config that is in force was loaded.")
CONFIG_REFUSED: Final = Family("config_refused", "gauge", "1 while the file as it is now can't be used, else 0.")

WORKER: Final = (
    HITS,
    RETRIES,
    OUTCOMES,
    STARTS,
    WAITS,
    LATENESS,
    SHADOW_WAITS,
    STORE_CALLS,
    STORE_ERRORS,
    FEEDBACK,
    LEASES_LOST,
    ESTIMATED,
    SETTLED,
    RELOADS,
    FAILED_RELOADS,
    DECLARED,
    RATE,
    SLOTS_RUNNING,
    SLOTS_LIMIT,
    HELD,
    PARKED,
    UTILIZATION,
    NEAR,
    OVERRIDE,
    OVERRIDE_ENDS,
    DEGRADED,
    CONFIG_HASH,
    CONFIG_TIME,
    CONFIG_REFUSED,
)
"""What each worker shows."""

CLUSTER_PARKED: Final = Family("cluster_parked", "gauge", "Tasks that are parked for a limit.", _LIMIT)
CLUSTER_OLDEST: Final = Family(
    "cluster_oldest_parked_timestamp_seconds", "gauge", "When the first of a limit's parked tasks was parked.", _LIMIT
)
CLUSTER_DRAIN: Final = Family(
    "cluster_drain_seconds",
    "gauge",
    "How long until all tasks that are parked for a limit have started, as things are now: for one with partitions the "
    "longest of them, for static ones with one worker. Infinite while the limit is paused without an end. A pause "
    "by feedback counts with its time. Not for concurrency limits, and those with costs, where it can't be told.",
    _LIMIT,
)
CLUSTER_TOKENS: Final = Family(
    "cluster_tokens",
    "gauge",
    "Tokens in a limit's bucket; below 0 when slots are reserved ahead. token_bucket only.",
    _LIMIT,
)
CLUSTER_DEBT: Final = Family(
    "cluster_debt_tokens",
    "gauge",
    "Tokens that were spent beyond those in a limit's bucket; the next starts wait until they are paid. For "
    "token_bucket limits with costs.",
    _LIMIT,
)
CLUSTER_COUNTED: Final = Family(
    "cluster_window_counted", "gauge", "Starts, or their tokens, that a limit's window counts now.", _LIMIT
)
CLUSTER_WINDOW: Final = Family(
    "cluster_window_limit", "gauge", "The most that a limit's window may count, 0 while it is paused.", _LIMIT
)
CLUSTER_RESETS: Final = Family(
    "cluster_window_reset_timestamp_seconds",
    "gauge",
    "When a limit's window begins anew. Only for one that resets; others slide.",
    _LIMIT,
)
CLUSTER_RUNNING: Final = Family(
    "cluster_slots_running",
    "gauge",
    "Slots of a concurrency limit that are taken. Only for one without partitions, shared by all workers; otherwise "
    "add up slots_running of the workers.",
    _LIMIT,
)
CLUSTER_SLOTS: Final = Family(
    "cluster_slots_limit",
    "gauge",
    "How many tasks of a concurrency limit may run at once as it is in force, 0 while it is paused.",
    _LIMIT,
)
CLUSTER_RATE: Final = Family(
    "cluster_rate",
    "gauge",
    "Starts a second that are in force; 0 while the limit is paused, by an override or by feedback. It shows what "
    "feedback has slowed down, but not for single partitions. Not for concurrency limits.",
    _LIMIT,
)
CLUSTER_BURST: Final = Family(
    "cluster_burst",
    "gauge",
    "Tokens that a limit's bucket holds. Not for window and concurrency limits.",
    _LIMIT,
)
CLUSTER_DECLARED: Final = Family(
    "cluster_declared_rate",
    "gauge",
    "Starts a second as the exporter's file declares them. Not for concurrency limits.",
    _LIMIT,
)
CLUSTER_OVERRIDE_ENDS: Final = Family(
    "cluster_override_end_timestamp_seconds",
    "gauge",
    "When the override ends. Only if it has an end.",
    _LIMIT,
)
CLUSTER_WORKERS: Final = Family("cluster_workers", "gauge", "Workers that noted themselves in the last 15 seconds.")
CLUSTER_UP: Final = Family(
    "cluster_up", "gauge", "1 if the last call of the store, or of the broker, worked, else 0.", ("source",)
)
CLUSTER_TIME: Final = Family(
    "cluster_asked_timestamp_seconds", "gauge", "When the exporter last asked the store and the broker."
)

EXPORTER: Final = (
    CLUSTER_PARKED,
    CLUSTER_OLDEST,
    CLUSTER_DRAIN,
    CLUSTER_TOKENS,
    CLUSTER_DEBT,
    CLUSTER_COUNTED,
    CLUSTER_WINDOW,
    CLUSTER_RESETS,
    CLUSTER_RUNNING,
    CLUSTER_SLOTS,
    CLUSTER_RATE,
    CLUSTER_BURST,
    CLUSTER_DECLARED,
    CLUSTER_OVERRIDE_ENDS,
    CLUSTER_WORKERS,
    CLUSTER_UP,
    CLUSTER_TIME,
)
"""What ``limitkit exporter`` shows."""
