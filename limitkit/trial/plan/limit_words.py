"""What a limit and its settings do, in words: halves of sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from limitkit.config.declared import ONE
from limitkit.config.limit_words import cost_text
from limitkit.config.model.units import duration_text
from limitkit.config.wording import quote

if TYPE_CHECKING:
    from limitkit.config.declared import Key, Limit
    from limitkit.config.model.fields import Mode, OnError, OnLimit

_ON_ERROR: Final = {
    "allow": "tasks start without a limit while the store can't be asked",
    "hold": "no task starts while the store can't be asked",
    "divide": "each worker keeps to its part of the rate while the store can't be asked",
}
_THEN: Final = {"drop": "is dropped", "fail": "fails with RateLimitExceeded"}


def described(limit: Limit) -> str:
    """Write what a limit is: its strategy, its terms, and its key."""
    said = f"{limit.strategy}, {limit.text}"
    said += f" for each {limit.key}" if limit.key is not None else ""
    said += f", resets {limit.resets.text}" if limit.resets is not None else ""
    said += f", costs {cost_text(limit.cost)}" if limit.cost != ONE else ""
    said += ", in each worker" if limit.strategy == "concurrency" and limit.local else ""
    return said if limit.mode == "enforce" else f"{said}, mode {limit.mode}"


def key_words(before: Key | None, after: Key | None) -> str:
    """Say what another key does."""
    if after is None:
        return f"all values of {before} share one bucket"
    if before is None:
        return f"each value of {after} has a bucket of its own"
    return f"buckets are told apart by {after}, by {before} until now"


def mode_words(before: Mode, after: Mode) -> str:
    """Say what another mode does."""
    if after == "enforce":
        return "tasks wait for it from now on"
    if after == "off":
        ends = "nothing waits for it" if before == "enforce" else "what would have to wait is not counted"
        return f"it is off: {ends} any more"
    waits = "nothing waits for it any more, and " if before == "enforce" else ""
    return f"it is in shadow: {waits}what would have had to wait is counted"


def on_error_words(after: OnError) -> str:
    """Say what holds without the store."""
    return _ON_ERROR[after]


def on_limit_words(on_limit: OnLimit, max_wait: float | None) -> str:
    """Say what happens to a task that can't start in time."""
    if on_limit == "wait":
        return "a task that can't start waits until it may, however long that is"
    if not max_wait:
        return f"a task that can't start at once {_THEN[on_limit]}"
    return f"a task that would have to wait longer than {duration_text(max_wait)} {_THEN[on_limit]}"


def name_words(limit: Limit) -> str:
    """Name a limit among those of a task; a task's own by what it is."""
    return f"its own ({described(limit)})" if limit.own else limit.name


def some(names: list[str], most: int = 10) -> str:
    """List names in quotes, the first of many."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(quote(name) for name in names[:most])}{more}"
