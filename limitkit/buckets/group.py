"""One start of several limits of any kind, in memory: it takes from all of them, or from none.

Groups of plain token buckets alone, which may take several starts and reserve some ahead, are in ``token_bucket``.
``stores/take.lua`` does the same inside Redis.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING, Final, Protocol, cast

from limitkit.buckets.calendar import borders
from limitkit.buckets.decision import Bucket, GiveBack, Slots, Window
from limitkit.buckets.metered import Meter, Meters
from limitkit.buckets.slots import Leases, Place
from limitkit.buckets.token_bucket import NOTHING, give_back, pace, settled, wait_us
from limitkit.buckets.window import PARTS, Parts, Tally, Times, most_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from limitkit.buckets.adaptive_rate import Adapted
    from limitkit.buckets.decision import Settlement, Take
    from limitkit.buckets.token_bucket import Pace

ONES: Final = (1,) * 8


def is_plain(ask: Take) -> bool:
    """Whether a take asks plain token buckets alone, one token of each for a start."""
    if ask.costs and max(ask.costs) > 1:
        return False
    for bucket in ask.buckets:  # noqa: SIM110 (a generator takes three times as long, for each start)
        if type(bucket) is not Bucket or bucket.metered:
            return False
    return True


def costs_of(ask: Take) -> tuple[int, ...]:
    """Return what one start takes from each bucket."""
    return ask.costs or ONES[: len(ask.buckets)] or ONES


def part_of(ask: Take, indexes: Sequence[int]) -> Take:
    """Return what a take asks of some of its buckets."""
    costs = tuple(ask.costs[index] for index in indexes) if ask.costs else ()
    return replace(ask, buckets=tuple(ask.buckets[index] for index in indexes), costs=costs)


def undo(ask: Take, marks: Sequence[int], starts: int = 1) -> list[GiveBack]:
    """Return what gives back the last starts of a take; ``marks`` are from its decision."""
    return [
        GiveBack(bucket, mark, starts * cost, ask.member)
        for bucket, mark, cost in zip(ask.buckets, marks, costs_of(ask), strict=False)
    ]


def is_metered(bucket: Bucket, cost: int = 1) -> bool:
    """Whether a token bucket keeps debt."""
    return type(bucket) is Bucket and (bucket.metered or cost != 1)


class _Look(Protocol):
    """What was found of one limit, for a start that may take from it."""

    @property
    def wait(self) -> int:
        """Microseconds until this start may be; after ``finish``, until another one may."""

    def finish(self, *, taken: bool, asked: bool) -> int:
        """Take, or not; returns the mark."""


class Kinds:
    """The state of limits of all kinds in one process."""

    def __init__(self) -> None:
        self.tats: dict[str, int] = {}
        self.meters = Meters(self.tats)
        self.parts: dict[str, Parts] = {}
        self.times: dict[str, Times] = {}
        self.tallies: dict[str, Tally] = {}
        self.leases: dict[str, Leases] = {}

    def take(
        self, ask: Take, now: int, wall: int, adapted: Mapping[str, Adapted] = NOTHING
    ) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """Take for one start now; returns slots, waits (microseconds) and marks, as ``token_bucket.take`` does.

        ``wall`` is the time in microseconds since 1970, by which windows reset.
        """
        pairs = list(zip(ask.buckets, costs_of(ask), strict=False))
        goes = [pace(bucket, adapted, now) for bucket in ask.buckets]
        found = [self._look(*pair, ask, how, (now, wall)) for pair, how in zip(pairs, goes, strict=True)]
        asked = ask.count > 0
        held = [max(0, how.paused - now) for how in goes]
        taken = asked and ask.ready > 0 and not any(look.wait for look in found) and not any(held)
        if asked and not taken:
            self._claim(found, held)
        marks = tuple(look.finish(taken=taken, asked=asked) for look in found)
        return (0,) * taken, tuple(max(look.wait, pause) for look, pause in zip(found, held, strict=True)), marks

    def _claim(self, found: Sequence[_Look], held: Sequence[int]) -> None:
        """Claim the tokens that a start was refused, unless it waits for a slot: nobody knows when one is free.

        Where only claims refuse it, it gives way where it is first: else two might wait for each other for ever.
        """
        if any(isinstance(look, Place) and look.wait for look in found):
            return
        longest = max(*(look.wait for look in found), *held)
        short = any(held) or any(look.is_short if isinstance(look, Meter) else look.wait for look in found)
        for look in found:
            if isinstance(look, Meter):
                look.claim(longest, gives_way=not short)

    def give_back(self, gift: GiveBack, now: int) -> None:
        """Undo a take."""
        bucket = gift.bucket
        if isinstance(bucket, Slots):
            self.leases.get(bucket.key, Leases()).ends.pop(gift.member, None)
        elif isinstance(bucket, Window):
            self._recount(bucket, -gift.count, gift.mark, now)
        elif bucket.metered:
            self.meters.undo(bucket, gift.mark, gift.count, now)
        elif not self.meters.has_spent(bucket.key) and give_back(self.tats, gift):
            self.meters.is_plain(bucket.key, now)

    def settle(self, settlement: Settlement, now: int, adapted: Mapping[str, Adapted] = NOTHING) -> None:
        """Take what a start has cost beyond its estimate, or give back what it has not."""
        bucket, more = settlement.bucket, settlement.cost - settlement.estimate
        if isinstance(bucket, Window):
            self._recount(bucket, more, settlement.mark, now)
        elif more and not isinstance(bucket, Slots):
            self.meters.recount(bucket, more, now, adapted)

    def forget(self, now: int, wall: int) -> None:
        """Drop what is as if nothing had ever been taken."""
        for key in [key for key, tat in self.tats.items() if tat <= now and not self.meters.claims(key, now)]:
            del self.tats[key]
        for key in [key for key in self.meters.spent if key not in self.tats]:
            del self.meters.spent[key]
        for key in [key for key, each in self.parts.items() if (each.newest + PARTS + 1) * each.length <= now]:
            del self.parts[key]
        for key in [key for key, each in self.times.items() if not each.counted(now)]:
            del self.times[key]
        for key in [key for key, each in self.tallies.items() if each.until <= wall]:
            del self.tallies[key]
        for key in [key for key, each in self.leases.items() if not each.running(now) and not each.waiters]:
            del self.leases[key]

    def drop(self, keys: set[str]) -> int:
        """Drop what was taken from these limits; returns from how many. Slots stay: their tasks run."""
        kinds: tuple[dict[str, object], ...] = cast(
            "tuple[dict[str, object], ...]", (self.tats, self.parts, self.times, self.tallies)
        )
        found = {key for kind in kinds for key in keys & kind.keys()}
        for kind in kinds:
            for key in found & kind.keys():
                del kind[key]
        return len(found)

    def keys(self) -> set[str]:
        """Return the keys of what ``drop`` would drop."""
        return {*self.tats, *self.parts, *self.times, *self.tallies}

    def _look(self, bucket: Bucket, cost: int, ask: Take, goes: Pace, clocks: tuple[int, int]) -> _Look:
        now, wall = clocks
        if isinstance(bucket, Slots):
            return Place(self.leases.setdefault(bucket.key, Leases()), bucket, ask, now)
        if isinstance(bucket, Window):
            look = _Calendar if bucket.resets is not None else _Exact if bucket.exact else _Counted
            return look(self, bucket, most_of(bucket, goes.interval), cost, wall if bucket.resets is not None else now)
        if is_metered(bucket, cost):
            return Meter(self.meters, bucket, cost, goes, now)
        return _Token(self.tats, bucket, goes, now)

    def _recount(self, window: Window, more: int, mark: int, now: int) -> None:
        key = window.key
        if window.resets is not None:
            tally = self.tallies.get(key)
            if tally is not None and tally.begin == mark:
                tally.count = max(0, tally.count + more)
        elif window.exact:
            times = self.times.setdefault(key, Times(window.period_us))
            times.span = window.period_us
            if more > 0:
                times.add(min(more, max(1, window.burst)), now)
            else:
                times.remove(-more, mark)
        elif more:
            parts = self.counted_in_parts(window, now)
            if parts.add(more, parts.newest if more > 0 else mark // parts.length):
                self.parts[key] = parts

    def counted_in_parts(self, window: Window, now: int) -> Parts:
        """Return what a window counts now, in a copy: a look writes nothing."""
        length = ceil(window.period_us / PARTS)
        kept = self.parts.get(window.key)
        parts = Parts(length) if kept is None else Parts(kept.length, kept.newest, dict(kept.counts))
        parts.move(length, now)
        return parts


class _Token:
    """One look at a plain token bucket."""

    def __init__(self, tats: dict[str, int], bucket: Bucket, goes: Pace, now: int) -> None:
        self._tats, self._bucket, self._goes, self._now = tats, bucket, goes, now
        self._tat = settled(tats.get(bucket.key), now, bucket, goes)
        self._cut = bucket.burst > 0 and self._tat < tats.get(bucket.key, 0)
        if goes.paused:
            self._tat = max(self._tat, goes.paused + goes.depth)

    @property
    def wait(self) -> int:
        return wait_us(self._tat, self._now, self._goes)

    def finish(self, *, taken: bool, asked: bool) -> int:
        self._tat += self._goes.interval * taken
        if taken or (self._cut and asked):
            self._tats[self._bucket.key] = self._tat
        return self._tat


class _Counted:
    """One look at a sliding window in parts."""

    def __init__(self, kinds: Kinds, window: Window, limit: int, cost: int, now: int) -> None:
        self._kinds, self._window, self._limit, self._cost, self._now = kinds, window, limit, cost, now
        self._parts = kinds.counted_in_parts(window, now)

    @property
    def wait(self) -> int:
        if not self._limit:
            return self._window.interval_us
        return self._parts.wait(max(0, self._limit - self._cost), self._now)

    def finish(self, *, taken: bool, asked: bool) -> int:  # noqa: ARG002 (part of the protocol)
        parts = self._parts
        if not taken:
            return parts.total
        parts.add(self._cost, parts.newest)
        self._kinds.parts[self._window.key] = parts
        return max(self._now, parts.newest * parts.length)


class _Exact:
    """One look at a sliding window that keeps the time of each start."""

    def __init__(self, kinds: Kinds, window: Window, limit: int, cost: int, now: int) -> None:
        self._kinds, self._window, self._limit, self._cost, self._now = kinds, window, limit, cost, now
        self._times = kinds.times.get(window.key) or Times(window.period_us)
        self._times.span = window.period_us

    @property
    def wait(self) -> int:
        if not self._limit:
            return self._window.interval_us
        return self._times.wait(max(1, self._limit - self._cost + 1), self._now)

    def finish(self, *, taken: bool, asked: bool) -> int:  # noqa: ARG002 (part of the protocol)
        if not taken:
            return self._times.counted(self._now)
        self._kinds.times[self._window.key] = self._times
        # More than the limit count like the limit: nothing may start until they are out of the window, all at once.
        count = min(self._cost, self._limit)
        at = self._times.add(count, self._now)
        self._times.trim(self._limit, count + 1)
        return at


class _Calendar:
    """One look at a window that resets."""

    def __init__(self, kinds: Kinds, window: Window, limit: int, cost: int, now: int) -> None:
        assert window.resets is not None  # noqa: S101 (the caller has looked)
        self._kinds, self._window, self._limit, self._cost, self._now = kinds, window, limit, cost, now
        self._borders = borders(window.resets, now)
        kept = kinds.tallies.get(window.key)
        # One that begins later was written before the clock was set back, or it had other borders: it goes on.
        is_kept = kept is not None and kept.begin >= self._borders.begin
        self._tally = kept if kept is not None and is_kept else Tally(self._borders.begin, 0, 0)

    @property
    def wait(self) -> int:
        end = self._borders.end
        if not self._limit:
            return self._window.interval_us
        full = self._tally.count > max(0, self._limit - self._cost)
        return end - self._now if full or self._now >= end - self._window.late_us else 0

    def finish(self, *, taken: bool, asked: bool) -> int:  # noqa: ARG002 (part of the protocol)
        tally, now = self._tally, self._borders
        if not taken:
            return tally.count
        tally.count += self._cost
        tally.until = now.next_end if tally.begin > now.begin else now.end
        self._kinds.tallies[self._window.key] = tally
        return tally.begin
