"""The line that a worker logs when it starts: it shows which file, limits and store are in force."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from celery.concurrency import ALIASES

from limitkit.config.wording import count, one_line
from limitkit.control.targets import target_of
from limitkit.stores.choice import store_shown
from limitkit.waiting.room_names import UnusableBrokerError, kind_of, parked_where

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from limitkit.buckets.override import Target
    from limitkit.config.load import Config
    from limitkit.config.model.fields import Mode
    from limitkit.config.rules import Rules

_UNPACED = "What can't start at once goes back to its queue, since this worker has no pacer."
_WORDS: dict[Mode, str] = {"enforce": "in force", "shadow": "in shadow", "off": "off"}


def pool_line(worker: Any) -> str:
    """Say which pool a worker has, and how many tasks it runs at a time."""
    cls = worker.pool_cls
    path = f"{cls.__module__}:{cls.__qualname__}"
    name = next((alias for alias, target in ALIASES.items() if target == path and alias != "custom"), path)
    places = "{1} to {0}".format(*worker.autoscale) if worker.autoscale else worker.pool.limit
    return f"{name} ({places})"


def start_line(config: Config, app: Any, pool: str, *, paced: bool) -> str:
    """Say which file is in force, how many limits it has for how many tasks, store and pool, and where tasks wait."""
    rules = config.rules
    where = os.path.abspath(config.path)  # noqa: PTH100 (a link is shown as it was given)
    said = [f"Limits by {where} ({config.digest}): {_counted(rules, app.tasks)}."]
    said.append(f"Store: {store_shown(app, rules.store) or 'none'}.")
    said.append(f"Pool: {pool}, {'paced' if paced else 'not paced'}.")
    try:
        said.append(parked_where(kind_of(app), rules.waiting) if paced else _UNPACED)
    except UnusableBrokerError as error:
        said.append(f"{error}.")
    return one_line(" ".join(said))


def _counted(rules: Rules, tasks: Iterable[str]) -> str:
    """Count the limits that this app's tasks have, by mode; one of a pattern counts once."""
    modes: dict[Target, Mode] = {}
    limited = 0
    for task in tasks:
        found = dict(_limits(rules, task))
        limited += any(mode != "off" for mode in found.values())
        modes |= found
    tables = (*rules.queues.values(), *rules.queue_patterns)
    for limit in (limit for table in tables for limit in table.limits):
        if modes.get(target_of(limit, "")) != "enforce":
            modes[target_of(limit, "")] = limit.mode
    if not modes:
        return "no task of this app has a limit in it"
    by_mode = {words: list(modes.values()).count(mode) for mode, words in _WORDS.items()}
    first, *others = [(number, words) for words, number in by_mode.items() if number or words == _WORDS["enforce"]]
    some = [f"{first[0] or 'no'} limit{'s' if first[0] > 1 else ''} {first[1]}"]
    some += [f"{number} {words}" for number, words in others]
    if limited:
        some.append(f"for {limited} task{'s' if limited > 1 else ''}")
    queues = sum(any(limit.mode != "off" for limit in table.limits) for table in tables)
    if queues:
        some.append(f"for all that comes from {count(queues, 'queue')} of the file")
    return ", ".join(some)


def _limits(rules: Rules, task: str) -> Iterator[tuple[Target, Mode]]:
    rule = rules.for_task(task)
    for limit in rule.limits if rule is not None else ():
        yield target_of(limit, rule.pattern if rule is not None else ""), limit.mode
