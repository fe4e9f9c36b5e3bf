"""Checks the rules against the tasks that an app has. It takes a mapping of name to task, and imports no Celery."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final

from limitkit.config.checks.declared_limits import entries_of, table_of
from limitkit.config.native_limit import setting_of
from limitkit.config.spelling import Nearest
from limitkit.config.waiting_parents import waiting_parents
from limitkit.config.wording import listed, quote, suggest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from limitkit.config.declared import Limit, Part, TaskRule
    from limitkit.config.load import Config
    from limitkit.config.wording import Path
    from limitkit.errors import Problem, Severity

UNKNOWN_TASK: Final = "LK040"
UNMATCHED_PATTERN: Final = "LK041"
AMBIGUOUS_PATTERNS: Final = "LK042"
MISSING_KEY: Final = "LK043"
OWN_RATE_LIMIT: Final = "LK044"
NOTHING_RETURNED: Final = "LK083"
MISSING_ARGUMENT: Final = "LK084"


def problems(config: Config, tasks: Mapping[str, Any]) -> list[Problem]:
    """Find all points in which the file and the app disagree, in the order of the file.

    The caller decides by ``code`` which of them are fatal. Warnings are a missing key of a limit that is off, a missing
    argument of a cost or of turns, a settle without a result, a parent that waits for a child under the same slots,
    and a task's own rate limit. All others are errors.
    """
    found = [
        *unknown_tasks(config, tasks),
        *unmatched_patterns(config, tasks),
        *ambiguous_patterns(config, tasks),
        *missing_keys(config, tasks),
        *missing_arguments(config, tasks),
        *unreturned_costs(config, tasks),
        *waiting_parents(config, tasks),
        *own_rate_limits(config, tasks),
    ]
    return config.document.in_order(found)


def unknown_tasks(config: Config, tasks: Mapping[str, Any]) -> Iterator[Problem]:
    """Find entries whose task the app does not have."""
    near = _nearest(tasks)
    for name in config.rules.exact_names:
        if name not in tasks:
            hint = suggest(name, near) or "fix the name, or import the task's module in the app"
            fact = f"the app has no task {quote(name)}"
            yield config.document.problem(UNKNOWN_TASK, ("tasks", name), fact, hint, at="header")


def _nearest(tasks: Mapping[str, Any]) -> Nearest:
    return Nearest(name for name in tasks if not name.startswith("celery."))


def unmatched_patterns(config: Config, tasks: Mapping[str, Any]) -> Iterator[Problem]:
    """Find patterns that match none of the app's tasks."""
    matched = {entry.pattern for name in tasks for entry in config.rules.matching(name)}
    near = _nearest(tasks)
    for entry in config.rules.patterns:
        pattern = entry.pattern
        if pattern in matched:
            continue
        hint = suggest(pattern.replace("*", ""), near) or "fix the pattern, or take it out"
        fact = "no task of the app matches this pattern"
        if pattern.startswith("celery."):
            fact, hint = "a pattern matches none of Celery's own tasks", "write the task's whole name"
        yield config.document.problem(UNMATCHED_PATTERN, ("tasks", pattern), fact, hint, at="header")


def ambiguous_patterns(config: Config, tasks: Mapping[str, Any]) -> Iterator[Problem]:
    """Find pairs of patterns of equal weight that match the same task; one problem for each pair, at the second."""
    seen = set()
    for name in sorted(tasks):
        pair = config.rules.ambiguous(name)
        if pair and pair not in seen:
            seen.add(pair)
            first, second = pair
            fact = (
                f"this pattern and {quote(first)} have equally many literal characters and both match "
                f"{quote(name)}, so the first in the file holds"
            )
            hint = "make one of them longer, or name the task exactly"
            yield config.document.problem(AMBIGUOUS_PATTERNS, ("tasks", second), fact, hint, at="header")


def missing_keys(config: Config, tasks: Mapping[str, Any]) -> Iterator[Problem]:
    """Find keys that the real signature of a task does not have."""
    for name, rule, limit, signature in _signed(config, tasks):
        for argument in _missing(signature, limit.key.parts if limit.key else ()):
            severity: Severity = "warning" if limit.mode == "off" else "error"
            path = key_path(config, rule, limit, "key")
            fact, hint = _not_taken(argument, name, signature)
            yield config.document.problem(MISSING_KEY, path, fact, hint, severity=severity)


def missing_arguments(config: Config, tasks: Mapping[str, Any]) -> Iterator[Problem]:
    """Find arguments that a cost or turns are read from, and that the real signature of a task does not have."""
    for name, rule, limit, signature in _signed(config, tasks):
        read = {
            "cost": (limit.cost.of,) if limit.cost.of else (),
            "fair_by": limit.fair_by.parts if limit.fair_by else (),
        }
        for key, parts in read.items():
            for argument in _missing(signature, parts):
                path, said = key_path(config, rule, limit, key), _not_taken(argument, name, signature)
                yield config.document.problem(MISSING_ARGUMENT, path, *said, severity="warning")


def unreturned_costs(config: Config, tasks: Mapping[str, Any]) -> Iterator[Problem]:
    """Find tasks that settle by what they return, and ignore their result, or are declared to return nothing."""
    seen = set()
    for name, rule, limit, signature in _signed(config, tasks):
        if limit.settle is None:
            continue
        path = key_path(config, rule, limit, "settle")
        nothing = signature.return_annotation in (None, "None")
        if (nothing or getattr(tasks[name], "ignore_result", False)) and (path, name) not in seen:
            seen.add((path, name))
            why = "is declared to return None" if nothing else "ignores its result (ignore_result)"
            fact = f"{name} {why}; if it returns nothing, each start keeps its estimate"
            hint = "return the true cost, which is read in the worker and need not be stored, or call limitkit.settle"
            yield config.document.problem(NOTHING_RETURNED, path, fact, hint, severity="warning")


def _signed(config: Config, tasks: Mapping[str, Any]) -> Iterator[tuple[str, TaskRule, Limit, inspect.Signature]]:
    """Go through the limits of tasks whose signature is known."""
    for name in sorted(tasks):
        rule = config.rules.for_task(name)
        signature = task_signature(tasks[name]) if rule and any(map(_reads, rule.limits)) else None
        for limit in rule.limits if rule and signature else ():
            if rule and signature:
                yield name, rule, limit, signature


def _reads(limit: Limit) -> bool:
    return bool(limit.key or limit.fair_by or limit.cost.of or limit.settle)


def _missing(signature: inspect.Signature, parts: Iterable[Part]) -> Iterator[str]:
    """Return the arguments that a message of the task can't have."""
    for part in parts:
        if not part.header and not has_argument(signature, part.path[0]):
            yield part.path[0]


def key_path(config: Config, rule: TaskRule, limit: Limit, key: str) -> Path:
    """Return where the file says a key of a limit: in the task's list, in the task, or in the limit."""
    task: Path = ("tasks", rule.pattern)
    table = table_of(table_of(config.document.data.get("tasks")).get(rule.pattern))
    entry = next((each for each in entries_of(task, table) if each.name == limit.name and key in each.said), None)
    if limit.own or entry is None:
        return (*task, key) if limit.own or key in {"cost", "settle"} else ("limits", limit.name, key)
    return (*entry.path, key)


def own_rate_limits(config: Config, tasks: Mapping[str, Any]) -> Iterator[Problem]:
    """Find tasks with a ``rate_limit`` of their own beside the file's limits, which win."""
    for name in sorted(tasks):
        rule = config.rules.for_task(name)
        own = getattr(tasks[name], "rate_limit", None)
        limits = [limit for limit in rule.limits if limit.mode == "enforce"] if rule else []
        if rule and limits and own is not None:
            declared = " and ".join(limit.rate_text if limit.own else f"limits.{limit.name}" for limit in limits)
            setting = setting_of(tasks[name])
            whose = "of its own" if setting == "rate_limit" else f"by {setting}"
            fact = f"{name} has a rate_limit {whose}, {quote(str(own))}, which gives way to {declared} here"
            hint = "take one of them out"
            path = ("tasks", rule.pattern)
            yield config.document.problem(OWN_RATE_LIMIT, path, fact, hint, at="header", severity="warning")


def task_signature(task: Any) -> inspect.Signature | None:
    """Return the signature for a caller of the task: without ``self``, and of the function inside wrappers.

    None when Python has none, as for some callables written in C.
    """
    run = getattr(task, "_orig_run", None) or task.run
    try:
        return inspect.signature(run)
    except (TypeError, ValueError):
        return None


def has_argument(signature: inspect.Signature, name: str) -> bool:
    """Say whether a call may pass an argument of this name; ``**kwargs`` takes any, ``*args`` none by name."""
    parameters = signature.parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return True
    return name in parameters and parameters[name].kind is not inspect.Parameter.VAR_POSITIONAL


def _not_taken(argument: str, task: str, signature: inspect.Signature) -> tuple[str, str]:
    """Say that a task has no such argument, as fact and hint."""
    names = [each.name for each in signature.parameters.values() if each.kind is not each.VAR_POSITIONAL]
    taken = f"which takes {listed(names, 'and')}" if names else "which takes none by name"
    hint = suggest(argument, names) or "name an argument of the task"
    return f"{quote(argument)} is not an argument of {task}, {taken}", hint
