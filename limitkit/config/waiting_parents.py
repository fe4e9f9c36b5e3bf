"""Finds tasks that wait for others under the same concurrency limit: with all slots theirs, none of them ends."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from typing import TYPE_CHECKING, Any, Final

from limitkit.config.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from limitkit.config.declared import Limit
    from limitkit.config.load import Config
    from limitkit.errors import Problem

WAITS_FOR_CHILD: Final = "LK087"
_WAITS: Final = {"get", "join", "join_native", "wait", "collect"}
_ALLOWED: Final = "allow_join_result"
"""Celery lets a task wait for another one only in this context, or with ``disable_sync_subtasks=False``."""
_SENDS: Final = {"apply_async", "chunks", "delay", "map", "s", "si", "signature", "starmap", "subtask"}
_NAMED: Final = {"send_task", "signature"}


def waiting_parents(config: Config, tasks: Mapping[str, Any]) -> Iterator[Problem]:
    """Find tasks with a concurrency limit whose code sends a task under that limit, and waits for a result.

    Whether it waits for that very one can't be known from the code: this is a warning.
    """
    for name in sorted(tasks):
        rule = config.rules.for_task(name)
        limits = _slots(config, name)
        if not rule or not limits:
            continue
        for child in sorted(_children(tasks[name], tasks)):
            shared = limits.keys() & _slots(config, child).keys()
            for limit in (limits[each] for each in sorted(shared)):
                whom = "another run of itself" if child == name else child
                fact = (
                    f"{name} waits for a result, sends {whom}, and each needs a slot of {limit.name}: with "
                    f"{count(limit.max_running, 'such parent')} running no other can start, and none of them ends"
                )
                hint = "use a chain, a chord or self.replace() in place of waiting, or give the child another limit"
                path = ("tasks", rule.pattern)
                yield config.document.problem(WAITS_FOR_CHILD, path, fact, hint, at="header", severity="warning")


def _slots(config: Config, name: str) -> dict[str, Limit]:
    """Return the concurrency limits in force of a task, by their names."""
    rule = config.rules.for_task(name)
    limits = rule.limits if rule else ()
    return {limit.name: limit for limit in limits if limit.strategy == "concurrency" and limit.mode == "enforce"}


def _children(task: Any, tasks: Mapping[str, Any]) -> set[str]:
    """Return the tasks that a task's code sends, if it waits for any result."""
    try:
        run = inspect.unwrap(getattr(task, "_orig_run", None) or task.run)
        tree = ast.parse(textwrap.dedent(inspect.getsource(run)))
    except (OSError, TypeError, SyntaxError, ValueError):
        return set()
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    if not any(_may_wait(node) for node in calls) or not any(_method(node) in _WAITS for node in calls):
        return set()
    known = {**inspect.getclosurevars(run).nonlocals, **run.__globals__}
    known |= _imported(tree, known.get("__package__") or "")
    return {name for node in calls if (name := _sent(node, known, task)) and name in tasks}


def _may_wait(node: ast.Call) -> bool:
    called = node.func.id if isinstance(node.func, ast.Name) else _method(node)
    return called == _ALLOWED or any(
        word.arg == "disable_sync_subtasks" and isinstance(word.value, ast.Constant) and word.value.value is False
        for word in node.keywords
    )


def _method(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else ""


def _sent(node: ast.Call, known: Mapping[str, Any], task: Any) -> str | None:
    """Return the name of the task that a call sends, or makes a signature of."""
    method = _method(node) or (node.func.id if isinstance(node.func, ast.Name) else "")
    first = node.args[0] if node.args else None
    if method in _NAMED and isinstance(first, ast.Constant) and isinstance(first.value, str):
        return first.value
    if method not in _SENDS or not isinstance(node.func, ast.Attribute):
        return None
    return _name_of(_value(node.func.value, known, task))


def _value(node: ast.expr, known: Mapping[str, Any], task: Any) -> Any:
    """Look up what a name stands for, such as ``child`` or ``tasks.child``; nothing of the app is run for it."""
    if isinstance(node, ast.Name):
        return known.get(node.id, task if node.id == "self" else None)
    if isinstance(node, ast.Attribute):
        return inspect.getattr_static(_value(node.value, known, task), node.attr, None)
    return None


def _name_of(found: Any) -> str | None:
    try:
        name = found.name  # Celery's proxies look it up in their app
    except Exception:  # noqa: BLE001 (any object of the app's, with any code of its own)
        return None
    return name if isinstance(name, str) else None


def _imported(tree: ast.AST, package: str) -> dict[str, Any]:
    """Return what the code itself imports, as far as it is loaded already."""
    found: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            above = package.rsplit(".", node.level - 1)[:1] if node.level else []
            module = sys.modules.get(".".join([*above, *filter(None, [node.module])]))
            found |= {name.asname or name.name: getattr(module, name.name, None) for name in node.names}
        elif isinstance(node, ast.Import):
            found |= {name.asname or name.name: sys.modules.get(name.name) for name in node.names}
    return found
