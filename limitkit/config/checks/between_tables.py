"""Checks that the tables of a file fit each other: the limits that tasks name, and what tasks say about them.

Tables may have other errors, too: those are skipped here, since other checks report them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from limitkit.config.model.cross_checks import MEANINGLESS, OWN_KEYS, SAY_WHAT_THEN
from limitkit.config.model.tables import RateLimits
from limitkit.config.source.unquoted_names import line_for
from limitkit.config.spelling import Nearest
from limitkit.config.wording import quote, suggest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from limitkit.config.source.toml import Document
    from limitkit.errors import Problem

_OWN: Final = frozenset({*OWN_KEYS, *MEANINGLESS, "mode", "feedback"})


def check(document: Document) -> Iterator[Problem]:
    """Find limits that are named but not declared, or declared but not named, and keys that have no effect."""
    yield from _unknown_limits(document)
    yield from _meaningless(document)
    yield from _unused_limits(document)


def table_of(value: object) -> dict[str, Any]:
    """Return a value if it is a table, else an empty one."""
    return value if isinstance(value, dict) else {}


def _unknown_limits(document: Document) -> Iterator[Problem]:
    known = table_of(document.data.get("limits"))
    near = Nearest(known)
    for task, table in table_of(document.data.get("tasks")).items():
        names = table_of(table).get("limits")
        for index, name in enumerate(names if isinstance(names, list) else ()):
            if isinstance(name, str) and name not in known:
                hint = suggest(name, near) or f"declare it: {line_for(name, 'limits')}"
                fact = f"there is no limit {quote(name)} in this file"
                yield document.problem("LK022", ("tasks", task, "limits", index), fact, hint)


def _meaningless(document: Document) -> Iterator[Problem]:
    """Find settings of a task that none of its named limits can follow."""
    known = table_of(document.data.get("limits"))
    for task, table in table_of(document.data.get("tasks")).items():
        names = table_of(table).get("limits")
        limits = (
            [table_of(known.get(name)) for name in names if isinstance(name, str)] if isinstance(names, list) else []
        )
        for key in [key for key in MEANINGLESS if isinstance(names, list) and key in table]:
            fact, hint = "", "take it out"
            if not names:
                fact = "the task has no limit"
            elif key == "on_error" and all(limit.get("strategy") == "static" for limit in limits):
                fact = "its limits are static and never ask the store"
            elif key == "max_wait" and "on_limit" not in table and not any(map(_gives_up, limits)):
                fact, hint = "its limits let tasks wait, however long that is", SAY_WHAT_THEN
            if fact:
                fact = f"{fact}, so {key} has no meaning here"
                yield document.problem(MEANINGLESS[key], ("tasks", task, key), fact, hint, at="key")


def _gives_up(limit: dict[str, Any]) -> bool:
    return bool(limit.get("on_limit", "wait") != "wait")


def _unused_limits(document: Document) -> Iterator[Problem]:
    """Warn of limits that no task names; a name under a misspelt key counts, too."""
    limits = table_of(document.data.get("limits"))
    elsewhere = {key: value for key, value in document.data.items() if key not in RateLimits.model_fields}
    used = set(_strings([document.data.get("tasks"), elsewhere])) if limits else set()
    for name in limits:
        if name not in used:
            hint = f"name it in a task, limits = [{quote(name)}], or take it out"
            path = ("limits", name)
            yield document.problem("LK030", path, "no task names this limit", hint, at="header", severity="warning")


def _strings(value: object) -> Iterator[str]:
    todo = [value]
    while todo:
        each = todo.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict):
            todo.extend(value for key, value in each.items() if key not in _OWN)
        elif isinstance(each, list):
            todo.extend(each)
