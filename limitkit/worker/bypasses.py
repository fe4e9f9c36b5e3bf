"""Detects what may bypass the limits in a worker: Strategies, pools and tracers that are none of Celery's.

Each is reported once, as the worker starts, and in ``limitkit status``: no task runs without its limits in silence.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from celery.app import trace
from celery.concurrency import get_implementation
from celery.utils.imports import symbol_by_name

from limitkit.config.wording import listed, quote
from limitkit.worker.pool.kinds import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from limitkit.config.load import Config
    from limitkit.control.task_limits import TaskLimits
    from limitkit.errors import Problem

STRANGE_STRATEGY: Final = "LK057"
STRANGE_POOL: Final = "LK058"
STRANGE_TRACER: Final = "LK059"
_SUPPORTED: Final = "celery_batches."
"""The package whose Strategy hands its runs to the pool as ``limitkit.worker.batch_strategies`` expects it."""
_NAMED: Final = 3
_MAY: Final = "may start them past their limits"


class FoundBypass(NamedTuple):
    """Something that may bypass the limits of some tasks."""

    code: str
    task: str | None
    """The first of those tasks; None where it is the whole worker."""
    fact: str
    hint: str

    def problem(self, config: Config) -> Problem:
        """Return it as a warning about the file."""
        rule = config.rules.for_task(self.task) if self.task is not None else None
        path = ("tasks", rule.pattern) if rule is not None else ()
        return config.document.problem(self.code, path, self.fact, self.hint, at="header", severity="warning")


def heard(config: Config, found: Iterable[FoundBypass]) -> list[Problem]:
    """Return them as warnings, without what the file's ``[lint]`` or a comment leaves out."""
    return config.severities.heard(each.problem(config) for each in found)


def bypasses(task_limits: TaskLimits, tasks: Mapping[str, Any], pool: Any) -> Iterator[FoundBypass]:
    """Find the limited tasks whose starts limitkit can't control, once for each cause."""
    limited = [(name, task) for name, task in sorted(tasks.items()) if task_limits.may_limit(task)]
    if not limited:
        return
    hint = "have it hand what it starts to consumer.on_task_request, or see how fast they start"
    for strategy, names in _by_cause((strategy_of(task), name) for name, task in limited):
        if not strategy.startswith(_SUPPORTED):
            fact = (
                f"the Strategy of {_few(names)}, {strategy}, is none of Celery's, and may start them past their limits"
            )
            yield FoundBypass(STRANGE_STRATEGY, names[0], fact, hint)
    strange = pool_of(pool)
    if strange is not None:  # it brings a tracer of its own
        if kind_of(pool) is None:
            fact = (
                f"this worker's pool, {strange}, is none of Celery's, so the guard alone keeps the shared limits of "
                f"{_few([name for name, _ in limited])}, and nothing keeps static ones"
            )
            yield FoundBypass(STRANGE_POOL, None, fact, "see how fast they start, or use a pool of Celery's")
        return
    hint = "have it call the task or its run, as Celery's does, or see how fast they start"
    for tracer, names in _by_cause((tracer_of(task.__trace__), name) for name, task in limited):
        fact = f"the tracer of {_few(names)}, {tracer}, is none of Celery's, and {_MAY}"
        yield FoundBypass(STRANGE_TRACER, names[0], fact, hint)


def strategy_of(task: Any) -> str | None:
    """Name the Strategy of a task that is none of Celery's."""
    return _strange(symbol_by_name(task.Strategy))


def pool_of(pool: Any) -> str | None:
    """Name a pool that is none of Celery's in how it is given tasks, or runs them; it may be given by name."""
    cls = get_implementation(pool)
    strange = _strange(cls.apply_async) or _strange(cls.on_apply)
    return f"{cls.__module__}:{cls.__qualname__}" if strange else None


def tracer_of(tracer: Any = None) -> str | None:
    """Name a tracer that is none of Celery's, nor a wrapper of one, as monitoring adds; without one, the builder."""
    return _strange(inspect.unwrap(tracer or trace.build_tracer))


def _strange(code: Any) -> str | None:
    named = code if hasattr(code, "__qualname__") else type(code)
    module = str(named.__module__)
    return None if module.partition(".")[0] == "celery" else f"{module}.{named.__qualname__}"


def _by_cause(pairs: Iterable[tuple[str | None, str]]) -> Iterable[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {}
    for cause, name in pairs:
        if cause is not None:
            found.setdefault(cause, []).append(name)
    return found.items()


def _few(names: list[str]) -> str:
    if len(names) <= _NAMED:
        return listed(names, "and")
    return f"{', '.join(map(quote, names[:_NAMED]))} and {len(names) - _NAMED} more"
