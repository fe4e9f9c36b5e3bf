"""Starts with high costs beside cheap ones from another worker, on a virtual clock: all go on, and no token is lost."""

from __future__ import annotations

import heapq
from itertools import cycle, pairwise
from random import Random

import pytest

from limitkit.buckets.claims import GRACE_US, LEAST_WAIT_US, MOST_CLAIMS, SOON_US
from limitkit.buckets.decision import Bucket, Settlement, Slots, Take, Window
from limitkit.buckets.group import Kinds

SECOND = 1_000_000
NOW = 1_764_000_000_123_457
LLM = Bucket("m", 1000, 2000, metered=True)
"""60,000 a minute."""


def take(kinds, now, cost, bucket=LLM, **more):
    slots, waits, _ = kinds.take(Take((bucket,), costs=(cost,), **more), now, now)
    return bool(slots), waits[0]


def run(streams, seconds, seed=1, begins=None):
    """Let workers take, each for the first start that it has; returns the times of each one's starts, and their costs.

    As in a worker, one that was refused asks again after the wait, or a second, and a little later than it should.
    """
    kinds, random = Kinds(), Random(seed)
    costs = [iter(stream) for stream in streams]
    starts = [[] for _ in streams]
    due = [(NOW + (begins or {}).get(number, 0), number, next(costs[number])) for number in range(len(streams))]
    heapq.heapify(due)
    asked = 0
    while due[0][0] < NOW + seconds * SECOND:
        now, number, cost = heapq.heappop(due)
        asked += 1
        admitted, wait = take(kinds, now, cost)
        if admitted:
            starts[number].append((now - NOW, cost))
            cost = next(costs[number])
        elif wait > SOON_US:
            wait = SOON_US
        heapq.heappush(due, (now + wait + random.randint(300, 5000), number, cost))
    assert asked <= 12 * sum(map(len, starts)) + 20 * seconds, "nobody asks all the time"
    return starts


def used(starts, seconds):
    """The part of the tokens that was used."""
    return sum(cost for each in starts for _, cost in each) / (2000 + seconds * 1000)


def longest_gap(starts, seconds):
    times = [0, *(at for at, _ in starts), seconds * SECOND]
    return max(later - earlier for earlier, later in pairwise(times)) / SECOND


@pytest.mark.parametrize("seed", range(5))
def test_a_start_above_the_burst_beside_an_endless_stream_starts_once_the_bucket_is_full(seed):
    starts = run([cycle([500]), cycle([5000])], 60, seed, begins={1: SECOND})
    assert starts[1][0][0] <= 3.6 * SECOND, "a full bucket, and one round"
    assert used(starts, 60) >= 0.95
    assert longest_gap(starts[1], 60) <= 15.0
    assert longest_gap(starts[0], 60) <= 8.0, "its debt, and what is taken then"


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "streams",
    [
        ([1500], [100]),
        ([1500], [500], [100]),
        ([2000], [1999], [1], [300]),
        ([1500], [1500], [100], [100]),
        ([50, 500, 1500, 100], [1500, 70, 900], [400, 410, 420]),
        [[100 + number] for number in range(0, 1900, 150)],
    ],
)
def test_streams_of_any_costs_all_go_on(streams, seed):
    streams = [list(stream) for stream in streams]
    starts = run([cycle(stream) for stream in streams], 120, seed)
    round_ = sum(max(stream) for stream in streams) / 1000
    assert used(starts, 120) >= 0.95
    for each in starts:
        assert longest_gap(each, 120) <= 3 * round_ + 2, (streams, seed)
