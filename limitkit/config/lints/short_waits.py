"""Finds tasks that give up, or expire, before the next token can come."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from limitkit.config.declared import NO_WAIT
from limitkit.config.lints.declared_terms import Terms, entries, hides, said, terms_of
from limitkit.config.model.env_values import names_variable
from limitkit.config.model.units import duration_text
from limitkit.config.wording import dotted, span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from limitkit.config.load import Config
    from limitkit.config.rules import Entry
    from limitkit.config.wording import Path
    from limitkit.errors import Problem

SHORT_WAIT: Final = "LK115"
SHORT_EXPIRY: Final = "LK117"
_SLACK: Final = Fraction(1, 1000)
"""Seconds: what is said in whole milliseconds is not less than the same time."""


def short_waits(config: Config, tasks: Mapping[str, Any] | None) -> Iterator[Problem]:  # noqa: ARG001 (as all lints)
    """Find a ``max_wait`` that is shorter than the time of one token, by one of the limits that it holds for."""
    seen = set()
    for entry in entries(config):
        patience = entry.patience
        if patience is None or patience.max_wait == NO_WAIT:
            continue
        found = _slowest(config, entry, patience.max_wait)
        path = _says_max_wait(config, entry)
        if found is None or path is None or (path, found.name) in seen:
            continue
        seen.add((path, found.name))
        give_up = {"drop": "are dropped", "fail": "fail"}[patience.action]
        few = "few of" if found.window else "at most one of"
        fact = (
            f"{found.text}, so {few} the tasks that wait can start within {duration_text(patience.max_wait)}, and "
            f"the others {give_up}"
        )
        if found.hidden or names_variable(said(config, path)):
            fact = f"for {found.name} one start takes longer than that, so nearly all tasks that wait {give_up}"
        hint = "write a longer max_wait or a higher rate, or take max_wait out if no task is to wait"
        yield config.document.problem(SHORT_WAIT, path, fact, hint, severity="warning")


def short_expiries(config: Config, tasks: Mapping[str, Any] | None) -> Iterator[Problem]:
    """Find tasks whose own ``expires`` is shorter than the time of one token of a limit of theirs."""
    seen = set()
    for name in sorted(tasks or ()):
        entry = config.rules.exact.get(name) or next(iter(config.rules.matching(name)), None)
        expires = getattr((tasks or {})[name], "expires", None)
        if entry is None or isinstance(expires, bool) or not isinstance(expires, (int, float)) or expires <= 0:
            continue
        found = _slowest(config, entry, float(expires))
        if found is None or (entry.pattern, found.name) in seen:
            continue
        seen.add((entry.pattern, found.name))
        takes = f"for {found.name} one start takes longer than that" if found.hidden else found.text
        few = "few" if found.window or found.hidden else "at most one"
        fact = (
            f"{name} expires {duration_text(float(expires))} after it is sent, and {takes}, so {few} of those that "
            f"wait can start before they expire"
        )
        hint = "let it expire later, or write a higher rate"
        path = ("tasks", entry.pattern)
        yield config.document.problem(SHORT_EXPIRY, path, fact, hint, at="header", severity="warning")


class _Slow(NamedTuple):
    """Terms that admit less than one start in some time."""

    takes: Fraction
    """Seconds in which one start is admitted in the long run."""
    name: str
    hidden: bool
    """Whether the rate came from the environment."""
    window: bool

    @property
    def text(self) -> str:
        """What comes, and in which time."""
        what = "a place comes free" if self.window else "one token comes"
        return f"for {self.name} {what} in {span(float(self.takes))}{' on average' if self.window else ''}"


def _slowest(config: Config, entry: Entry, seconds: float) -> _Slow | None:
    """Return the terms of an entry's limits that admit least, if that is less than one start in some seconds."""
    limits = [each for each in entry.limits if each.mode == "enforce" and each.resets is None and not each.metered]
    found = [
        _Slow(1 / terms.rate.per_second, _named(entry, terms), hides(config, terms.path), limit.strategy == "window")
        for limit in limits
        for terms in terms_of(("tasks", entry.pattern) if limit.own else ("limits", limit.name), limit)
    ]
    slowest = max(found, default=None)
    return slowest if slowest is not None and slowest.takes > Fraction(seconds) + _SLACK else None


def _named(entry: Entry, terms: Terms) -> str:
    return "its own limit" if terms.path == ("tasks", entry.pattern) else dotted(terms.path)


def _says_max_wait(config: Config, entry: Entry) -> Path | None:
    """Return where the shortest ``max_wait`` of an entry stands."""
    if entry.max_wait is not None:
        return ("tasks", entry.pattern, "max_wait")
    named = [limit for limit in entry.limits if limit.mode == "enforce" and limit.max_wait is not None]
    limit = min(named, key=lambda each: each.max_wait or 0.0, default=None)
    path = None if limit is None else ("limits", limit.name) if not limit.own else ("tasks", entry.pattern)
    return (*path, "max_wait") if path and said(config, (*path, "max_wait")) else None
