"""Finds tasks that are dropped or fail when they can't start in time, and stand in the header of a chord."""

from __future__ import annotations

import ast
import inspect
import sys
import types
from typing import TYPE_CHECKING, Any, Final

from limitkit.config.declared import NO_WAIT
from limitkit.config.model.units import duration_text
from limitkit.config.task_code import TaskCode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from limitkit.config.load import Config
    from limitkit.config.rules import Rules
    from limitkit.errors import Problem

IN_A_HEADER: Final = "LK116"
_SIGNATURES: Final = {"s", "si", "signature", "subtask"}
_WORDS: Final = {"chain", "chord", "group"}
_CANVAS: Final = "celery.canvas"


def chord_headers(config: Config, tasks: Mapping[str, Any] | None) -> Iterator[Problem]:
    """Find such tasks in the code of the app's tasks, and of the functions beside them."""
    if not any(_gives_up(config.rules, name) for name in tasks or ()):
        return
    seen = set()
    for where, function in _functions(tasks or {}):
        for name in sorted(_in_headers(function)):
            rule = config.rules.for_task(name) if name in (tasks or {}) else None
            if rule is None or rule.patience is None or name in seen:
                continue
            seen.add(name)
            gives_up = {"drop": "is dropped", "fail": "fails"}[rule.patience.action]
            waited = rule.patience.max_wait
            when = "that can't start at once" if waited == NO_WAIT else "that has to wait too long"
            limit = "" if waited == NO_WAIT else f" ({duration_text(waited)})"
            fact = (
                f"{name} is in the header of a chord in {where}, and one {when}{limit} {gives_up}: then the chord "
                f"fails, and its body never runs"
            )
            hint = 'write on_limit = "wait" for this task, or let the chord do without it'
            path = ("tasks", rule.pattern)
            yield config.document.problem(IN_A_HEADER, path, fact, hint, at="header", severity="warning")


def _gives_up(rules: Rules, name: str) -> bool:
    rule = rules.for_task(name)
    return rule is not None and rule.patience is not None


def _functions(tasks: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the tasks, then the other functions of their modules."""
    own = [(name, tasks[name]) for name in sorted(tasks) if not name.startswith("celery.")]
    modules = sorted({str(getattr(task, "__module__", "")) for _, task in own})
    beside = [
        (f"{module}.{name}", value)
        for module in modules
        for name, value in sorted(getattr(sys.modules.get(module), "__dict__", {}).items())
        if inspect.isfunction(value) and value.__module__ == module
    ]
    return [*own, *beside]


def _in_headers(function: Any) -> set[str]:
    """Return the names of the tasks that stand in the headers of chords in a function; none if it can't be read."""
    try:
        run = getattr(function, "_orig_run", None) or getattr(function, "run", function)
        if not _mentions_canvas(inspect.unwrap(run)):
            return set()
        code = TaskCode(function)
        headers = [header for node in ast.walk(code.tree) for header in _headers(code, node)]
        around = [part for header in headers for part in (header, *_assigned(code.tree, header))]
        calls = [node for part in around for node in ast.walk(part) if isinstance(node, ast.Call)]
        return {name for node in calls if (name := code.task_named(node, _SIGNATURES)) is not None}
    except (Exception, SystemExit):  # noqa: BLE001 (an app's objects have any code of their own)
        return set()


def _mentions_canvas(run: Any) -> bool:
    """Whether a function names one of Celery's words for a chord: most don't, and their code need not be read."""
    codes = [run.__code__]
    for code in codes:  # those inside it come behind it
        codes += [each for each in code.co_consts if isinstance(each, types.CodeType)]
    names = {name for code in codes for name in (*code.co_names, *code.co_freevars)}
    known = run.__globals__
    return bool(names & _WORDS) or any(getattr(known.get(name), "__module__", "") == _CANVAS for name in names)


def _headers(code: TaskCode, node: ast.AST) -> Iterator[ast.expr]:
    """Find a header: ``chord(HEADER, …)``, ``group(HEADER) | body``, ``chain(group(HEADER), body)``."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr) and _is(code, node.left, "group"):
        yield node.left
    if not isinstance(node, ast.Call):
        return
    if _is(code, node, "chord"):
        yield from node.args[:1]
        yield from (word.value for word in node.keywords if word.arg == "header")
    elif _is(code, node, "chain"):  # a group with something behind it
        yield from (each for each in node.args[:-1] if _is(code, each, "group"))


def _is(code: TaskCode, node: ast.expr, what: str) -> bool:
    """Whether an expression calls Celery's chord, group or chain."""
    called = code.value(node.func) if isinstance(node, ast.Call) else None
    name = str(getattr(called, "__name__", "")).lstrip("_")
    return name == what and getattr(called, "__module__", "") == _CANVAS


def _assigned(tree: ast.AST, header: ast.expr) -> Iterator[ast.expr]:
    """Find what the names in a header were given in the same code: ``header = [...]``, ``header.append(...)``."""
    names = {node.id for node in ast.walk(header) if isinstance(node, ast.Name)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id in names for to in node.targets):
            yield node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            on = node.func.value
            if node.func.attr in {"append", "extend"} and isinstance(on, ast.Name) and on.id in names:
                yield from node.args
