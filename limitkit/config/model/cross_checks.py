"""Rules between the keys of one table, on plain data, so that they are checked even when another value is bad."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from limitkit.config.wording import listed, quote, show

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OWN_KEYS: Final = ("strategy", "rate", "burst", "key")
REQUIRED: Final = {
    "strategy": 'write strategy = "static", "token_bucket" or "per_user"',
    "rate": 'write how fast tasks may start, e.g. rate = "10/s"',
}
"""The keys that a limit must have, and what to write."""


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
    """Check a limit: each key has a meaning beside the others, and ``key`` is there when the strategy needs one."""
    strategy = table.get("strategy")
    if strategy == "per_user" and "key" not in table:
        fact = '"key" is missing: a per_user limit has a bucket for each value of one of the task\'s arguments'
        yield Fault("LK011", fact, 'write the argument\'s name, e.g. key = "user_id"')
    if "key" in table and strategy in ("static", "token_bucket"):
        fact = f"a {strategy} limit has one bucket for all, so a key has no meaning here"
        yield Fault("LK024", fact, 'take it out, or write strategy = "per_user"', "key", "key")
    if "on_error" in table and strategy == "static":
        fact = "a static limit never asks the store, so on_error has no meaning here"
        hint = 'take it out, or write strategy = "token_bucket"'
        yield Fault(MEANINGLESS["on_error"], fact, hint, "on_error", "key")
    if "feedback" in table and strategy == "static":
        fact = "a static limit is each worker's own, so what one of them hears would be unknown to the others"
        yield Fault("LK032", fact, 'take it out, or write strategy = "token_bucket"', "feedback", "key")
    yield from _useless_max_wait(table, table.get("on_limit", "wait"))


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
        for key in [key for key in REQUIRED if own and key not in table]:
            yield Fault("LK011", f'"{key}" is missing', REQUIRED[key])
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
    defaults = {"strategy": "token_bucket", "rate": "10/s"}
    shown = {**defaults, **{key: table[key] for key in OWN_KEYS if key in table}}
    keys = ", ".join(f"{key} = {_toml(shown[key], defaults.get(key, 1))}" for key in OWN_KEYS if key in shown)
    names = table["limits"] if isinstance(table["limits"], list | tuple) else []
    listing = ", ".join([*[quote(name) for name in names if isinstance(name, str)][:7], '"NAME"'])
    return f"make it a named limit, [limits.NAME] with {keys}, and write limits = [{listing}]"


def _toml(value: object, default: object) -> str:
    value = value if isinstance(value, str | int) else default
    # A value from the environment is written as the file writes it.
    return quote(str(value)) if hasattr(value, "masked") else show(value)
