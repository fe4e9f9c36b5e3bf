"""Finds tasks that wait for others under the same concurrency limit: with all slots theirs, none of them ends."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any, Final

from limitkit.config.task_code import TaskCode, method_of
from limitkit.config.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from limitkit.config.declared import Limit
    from limitkit.config.load import Config
    from limitkit.errors import Problem

WAITS_FOR_CHILD: Final = "LK087"
_WAITS: Final = {"collect", "get", "iter_native", "iterate", "join", "join_native", "wait"}
_ALLOWED: Final = "allow_join_result"
"""Celery lets a task wait for another one only in this context, or with ``disable_sync_subtasks=False``."""
_SENDS: Final = {"apply_async", "chunks", "delay", "map", "s", "si", "signature", "starmap", "subtask"}
_NOT_SENT: Final = {"add_to_chord", "apply", "replace", "retry"}
"""What these are given, or called on, runs here and now, or when the parent has ended."""


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
                many = count(limit.max_running, "such parent")
                fact = (
                    f"{name} waits for a result, sends {whom}, and each needs a slot of {limit.name}: with "
                    f"{many} running no child can start, so they would wait for nothing"
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
    """Return the tasks that a task's code sends, if it waits for any result; none if its code can't be read."""
    try:
        code = _Parent(task)
        return {name for name in code.sent() if name in tasks} if code.waits else set()
    except (Exception, SystemExit):  # noqa: BLE001 (an app's objects have any code of their own)
        return set()


class _Parent(TaskCode):
    """The code of a task, as far as it waits for others."""

    @property
    def waits(self) -> bool:
        """Whether it waits for a result, and Celery lets it."""
        return any(map(self._may_wait, self.calls)) and any(map(_waits, self.calls))

    def sent(self) -> Iterator[str]:
        """Go through the names of the tasks that it sends, and whose results it does not leave alone."""
        left = {id(call) for node in ast.walk(self.tree) if _leaves(node) for call in ast.walk(node)}
        for node in self.calls:
            name = self.task_named(node, _SENDS) if id(node) not in left else None
            if name is not None:
                yield name

    def _may_wait(self, node: ast.Call) -> bool:
        called = self.value(node.func)
        return getattr(called, "__name__", "") == _ALLOWED or any(
            word.arg == "disable_sync_subtasks" and isinstance(word.value, ast.Constant) and word.value.value is False
            for word in node.keywords
        )


def _waits(node: ast.AST) -> bool:
    """Whether a call may wait for a result; texts and tables have methods of these names, too."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr not in _WAITS:
        return False
    on = node.func.value
    return not isinstance(on, (ast.Constant, ast.Dict, ast.JoinedStr)) and getattr(on, "attr", "") != "path"


def _leaves(node: ast.AST) -> bool:
    """Whether nobody waits for what a part of the code sends: it stands alone, is returned, or is no message."""
    if isinstance(node, (ast.Expr, ast.Return)):
        return not any(map(_waits, ast.walk(node)))
    return method_of(node) in _NOT_SENT
