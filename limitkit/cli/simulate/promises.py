"""What limits promise, beside what came of a play: how much they allow, and which of them were not kept."""

from __future__ import annotations

from math import ceil, floor
from typing import TYPE_CHECKING, Final

from limitkit.cli.simulate.numbers import time_text
from limitkit.trial.scenario import StoreAway

if TYPE_CHECKING:
    from collections.abc import Iterator

    from limitkit.cli.simulate.played import Played
    from limitkit.config.declared import Limit
    from limitkit.trial.figures import Row

_JITTER: Final = 0.05
"""Seconds that are added to a window: a limit promises burst + rate x (T + 0.05 s) + 1 starts in T at most."""


def allowed(limit: Limit | None, row: Row, seconds: int) -> int | None:
    """Return how many tokens one bucket gives in so many seconds at most, as declared; None where nothing says that.

    Nothing does where other terms may be in force at times, or for some partitions. A start that costs more than the
    burst begins when the bucket is full, and the rest is debt: so the largest cost counts in the place of the burst.
    """
    if limit is None or limit.rate is None or _changes_by_itself(limit):
        return None
    if limit.strategy == "window":
        windows = ceil(seconds / limit.rate.period) + (1 if limit.resets is not None else 0)
        return limit.most * windows if row.largest_cost <= limit.most else None
    return floor(max(limit.burst, row.largest_cost) + limit.rate.per_second * seconds)


def _changes_by_itself(limit: Limit) -> bool:
    return bool(limit.schedule or limit.partitions or limit.feedback is not None)


def debts(played: Played) -> Iterator[str]:
    """Say which limits have starts that cost more than they hold at once."""
    for row in played.figures.limits:
        limit = played.limits.get(row.name)
        if limit is not None and limit.rate is not None and row.largest_cost > limit.most:
            fact = f"{row.name} has starts that cost up to {row.largest_cost:,}, more than its {limit.most:,} at once"
            when = "its bucket is full, and the rest is debt that the next ones wait off"
            when = "nothing else is in its window" if limit.strategy == "window" else when
            yield f"{fact}: such a start begins when {when}."


def over(played: Played) -> Iterator[str]:
    """Say which limits were not kept, by what they promise, where that can be judged."""
    for row in played.figures.limits:
        limit = played.limits.get(row.name)
        if limit is None or limit.mode != "enforce" or played.changes(row.name):
            continue
        why = _why(played, limit)
        if row.most_running is not None and row.most_running > limit.most and not _changes_by_itself(limit):
            yield f"{row.name} was not kept: {row.most_running:,} ran at once, and {limit.most:,} are allowed{why}."
        what = "tokens" if limit.metered else "starts"
        for peak, seconds, window in ((row.second, 1, "second"), (row.minute, 60, "minute")):
            most = allowed(limit, row, seconds)
            slack = (limit.per_second or 0.0) * _JITTER + 1 if limit.strategy != "window" else 0
            if most is not None and peak.most > most + slack:
                where = f"in the {window} from {time_text(peak.at)}"
                yield f"{row.name} was not kept: {peak.most:,} {what} {where}, and {most:,} are allowed{why}."


def _why(played: Played, limit: Limit) -> str:
    """Say why more may have started, as far as the scenario tells."""
    away = any(isinstance(fault, StoreAway) for fault in played.scenario.faults)
    if away and limit.on_error == "allow" and not limit.local:
        return '; the store was away, and on_error = "allow" lets tasks start then'
    return ""
