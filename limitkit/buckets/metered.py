"""Token buckets whose starts have costs: what was spent beyond the tokens is debt, and stays until it is waited off.

A plain bucket's TAT is cut down to what a take can reach, so that a raised rate has effect at once. Here that would
erase debt. So the bucket keeps, beside its TAT, the interval and how far ahead the TAT was: under another interval it
has spent as many *tokens* as before, and a clock that was set back adds none. It also keeps who waits for its tokens
(``claims``). ``stores/metered.lua`` does the same arithmetic inside Redis.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from limitkit.buckets.claims import LEAST_WAIT_US, OTHERS_US, Claim, ahead, behind_the_next, live, renewed, without
from limitkit.buckets.token_bucket import LONGEST_LEAD_US, NOTHING, pace

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from limitkit.buckets.adaptive_rate import Adapted
    from limitkit.buckets.decision import Bucket
    from limitkit.buckets.token_bucket import Pace


class Spent(NamedTuple):
    """What a metered bucket keeps beside its TAT, in microseconds."""

    tat: int
    """The TAT that this belongs to: a worker for which the bucket is plain writes only that."""
    interval: int
    """The bucket's own interval when this was written."""
    ahead: int
    """By how much the TAT was ahead of the time."""
    claims: tuple[Claim, ...] = ()


class Meters:
    """The metered buckets of a store in memory, whose TATs are in ``tats``."""

    def __init__(self, tats: MutableMapping[str, int]) -> None:
        self.tats = tats
        self.spent: dict[str, Spent] = {}

    def has_spent(self, key: str) -> bool:
        """Whether a bucket was last written as a metered one."""
        spent = self.spent.get(key)
        return spent is not None and spent.tat == self.tats.get(key)

    def is_plain(self, key: str, now: int) -> None:
        """Note that a bucket was written as a plain one; a full one is not kept."""
        self.spent.pop(key, None)  # else it would seem to belong to the same TAT again, if that comes back
        if self.tats[key] <= now:
            del self.tats[key]

    def claims(self, key: str, now: int) -> tuple[Claim, ...]:
        """Return who waits for the tokens of a bucket, first come first."""
        return live(self.spent[key].claims, now) if self.has_spent(key) else ()

    def settled(self, bucket: Bucket, now: int, own: int, most: int) -> tuple[int, bool]:
        """Return the TAT that is in force, and whether it must be written: so that time counts at the new rate.

        ``own`` is the bucket's own interval, ``most`` how far ahead the TAT of a plain bucket may be.
        """
        tat = self.tats.get(bucket.key, now)
        left = tat - now
        if left <= 0:
            return now, False
        if not self.has_spent(bucket.key):
            return now + min(left, most), left > most
        spent = self.spent[bucket.key]
        found, cut = min(left, spent.ahead), left > spent.ahead
        if spent.interval != own:
            found, cut = ceil(float(found) * own / spent.interval), True
        return now + found, cut

    def keep(self, key: str, tat: int, own: int, now: int, claims: tuple[Claim, ...]) -> None:
        """Write a bucket; one that is full, and for which nobody waits, is not kept."""
        if tat > now or claims:
            tat = max(tat, now)
            self.tats[key], self.spent[key] = tat, Spent(tat, own, tat - now, claims)
        else:
            self.tats.pop(key, None)
            self.spent.pop(key, None)

    def recount(self, bucket: Bucket, more: int, now: int, adapted: Mapping[str, Adapted] = NOTHING) -> None:
        """Take ``more`` tokens; below zero they are given back, until the bucket is full."""
        goes, own = pace(bucket, adapted, now), bucket.interval_us
        every = goes.interval
        if not bucket.burst:  # paused: its interval is none of a rate
            own = every = self.spent[bucket.key].interval if self.has_spent(bucket.key) else own
        tat, _ = self.settled(bucket, now, own, max(0, bucket.burst * own - every) + every + LONGEST_LEAD_US)
        self.keep(bucket.key, tat + more * every, own, now, self.claims(bucket.key, now))

    def undo(self, bucket: Bucket, mark: int, tokens: int, now: int) -> None:
        """Give back the tokens of the last take, if there was none since."""
        if self.tats.get(bucket.key) == mark:
            own = self.spent[bucket.key].interval if self.has_spent(bucket.key) else bucket.interval_us
            back = tokens * bucket.interval_us
            self.keep(bucket.key, mark - back, own, now, self.claims(bucket.key, now))


class Meter:
    """One look at a metered bucket, for a start of some cost."""

    def __init__(self, meters: Meters, bucket: Bucket, cost: int, goes: Pace, now: int) -> None:
        self._meters, self._bucket, self._now, self._every = meters, bucket, now, goes.interval
        self._cost = cost
        self._enough = bucket.burst * bucket.interval_us
        self._tat, self._cut = now, False
        self._claims: tuple[Claim, ...] = ()
        if bucket.burst:
            whole = bucket.burst * bucket.interval_us
            depth = max(0, whole - goes.interval)
            most = depth + goes.interval + LONGEST_LEAD_US
            self._claims = meters.claims(bucket.key, now)
            self._tat, self._cut = meters.settled(bucket, now, bucket.interval_us, most)
            if goes.paused:  # it does not fill up while it is paused
                self._tat = max(self._tat, goes.paused + depth)
            self._enough = max(0, whole - min(cost, bucket.burst) * goes.interval)

    @property
    def wait(self) -> int:
        """Microseconds until this start may be."""
        if not self._bucket.burst:
            return self._every
        left = ahead(self._claims, self._cost, self._bucket.burst) * self._every
        wait = max(0, self._tat - self._enough + left - self._now)
        return max(wait, LEAST_WAIT_US) if wait and left else wait

    @property
    def is_short(self) -> bool:
        """Whether it has too few tokens for this start, whoever else waits."""
        return not self._bucket.burst or self._tat > self._now + self._enough

    def claim(self, longest: int, *, gives_way: bool) -> None:
        """Have those who come later leave the tokens to this start, which is refused.

        ``longest`` is for how many microseconds the slowest of its limits refuses it. One that ``gives_way`` lets the
        next go first where it could start: it waits elsewhere for others alone, and those may wait here for it.
        """
        wait = self.wait
        is_known = any(each.cost == self._cost for each in self._claims)
        if gives_way and is_known and not wait:
            self._claims, self._cut = behind_the_next(self._claims, self._cost), True
        elif self._bucket.burst and (wait or is_known) and longest <= max(wait, OTHERS_US):
            self._claims, self._cut = renewed(self._claims, self._cost, wait, self._now), True

    def finish(self, *, taken: bool, asked: bool) -> int:
        """Take the cost, or not; returns the mark."""
        if taken:
            self._tat += self._cost * self._every
            self._claims = without(self._claims, self._cost)
        if taken or (self._cut and asked):
            self._meters.keep(self._bucket.key, self._tat, self._bucket.interval_us, self._now, self._claims)
        return self._tat
