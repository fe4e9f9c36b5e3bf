"""Finds patterns that never apply, because others take all the names that they match."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from limitkit.config.rules import matches
from limitkit.config.wording import count, quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from limitkit.config.load import Config
    from limitkit.config.rules import Entry
    from limitkit.errors import Problem

HIDDEN_PATTERN: Final = "LK113"
_ELSEWHERE: Final = "\0"
"""A character that stands in no pattern: TOML allows it in no file."""


def hidden_patterns(config: Config, tasks: Mapping[str, Any] | None) -> Iterator[Problem]:
    """Find patterns of tasks and of queues that another one hides, and those that no task of the app is left for."""
    found = {}
    of_tasks = [entry.pattern for entry in config.rules.patterns]
    of_queues = [rule.pattern for rule in config.rules.queue_patterns]
    for section, patterns in (("tasks", of_tasks), ("queues", of_queues)):
        for index, pattern in enumerate(patterns):
            first = hidden_by(pattern, patterns[:index])
            if first is not None:
                found[section, pattern] = (
                    f"{quote(first)} matches each name that this pattern does, has as many literal characters and "
                    f"stands first, so this one never holds"
                )
    for entry in config.rules.patterns if tasks is not None else ():
        path = ("tasks", entry.pattern)
        if path not in found and (fact := _left_without(config, entry, tasks or ())):
            found[path] = fact
    for path, fact in found.items():
        hint = "put it first, make it longer, or take it out"
        yield config.document.problem(HIDDEN_PATTERN, path, fact, hint, at="header", severity="warning")


def hidden_by(pattern: str, before: Sequence[str]) -> str | None:
    """Return the first of the patterns that are asked before that matches all names that a pattern matches.

    A pattern matches them all if it matches the one in which each ``*`` is a character that stands in no pattern:
    that one can only be matched by a ``*``, and so can whatever stands in its place. So no two patterns together
    can hide a third that neither hides alone.
    """
    name = pattern.replace("*", _ELSEWHERE)
    if pattern.startswith("celery."):  # it matches nothing, which is another problem
        return None
    return next((each for each in before if matches(each, name)), None)


def _left_without(config: Config, entry: Entry, tasks: Mapping[str, Any] | tuple[()]) -> str:
    """Say by whom the tasks of a pattern are taken; empty when some are left, or all of them are named exactly."""
    rules, pattern = config.rules, entry.pattern
    names = [name for name in tasks if matches(pattern, name)]
    if not pattern.strip("*") or any(name not in rules.exact and rules.matching(name)[0] == entry for name in names):
        return ""
    others = [rules.matching(name)[0].pattern for name in sorted(names) if name not in rules.exact]
    if not others:
        return ""
    return (
        f"of the app's tasks it matches {count(len(names), 'task')}, and other entries hold for all of them, such as "
        f"{quote(others[0])}, which has no fewer literal characters"
    )
