"""Reads the present state of a worker when its metrics are scraped. It changes nothing, and may run in any thread."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from limitkit.buckets.token_bucket import MICROSECONDS
from limitkit.metrics import families as f
from limitkit.metrics.counters import made

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from limitkit.config.declared import Limit, TaskRule
    from limitkit.config.rules import QueueRule
    from limitkit.control.refresh import Refresh
    from limitkit.control.task_limits import TaskLimits
    from limitkit.metrics.count_events import Counting
    from limitkit.metrics.counters import Labels, Numbers, Shown
    from limitkit.worker.pacer_door import PacerDoor
    from limitkit.worker.pacing.pacer import Pacer

_NEAR: Final = 0.8
_HASHED: Final = 12
"""Hexadecimal digits of the config's digest: so many that every reader can hold them as a whole number."""


class _RateInForce(NamedTuple):
    """The rate of a limit that is in force, and why."""

    limit: Limit
    rate: float
    """Starts a second, in force."""
    source: str
    most: int
    """The burst, the number of a window, or ``max_running``; 0 while it is paused."""


class Reading:
    """A worker's metrics: what was counted, with zeros for what is known in advance, and the present state."""

    def __init__(self, task_limits: TaskLimits, tasks: Mapping[str, Any], refresh: Refresh, counting: Counting) -> None:
        self._task_limits = task_limits
        self._tasks = tasks
        self._refresh = refresh
        self._counting = counting
        self.pacer: Callable[[], Pacer | PacerDoor | None] = lambda: None

    def metrics(self, numbers: Numbers) -> Iterator[Shown]:
        """Return all metrics."""
        rules = [(name, rule) for name in list(self._tasks) if (rule := self._rule(name)) is not None]
        declared = self._task_limits.rules
        tables: list[TaskRule | QueueRule] = [
            *(rule for _, rule in rules),
            *declared.queues.values(),
            *declared.queue_patterns,
        ]
        rates = self._rates_in_force(tables)
        tasks: list[Labels] = [(name,) for name, _ in rules]
        limits: list[Labels] = [(name,) for name in rates]
        for family in (f.HITS, f.RETRIES):
            yield numbers.shown(family, tasks)
        yield numbers.shown(f.OUTCOMES, [(name, word) for name, rule in rules for word in _outcomes(rule)])
        yield numbers.shown(f.STARTS, limits)
        for family in (f.WAITS, f.SHADOW_WAITS):
            yield numbers.shown(family)
        with_feedback = [(name, each.limit.feedback.action) for name, each in rates.items() if each.limit.feedback]
        yield numbers.shown(f.FEEDBACK, with_feedback)
        slots: list[Labels] = [(name,) for name, each in rates.items() if each.limit.strategy == "concurrency"]
        yield numbers.shown(f.LEASES_LOST, slots)
        settles: list[Labels] = [(name,) for name, each in rates.items() if each.limit.settle is not None]
        for family in (f.ESTIMATED, f.SETTLED):
            yield numbers.shown(family, settles)
        for family in (f.LATENESS, f.STORE_CALLS, f.STORE_ERRORS, f.RELOADS, f.FAILED_RELOADS):
            yield numbers.shown(family, [()])
        yield from self._limits(rates)
        yield from self._overrides(tables)
        yield made(f.DEGRADED, {(): float(self._counting.degraded)})
        reload = self._refresh.reload
        yield made(f.CONFIG_HASH, {(): float(int(reload.config.digest[:_HASHED], 16))})
        yield made(f.CONFIG_TIME, {(): reload.since})
        yield made(f.CONFIG_REFUSED, {(): float(bool(reload.refused))})

    def _rule(self, task: str) -> TaskRule | None:
        """Return the rule of a task that has limits; the cache of ``TaskLimits`` is only for the event loop."""
        rule = self._task_limits.rules.for_task(task)
        return rule if rule is not None and any(limit.mode != "off" for limit in rule.limits) else None

    def _rates_in_force(self, tables: list[TaskRule | QueueRule]) -> dict[str, _RateInForce]:
        pacer, terms = self.pacer(), self._task_limits.in_force.terms
        by_command = pacer.view.command_rates() if pacer is not None else {}
        found: dict[str, _RateInForce] = {}
        for table in tables:
            for limit in table.limits:
                if limit.mode == "off" or limit.name in found:
                    continue
                of = terms(limit, table.pattern)
                rate = MICROSECONDS / of.interval_us if of.burst else 0.0
                source = of.source.replace(" ", "_")
                if limit.strategy == "static" and limit.name in by_command:
                    rate, source = by_command[limit.name], "control"
                found[limit.name] = _RateInForce(limit, rate, source, of.burst)
        return found

    def _limits(self, rates: dict[str, _RateInForce]) -> Iterator[Shown]:
        pacer, now = self.pacer(), time.monotonic()
        held, parked = pacer.view.by_limit() if pacer is not None else ({}, {})
        used: dict[str, float] = {}
        running = pacer.view.running_by_limit() if pacer is not None else {}
        slots = {name: each for name, each in rates.items() if each.limit.strategy == "concurrency"}
        for name, each in rates.items():
            if each.limit.key is None and not each.limit.metered and name not in slots:
                used[name] = self._counting.starts_a_second(name, now) / each.rate if each.rate else 0.0
        near = {name: float(bool(held.get(name) or parked.get(name) or used.get(name, 0.0) >= _NEAR)) for name in rates}
        per_second = {name: each.limit.per_second for name, each in rates.items()}
        declared: dict[Labels, float] = {(name,): rate for name, rate in per_second.items() if rate is not None}
        yield made(f.DECLARED, declared)
        yield made(f.RATE, {(name, each.source): each.rate for name, each in rates.items() if name not in slots})
        yield made(f.SLOTS_RUNNING, {(name,): float(running.get(name, 0)) for name in slots})
        yield made(f.SLOTS_LIMIT, {(name,): float(each.most) for name, each in slots.items()})
        yield made(f.HELD, {(name,): float(held.get(name, 0)) for name in rates})
        yield made(f.PARKED, {(name,): float(parked.get(name, 0)) for name in rates})
        yield made(f.UTILIZATION, {(name,): value for name, value in used.items()})
        yield made(f.NEAR, {(name,): value for name, value in near.items()})

    def _overrides(self, tables: list[TaskRule | QueueRule]) -> Iterator[Shown]:
        rates: dict[Labels, float] = {}
        ends: dict[Labels, float] = {}
        in_force = self._task_limits.in_force
        for table in tables if in_force.overrides else ():
            for limit in table.limits:
                found = in_force.override("pause", limit, table.pattern) or in_force.override(
                    "rate", limit, table.pattern
                )
                if found is not None:
                    if found.max_running is None:
                        rates[limit.name,] = float(found.rate.per_second) if found.rate is not None else 0.0
                    if found.until is not None:
                        ends[limit.name,] = found.until
        yield made(f.OVERRIDE, rates)
        yield made(f.OVERRIDE_ENDS, ends)


def _outcomes(rule: TaskRule) -> Iterator[str]:
    """Name the outcomes that the deliveries of a task may have."""
    enforced = [limit for limit in rule.limits if limit.mode == "enforce"]
    if enforced:
        yield from ("started", "held", "parked")
    if any(limit.on_error == "allow" and limit.strategy != "static" for limit in enforced):
        yield "failed_open"
    if rule.patience is not None:
        yield "dropped" if rule.patience.action == "drop" else "failed"
    if len(enforced) < sum(limit.mode != "off" for limit in rule.limits):
        yield "shadowed"
