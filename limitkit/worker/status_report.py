"""What a worker reports when it is asked: which file it uses, what is in force, what it holds and for which limits."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from limitkit.buckets.adaptive_rate import shifted
from limitkit.buckets.partition import key_of, limit_tag, parts_of, version_of
from limitkit.buckets.token_bucket import MICROSECONDS
from limitkit.control.bucket_state import adapted
from limitkit.control.targets import target_of
from limitkit.errors import StoreError
from limitkit.stores.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from limitkit.control.refresh import Refresh
    from limitkit.control.task_limits import BoundLimit, TaskLimits
    from limitkit.events.last_minute import Recent
    from limitkit.worker.pacer_door import PacerDoor
    from limitkit.worker.pacing.pacer import Pacer

_VERSION: Final = version("celery-limitkit")
_BUSIEST: Final = 5
"""Partitions of one limit that are named."""


def report(
    refresh: Refresh,
    task_limits: TaskLimits,
    pacer: Pacer | PacerDoor | None,
    recent: Recent,
    tasks: dict[str, Any],
    *,
    asks: bool = False,
) -> dict[str, Any]:
    """Return the report, as plain values that any serializer takes; times are seconds.

    With ``asks`` it includes the adapted rates from the store, for a caller that can't ask the store itself.
    """
    file = refresh.reload
    limits = dict(_limits(task_limits, pacer, recent, tasks))
    return {
        "limitkit": _VERSION,
        "now": round(task_limits.clock.time(), 3),
        "path": file.config.path,
        "digest": file.config.digest,
        "since": round(file.since, 3),
        "refused": file.refused,
        "mode": task_limits.rules.mode,
        "paced": pacer is not None,
        "pid": os.getpid(),
        "workers": task_limits.worker_count.workers,
        "unguarded": refresh.unguarded(),
        "passing": [[each.fact, each.hint] for each in refresh.bypasses()],
        "caps": pacer.view.caps() if pacer is not None else {},
        "store": refresh.store_gone,
        "overrides": [[each.name, each.text(), each.until] for each in task_limits.in_force.overrides],
        "prefix": task_limits.rules.store.prefix,
        "learnt": _adapted(task_limits, limits) if asks or isinstance(task_limits.store, MemoryStore) else {},
        "limits": limits,
    }


def _adapted(task_limits: TaskLimits, limits: Mapping[str, Mapping[str, Any]]) -> dict[str, list[float]]:
    """Return the adapted rates of the limits' buckets, and of their busiest partitions.

    Times are microseconds from now.
    """
    if isinstance(task_limits.store, MemoryStore):
        return {key: [*each] for key, each in task_limits.store.all_adapted().items()}
    with_feedback = [(tag, limit) for tag, limit in limits.items() if limit["feedback"]]
    prefix = task_limits.rules.store.prefix
    keys = [(key_of(prefix, tag, limit["version"]), limit["partitions"]) for tag, limit in with_feedback]
    wanted = [name for key, parts in keys for name in (key, *(f"{key}:{digest}" for digest, _ in parts))]
    now = round(task_limits.in_force.now * MICROSECONDS)
    try:
        return {key: [*shifted(each, -now)] for key, each in adapted(task_limits.store, wanted).items()}
    except StoreError:
        return {}


def _limits(
    task_limits: TaskLimits, pacer: Pacer | PacerDoor | None, recent: Recent, tasks: dict[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each limit that the worker's tasks have, by its tag in the buckets' keys."""
    bound: dict[str, tuple[BoundLimit, str]] = {}
    for name, task in tasks.items():
        rule = task_limits.rules.for_task(name)
        for each in (*task_limits.shadows(task), *task_limits.limits(task)):
            tag = limit_tag(each.limit.name, own=each.limit.own)
            bound[tag] = each, rule.pattern if rule is not None else name
    for each in (*task_limits.of_queues("shadow"), *task_limits.of_queues()):
        bound.setdefault(limit_tag(each.limit.name, own=False), (each, ""))
    now = task_limits.clock.monotonic()
    running = _by_tag(pacer.view.running().items() if pacer is not None else ())
    held: dict[str, list[tuple[float, str]]] = {}
    for request in pacer.view.waiting() if pacer is not None else ():
        parts = parts_of(request.bucket)
        if parts is not None:
            held.setdefault(parts[0], []).append((request.held, parts[1] or ""))
    for tag, (each, pattern) in bound.items():
        terms = each.terms
        waits, runs = held.get(tag, []), running.get(tag, Counter())
        shadow_count = pacer.view.shadow_count(tag) if pacer is not None else None
        yield (
            tag,
            {
                "limit": str(target_of(each.limit, each.limit.name)),
                "pattern": pattern,
                "strategy": each.limit.strategy,
                "mode": each.limit.mode,
                "on_error": each.limit.on_error if not each.limit.local else None,
                "feedback": each.limit.feedback is not None,
                "declared": each.limit.rate_text,
                "declared_burst": each.limit.most,
                "interval": terms.interval_us / MICROSECONDS,
                "burst": terms.burst,
                "source": terms.source,
                "dialled": pacer.view.command_interval(each) if pacer is not None else None,
                "held": len(waits),
                "oldest": round(max((seconds for seconds, _ in waits), default=0.0), 3),
                # A task that has only limits in shadow emits no event as it starts.
                "started": recent.total(tag, now) if each.limit.mode == "enforce" else None,
                "shadow": asdict(shadow_count) if shadow_count is not None else None,
                "partitions": Counter(digest for _, digest in waits if digest).most_common(_BUSIEST),
                "local": each.limit.local,
                "version": version_of(each.limit),
                "running": runs.total(),
                "running_partitions": [(form, count) for form, count in runs.most_common(_BUSIEST) if form],
            },
        )


def _by_tag(running: Iterable[tuple[str, int]]) -> dict[str, Counter[str]]:
    """Count running tasks by limit and partition; those of limits in shadow, whose keys are others, do not count."""
    found: dict[str, Counter[str]] = {}
    for key, count in running:
        parts = parts_of(key)
        if parts is not None:
            found.setdefault(parts[0], Counter())[parts[1] or ""] += count
    return found
