"""Turns: who is next of those that wait for one bucket, by start-time fair queueing.

Each value of ``fair_by`` has a *start tag*, S = max(V, F): V is the tag of what started last, F = S + cost / weight that
of the value's own last start. The lowest tag is next. Tags are given when something starts, not when it comes: so a
value that comes new is next, nobody saves up turns while he has nothing waiting, and a changed weight holds for what
waits already. The algorithm: Goyal, Vin, Cheng, "Start-time fair queueing", SIGCOMM 1996.

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
        """V: the start tag of what started last."""
        self._last: dict[str, tuple[int, float, int]] = {}
        """By value: the start tag of its last start, with the weight and the cost at that time."""
        self._most = _LEAST_SWEPT

    def __len__(self) -> int:
        return len(self._last)

    def tag(self, value: str, weight: float) -> int:
        """Return the start tag of a value's next start."""
        last = self._last.get(value)
        return self.now if last is None else max(self.now, last[0] + step(weight, last[2]))

    def start(self, taker: TurnTaker, bound: int | None) -> None:
        """Note a start; ``bound`` is the lowest tag of the values that wait, if any do.

        V does not pass those that wait: else one that comes new would wait behind all of them.
        """
        tag = self.tag(taker.value, taker.weight)
        self.now = max(self.now, tag if bound is None else min(tag, bound))
        self._last[taker.value] = tag, taker.weight, taker.cost
        if len(self._last) > self._most:
            self._sweep()

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

    __slots__ = ("_heap", "_lines", "_numbers", "_size", "_taker_of", "turns")

    def __init__(self, turns: Turns, taker_of: Callable[[Item], TurnTaker]) -> None:
        self.turns = turns
        self._taker_of = taker_of
        self._lines: dict[str, _Line[Item]] = {}
        self._heap: list[tuple[int, int, _Line[Item]]] = []
        """The values' lines by their tags. A line that has another number now is also in another place."""
        self._numbers = itertools.count()
        self._size = 0

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

    @property
    def values(self) -> int:
        """How many values wait."""
        return len(self._lines)

    def add(self, item: Item) -> None:
        """Let one wait. Its weight holds for all of its value."""
        taker = self._taker_of(item)
        line = self._lines.get(taker.value)
        if line is None or line.weight != taker.weight:
            if line is None:
                line = self._lines[taker.value] = _Line(taker.value)
            line.weight = taker.weight
            self._place(line)
        heapq.heappush(line.items, item)  # type: ignore[type-var]
        self._size += 1

    def take_first(self) -> Item:
        """Take the first one out; its turn is over only when it ``starts``."""
        line = self._first()
        item: Item = heapq.heappop(line.items)  # type: ignore[type-var]
        self._removed(line)
        return item

    def take_out(self, item: Item) -> None:
        """Take out one that may not be the first. Raises ValueError when it is not here."""
        line = self._lines.get(self._taker_of(item).value)
        if line is None:
            raise ValueError(item)
        line.items.remove(item)
        heapq.heapify(line.items)  # type: ignore[type-var]
        self._removed(line)

    def clear(self) -> None:
        """Forget all that wait, but not whose turn it is."""
        self._lines.clear()
        self._heap.clear()
        self._size = 0

    def starts(self, item: Item) -> None:
        """Note that one starts, which is not here any more: the turn of its value is over."""
        taker = self._taker_of(item)
        self.turns.start(taker, self._first().tag if self._size else None)
        line = self._lines.get(taker.value)
        if line is not None:
            self._place(line)

    def is_before(self, item: Item, other: Item) -> bool:
        """Whether one comes before another, wherever they wait."""
        mine, its = self._taker_of(item), self._taker_of(other)
        if mine.value == its.value:
            return bool(item < other)  # type: ignore[operator]
        return self.turns.tag(*mine[:2]) < self.turns.tag(*its[:2])

    def in_order(self) -> Iterator[Item]:
        """Go through all in the order in which they start, if no other comes."""
        if not self._size:
            return
        first = self._first()
        yield first.items[0]
        nodes = [(line.tag, line.number, line.weight, _walk(line.items)) for line in self._lines.values()]
        heapq.heapify(nodes)
        passed = False
        while nodes:
            tag, number, weight, items = nodes[0]
            item = next(items, None)
            if item is None:
                heapq.heappop(nodes)
                continue
            if passed:
                yield item
            passed = True
            heapq.heapreplace(nodes, (tag + step(weight, self._taker_of(item).cost), number, weight, items))

    def _first(self) -> _Line[Item]:
        """Return the line whose turn is next. Raises IndexError when there is none."""
        while True:
            _, number, line = self._heap[0]
            if line.number == number and line.items:
                return line
            heapq.heappop(self._heap)

    def _place(self, line: _Line[Item]) -> None:
        line.tag, line.number = self.turns.tag(line.value, line.weight), next(self._numbers)
        heapq.heappush(self._heap, (line.tag, line.number, line))
        if len(self._heap) > _LEAST_SWEPT + 2 * len(self._lines):
            self._heap = [(each.tag, each.number, each) for each in self._lines.values()]
            heapq.heapify(self._heap)

    def _removed(self, line: _Line[Item]) -> None:
        self._size -= 1
        if not line.items:
            del self._lines[line.value]


class _Line(Generic[Item]):
    """What waits for one value."""

    __slots__ = ("items", "number", "tag", "value", "weight")

    def __init__(self, value: str) -> None:
        self.value = value
        self.items: list[Item] = []
        self.weight = 1.0
        self.tag = self.number = 0


def _walk(heap: list[Item]) -> Iterator[Item]:
    """Go through a heap in order, and leave it as it is."""
    nodes = [(heap[0], 0)] if heap else []
    while nodes:
        item, at = heapq.heappop(nodes)
        yield item
        for node in range(2 * at + 1, min(2 * at + 3, len(heap))):
            heapq.heappush(nodes, (heap[node], node))
