"""Windows: at most a number of starts in any stretch of time, or from one reset to the next.

A sliding window of few starts keeps the time of each. One of many is divided into 60 parts, each of which has a
counter; a part that still overlaps the window counts whole. So it never admits too much, and gives away at most a
sixtieth. One with resets has one counter. ``stores/window_*.lua`` do the same arithmetic inside Redis.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from limitkit.buckets.decision import Window

PARTS: Final = 60
MOST_EXACT: Final = 200
"""A sliding window that is declared with up to this number of starts keeps the time of each."""


def is_exact(declared: int) -> bool:
    """Whether a sliding window of this declared number keeps the time of each start."""
    return declared <= MOST_EXACT


def most_of(window: Window, interval_us: int) -> int:
    """Return the number of a window whose mean interval is this one, after refusals; at least 1 unless it is paused."""
    if interval_us <= window.interval_us:
        return window.burst
    return max(min(1, window.burst), int(float(window.burst * window.interval_us) / interval_us))


@dataclass(slots=True)
class Parts:
    """The state of a sliding window in parts: how many starts each of them counts, by its number since 1970."""

    length: int
    newest: int = 0
    counts: dict[int, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """What all parts count that overlap the window."""
        return sum(self.counts.values())

    def move(self, length: int, now: int) -> None:
        """Forget what is out of the window now. Parts of another length count at their ends, never too soon."""
        if length != self.length:
            newest, counts = max(now, self.newest * self.length) // length, dict[int, int]()
            for part, count in self.counts.items():
                at = min(newest, ((part + 1) * self.length - 1) // length)
                counts[at] = counts.get(at, 0) + count
            self.length, self.newest, self.counts = length, newest, counts
        self.newest = max(self.newest, now // length)
        self.counts = {part: count for part, count in self.counts.items() if part >= self.newest - PARTS and count}

    def wait(self, most: int, now: int) -> int:
        """Return the microseconds until no more than ``most`` are counted."""
        left = self.total
        if left <= most:
            return 0
        for part in sorted(self.counts):
            left -= self.counts[part]
            if left <= most:
                return (part + PARTS + 1) * self.length - now
        raise AssertionError  # nothing at all is counted after the last one

    def add(self, count: int, part: int) -> bool:
        """Count more in a part; below zero less, as far as it counts any. Returns whether that changed anything."""
        before = self.counts.get(part, 0)
        self.counts[part] = max(0, before + count)
        return self.counts[part] != before


@dataclass(slots=True)
class Times:
    """The state of a sliding window of few starts: the time of each, the newest one last."""

    span: int
    times: list[int] = field(default_factory=list)

    def at(self, now: int) -> int:
        """Return the time that counts: never before the newest start, even if the clock was set back."""
        return max(now, self.times[-1]) if self.times else now

    def wait(self, nth: int, now: int) -> int:
        """Return the microseconds until the ``nth`` last start is out of the window."""
        if len(self.times) < nth or self.times[-nth] + self.span <= self.at(now):
            return 0
        return self.times[-nth] + self.span - now

    def counted(self, now: int) -> int:
        """Return the number of starts that are in the window."""
        return len(self.times) - bisect_right(self.times, self.at(now) - self.span)

    def add(self, count: int, now: int) -> int:
        """Count starts; returns their time."""
        at = self.at(now)
        self.times += [at] * count
        return at

    def trim(self, limit: int, most: int) -> None:
        """Forget up to ``most`` starts that are out of the window, if more than the limit are kept."""
        over = min(most, len(self.times) - limit, bisect_right(self.times, self.times[-1] - self.span))
        del self.times[: max(0, over)]

    def remove(self, count: int, mark: int) -> None:
        """Count fewer of those at a time."""
        while count and mark in self.times:
            self.times.remove(mark)
            count -= 1


@dataclass(slots=True)
class Tally:
    """The state of a window with resets: what is counted since its begin."""

    begin: int
    count: int
    until: int
    """How long it is kept."""
