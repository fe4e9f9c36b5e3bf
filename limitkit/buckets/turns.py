"""Turns: who is next of those that wait for one bucket, by start-time fair queueing.

Each value of ``fair_by`` has a *start tag*, S = max(V, F): V is the *virtual time*, F = S + cost / weight comes from
the value's own last start. The lowest tag is next. Tags are given when something starts, not when it comes: so one that
comes new starts within a round, nobody saves up turns while he has nothing waiting, and a changed weight holds for what
waits already. The algorithm: Goyal, Vin, Cheng, "Start-time fair queueing", SIGCOMM 1996.

There, V is the tag of what starts. But then an endless row of values that come once each would keep all others waiting:
so each start moves V on by cost / the weights of all that wait, as in Bennett, Zhang, "Hierarchical packet fair
queueing algorithms", SIGCOMM 1996. V is never below the lowest tag, and never more than a turn above it.

The order of requests without ``fair_by`` is here too, since a lane uses either.
"""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

UNIT: Final = 1_000_000
"""Tags are whole numbers: so many to the turn of a value with weight 1 and cost 1. Sums of any length are exact."""
MOST_STEP: Final = 10**14
"""A step between two tags of a value is 1 to this: weights beyond a million to one count as that."""
_LEAST_SWEPT: Final = 64
_WEIGHT: Final = 1_000_000_000
"""Weights are added up in whole numbers, too: so many to a weight of 1."""


class TurnTaker(NamedTuple):
    """For whom a request waits."""

    value: str
    """The digest of the value of ``fair_by``; empty for a request without."""
    weight: float = 1.0
    cost: int = 1
    """Tokens that this request takes."""


NOBODY: Final = TurnTaker("")


def step(weight: float, cost: float) -> int:
    """Return by how much a start moves its value's tag."""
    return int(min(max(cost * UNIT / weight, 1.0), MOST_STEP))


class Turns:
    """The tags of one bucket's values. A value whose turn is not behind the others' any more is forgotten."""

    __slots__ = ("_last", "_most", "now")

    def __init__(self) -> None:
        self.now = 0
        """V."""
        self._last: dict[str, tuple[int, float, int]] = {}
        """By value: the start tag of its last start, with the weight and the cost at that time."""
        self._most = _LEAST_SWEPT

    def __len__(self) -> int:
        return len(self._last)

    def after(self, value: str, weight: float) -> int:
        """Return F of a value's last start; 0 when that is long ago."""
        last = self._last.get(value)
        return 0 if last is None else last[0] + step(weight, last[2])

    def start(self, taker: TurnTaker, tag: int) -> None:
        """Note a start that had this tag."""
        self._last[taker.value] = tag, taker.weight, taker.cost
        if len(self._last) > self._most:
            self._sweep()

    def go_on(self, cost: int, weights: int, count: int, lowest: int) -> None:
        """Move V on after a start; ``weights`` is the sum of those that wait, ``count`` how many values that are."""
        turn = min(cost * UNIT * _WEIGHT // weights, MOST_STEP)
        self.now = max(lowest, min(self.now + turn, lowest + turn * count))

    def _sweep(self) -> None:
        now = self.now
        self._last = {value: last for value, last in self._last.items() if last[0] + step(*last[1:]) > now}
        self._most = max(_LEAST_SWEPT, 2 * len(self._last))


Item = TypeVar("Item")


class ArrivalOrder(list[Item]):
    """A heap: the lowest is first, whoever it is for."""

    def add(self, item: Item) -> None:
        """Let one wait."""
        heapq.heappush(self, item)  # type: ignore[type-var]

    def take_first(self) -> Item:
        """Take the first one out."""
        return heapq.heappop(self)  # type: ignore[type-var]

    def take_out(self, item: Item) -> None:
        """Take out one that may not be the first. Raises ValueError when it is not here."""
        self.remove(item)
        heapq.heapify(self)  # type: ignore[type-var]

    def in_order(self) -> Iterator[Item]:
        """Go through all, in order."""
        return _walk(self)

    def is_before(self, item: Any, other: Any) -> bool:
        """Whether one comes before another."""
        return bool(item < other)

    def starts(self, item: Item) -> None:
        """Note that one starts, which is not here any more: nothing changes for the others."""


class TurnOrder(Generic[Item]):
    """The values take turns; the lowest item of a value is first among its own."""

    __slots__ = ("_heap", "_lines", "_numbers", "_size", "_taker_of", "_weights", "turns", "values")

    def __init__(self, turns: Turns, taker_of: Callable[[Item], TurnTaker]) -> None:
        self.turns = turns
        self._taker_of = taker_of
        self._lines: dict[str, _Line[Item]] = {}
        self._heap: list[tuple[int, int, _Line[Item]]] = []
        """The values' lines by their tags. A line that has another number now is also in another place."""
        self._numbers = itertools.count()
        self._size = self._weights = self.values = 0
        """How many wait, and the weights and the number of their values."""

    def __len__(self) -> int:
        return self._size

    def __contains__(self, item: Item) -> bool:
        line = self._lines.get(self._taker_of(item).value)
        return line is not None and item in line.items

    def __iter__(self) -> Iterator[Item]:
        return self.in_order()

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        """Return the first one, as ``[0]``, or some in their order. Raises IndexError when there is none."""
        if index == 0:
            return self._first().items[0]
        return list(self.in_order())[index]

    def count(self, value: str) -> int:
        """Return how many of a value wait."""
        line = self._lines.get(value)
        return len(line.items) if line is not None else 0

    def add(self, item: Item) -> None:
        """Let one wait. Its weight holds for all of its value."""
        taker = self._taker_of(item)
        line = self._lines.get(taker.value)
        if line is None:
            line = self._lines[taker.value] = _Line(taker.value)
        if not line.items or line.weight != taker.weight:
            self._count(line, -1)
            line.entered = line.entered if line.items else self.turns.now
            line.weight = taker.weight
            heapq.heappush(line.items, item)  # type: ignore[type-var]
            self._count(line, 1)
            self._place(line)
        else:
            heapq.heappush(line.items, item)  # type: ignore[type-var]
        self._size += 1

    def take_first(self) -> Item:
        """Take the first one out; its turn is over only when it ``starts``."""
        item = self._first().items[0]
        self.take_out(item)
        return item

    def take_out(self, item: Item) -> None:
        """Take out one that may not be the first. Raises ValueError when it is not here."""
        line = self._lines.get(self._taker_of(item).value)
        if line is None:
            raise ValueError(item)
        self._count(line, -1)
        try:
            if line.items[:1] == [item]:
                heapq.heappop(line.items)  # type: ignore[type-var]
            else:
                line.items.remove(item)
                heapq.heapify(line.items)  # type: ignore[type-var]
            self._size -= 1
        finally:
            self._count(line, 1)
        if len(self._lines) > _LEAST_SWEPT + 2 * self.values:
            self._lines = {value: each for value, each in self._lines.items() if each.items or each is line}

    def clear(self) -> None:
        """Forget all that wait, but not whose turn it is."""
        self._lines.clear()
        self._heap.clear()
        self._size = self._weights = self.values = 0

    def starts(self, item: Item) -> None:
        """Note that one starts, which is not here any more: the turn of its value is over."""
        taker = self._taker_of(item)
        line = self._lines.get(taker.value)
        tag = self._tag_of(taker)
        self.turns.start(taker, tag)
        if line is not None and line.items:
            self._place(line)
        elif line is not None:
            del self._lines[taker.value]
        if self._size:
            self.turns.go_on(taker.cost, self._weights, self.values, self._first().tag)
        else:
            self.turns.now = max(self.turns.now, tag)

    def is_before(self, item: Item, other: Item) -> bool:
        """Whether one comes before another, wherever they wait."""
        mine, its = self._taker_of(item), self._taker_of(other)
        if mine.value == its.value:
            return bool(item < other)  # type: ignore[operator]
        return self._tag_of(mine) < self._tag_of(its)

    def in_order(self) -> Iterator[Item]:
        """Go through all in the order in which they start, if no other comes."""
        if not self._size:
            return
        first = self._first()
        yield first.items[0]
        nodes = [(line.tag, line.number, line.weight, _walk(line.items)) for line in self._lines.values() if line.items]
        heapq.heapify(nodes)
        passed, numbers = False, itertools.count(max(node[1] for node in nodes) + 1)
        while nodes:
            tag, _, weight, items = nodes[0]
            item = next(items, None)
            if item is None:
                heapq.heappop(nodes)
                continue
            if passed:
                yield item
            passed = True
            number = next(numbers)
            heapq.heapreplace(nodes, (tag + step(weight, self._taker_of(item).cost), number, weight, items))

    def _first(self) -> _Line[Item]:
        """Return the line whose turn is next. Raises IndexError when there is none."""
        while True:
            _, number, line = self._heap[0]
            if line.number == number and line.items:
                return line
            heapq.heappop(self._heap)

    def _tag_of(self, taker: TurnTaker) -> int:
        line = self._lines.get(taker.value)
        return line.tag if line is not None else max(self.turns.now, self.turns.after(taker.value, taker.weight))

    def _place(self, line: _Line[Item]) -> None:
        # V may have passed the tags of those that wait; that is for those that come.
        line.tag, line.number = max(line.entered, self.turns.after(line.value, line.weight)), next(self._numbers)
        heapq.heappush(self._heap, (line.tag, line.number, line))
        if len(self._heap) > _LEAST_SWEPT + 2 * len(self._lines):
            self._heap = [(each.tag, each.number, each) for each in self._lines.values() if each.items]
            heapq.heapify(self._heap)

    def _count(self, line: _Line[Item], by: int) -> None:
        if line.items:
            self.values += by
            self._weights += by * max(1, int(min(line.weight, _WEIGHT) * _WEIGHT))


class _Line(Generic[Item]):
    """What waits for one value; it stays until what was taken out of it starts."""

    __slots__ = ("entered", "items", "number", "tag", "value", "weight")

    def __init__(self, value: str) -> None:
        self.value = value
        self.items: list[Item] = []
        self.weight = 1.0
        self.tag = self.number = 0
        self.entered = 0
        """V when it began to wait."""


def _walk(heap: list[Item]) -> Iterator[Item]:
    """Go through a heap in order, and leave it as it is."""
    nodes = [(heap[0], 0)] if heap else []
    while nodes:
        item, at = heapq.heappop(nodes)
        yield item
        for node in range(2 * at + 1, min(2 * at + 3, len(heap))):
            heapq.heappush(nodes, (heap[node], node))
