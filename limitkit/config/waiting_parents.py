"""Finds tasks that wait for others under the same concurrency limit: with all slots theirs, none of them ends."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
import types
from typing import TYPE_CHECKING, Any, Final

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
_NAMED: Final = {"send_task", "signature"}
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
        code = _Code(task)
        return {name for name in code.sent() if name in tasks} if code.waits else set()
    except (Exception, SystemExit):  # noqa: BLE001 (an app's objects have any code of their own)
        return set()


class _Code:
    """The code of a task, and what its names stand for. Nothing of it is run."""

    def __init__(self, task: Any) -> None:
        own = getattr(task, "_orig_run", None) or task.run
        run = inspect.unwrap(own)
        self._tree = ast.parse(textwrap.dedent(inspect.getsource(run)))
        globals_ = getattr(run, "__globals__", {})
        self._known = {**globals_, **_enclosing(run)}
        for name in _locals(self._tree):
            self._known.pop(name, None)
        self._known |= _imported(self._tree, globals_.get("__package__") or "")
        first = inspect.getfullargspec(run).args[:1]
        if first and inspect.ismethod(own):
            self._known[first[0]] = task
        self._calls = [node for node in ast.walk(self._tree) if isinstance(node, ast.Call)]

    @property
    def waits(self) -> bool:
        """Whether it waits for a result, and Celery lets it."""
        return any(map(self._may_wait, self._calls)) and any(map(_waits, self._calls))

    def sent(self) -> Iterator[str]:
        """Go through the names of the tasks that it sends, and whose results it does not leave alone."""
        left = {id(call) for node in ast.walk(self._tree) if _leaves(node) for call in ast.walk(node)}
        for node in self._calls:
            name = self._name(node) if id(node) not in left else None
            if isinstance(name, str):
                yield name

    def _may_wait(self, node: ast.Call) -> bool:
        called = self._value(node.func)
        return getattr(called, "__name__", "") == _ALLOWED or any(
            word.arg == "disable_sync_subtasks" and isinstance(word.value, ast.Constant) and word.value.value is False
            for word in node.keywords
        )

    def _name(self, node: ast.Call) -> Any:
        """Return the name of the task that a call sends, or makes a signature of."""
        method = _method(node) or (node.func.id if isinstance(node.func, ast.Name) else "")
        named = [*node.args[:1], *(word.value for word in node.keywords if word.arg in ("name", "task"))]
        if method in _NAMED and named and isinstance(name := self._value(named[0]), str):
            return name
        if method not in _SENDS or not isinstance(node.func, ast.Attribute):
            return None
        found = self._value(node.func.value)
        return getattr(found, "name", None) if hasattr(found, "apply_async") else None

    def _value(self, node: ast.expr) -> Any:
        """Look up what a text, or a name such as ``child`` or ``tasks.child``, stands for."""
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            return self._known.get(node.id)
        if isinstance(node, ast.Attribute):
            return inspect.getattr_static(self._value(node.value), node.attr, None)
        return None


def _method(node: ast.AST) -> str:
    return node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""


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
    return _method(node) in _NOT_SENT


def _enclosing(run: Any) -> dict[str, Any]:
    """Return what the names of enclosing functions stand for."""
    cells = zip(run.__code__.co_freevars, run.__closure__ or (), strict=True)
    return {name: cell.cell_contents for name, cell in cells if cell != types.CellType()}


def _locals(tree: ast.AST) -> Iterator[str]:
    """Go through the names that the code gives something of its own: its arguments and variables."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def _imported(tree: ast.AST, package: str) -> dict[str, Any]:
    """Return what the code itself imports, as far as it is loaded already."""
    found: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            above = package.rsplit(".", node.level - 1)[:1] if node.level else []
            module = sys.modules.get(".".join([*above, *filter(None, [node.module])]))
            inside = getattr(module, "__dict__", {})
            found |= {name.asname or name.name: inside.get(name.name) for name in node.names}
        elif isinstance(node, ast.Import):
            for name in node.names:
                bound = name.name if name.asname else name.name.partition(".")[0]
                found[name.asname or bound] = sys.modules.get(bound)
    return found
