"""Emits an event for each limit whose rate in force has changed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from limitkit.buckets.partition import limit_tag
from limitkit.buckets.token_bucket import MICROSECONDS
from limitkit.config.declared import terms_text
from limitkit.control.current import rate_of
from limitkit.control.targets import target_of
from limitkit.events.emitter import emit, wanted
from limitkit.events.event_types import LimitChanged

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from limitkit.buckets.override import Target
    from limitkit.config.declared import Limit
    from limitkit.control.in_force import Terms
    from limitkit.control.task_limits import TaskLimits


logger = logging.getLogger("limitkit")


def emit_changes(
    task_limits: TaskLimits, tasks: Iterable[Any], changed: Collection[str], before: Mapping[str, Terms]
) -> None:
    """Emit an event for each limit whose terms have changed, and log what a schedule has changed.

    ``changed`` are the tags in the buckets' keys, ``before`` the terms until now, by tag.
    """
    if not changed:
        return
    tells = wanted(LimitChanged)
    seen: set[str] = set()
    for bound in (*(bound for task in tasks for bound in task_limits.limits(task)), *task_limits.of_queues()):
        limit, terms = bound.limit, bound.terms
        tag = limit_tag(limit.name, own=limit.own)
        if tag not in changed or tag in seen:
            continue
        seen.add(tag)
        _log_schedule(target_of(limit, bound.pattern), before.get(tag), terms, limit)
        if not tells:
            continue
        posted = [task_limits.in_force.override(kind, limit, bound.pattern) for kind in ("pause", "rate")]
        ends = next((each.until for each in posted if each is not None), None)
        rate = MICROSECONDS / terms.interval_us if terms.burst else 0.0
        emit(LimitChanged(limit=limit.name, rate=rate, burst=terms.burst, source=terms.source, ends=ends))


def _log_schedule(target: Target, before: Terms | None, now: Terms, limit: Limit) -> None:
    """Log that a schedule's entry holds from now on, or does not any more."""
    if before is None or "schedule" not in (before.source, now.source) or "override" in (before.source, now.source):
        return
    text = terms_text(limit.strategy, rate_of(limit, now), now.burst)
    how = "by its schedule" if now.source == "schedule" else "again, as its schedule's time is over"
    logger.info("%s has %s now, %s.", target, text, how, extra={"action": "schedule", "limit": str(target)})
