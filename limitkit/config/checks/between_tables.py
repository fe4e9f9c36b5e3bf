"""Checks that the tables of a file fit each other: the limits that tasks name, and what tasks say about them.

Tables may have other errors, too: those are skipped here, since other checks report them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from limitkit.config.checks.declared_limits import entries_of, table_of
from limitkit.config.model.cross_checks import MEANINGLESS, OWN_KEYS, SAY_WHAT_THEN
from limitkit.config.model.limit_tables import MOST_LIMITS
from limitkit.config.model.tables import RateLimits
from limitkit.config.source.unquoted_names import line_for
from limitkit.config.spelling import Nearest
from limitkit.config.wording import dotted, quote, suggest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from limitkit.config.source.toml import Document
    from limitkit.errors import Problem

_OWN: Final = frozenset({*OWN_KEYS, *MEANINGLESS, "mode", "feedback", "cost", "settle"})
_NAMING: Final = ("tasks", "queues")
"""The tables whose entries name limits."""


def check(document: Document) -> Iterator[Problem]:
    """Find limits that are named but not declared, or declared but not named, and keys that have no effect."""
    yield from _unknown_limits(document)
    yield from _meaningless(document)
    yield from _queues(document)
    yield from _unused_limits(document)


def _unknown_limits(document: Document) -> Iterator[Problem]:
    known = table_of(document.data.get("limits"))
    near = Nearest(known)
    for section in _NAMING:
        for owner, table in table_of(document.data.get(section)).items():
            seen: dict[str, bool] = {}
            for entry in entries_of((section, owner), table):
                path = (*entry.path, "limit") if entry.said else entry.path
                if entry.name not in known:
                    hint = suggest(entry.name, near) or f"declare it: {line_for(entry.name, 'limits')}"
                    fact = f"there is no limit {quote(entry.name)} in this file"
                    yield document.problem("LK022", path, fact, hint)
                elif entry.name in seen and (entry.said or seen[entry.name]):  # of two names the schema tells
                    yield document.problem("LK021", path, f"{quote(entry.name)} is named twice", "name each limit once")
                seen[entry.name] = bool(entry.said) or seen.get(entry.name, False)


def _queues(document: Document) -> Iterator[Problem]:
    """Find queues that no name can match, and those that have too many limits together with a task's."""
    queues = table_of(document.data.get("queues"))
    tasks = {
        name: {entry.name for entry in entries_of(("tasks", name), table)} | ({""} if "strategy" in table else set())
        for name, table in table_of(document.data.get("tasks")).items()
        if queues and isinstance(table, dict)
    }
    for queue, table in queues.items():
        path = ("queues", queue)
        if "*" in queue and queue.partition("*")[0].startswith("celery."):
            fact = "a pattern matches no name that begins with celery., so these limits would never hold"
            yield document.problem("LK081", path, fact, "write the queue's whole name", at="header")
        own = {entry.name for entry in entries_of(path, table)}
        for task, others in tasks.items():
            together = len(own | others)
            if len(own) <= MOST_LIMITS and len(others) <= MOST_LIMITS < together:
                fact = f"with those of {dotted(('tasks', task))} they are {together} limits for one start"
                hint = f"name up to {MOST_LIMITS} for both together"
                yield document.problem("LK080", (*path, "limits"), fact, hint)
                break


def _meaningless(document: Document) -> Iterator[Problem]:
    """Find settings of a task that none of its named limits can follow."""
    known = table_of(document.data.get("limits"))
    for task, table in table_of(document.data.get("tasks")).items():
        names = table_of(table).get("limits")
        limits = [table_of(known.get(entry.name)) for entry in entries_of(("tasks", task), table)]
        for key in [key for key in MEANINGLESS if isinstance(names, list) and key in table]:
            fact, hint = "", "take it out"
            if not names:
                fact = "the task has no limit"
            elif key == "on_error" and all(map(_asks_nobody, limits)):
                static = all(limit.get("strategy") == "static" for limit in limits)
                fact = f"its limits are {'static' if static else 'of one worker each'} and never ask the store"
            elif key == "max_wait" and "on_limit" not in table and not any(map(_gives_up, limits)):
                fact, hint = "its limits let tasks wait, however long that is", SAY_WHAT_THEN
            if fact:
                fact = f"{fact}, so {key} has no meaning here"
                yield document.problem(MEANINGLESS[key], ("tasks", task, key), fact, hint, at="key")


def _asks_nobody(limit: dict[str, Any]) -> bool:
    return limit.get("strategy") == "static" or limit.get("scope") == "worker"


def _gives_up(limit: dict[str, Any]) -> bool:
    return bool(limit.get("on_limit", "wait") != "wait")


def _unused_limits(document: Document) -> Iterator[Problem]:
    """Warn of limits that no task names; a name under a misspelt key counts, too."""
    limits = table_of(document.data.get("limits"))
    elsewhere = {key: value for key, value in document.data.items() if key not in RateLimits.model_fields}
    used = set(_strings([document.data.get("tasks"), document.data.get("queues"), elsewhere])) if limits else set()
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
