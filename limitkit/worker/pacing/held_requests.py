"""A read-only view of what a pacer holds, and of the rates it uses."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from limitkit.buckets.token_bucket import MICROSECONDS

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterator, Mapping

    from limitkit.control.task_limits import BoundLimit
    from limitkit.worker.pacing.lane import Held, Lane
    from limitkit.worker.pacing.lanes import Lanes
    from limitkit.worker.pacing.pacing_events import PacingEvents
    from limitkit.worker.pacing.parking import Parking
    from limitkit.worker.pacing.rate_limit_command import RateLimitCommand
    from limitkit.worker.pacing.shadow import Shadow, ShadowCount
    from limitkit.worker.pacing.tokens import Tokens


class Waiting(NamedTuple):
    """A request that is held; times are seconds."""

    id: str
    task: str
    bucket: str
    """The key of the bucket that it waits longest for."""
    place: int
    """1 is next, among those that this worker holds for that bucket."""
    held: float
    """Since it came to this worker."""
    starts_in: float
    """As far as this worker knows; other workers may start theirs before."""
    interval: float
    """Between two starts, as this worker knows it."""
    cost: int = 1
    """What it takes of that bucket."""
    running: int = 0
    """Of a concurrency limit: tasks of this worker that have a slot of it."""
    turn: str = ""
    """The value of ``fair_by`` for which it waits, as the store sees it; empty without ``fair_by``."""
    weight: float = 1.0
    """Of that value."""
    weights: float = 1.0
    """Of all values that wait for that bucket here."""


class HeldRequests:
    """Reads a worker's pacer, and changes nothing."""

    def __init__(  # noqa: PLR0917 (the parts of a pacer, which it reads)
        self,
        lanes: Lanes,
        parking: Parking,
        pacing_events: PacingEvents,
        command_rates: RateLimitCommand,
        shadow: Shadow,
        tokens: Tokens,
    ) -> None:
        self._lanes = lanes
        self._parking = parking
        self._emit = pacing_events
        self._command_rates = command_rates
        self._shadow = shadow
        self._tokens = tokens
        self.ask: Callable[[Callable[[], list[Waiting]]], list[Waiting] | None] = _here
        """Reads in the thread where the pacer changes it."""

    @property
    def holds(self) -> bool:
        """Whether anything is held. May be called in any thread."""
        return bool(self._lanes.held)

    @property
    def count(self) -> int:
        """How many are held. May be called in any thread."""
        return len(self._lanes.held)

    def waiting(self) -> list[Waiting]:
        """Return all that is held, lane by lane, in the order in which it starts."""
        running = self.running()
        return self.ask(lambda: list(waiting(self._lanes, self._tokens.clock.monotonic(), running))) or []

    def find(self, task_id: str) -> Waiting | None:
        """Find the held request of a task; None when it is not held here."""
        return next((each for each in self.waiting() if each.id == task_id), None)

    def by_limit(self) -> tuple[Counter[str], Counter[str]]:
        """Count by limit the requests that wait here, and those known to be parked. May be called in any thread."""
        return self._emit.by_limit(self._lanes.counts()), self._emit.by_limit(self._parking.backlog.counts)

    def running(self) -> Counter[str]:
        """Count the slots that tasks of this worker have, by the keys of their limits, also of those in shadow.

        May be called in any thread.
        """
        return self._tokens.running()

    def running_by_limit(self) -> Counter[str]:
        """Count those of enforced limits by limit, others by key. May be called in any thread."""
        return self._emit.by_limit(self.running())

    def command_rates(self) -> dict[str, float]:
        """Return the rates, per second, that ``app.control.rate_limit`` has set for static limits. In any thread."""
        return {self._emit.limit(key) or key: rate for key, rate in self._command_rates.rates().items()}

    def command_interval(self, bound: BoundLimit) -> float | None:
        """Return the seconds between two starts that ``app.control.rate_limit`` has set; None when it has not."""
        return self._command_rates.interval(bound)

    def caps(self) -> dict[str, float]:
        """Return the extra caps that it has set for tasks with only shared limits: seconds between two starts."""
        return self._command_rates.caps()

    def shadow_count(self, tag: str) -> ShadowCount | None:
        """Return what a limit in shadow would have done here; None when nothing has come for it."""
        return self._shadow.shadow_counts.get(tag)


def _here(read: Callable[[], list[Waiting]]) -> list[Waiting]:
    return read()


def waiting(lanes: Lanes, now: float, running: Mapping[str, int] = MappingProxyType({})) -> Iterator[Waiting]:
    """Go through all that is held, lane by lane, in the order in which it starts; ``running`` counts slots by key."""
    by_lane: dict[Lane, list[Held]] = {}
    for held in lanes.held:
        by_lane.setdefault(held.slowest(now), []).append(held)
    for lane, those in by_lane.items():
        interval = lane.interval_us / MICROSECONDS  # as feedback has adapted it
        first = max(lane.next_token(now), interval if not lane.bucket.burst else 0.0)
        runs = running.get(lane.bucket.key, 0)
        asks = {held: held.asks[held.lanes.index(lane)] for held in those if held.asks}
        weights = sum({ask.turn: ask.weight for ask in asks.values() if ask.turn}.values())
        place = {held: index for index, held in enumerate(lane.waiting.in_order())} if lane.turns is not None else {}
        for index, held in enumerate(sorted(those, key=lambda each: (place.get(each, -1), each.order))):
            request, ask = held.request, asks.get(held)
            starts = round(first + index * interval, 3)
            key, held_for = lane.bucket.key, round(now - held.since, 3)
            yield Waiting(
                *(request.id, request.name, key, index + 1, held_for, starts, interval, held.cost(lane), runs),
                *((ask.turn, ask.weight, weights) if ask is not None and ask.turn else ()),
            )
