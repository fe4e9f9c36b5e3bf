"""Emits an event for each limit whose rate in force has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from limitkit.buckets.partition import limit_tag
from limitkit.buckets.token_bucket import MICROSECONDS
from limitkit.events.emitter import emit, wanted
from limitkit.events.event_types import LimitChanged

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from limitkit.control.task_limits import TaskLimits


def emit_changes(task_limits: TaskLimits, tasks: Iterable[Any], changed: Collection[str]) -> None:
    """Emit an event for each limit whose terms have changed; ``changed`` are the tags in the buckets' keys."""
    if not changed or not wanted(LimitChanged):
        return
    seen: set[str] = set()
    for bound in (*(bound for task in tasks for bound in task_limits.limits(task)), *task_limits.of_queues()):
        limit, terms = bound.limit, bound.terms
        tag = limit_tag(limit.name, own=limit.own)
        if tag not in changed or tag in seen:
            continue
        seen.add(tag)
        posted = [task_limits.in_force.override(kind, limit, bound.pattern) for kind in ("pause", "rate")]
        ends = next((each.until for each in posted if each is not None), None)
        rate = MICROSECONDS / terms.interval_us if terms.burst else 0.0
        emit(LimitChanged(limit=limit.name, rate=rate, burst=terms.burst, source=terms.source, ends=ends))
