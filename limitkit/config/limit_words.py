"""What limits allow at worst, in words: what runs at once, windows, costs, turns, and terms that hold at times."""

from __future__ import annotations

from math import ceil, floor
from typing import TYPE_CHECKING, Final

from limitkit.config.declared import ONE
from limitkit.config.model.calendar import DAY_MINUTES, DAYS
from limitkit.config.model.units import duration_text
from limitkit.config.wording import count, listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from limitkit.config.declared import Cost, Limit, Resets, Scheduled, ShareTerms

_WEEK: Final = 7
_DAY_NAMES: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_UNITS: Final = {"d": "days", "w": "weeks", "mo": "months"}
_SHOWN: Final = 10
"""Partitions and weights that are listed."""


def name_of(limit: Limit) -> str:
    """Name a limit among those of one task."""
    return "(its own)" if limit.own else limit.name


def most_starts(limit: Limit, seconds: int) -> int | None:
    """Return how many may start in a time at most, of one bucket; None where nothing limits that.

    Where the cost of a start is read from its message, or settled, these are tokens.
    """
    if limit.rate is None:
        return None
    each = limit.cost.fixed if limit.settle is None else 1  # what is given back can start others
    if limit.strategy != "window":
        return floor(limit.burst + limit.rate.per_second * seconds) // each
    # A stretch of time may begin in one window and end in another; a sliding window has no such borders.
    windows = ceil(seconds / limit.rate.period) + (1 if limit.resets is not None else 0)
    return limit.most // each * windows


def in_words(limits: Iterable[Limit]) -> Iterator[str]:
    """Say what the table of rates can't: one line for each, and none for limits that have a rate and a burst alone."""
    for limit in limits:
        name = "its own limit" if limit.own else limit.name
        for said in (_running(limit), _window(limit), _cost(limit), _turns(limit), *_parts(limit)):
            if said:
                yield f"{name}: {said}."
        for each in limit.schedule:
            yield f"{name}, {when_words(each)}: {terms_words(limit, each.terms)}."


def _running(limit: Limit) -> str:
    if limit.strategy != "concurrency":
        return ""
    where = "in each worker" if limit.local else "in all workers together"
    lease = "" if limit.local else f"; a slot outlives a worker that is gone by {duration_text(limit.lease)} at most"
    return f"at most {limit.max_running} at once{_of_each(limit)}, {where}{lease}"


def _window(limit: Limit) -> str:
    if limit.strategy != "window" or limit.rate is None:
        return ""
    what = f"{limit.most:,}{' tokens' if limit.metered else ''}{_of_each(limit)}"
    how = "" if limit.most == 1 else ", all of them in one second if they come so"
    if limit.resets is None:
        return f"at most {what} in any {_period(limit.rate.every)}{how}"
    return f"at most {what} {_borders(limit.resets, limit.rate.every)}{how}"


def _of_each(limit: Limit) -> str:
    return f" for each value of {limit.key}" if limit.key else ""


def _period(every: tuple[int, str]) -> str:
    number, unit = every
    return f"{number}{unit}" if number > 1 else {"s": "second", "m": "minute", "h": "hour", "d": "day"}.get(unit, unit)


def _borders(resets: Resets, every: tuple[int, str]) -> str:
    """Say from when to when a window is."""
    if resets.unit == "clock":
        return f"in each {_period(every)} of the clock in UTC"
    time = _time(resets.minute)
    later = f" {resets.every} {_UNITS[resets.unit]} later," if resets.every > 1 else ""
    zone = f"in {resets.timezone}"
    if resets.unit == "mo":
        return f"from day {resets.day}, {time}, of a month to that of{later or ' the next month'} {zone}"
    day = _DAY_NAMES[resets.day % _WEEK]
    at = f"{day} {time}" if resets.unit == "w" else "midnight" if resets.minute == 0 else time
    return f"from {at} to {at}{later} {zone}"


def _cost(limit: Limit) -> str:
    if limit.cost == ONE and limit.settle is None:
        return ""
    said = f"a start costs {cost_text(limit.cost)}"
    if limit.settle is not None:
        said += f"; what it really cost is read from what the task returns ({'.'.join(limit.settle)})"
    if limit.cost.of is None and not limit.settle:
        return said
    return f"{said}; the numbers above are tokens, and one start that costs more needs all of them"


def cost_text(cost: Cost) -> str:
    """Write what a start costs."""
    if cost.of is None:
        return count(cost.fixed, "token")
    times = "" if cost.times == 1 else f" x {cost.times:g}"
    plus = "" if not cost.plus else f" + {cost.plus:g}"
    return f"{cost.of}{times}{plus} tokens, and {cost.default} if that can't be read"


def _turns(limit: Limit) -> str:
    if limit.fair_by is None:
        return ""
    weights = f", by weight: {_some(limit.weights)}; others 1" if limit.weights else ""
    return f"while tasks with several values of {limit.fair_by} wait, those take turns{weights}"


def _some(weights: Mapping[str, float]) -> str:
    shown = [f"{name} {weight:.12g}" for name, weight in list(weights.items())[:_SHOWN]]
    more = [f"{len(weights) - _SHOWN} more"] if len(weights) > _SHOWN else []
    return ", ".join([*shown, *more])


def _parts(limit: Limit) -> Iterator[str]:
    for name, terms in list(limit.partitions.items())[:_SHOWN]:
        yield f"{listed([name])} has {terms_words(limit, terms)}"
    if len(limit.partitions) > _SHOWN:
        yield f"{len(limit.partitions) - _SHOWN} more values have terms of their own"
    if limit.show_key:
        yield f"values of {limit.key} are stored and shown in clear"


def terms_words(limit: Limit, terms: ShareTerms) -> str:
    """Write terms that stand in place of a limit's own."""
    said = [terms.rate.text] if terms.rate is not None else []
    said += [f"burst {terms.burst}"] if terms.burst is not None else []
    said += [f"{terms.max_running} at once"] if terms.max_running is not None else []
    return f"{', '.join(said)}{' in a window' if limit.strategy == 'window' else ''}"


def when_words(each: Scheduled) -> str:
    """Write when an entry of a schedule holds."""
    days = _days(each.days)
    if (each.begin, each.end) == (0, DAY_MINUTES):
        return f"{days} in {each.timezone}"
    return f"{days} from {_time(each.begin)} to {_time(each.end)} in {each.timezone}"


def _days(days: frozenset[int]) -> str:
    """Write days as the file does, ranges where there are any."""
    if len(days) == _WEEK:
        return "each day"
    said = []
    for first in sorted(day for day in days if (day - 1) % _WEEK not in days):
        last = first
        while (last + 1) % _WEEK in days:
            last = (last + 1) % _WEEK
        said.append(DAYS[first] if first == last else f"{DAYS[first]}-{DAYS[last]}")
    return ", ".join(said)


def _time(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
