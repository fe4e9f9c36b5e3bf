"""Rules between the keys of one table, on plain data, so that they are checked even when another value is bad."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from limitkit.config.model.calendar import parse_resets
from limitkit.config.wording import listed, quote, show

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OWN_KEYS: Final = (
    *("strategy", "rate", "burst", "key", "resets", "max_running", "lease", "scope"),
    *("partitions", "show_key", "fair_by", "weights", "schedule"),
)
"""Keys that say what a limit is."""
REQUIRED: Final = {
    "strategy": 'write strategy = "static", "token_bucket", "per_user", "window" or "concurrency"',
    "rate": 'write how fast tasks may start, e.g. rate = "10/s"',
    "max_running": "write how many may run at once, e.g. max_running = 4",
}
"""Keys that a limit must have, and what to write."""
FOREIGN: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(("static", "token_bucket", "per_user"), ("resets", "max_running", "lease", "scope")),
    "window": ("burst", "max_running", "lease", "scope"),
    "concurrency": ("rate", "burst", "resets"),
}
"""Keys without a meaning, by strategy."""
NEEDS: Final = {"partitions": "key", "show_key": "key", "weights": "fair_by"}
"""Keys that have a meaning only beside another one."""
NOT_OF_ONE_WORKER: Final = ("lease", "on_error", "feedback", "fair_by")
"""Keys without a meaning where each worker counts by itself, scope = "worker"."""
NOT_STATIC: Final = ("on_error", "feedback", "fair_by")
_BELONGS: Final = {
    "rate": "it counts what runs, not how often something starts",
    "burst": "it has no bucket that could be full",
    "resets": 'only strategy = "window" begins anew at a time',
    **dict.fromkeys(("max_running", "lease", "scope"), 'only strategy = "concurrency" counts what runs'),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A rule between keys that a table breaks; ``key`` is where to report it, None for the table's header."""

    code: str
    fact: str
    hint: str
    key: str | None = None
    at: Literal["key", "header"] = "header"


MEANINGLESS: Final = {"on_limit": "LK026", "max_wait": "LK026", "on_error": "LK027"}
"""Keys that may have no effect, and the code of that problem."""
SAY_WHAT_THEN: Final = 'say what happens then: on_limit = "drop" or "fail"'


def cross_checked_limit(table: Mapping[str, Any]) -> Iterator[Fault]:
    """Check a limit: each key has a meaning beside the others, and those that its strategy needs are there."""
    strategy = table.get("strategy")
    needed = "max_running" if strategy == "concurrency" else "rate"
    if needed not in table and (
        needed != "rate" or "max_running" not in table or (isinstance(strategy, str) and strategy in FOREIGN)
    ):
        yield Fault("LK011", f'"{needed}" is missing', REQUIRED[needed])
    yield from _between(table)


def _between(table: Mapping[str, Any]) -> Iterator[Fault]:
    strategy = table.get("strategy")
    if strategy == "per_user" and "key" not in table:
        fact = '"key" is missing: a per_user limit has a bucket for each value of one of the task\'s arguments'
        yield Fault("LK011", fact, 'write the argument\'s name, e.g. key = "user_id"')
    if "key" in table and strategy in ("static", "token_bucket"):
        fact = f"a {strategy} limit has one bucket for all, so a key has no meaning here"
        yield Fault("LK024", fact, 'take it out, or write strategy = "per_user"', "key", "key")
    for key in FOREIGN.get(strategy, ()) if isinstance(strategy, str) else ():
        if key in table:
            yield no_meaning(str(strategy), key)
    for key, needed in NEEDS.items():
        if key in table and needed not in table:
            yield _needless(key, needed, strategy)
    if strategy == "static":
        yield from _only_here(table, NOT_STATIC, "a static limit", 'write strategy = "token_bucket"')
    elif strategy == "concurrency" and table.get("scope") == "worker":
        whose = 'a limit with scope = "worker"'
        yield from _only_here(table, NOT_OF_ONE_WORKER, whose, 'write scope = "all"')
    yield from _useless_max_wait(table, table.get("on_limit", "wait"))


def no_meaning(strategy: str, key: str) -> Fault:
    """Say that a key has no meaning for a strategy."""
    fact = f"{key} has no meaning for a {strategy} limit: {_BELONGS[key]}"
    hint = "write max_running in its place" if (strategy, key) == ("concurrency", "rate") else "take it out"
    return Fault("LK060", fact, hint, key, "key")


def _needless(key: str, needed: str, strategy: object) -> Fault:
    if needed == "fair_by":
        fact = "weights are of those that take turns, and without fair_by nobody does"
        return Fault(
            "LK073", fact, 'write whose turns they are, e.g. fair_by = "tenant_id", or take them out', key, "key"
        )
    fact = f"without a key the limit has no partitions, so {key} has no meaning here"
    if strategy in ("static", "token_bucket"):
        return Fault("LK066", fact, 'take it out, or write strategy = "per_user" and a key', key, "key")
    return Fault("LK066", fact, 'write a key, e.g. key = "tenant_id", or take it out', key, "key")


def _only_here(table: Mapping[str, Any], keys: tuple[str, ...], whose: str, instead: str) -> Iterator[Fault]:
    """Find keys that need a store, at a limit that each worker keeps by itself."""
    said = {
        "lease": ("LK060", "counts what runs in one worker, whose slots end with it, so lease has no meaning here"),
        "on_error": (MEANINGLESS["on_error"], "never asks the store, so on_error has no meaning here"),
        "feedback": ("LK032", "is each worker's own, so what one of them hears would be unknown to the others"),
        "fair_by": ("LK072", "is each worker's own, so nobody could take turns across workers"),
    }
    for key in [key for key in keys if key in table]:
        code, fact = said[key]
        yield Fault(code, f"{whose} {fact}", f"take it out, or {instead}", key, "key")


def _useless_max_wait(table: Mapping[str, Any], on_limit: object) -> Iterator[Fault]:
    if "max_wait" in table and on_limit == "wait":
        fact = "tasks wait until they may start, however long that is, so max_wait has no meaning here"
        yield Fault(MEANINGLESS["max_wait"], fact, SAY_WHAT_THEN, "max_wait", "key")


def cross_checked_task(table: Mapping[str, Any]) -> Iterator[Fault]:
    """Check a task: it has a limit of its own, or named ones, and not both."""
    own = [key for key in OWN_KEYS if key in table]
    if "limits" not in table:
        if not own:
            hint = 'write strategy and rate, or limits = ["NAME"], or limits = [] for no limit'
            yield Fault("LK011", "the task has no limit", hint)
            yield from _between(table)
            return
        if "strategy" not in table:
            yield Fault("LK011", '"strategy" is missing', REQUIRED["strategy"])
        yield from cross_checked_limit(table)
        return
    yield from _useless_max_wait(table, table.get("on_limit"))
    if "feedback" in table:
        fact = "the task names limits and has none of its own, so there is nothing here that could back off"
        yield Fault("LK032", fact, "write it at the limit that is meant: [limits.NAME.feedback]", "feedback", "key")
    if own:
        fact = f'{listed(own, "and")} beside "limits": a task has a limit of its own or names some, not both'
        yield Fault("LK023", fact, _named_form(table), own[0], "key")


def _named_form(table: Mapping[str, Any]) -> str:
    """Write the whole remedy: the task's own limit as a named one, and its name among the others."""
    shown = {**_needed(table), **{key: table[key] for key in OWN_KEYS if key in table}}
    plain = [key for key in OWN_KEYS if isinstance(shown.get(key), str | int)]
    keys = ", ".join(f"{key} = {_toml(shown[key])}" for key in plain)
    names = table["limits"] if isinstance(table["limits"], list | tuple) else []
    listing = ", ".join([*[quote(name) for name in names if isinstance(name, str)][:7], '"NAME"'])
    others = [key for key in OWN_KEYS if key in shown and key not in plain]
    with_keys = ", ".join(filter(None, [keys, *others]))
    return f"make it a named limit, [limits.NAME] with {with_keys}, and write limits = [{listing}]"


def _needed(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a limit with these keys must have, too, with examples as values."""
    key = {"key": "user_id"} if "partitions" in table or "show_key" in table else {}
    strategy = table.get("strategy")
    running = any(each in table for each in ("max_running", "lease", "scope"))
    if strategy == "concurrency" or (strategy is None and running):
        return {"strategy": "concurrency", "max_running": 4, **key}
    if "resets" in table:
        return {"strategy": "window", "rate": f"1000/{_unit_of(table['resets'])}", **key}
    if key or "key" in table:
        return {"strategy": "per_user", "rate": "10/s", **key}
    return {"strategy": "token_bucket", "rate": "10/s", **({"fair_by": "tenant_id"} if "weights" in table else {})}


def _unit_of(resets: object) -> str:
    """Return the unit of rates that fit a window's resets, as far as that is known."""
    try:
        unit = parse_resets(str(resets)).unit
    except ValueError:
        return "d"
    return "h" if unit == "clock" else unit


def _toml(value: str | int) -> str:
    # A value from the environment is written as the file writes it.
    return quote(str(value)) if hasattr(value, "masked") else show(value)
