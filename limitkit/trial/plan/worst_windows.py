"""The most that may start by a limit, as numbers that can be compared: before and after."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final

from limitkit.config.limit_words import most_starts
from limitkit.trial.plan.changes import Highest, Worst
from limitkit.trial.plan.highest_terms import highest, most_in_force, running_in_force

if TYPE_CHECKING:
    from collections.abc import Iterable

    from limitkit.config.declared import Limit
    from limitkit.trial.plan.changes import Effect

WINDOWS: Final = {"in a second": 1, "in a minute": 60, "in an hour": 3600, "in a day": 86400}
"""Seconds."""
_HOUR: Final = 3600


def letting(before: Limit, after: Limit) -> Effect:
    """Say whether a limit lets more or less through than another: more in any way is more, whatever is less.

    A limit with buckets for each value, or in each worker, lets more through than one with the same terms that has one.
    """
    if (before.rate is None) != (after.rate is None):
        return "looser"  # what one of them limits, the rate or what runs at once, the other does not
    was, now = _numbers(before), _numbers(after)
    more = any(new > old for old, new in zip(was, now, strict=True))
    less = any(new < old for old, new in zip(was, now, strict=True))
    return "looser" if more else "stricter" if less else "other"


def tightest(before: Iterable[Limit], after: Iterable[Limit]) -> Effect:
    """Say whether several limits together let more or less through than others."""
    was, now = list(before), list(after)
    effects = [_tightest_in(was, now, seconds) for seconds in WINDOWS.values()]
    effects += [_effect(*(_running(each) for each in (was, now)))]
    return "looser" if "looser" in effects else "stricter" if "stricter" in effects else "other"


def worst_of(limit: Limit | None) -> tuple[int | None, ...]:
    """Return what a ``Worst`` has of a limit; a limit that is not enforced, or is gone, limits nothing."""
    if limit is None or limit.mode != "enforce":
        return (None,) * (len(WINDOWS) + 1)
    return (*(most_in_force(limit, seconds) for seconds in WINDOWS.values()), running_in_force(limit))


def worst(subject: str, before: Limit | None, after: Limit | None) -> Worst | None:
    """Return the most that may start before and after; None when it is the same."""
    was, now = worst_of(before), worst_of(after)
    if was == now:
        return None
    one, other = (highest(each) if each is not None else {} for each in (before, after))
    return Worst(
        subject, was, now, tuple(Highest(of, one.get(of), other.get(of)) for of in dict.fromkeys([*one, *other]))
    )


def worst_words(before: Limit, after: Limit) -> str:
    """Say by how much the worst window changes, of an hour, or a day where the rate is for longer; empty if it doesn't.

    It is the worst window of one bucket: of each value of a key, and in each worker, where there are several.
    """
    if before.rate is None or after.rate is None:
        return ""
    is_long = max(before.rate.period, after.rate.period) > _HOUR
    seconds, unit = (86400, "a day") if is_long else (_HOUR, "an hour")
    was, now = most_starts(before, seconds), most_starts(after, seconds)
    if was is None or now is None or was == now:
        return ""
    of_each = f" for each value of {after.key}" if after.key is not None and before.key is not None else ""
    where = ", in each worker" if after.local and before.local else ""
    return f"worst window {was:,} to {now:,} {unit}{of_each}{where}"


def _numbers(limit: Limit) -> tuple[Fraction, ...]:
    more = (Fraction(limit.key is not None), Fraction(limit.local))
    if limit.rate is None:
        return (Fraction(limit.max_running), *more)
    starts = [Fraction(most_starts(limit, seconds) or 0) for seconds in WINDOWS.values()]
    return (*starts, limit.rate.per_second, Fraction(limit.most), *more)


def _tightest_in(before: list[Limit], after: list[Limit], seconds: int) -> Effect:
    """Compare what all limits together allow, and what those do that have one bucket for all."""
    effects = []
    for whole in (False, True):
        was, now = (
            [
                most
                for limit in limits
                if limit.mode == "enforce"
                and not (whole and (limit.key is not None or limit.local))
                and (most := most_in_force(limit, seconds)) is not None
            ]
            for limits in (before, after)
        )
        effects.append(_effect(min(was, default=None), min(now, default=None)))
    return "looser" if "looser" in effects else effects[0] if effects[0] != "other" else effects[1]


def _running(limits: list[Limit]) -> int | None:
    found = (running_in_force(each) for each in limits if each.mode == "enforce")
    return min((each for each in found if each is not None), default=None)


def _effect(before: int | None, after: int | None) -> Effect:
    """Compare two numbers, of which None is no limit at all."""
    if before == after:
        return "other"
    if after is None:
        return "looser"
    return "stricter" if before is None or after < before else "looser"
