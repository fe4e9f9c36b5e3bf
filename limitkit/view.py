"""Who is held in a worker, for whoever asks from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from limitkit.bucket import MICROSECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from limitkit.lane import Held, Lane
    from limitkit.lanes import Lanes


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
    """As far as this worker can tell; others may start theirs before."""
    interval: float
    """Between two starts, as this worker knows it."""


def waiting(lanes: Lanes, now: float) -> Iterator[Waiting]:
    """Go through all that is held, lane by lane, in the order in which it starts."""
    by_lane: dict[Lane, list[Held]] = {}
    for held in lanes.held:
        by_lane.setdefault(held.slowest(now), []).append(held)
    for lane, those in by_lane.items():
        interval = lane.interval_us / MICROSECONDS  # as the other side's refusals have left it
        first = max(lane.next_token(now), interval if not lane.bucket.burst else 0.0)
        for index, held in enumerate(sorted(those)):
            request = held.request
            starts = round(first + index * interval, 3)
            key, held_for = lane.bucket.key, round(now - held.since, 3)
            yield Waiting(request.id, request.name, key, index + 1, held_for, starts, interval)
