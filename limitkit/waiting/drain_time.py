"""In how many seconds parked tasks start, as things are now: paused, backed off, or at a rate that was set."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import inf
from typing import TYPE_CHECKING, Any

from limitkit.buckets.decision import Window
from limitkit.buckets.named_partition import digest_of_form
from limitkit.buckets.partition import limit_tag, parts_of
from limitkit.control.bucket_state import adapted, state_of
from limitkit.control.usage import usages

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from limitkit.buckets.adaptive_rate import Adapted
    from limitkit.config.rules import Rules
    from limitkit.control.bucket_state import BucketState
    from limitkit.control.in_force import InForce
    from limitkit.control.usage import Usage
    from limitkit.stores.store import Store
    from limitkit.waiting.bucket_owners import Owner, Owners, Sum
    from limitkit.waiting.parked_messages import Pile


@dataclass(frozen=True, slots=True)
class DrainTime:
    """The state of the buckets with parked tasks."""

    rules: Rules
    in_force: InForce
    adapted: Mapping[str, Adapted] = field(default_factory=dict)
    """By bucket."""
    usages: Mapping[str, Usage] = field(default_factory=dict)
    """What windows count already, by bucket."""
    kept: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Of static limits, by the tag in their buckets' keys: seconds between two starts in each worker that keeps it."""

    def state_of(self, owner: Owner, bucket: str) -> BucketState | None:
        """Return the state of a bucket; None when the file does not declare its limit any more."""
        if owner.limit is None:
            return None
        rule = self.rules.for_task(owner.name) if owner.own else None
        pattern, form = rule.pattern if rule is not None else "", (parts_of(bucket) or ("", None))[1]
        partition = digest_of_form(form) if form is not None else None
        return state_of(self.in_force, owner.limit, pattern, self.adapted.get(bucket), partition)

    def seconds(self, owner: Owner, bucket: str, count: int, interval: float) -> float | None:
        """Return the seconds until so many have started; infinite while it is paused without an end.

        None where it can't be told: nobody knows how long running tasks take, or what those that wait will cost.

        ``interval`` is the last reported time between two starts, for a limit that the file does not declare.
        """
        stands = self.state_of(owner, bucket)
        if stands is None:
            return count * interval
        here = self.kept.get(limit_tag(owner.name, own=owner.own), ())
        if here and not stands.paused_for:
            rate = sum(1 / each for each in here)
            return count / rate if rate else inf
        return stands.drained_in(count, buckets=len(here) or 1, usage=self.usages.get(bucket))

    def drained_in(self, each: Sum) -> float | None:
        """Return the seconds in which all parked tasks of a limit start: those of its longest partition.

        None where it can't be told.
        """
        found = [self.seconds(each.owner, bucket, *counted) for bucket, counted in each.buckets.items()]
        known = [seconds for seconds in found if seconds is not None]
        return max(known, default=0.0) if len(known) == len(found) else None

    def workers(self, owner: Owner) -> int:
        """Return how many workers are known to keep a static limit; 0 when no worker has reported."""
        return len(self.kept.get(limit_tag(owner.name, own=owner.own), ()))


def draining(rules: Rules, in_force: InForce, store: Store | None, owners: Owners, piles: Iterable[Pile]) -> DrainTime:
    """Find out the state of the buckets of these piles. Raises StoreError."""
    all_piles = list(piles)
    with_feedback = {pile.bucket for pile in all_piles if _has_feedback(owners.of(pile.bucket))}
    known = DrainTime(rules, in_force, adapted(store, sorted(with_feedback)))
    windows: dict[str, Window] = {}
    for pile in all_piles:
        owner = owners.of(pile.bucket)
        state = known.state_of(owner, pile.bucket) if owner.limit is not None else None
        if state is not None and isinstance(state.bucket, Window):
            windows[pile.bucket] = replace(state.bucket, key=pile.bucket)
    found = usages(store, list(windows.values()), in_force.now) if store is not None else []
    return replace(known, usages=dict(zip(windows, found, strict=False)))


def paces(reports: Iterable[Mapping[str, Any]]) -> dict[str, tuple[float, ...]]:
    """Return how fast the workers of these reports keep their static limits, by the tag in their buckets' keys."""
    found: dict[str, tuple[float, ...]] = {}
    for report in reports:
        for tag, limit in report.get("limits", {}).items() if report.get("paced") else ():
            if limit["strategy"] == "static" and limit["mode"] == "enforce":
                found[tag] = (*found.get(tag, ()), pace_of(limit))
    return found


def pace_of(limit: Mapping[str, Any]) -> float:
    """Return the seconds between two starts of a limit as a worker reports it; infinite while it is paused there."""
    return float(limit["dialled"] or limit["interval"]) if limit["burst"] else inf


def _has_feedback(owner: Owner) -> bool:
    return owner.limit is not None and owner.limit.feedback is not None
