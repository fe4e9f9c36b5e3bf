"""Finds patterns that never apply, because others take all the names that they match."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from limitkit.config.rules import matches, weight_of
from limitkit.config.wording import count, quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from limitkit.config.load import Config
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
        alike: dict[int, list[str]] = {}
        for pattern in patterns:
            # A longer one does not match the name in which each * is nothing, and a shorter one does not win.
            before = alike.setdefault(weight_of(pattern), [])
            first = hidden_by(pattern, before)
            before.append(pattern)
            if first is not None:
                found[section, pattern] = (
                    f"{quote(first)} matches each name that this pattern does, has as many literal characters and "
                    f"stands first, so this one never holds"
                )
    for pattern, fact in _left_without(config, tasks or ()):
        found.setdefault(("tasks", pattern), fact)
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


def _left_without(config: Config, tasks: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Find patterns whose tasks are all taken, at least one of them by another pattern; and say by which."""
    rules = config.rules
    taken: dict[str, list[str]] = {}
    for name in sorted(tasks):
        first, *others = [entry.pattern for entry in rules.matching(name)] or [""]
        if name in rules.exact:
            first, others = "", [first, *others]
        for pattern in others:
            taken.setdefault(pattern, []).append(first)
        if first:
            taken.setdefault(first, []).append(first)
    for pattern, by in taken.items():
        others = [each for each in by if each]
        if others and pattern not in others and pattern.strip("*"):  # "*" is for all that is to come
            fact = (
                f"of the app's tasks it matches {count(len(by), 'task')}, and other entries hold for all of them, such "
                f"as {quote(others[0])}, which has no fewer literal characters"
            )
            yield pattern, fact
