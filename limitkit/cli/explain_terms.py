"""What limits allow, as ``explain`` says it: a table of the most starts, and what differs from the defaults."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from limitkit.cli.table_width import as_wide_as_the_terminal
from limitkit.config.declared import MOST_RESENDS, WaitingSettings
from limitkit.config.limit_words import most_starts, name_of
from limitkit.config.model.env_values import names_variable
from limitkit.config.model.units import duration_text
from limitkit.config.wording import listed, quote
from limitkit.waiting import room_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from limitkit.config.declared import Feedback, Limit, TaskRule
    from limitkit.config.load import Config

WINDOWS = {"in a second": 1, "in a minute": 60, "in an hour": 3600}
"""Seconds."""
_HEADINGS = ("limit", "strategy", "rate", "burst", "key", *WINDOWS, "declared at")
_FIRST = ("limit", "rate", "burst", "key", *WINDOWS, "declared at", "strategy")
_THEN = {"drop": 'is dropped (on_limit = "drop")', "fail": 'fails (on_limit = "fail")'}
_WITHOUT_STORE = {
    "allow": 'limits nothing (on_error = "allow")',
    "hold": 'lets no task start (on_error = "hold")',
    "divide": 'is divided by the number of workers (on_error = "divide")',
}
_NUMERIC = ("rate", "burst", "max_running", "lease", "cost")
_NUMBERS = ("rate", "burst", *WINDOWS)


def allowed(limits: Iterable[Limit]) -> list[str]:
    """Draw what each limit allows: the most starts of one bucket."""
    return as_wide_as_the_terminal(_HEADINGS, map(_row, limits), numbers=_NUMBERS, first=_FIRST)


def modes(config: Config, limits: Iterable[Limit]) -> Iterator[str]:
    """Say which limits are off or in shadow now."""
    if config.rules.mode == "off":
        yield "No limit is kept now: the mode is off."
        return
    names = [name_of(limit) for limit in limits if limit.mode == "shadow"]
    if names:
        yield f"In shadow, where starts are counted and nothing waits: {', '.join(names)}."


def beside(config: Config, rule: TaskRule) -> Iterator[str]:
    """Say what differs from the defaults: for tasks that can't start, without the store, by feedback, for waiting."""
    on = [limit for limit in rule.limits if limit.mode == "enforce"]
    if rule.patience:
        longest = rule.patience.max_wait
        so_long = f" longer than {duration_text(longest)}" if longest else ""
        yield f"A task that would have to wait{so_long} {_THEN[rule.patience.action]}."
    shared = [limit for limit in on if not limit.local]
    if any(limit.on_error != "allow" for limit in shared):
        for limit in shared:
            name = "its own limit" if limit.own else limit.name
            yield f"While the store can't be asked, {name} {_WITHOUT_STORE[limit.on_error]}."
    for limit in on:
        if limit.feedback:
            yield _has_feedback(limit, limit.feedback)
    yield from _from_outside(config, rule)
    waiting = config.rules.waiting
    if on and replace(waiting, rescue=True) != WaitingSettings():
        most = [(waiting.per_limit, "of one bucket"), (waiting.per_worker, "in all")]
        bounds = "".join(f", at most {number} {where}" for number, where in most if number)
        yield f"One worker holds what starts within {duration_text(waiting.hold)}{bounds}."


def _from_outside(config: Config, rule: TaskRule) -> Iterator[str]:
    """Say which numbers the file takes from variables: what is shown of them is true only in this environment."""
    for limit in rule.limits:
        section, entry = ("tasks", rule.pattern) if limit.own else ("limits", limit.name)
        table = config.document.data[section][entry]
        said = [f"{key} = {quote(table[key])}" for key in _NUMERIC if names_variable(table.get(key))]
        if said:
            name = "Its own limit" if limit.own else limit.name
            yield f"{name} has {' and '.join(said)}, as set here; a worker uses its own environment."


def _has_feedback(limit: Limit, feedback: Feedback) -> str:
    name = "its own limit" if limit.own else limit.name
    what = "one partition of it" if limit.key else "it"
    does = f"{what} is slowed down" if feedback.action == "slow" else f"{what} is paused"
    then = "the task that raised it waits again" if feedback.resend else "the exception goes on"
    if feedback.resend not in {0, MOST_RESENDS}:
        then += f", up to {feedback.resend} times in a row"
    unless = f" (and not {listed(feedback.unless)})" if feedback.unless else ""
    return f"{name} has feedback on {listed(feedback.on)}{unless}: {does} on all workers, and {then}."


def parked(app: Any, config: Config, rule: TaskRule) -> Iterator[str]:
    """Say where parked tasks wait, if there is an app whose broker is known."""
    waits = rule.patience is None or rule.patience.max_wait > config.rules.waiting.hold
    if app is None or not waits or all(limit.mode != "enforce" for limit in rule.limits):
        return
    try:
        kind = room_names.kind_of(app)
    except room_names.UnusableBrokerError as error:
        yield f"Where tasks are parked that can't start soon is not known: {error}."
    else:
        yield room_names.parked_where(kind, config.rules.waiting)


def _row(limit: Limit) -> tuple[str, ...]:
    off = limit.mode == "off"
    most = [most_starts(limit, each) for each in WINDOWS.values()]
    starts = ["off" if off else "-" if each is None else str(each) for each in most]
    key = str(limit.key) if limit.key else "-"
    return (
        name_of(limit),
        limit.strategy,
        limit.rate_text,
        "-" if limit.strategy in {"window", "concurrency"} else str(limit.burst),
        key,
        *starts,
        f"{limit.path}:{limit.line}",
    )
