"""Counts starts in windows, all of them, by whole microseconds: each search takes one pass over the starts.

A window of the length ``width`` that begins at t holds the times from t on, and no longer t + ``width``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Window(NamedTuple):
    """A window, and the starts in it."""

    begin: int
    first: int
    """The index of its first start."""
    starts: int


def fullest(times: Sequence[int], width: int) -> Window | None:
    """Find the first of the windows with the most times in them; None without any time.

    ``times`` are in order. A fullest window can be moved so that it begins with a time, and so only those are counted.
    """
    best: Window | None = None
    first = 0
    for last, time in enumerate(times):
        while time - times[first] >= width:
            first += 1
        if best is None or last - first + 1 > best.starts:
            best = Window(times[first], first, last - first + 1)
    return best


def emptiest(times: Sequence[int], periods: Iterable[tuple[int, int]], width: int) -> Window | None:
    """Find the first of the windows with the fewest times in them, among those that lie within one of the periods.

    ``times`` and ``periods`` are in order; periods do not overlap, and end before their second number. None when no
    period is as long as a window. The fewest are in a window that begins with a period, or right after a time: when a
    window moves on, only there one is left behind.
    """
    best: Window | None = None
    first = end = 0
    for begin, over in periods:
        while first < len(times) and times[first] < begin:
            first += 1
        left, at = first, begin
        while at + width <= over:
            end = max(end, left)
            while end < len(times) and times[end] < at + width:
                end += 1
            if best is None or end - left < best.starts:
                best = Window(at, left, end - left)
            if left == len(times):
                break
            at = times[left] + 1
            while left < len(times) and times[left] < at:
                left += 1
        first = left
    return best


def merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join spans that overlap, or touch, in order; each ends before its second number, and empty ones are left out."""
    joined: list[tuple[int, int]] = []
    for begin, over in sorted(span for span in spans if span[0] < span[1]):
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], over))
        else:
            joined.append((begin, over))
    return joined
