"""A sorted set as Redis has them: members with scores, in the order of score and then of member."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from operator import itemgetter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_CHUNK: Final = 512
"""Entries of one list at most: to insert into a longer one takes longer than to find the right one of several."""
_MEMBER: Final = itemgetter(1)

_Entry = tuple[float, str]


class SortedSet:
    """Members with scores, kept in order in a list of short lists."""

    def __init__(self) -> None:
        self._scores: dict[str, float] = {}
        self._chunks: list[list[_Entry]] = [[]]
        self._firsts: list[_Entry] = []
        """The first entry of each list but the first one."""

    def __len__(self) -> int:
        return len(self._scores)

    def score(self, member: str) -> float | None:
        """Return a member's score; None when it is not there."""
        return self._scores.get(member)

    def add(self, member: str, score: float) -> int:
        """Add a member, or give it another score; returns 1 if it is new."""
        before = self._scores.get(member)
        if before == score:
            return 0
        if before is not None:
            self._take_out((before, member))
        self._scores[member] = score
        entry = score, member
        number = bisect_right(self._firsts, entry)
        chunk = self._chunks[number]
        chunk.insert(bisect_left(chunk, entry), entry)
        if len(chunk) > 2 * _CHUNK:
            self._chunks.insert(number + 1, chunk[_CHUNK:])
            self._firsts.insert(number, chunk[_CHUNK])
            del chunk[_CHUNK:]
        return int(before is None)

    def remove(self, member: str) -> int:
        """Remove a member; returns 1 if it was there."""
        score = self._scores.pop(member, None)
        if score is None:
            return 0
        self._take_out((score, member))
        return 1

    def from_entry(self, first: _Entry, *, after: bool, stop: _Entry | None, most: int, skip: int = 0) -> list[_Entry]:
        """Return at most ``most`` entries from one on (``after`` it: without that itself), each below ``stop``."""
        number = bisect_right(self._firsts, first)
        chunk = self._chunks[number]
        at = bisect_right(chunk, first) if after else bisect_left(chunk, first)
        found: list[_Entry] = []
        while len(found) < most + skip:
            part = chunk[at : at + most + skip - len(found)]
            if stop is not None and part and part[-1] >= stop:
                found += part[: bisect_left(part, stop)]
                break
            found += part
            number, at = number + 1, 0
            if number >= len(self._chunks):
                break
            chunk = self._chunks[number]
        return found[skip:]

    def count(self, first: _Entry, stop: _Entry) -> int:
        """Count the entries from one on, below another; neither need be there."""
        if stop <= first:
            return 0
        low, high = self._place(first), self._place(stop)
        if low[0] == high[0]:
            return max(0, high[1] - low[1])
        between = sum(len(chunk) for chunk in self._chunks[low[0] + 1 : high[0]])
        return max(0, len(self._chunks[low[0]]) - low[1] + between + high[1])

    def entries(self) -> Sequence[_Entry]:
        """Return all, in order."""
        return [entry for chunk in self._chunks for entry in chunk]

    def _place(self, entry: _Entry) -> tuple[int, int]:
        number = bisect_right(self._firsts, entry)
        return number, bisect_left(self._chunks[number], entry)

    def _take_out(self, entry: _Entry) -> None:
        number = bisect_right(self._firsts, entry)
        chunk = self._chunks[number]
        del chunk[bisect_left(chunk, entry)]
        if not chunk and len(self._chunks) > 1:
            del self._chunks[number]
            if self._firsts:
                del self._firsts[max(0, number - 1)]
