"""Finds why a worker must refuse to start, and logs warnings: it never runs without limits because of its config."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from celery.concurrency import get_implementation

from limitkit.config import app_check
from limitkit.config.checks.model_errors import UNUSABLE_FILE
from limitkit.config.wording import quote
from limitkit.errors import StoreError
from limitkit.stores.choice import store_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from limitkit.config.declared import Limit
    from limitkit.config.load import Config
    from limitkit.config.rules import Entry, QueueRule
    from limitkit.config.wording import Path
    from limitkit.errors import Problem
    from limitkit.stores.store import Store

logger = logging.getLogger("limitkit")

NO_STORE: Final = "LK050"
MEMORY_IN_PREFORK: Final = "LK051"
RATE_LIMITS_DISABLED: Final = "LK052"
STORE_EVICTS: Final = "LK053"
_PATCHED: Final = ("gevent", "eventlet")


@dataclass(frozen=True, slots=True)
class BySettings:
    """A worker as the app's settings describe it: ``validate`` checks that one."""

    app: Any

    @property
    def disable_rate_limits(self) -> bool:
        """Whether Celery's own rate limits are switched off in it."""
        return bool(self.app.conf.worker_disable_rate_limits)

    @property
    def pool_cls(self) -> Any:
        """Its pool, as the setting names it."""
        return self.app.conf.worker_pool


def refusals(config: Config, worker: Any) -> list[Problem]:
    """Find what makes it impossible to keep the limits in this worker, in the order of the file.

    ``worker`` is one that starts, or a ``BySettings``: only its ``app``, ``disable_rate_limits`` and ``pool_cls`` are
    used.
    """
    limited = list(_in_force(config))
    if not limited:
        return []
    tasks = worker.app.tasks
    found = [problem for problem in app_check.missing_keys(config, tasks) if problem.severity == "error"]
    found += _store_problems(config, worker, limited)
    if worker.disable_rate_limits and any(limit.mode == "enforce" for _, limit in limited):
        which = "by worker_disable_rate_limits" if isinstance(worker, BySettings) else "for this worker"
        fact = f"rate limits are switched off {which}, so its tasks would start without them"
        hint = "take out worker_disable_rate_limits and --disable-rate-limits, or set LIMITKIT_MODE=off"
        found.append(config.document.problem(RATE_LIMITS_DISABLED, (), fact, hint))
    return config.document.in_order(found)


def needs_store(config: Config) -> list[Problem]:
    """Find the limits of a changed file that a worker that has started without a store can't keep."""
    shared = [path for path, limit in _in_force(config) if not limit.local]
    fact = "this limit needs a store, and this worker has started without one"
    return [config.document.problem(NO_STORE, path, fact, "restart the worker", at="header") for path in shared[:1]]


def warn(config: Config, worker: Any, store: Store | None, *, paced: bool) -> None:
    """Log warnings about what works, but not as a reader of the file may expect."""
    rules, tasks = config.rules, worker.app.tasks
    if rules.mode != config.file_mode:
        logger.warning('LIMITKIT_MODE=%s wins over mode = "%s" in %s.', rules.mode, config.file_mode, rules.path)
    found = (
        *config.warnings,
        *app_check.unknown_tasks(config, tasks),
        *app_check.ambiguous_patterns(config, tasks),
        *app_check.own_rate_limits(config, tasks),
        *eviction(config, store),
    )
    for problem in config.severities.heard(found):
        logger.warning("%s", problem)
    static = sorted({limit.name for _, limit in _in_force(config) if limit.strategy == "static"})
    if static and not paced:
        logger.warning(
            "This worker has no pacer, which needs a pool of Celery's (prefork, threads, gevent, eventlet, solo): "
            "the static limits of %s are not kept here, and what is over a shared limit goes back to its queue; "
            "use -P with one of these to keep them all.",
            ", ".join(static),
        )


def eviction(config: Config, store: Store | None) -> Iterator[Problem]:
    """Find whether the store may drop buckets that are in use; a store that fails is reported when a task comes."""
    if store is None or all(limit.local for _, limit in _in_force(config)):
        return
    try:
        policy = store.evicts()
    except StoreError as error:
        logger.debug("The store does not report its maxmemory-policy: %s", error)
        return
    if policy:
        fact = f"the store's maxmemory-policy is {policy}, so it may drop buckets, and a bucket that is dropped is full"
        hint = 'set it to "noeviction", or use a Redis of its own for the limits'
        path = ("store", "url") if config.rules.store.url else ()
        yield config.document.problem(STORE_EVICTS, path, fact, hint, severity="warning")


def _in_force(config: Config) -> Iterator[tuple[Path, Limit]]:
    """Yield the limits that some entry or queue uses, each with the place where it is declared."""
    rules = config.rules
    entries: list[Entry | QueueRule] = [*rules.exact.values(), *rules.patterns]
    for entry in [*entries, *rules.queues.values(), *rules.queue_patterns]:
        for limit in entry.limits:
            if limit.mode != "off":
                yield ("tasks", entry.pattern) if limit.own else ("limits", limit.name), limit
    for table in (*rules.queues.values(), *rules.queue_patterns):
        yield from ((("limits", limit.name), limit) for limit in table.limits if limit.mode != "off")


def _store_problems(config: Config, worker: Any, limited: list[tuple[Path, Limit]]) -> Iterator[Problem]:
    shared = [(path, limit) for path, limit in limited if not limit.local]
    url = store_url(worker.app, config.rules.store)
    if not shared:
        return
    # A warning when a file is only checked is an error when it is used.
    yield from (replace(each, severity="error") for each in config.warnings if each.code == UNUSABLE_FILE)
    if url is None:
        fact = "this limit needs a store, and there is neither store.url nor a Redis broker or result backend"
        path, limit = shared[0]
        alone = 'scope = "worker"' if limit.strategy == "concurrency" else 'strategy = "static"'
        hint = f'write [store] with url = "redis://…", or {alone}'
        yield config.document.problem(NO_STORE, path, fact, hint, at="header")
    elif url.startswith("memory://") and _has_processes(worker.pool_cls):
        fact = "memory:// holds the buckets of one process, and this worker's pool has several"
        hint = "name a Redis, or use another pool (-P threads or -P solo)"
        if isinstance(worker, BySettings):
            fact = f"memory:// holds the buckets of one process, and worker_pool is {quote(str(worker.pool_cls))}"
            hint = 'name a Redis, or set worker_pool = "threads" or "solo" in the app'
        yield config.document.problem(MEMORY_IN_PREFORK, ("store", "url"), fact, hint)


def _has_processes(pool: Any) -> bool:
    """Whether a pool runs tasks in processes of their own; one that can't be imported is reported by Celery itself."""
    if pool in _PATCHED:  # importing these in a process that is no such worker gives a warning
        return False
    try:
        return bool(get_implementation(pool).uses_semaphore)
    except (ImportError, AttributeError, KeyError, ValueError):
        return False
