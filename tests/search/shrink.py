"""Makes a life that breaks a promise small: what can be taken out, while the same promise is still broken, is."""

from __future__ import annotations

import copy
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from limitkit.errors import ConfigError
from search.hunt import broken_in
from search.life import Life, seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from search.life import Data

_NEEDED = {
    "strategy",
    "rate",
    "max_running",
    "task",
    "limits",
    "version",
    "url",
    "name",
    "seed",
    "until",
    "send",
    "tasks",
}
"""Keys that are never taken out by themselves."""
_TABLES = ("store", "waiting", "limits", "tasks", "queues")


def shrunk(life: Life, promise: str, within: float = 30.0, judge: Callable[[Life], bool] | None = None) -> Life:
    """Return a smaller life that breaks the same promise; stops after so many seconds.

    ``judge`` says in place of the promises whether one is still what is looked for.
    """
    judge = judge or partial(_breaks, promise)
    until, again = time.monotonic() + within, True
    while again:
        again = False
        for smaller in _smaller(life):
            if time.monotonic() > until:
                return life
            if _fits(smaller, judge):
                life, again = smaller, True
                break
    return life


def _breaks(promise: str, life: Life) -> bool:
    return any(each.promise == promise for each in broken_in(life)[0])


def _fits(life: Life, judge: Callable[[Life], bool]) -> bool:
    try:
        life.rules()
        return judge(life)
    except (ConfigError, LookupError, ValueError):
        return False  # it makes no sense any more


def _smaller(life: Life) -> Iterator[Life]:
    """Go through lives that are a little smaller, the smallest first."""
    for path in _places(life):
        yield _changed(life, path, None)
    for path, value in _less(life.test):
        yield _changed(life, ("test", *path), value)


def _less(test: Data) -> Iterator[tuple[tuple[Any, ...], object]]:
    """Name what can be less, and how much less."""
    for number, send in enumerate(test["send"]):
        yield from ((("send", number, "count"), less) for less in _fewer(send.get("count", 1)))
        yield from ((("send", number, key), _half(send, key)) for key in ("at", "every") if seconds(send, key) > 0.01)
    for number, fault in enumerate(test.get("fault", ())):
        if seconds(fault, "at") > 0.2:
            yield ("fault", number, "at"), _half(fault, "at")
    for key in ("workers", "processes", "prefetch_multiplier"):
        yield from (((key,), less) for less in _fewer(test[key]))


def _fewer(count: int) -> list[int]:
    return [less for less in dict.fromkeys((1, count // 2, count - 1)) if 0 < less < count]


def _half(table: Data, key: str) -> str:
    return f"{int(seconds(table, key) * 500)}ms"


def _places(life: Life) -> Iterator[tuple[Any, ...]]:
    """Name what can be taken out: whole parts first, then what is in them."""
    config, test = life.config, life.test
    yield from (("test", key) for key in ("fault", "task_seconds", "begins_at") if key in test)
    yield from (("test", "fault", number) for number in range(len(test.get("fault", ()))))
    yield from (("test", "send", number) for number in range(len(test["send"])) if len(test["send"]) > 1)
    yield from (("config", key) for key in ("queues", "waiting") if key in config)
    for section in ("limits", "tasks"):
        yield from (("config", section, name) for name in config[section])
    for name, task in config["tasks"].items():
        yield from (("config", "tasks", name, "limits", place) for place in range(len(task.get("limits", ()))))
    yield from (("test", "task_seconds", name) for name in test.get("task_seconds", ()))
    for section in _TABLES:
        tables = config.get(section, {})
        for name, table in tables.items():
            if isinstance(table, dict):
                yield from (("config", section, name, key) for key in table if key not in _NEEDED)
            elif name not in _NEEDED:
                yield ("config", section, name)
    for part in ("send", "fault"):
        for number, table in enumerate(test.get(part, ())):
            yield from ((("test", part, number, key)) for key in table if key not in _NEEDED)
    for number, send in enumerate(test["send"]):
        yield from (("test", "send", number, "kwargs", key) for key in send.get("kwargs", ()))


def _changed(life: Life, path: tuple[Any, ...], value: object) -> Life:
    """Return a life with another value in one place, or without that place."""
    data = {"config": copy.deepcopy(life.config), "test": copy.deepcopy(life.test)}
    table: Any = data
    for step in path[:-1]:
        table = table[step]
    if value is None:
        del table[path[-1]]
    else:
        table[path[-1]] = value
    if path[:2] == ("config", "limits"):
        _unname(data["config"], path[2])
    return Life(data["config"], data["test"])


def _unname(config: Data, limit: str) -> None:
    """Take a limit that is gone out of the tasks and queues that name it."""
    if limit not in config["limits"]:
        for table in [*config["tasks"].values(), *config.get("queues", {}).values()]:
            if limit in table.get("limits", ()):
                table["limits"].remove(limit)
