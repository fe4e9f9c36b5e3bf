"""How fast parked tasks start, and why: what ``waiting`` and ``why`` say of buckets with parked tasks."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Any

from limitkit.buckets.override import Target
from limitkit.buckets.partition import bucket_key, limit_tag
from limitkit.buckets.token_bucket import MICROSECONDS
from limitkit.cli.output import say
from limitkit.config.model.units import interval_text
from limitkit.config.wording import one_line, span
from limitkit.control.bucket_state import adapted, state_of
from limitkit.control.current import current_of
from limitkit.control.status.drift import refusals, why
from limitkit.control.status.rate_text import rated
from limitkit.control.status.snapshot import in_force
from limitkit.errors import StoreError
from limitkit.waiting.drain_time import DrainTime, draining, paces

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from limitkit.config.declared import Limit
    from limitkit.config.load import Config
    from limitkit.control.current import Current
    from limitkit.waiting.bucket_owners import Owner, Owners, Sum
    from limitkit.waiting.parked_messages import Pile


class Pace:
    """What is in force for the limits with parked tasks; ``known`` is None when the store can't be asked."""

    def __init__(self, known: DrainTime | None) -> None:
        self._known = known

    def drained(self, each: Sum) -> float | None:
        """Return the seconds in which what is parked for a limit starts; None where that is not known."""
        return self._known.drained_in(each) if self._known is not None else None

    def seconds(self, owner: Owner, pile: Pile) -> float | None:
        """Return the same of one pile."""
        known = self._known
        return known.seconds(owner, pile.bucket, pile.count, pile.interval) if known is not None else None

    def written(self, owner: Owner, seconds: float | None) -> str:
        """Write the seconds for people."""
        if seconds is None or seconds == inf:
            return "not known" if seconds is None else "not while paused"
        workers = self._known.workers(owner) if self._known is not None else 0
        by = f" by {workers} workers" if workers > 1 else " by one worker"
        return f"{span(seconds)}{by if owner.in_each_worker else ''}"

    def values(self, owner: Owner, buckets: Collection[str], seconds: float | None) -> dict[str, Any]:
        """Return it as plain values; what is not known, or has no end, is None."""
        rate, reasons = self.says(owner, buckets)
        if not rate and self._known is not None and owner.limit is not None:
            rate = owner.limit.text
        left = round(seconds, 3) if seconds is not None and seconds < inf else None
        shown = {"in_force": rate or None, "why": reasons or None}
        return {**shown, "drain_seconds": left, "by_one_worker": self._by_one(owner)}

    def says(self, owner: Owner, buckets: Collection[str]) -> tuple[str, str]:
        """Return what is in force for a limit, and why, if that differs from the file; else empty texts."""
        known, current = self._known, self._current(owner)
        each = [known.state_of(owner, bucket) for bucket in buckets] if known is not None else []
        stands = [state for state in each if state is not None]
        if known is None or current is None or not stands:
            return "", ""
        whole = stands[0] if len(stands) == 1 else replace(stands[0], adapted=None)
        rate, burst, source = in_force(current, whole)
        reasons = [*why(current, known.in_force.now), *refusals(whole, stands)]
        here = {*known.kept.get(limit_tag(owner.name, own=owner.own), ())}
        if here - {whole.interval} and not whole.paused_for:
            rates = sorted("paused" if each == inf else interval_text(round(each * MICROSECONDS)) for each in here)
            reasons.append(f"{', '.join(rates)} in its workers")
            rate, burst = (rates[0], 0 if here == {inf} else burst) if len(here) == 1 else (rate, burst)
        strategy = current.limit.strategy
        return (rated(rate, burst, strategy), "; ".join(reasons)) if reasons or source != "file" else ("", "")

    def _by_one(self, owner: Owner) -> bool:
        known = self._known
        return owner.in_each_worker and (known is None or known.workers(owner) <= 1)

    def _current(self, owner: Owner) -> Current | None:
        if self._known is None or owner.limit is None:
            return None
        rule = self._known.rules.for_task(owner.name) if owner.own else None
        target = Target("tasks" if owner.own else "limits", owner.name)
        return current_of(self._known.in_force, target, owner.limit, rule.pattern if rule is not None else "")


def pace_of(app: Any, config: Config, owners: Owners, piles: Collection[Pile]) -> Pace:
    """Ask the store what is in force for the limits of these piles, and for static ones the workers.

    If the store can't be asked, it says so on standard error. Raises UnreachableError when the broker can't.
    """
    from limitkit.control.manager import RateLimitManager  # noqa: PLC0415 (imports Celery)
    from limitkit.control.workers import NoRemoteControlError, ask  # noqa: PLC0415 (imports kombu)

    manager = RateLimitManager(app, config)
    try:
        known = draining(config.rules, manager.in_force(), manager.store, owners, piles)
    except StoreError as error:
        fact = f"the store can't be asked ({one_line(str(error)).rstrip('.')})"
        say(f"limitkit: {fact}, so it is not known how fast what waits starts", err=True)
        return Pace(None)
    if any(owners.of(pile.bucket).in_each_worker for pile in piles):
        try:
            known = replace(known, kept=paces(ask(app, "limitkit_status").values()))
        except NoRemoteControlError as error:
            say(f"limitkit: {one_line(str(error))}; so it is not known how many start what waits", err=True)
    return Pace(known)


def otherwise(app: Any, config: Config, limits: Iterable[Limit], pattern: str) -> Iterator[tuple[Limit, str]]:
    """Yield the limits for which something else is in force than the file says, each with what and why.

    Yields none if the store can't be asked.
    """
    from limitkit.control.manager import RateLimitManager  # noqa: PLC0415 (imports Celery)

    kept = [limit for limit in limits if limit.mode == "enforce"]
    prefix = config.rules.store.prefix
    keys = {limit.name: bucket_key(prefix, limit, None) for limit in kept}
    try:
        manager = RateLimitManager(app, config)
        now = manager.in_force()
        by_feedback = adapted(
            manager.store, [keys[each.name] for each in kept if each.feedback is not None and not each.key]
        )
    except StoreError:
        return
    for limit in kept:
        target = Target("tasks" if limit.own else "limits", limit.name)
        current, stands = (
            current_of(now, target, limit, pattern),
            state_of(now, limit, pattern, by_feedback.get(keys[limit.name])),
        )
        reasons = [*why(current, now.now), *refusals(stands)]
        if reasons:
            rate, burst, _ = in_force(current, stands)
            yield (
                limit,
                "; ".join([rated(rate, burst, limit.strategy), *reasons] if burst and not stands.slowed else reasons),
            )
