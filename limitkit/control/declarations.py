"""What files declare for shared limits, as far as workers with other files need it: then the stricter terms hold."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from limitkit.buckets.named_partition import named
from limitkit.buckets.override import Target
from limitkit.buckets.token_bucket import MICROSECONDS
from limitkit.config.declared import GUESSED_RUN_US, Scheduled, ShareTerms
from limitkit.config.model.units import parse_rate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from limitkit.config.declared import Limit
    from limitkit.config.rules import Rules


class Numbers(NamedTuple):
    """What a limit admits."""

    interval_us: int
    """Microseconds between two starts in the long run."""
    most: int
    """The burst, the number of a window, or ``max_running``."""
    period_us: int = 0
    """The time of a window."""


@dataclass(frozen=True, slots=True)
class Declared:
    """What a file declares for a limit."""

    interval_us: int
    burst: int
    """The burst, the number of a window, or ``max_running``."""
    kind: str
    """Strategy, key and resets: limits that differ in these can't be compared."""
    period_us: int = 0
    schedule: tuple[Scheduled, ...] = ()
    partitions: Mapping[str, ShareTerms] = field(default_factory=dict)
    """By digest."""

    @property
    def own(self) -> Numbers:
        """The limit's own terms."""
        return Numbers(self.interval_us, self.burst, self.period_us)


def declared_of(limit: Limit) -> Declared:
    """Return what a limit's file declares for it."""
    numbers, parts = numbers_of(limit), len(limit.key.parts) if limit.key is not None else 1
    resets = f" {limit.resets.text}" if limit.resets is not None else ""
    return Declared(
        numbers.interval_us,
        numbers.most,
        f"{limit.strategy} {limit.key or ''}{resets}",
        numbers.period_us,
        limit.schedule,
        {named(name, parts).digest: terms for name, terms in limit.partitions.items()},
    )


def declared_for(limit: Limit, digest: str) -> Limit:
    """Return a limit as its file declares it for one partition."""
    share = declared_of(limit).partitions.get(digest)
    if share is None:
        return limit
    running = share.max_running or limit.max_running
    return replace(limit, rate=share.rate or limit.rate, burst=share.burst or limit.burst, max_running=running)


def numbers_of(limit: Limit) -> Numbers:
    """Return a limit's own terms as numbers."""
    period = round(limit.rate.period * MICROSECONDS) if limit.strategy == "window" and limit.rate is not None else 0
    return Numbers(limit.interval_us, limit.most, period)


def with_terms(strategy: str, own: Numbers, terms: ShareTerms) -> Numbers:
    """Return a limit's numbers where these terms stand in place of its own; what they leave out stays."""
    if strategy == "concurrency":
        most = terms.max_running or own.most
        return Numbers(GUESSED_RUN_US // max(1, most), most)
    rate = terms.rate
    if strategy == "window":
        if rate is None:
            return own
        return Numbers(rate.interval_us, max(1, int(rate.tokens)), round(rate.period * MICROSECONDS))
    return Numbers(rate.interval_us if rate is not None else own.interval_us, terms.burst or own.most)


def strictest(strategy: str, each: Iterable[Numbers]) -> Numbers:
    """Return numbers that are as strict as the strictest of these."""
    intervals, most, periods = zip(*each, strict=True)
    if strategy == "window":  # in the longest time the smallest number: that keeps each of them
        return Numbers(max(*intervals, -(-max(periods) // min(most))), min(most), max(periods))
    return Numbers(max(intervals), min(most))


def declarations(rules: Rules) -> dict[Target, Declared]:
    """Return what a file declares for each shared limit that is in force."""
    found = {Target("limits", name): limit for name, limit in rules.named.items()}
    for entry in (*rules.exact.values(), *rules.patterns):
        found |= {Target("tasks", entry.pattern): limit for limit in entry.limits if limit.own}
    return {
        target: declared_of(limit) for target, limit in found.items() if limit.mode == "enforce" and not limit.local
    }


def declarations_text(declared: Mapping[Target, Declared]) -> str:
    """Write declarations as text, for other workers. An older limitkit reads the first five fields of each alone."""
    rows = [
        [
            each.section,
            each.name,
            of.interval_us,
            of.burst,
            of.kind,
            of.period_us,
            [[one.begin, one.end, sorted(one.days), one.timezone, *_written(one.terms)] for one in of.schedule],
            {digest: _written(terms) for digest, terms in of.partitions.items()},
        ]
        for each, of in declared.items()
    ]
    return json.dumps(rows, separators=(",", ":"))


def read_declarations(text: str) -> dict[Target, Declared]:
    """Read declarations that another worker wrote; none if its version of limitkit writes them in another form."""
    try:
        return {Target(row[0], row[1]): _read(row) for row in json.loads(text or "[]")}
    except (ValueError, TypeError, IndexError, KeyError, AttributeError):
        return {}


def _read(row: list[Any]) -> Declared:
    interval, burst, kind, *more = row[2:]
    period, schedule, partitions = more[:3] if more else (0, [], {})  # an older one writes no more than those
    entries = (
        Scheduled(int(begin), int(end), frozenset(map(int, days)), str(zone), _terms(*terms))
        for begin, end, days, zone, *terms in schedule
    )
    parts = {digest: _terms(*terms) for digest, terms in partitions.items()}
    return Declared(int(interval), int(burst), str(kind), int(period), tuple(entries), parts)


def _written(terms: ShareTerms) -> list[Any]:
    return [terms.rate.text if terms.rate is not None else None, terms.burst, terms.max_running]


def _terms(rate: str | None, burst: int | None, max_running: int | None, *_: Any) -> ShareTerms:
    return ShareTerms(parse_rate(rate, calendar=True) if rate is not None else None, burst, max_running)
