"""Reads the code of a task or a function: which tasks it names, and what its other names stand for. It runs nothing."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
import types
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_NAMED: Final = {"send_task", "signature"}
"""Calls that name a task by a text."""


class TaskCode:
    """The code of a task, or of a plain function, and what its names stand for.

    Raises whatever reading it raises: an app's objects have any code of their own.
    """

    def __init__(self, task: Any) -> None:
        own = getattr(task, "_orig_run", None) or getattr(task, "run", task)
        run = inspect.unwrap(own)
        self.tree = ast.parse(textwrap.dedent(inspect.getsource(run)))
        globals_ = getattr(run, "__globals__", {})
        self._known = {**globals_, **_enclosing(run)}
        for name in _locals(self.tree):
            self._known.pop(name, None)
        self._known |= _imported(self.tree, globals_.get("__package__") or "")
        first = inspect.getfullargspec(run).args[:1]
        if first and inspect.ismethod(own):
            self._known[first[0]] = task
        self.calls = [node for node in ast.walk(self.tree) if isinstance(node, ast.Call)]

    def task_named(self, node: ast.Call, methods: Collection[str]) -> str | None:
        """Return the name of the task that a call of one of these methods sends, or makes a signature of."""
        method = method_of(node) or (node.func.id if isinstance(node.func, ast.Name) else "")
        named = [*node.args[:1], *(word.value for word in node.keywords if word.arg in ("name", "task"))]
        if method in _NAMED and named and isinstance(name := self.value(named[0]), str):
            return name
        if method not in methods or not isinstance(node.func, ast.Attribute):
            return None
        found = self.value(node.func.value)
        name = getattr(found, "name", None) if hasattr(found, "apply_async") else None
        return name if isinstance(name, str) else None

    def value(self, node: ast.expr) -> Any:
        """Look up what a text, or a name such as ``child`` or ``tasks.child``, stands for."""
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            return self._known.get(node.id)
        if isinstance(node, ast.Attribute):
            return inspect.getattr_static(self.value(node.value), node.attr, None)
        return None


def method_of(node: ast.AST) -> str:
    """Return the name of the method that a call calls; empty when it calls none."""
    return node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""


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
