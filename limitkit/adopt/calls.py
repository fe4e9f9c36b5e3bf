"""Calls that limit while the program runs. No file can say the same, so they are only listed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import libcst as cst

from limitkit.adopt.found import Note
from limitkit.adopt.literals import NotConstantError, value_of
from limitkit.adopt.source import below, dotted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from limitkit.adopt.project import Project
    from limitkit.adopt.source import Source
    from limitkit.adopt.tasks import Task

_LIBRARIES: Final = frozenset({"limits", "pyrate_limiter"})
_ASKING: Final = frozenset({"hit", "test", "try_acquire", "try_acquire_async", "ratelimit", "as_decorator"})
"""Methods of those libraries that ask a limiter."""


def limiting_calls(project: Project, tasks: Sequence[Task]) -> Iterator[Note]:
    """Find changes of rates by remote control, and limiters that tasks ask."""
    for source in project.sources:
        for node in source.all(cst.Call):
            if _is_control(source, node):
                yield _change(source, node)
    bound = {source: limiters(source) for source in project.sources}
    known = {f"{source.name}.{name}" for source, names in bound.items() for name in names}
    for task in tasks:
        imported = {name for name, whole in task.source.imports.items() if whole in known}
        names = bound[task.source] | imported
        if task.function is not None and names:
            yield from _asked(task, names)


def _is_control(source: Source, node: cst.Call) -> bool:
    if not isinstance(node.func, cst.Attribute):
        return False
    before = node.func.value
    last = before.attr.value if isinstance(before, cst.Attribute) else (dotted(before) or "")
    if isinstance(before, cst.Call):
        last = (dotted(before.func) or "").rpartition(".")[2]
    if isinstance(before, cst.Name):
        values = source.bindings.get(before.value, ())
        made = [dotted(value.func if isinstance(value, cst.Call) else value) or "" for value in values if value]
        last = "control" if any(name.endswith(("control", "Control")) for name in made) else last
    if last.lower() != "control":
        return False
    if node.func.attr.value == "broadcast" and node.args and isinstance(node.args[0].value, cst.SimpleString):
        return node.args[0].value.evaluated_value == "rate_limit"
    return node.func.attr.value == "rate_limit"


def _change(source: Source, node: cst.Call) -> Note:
    fact = "a rate is changed at run time, which no file can say"
    try:
        said = [value_of(source, arg.value) for arg in node.args[:2] if not arg.star]
    except NotConstantError:
        said = []
    pair = said if len(said) == 2 and all(isinstance(each, str) and each.isprintable() for each in said) else None  # noqa: PLR2004
    command = f"limitkit set {pair[0]} {pair[1]}" if pair and " " not in "".join(pair) else "limitkit set TASK RATE"
    return Note(source, node, fact, f"use limitkit.RateLimitManager(app).adjust_rate, or {command}")


def limiters(source: Source) -> set[str]:
    """Name what a module has of the libraries: their names, and what is made with them."""
    names = {name for name, whole in source.imports.items() if whole.partition(".")[0] in _LIBRARIES}
    while names:
        new = {
            name
            for name, values in source.bindings.items()
            if name not in names and any(isinstance(value, cst.Call) and _root(value.func) in names for value in values)
        }
        if not new:
            break
        names |= new
    return names


def _asked(task: Task, names: set[str]) -> Iterator[Note]:
    assert task.function is not None  # noqa: S101 (the caller looks)
    remedy = "write a limit for it into the file, and remove the call"
    for decorator in task.function.decorators:
        if _root(decorator.decorator) in names:
            yield Note(task.source, decorator, "a limiter is asked around a task's own code", remedy)
    waiting: list[cst.CSTNode] = [task.function.body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, cst.Call):
            method = node.func.attr.value if isinstance(node.func, cst.Attribute) else ""
            if method in _ASKING or (_root(node.func) in names and not method):
                yield Note(task.source, node, "a limiter is asked within a task", remedy)
                continue
        waiting.extend(reversed([*below(node)]))


def _root(node: cst.CSTNode) -> str:
    while isinstance(node, (cst.Attribute, cst.Call, cst.Subscript)):
        node = node.func if isinstance(node, cst.Call) else node.value
    return node.value if isinstance(node, cst.Name) else ""
