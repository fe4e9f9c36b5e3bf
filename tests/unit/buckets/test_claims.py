"""Starts with high costs beside cheap ones from another worker, on a virtual clock: all go on, and no token is lost."""

from __future__ import annotations

import heapq
from dataclasses import replace
from itertools import cycle, pairwise
from random import Random

import pytest

from limitkit.buckets.claims import LEAST_WAIT_US, MOST_CLAIMS, SOON_US
from limitkit.buckets.decision import Bucket, GiveBack, Settlement, Slots, Take, Window
from limitkit.buckets.group import Kinds

SECOND = 1_000_000
NOW = 1_764_000_000_123_457
TOKENS = Bucket("m", 1000, 2000, metered=True)
"""60,000 a minute."""


def take(kinds, now, cost, *others, bucket=TOKENS, **more):
    """Returns whether it was admitted, and the wait for its tokens."""
    costs = (cost, *(1 for _ in others))
    slots, waits, _ = kinds.take(Take((bucket, *others), costs=costs, **more), now, now)
    return bool(slots), waits[0]


def run(streams, seconds, seed, begins=None):
    """Let workers take, each for the first start that it has; returns the times of each one's starts, and their costs.

    As in a worker, one that was refused asks again after the wait, or a second, and a little later than it should.
    """
    kinds, random = Kinds(), Random(seed)
    costs = [cycle(stream) for stream in streams]
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
        else:
            wait = min(wait, SOON_US)
        heapq.heappush(due, (now + wait + random.randint(300, 5000), number, cost))
    assert asked <= 3 * sum(map(len, starts)) + 5 * len(streams) * seconds, "nobody asks all the time"
    return starts


def used(starts, seconds):
    """The part of the tokens that was used."""
    return sum(cost for each in starts for _, cost in each) / (2000 + seconds * 1000)


def longest_gap(starts, seconds):
    """The longest time without a start, in seconds."""
    times = [0, *(at for at, _ in starts), seconds * SECOND]
    return max(later - earlier for earlier, later in pairwise(times)) / SECOND


@pytest.mark.parametrize("seed", range(3))
def test_a_start_above_the_burst_beside_an_endless_stream_starts_once_the_bucket_is_full(seed):
    cheap, dear = starts = run([[500], [5000]], 60, seed, begins={1: SECOND})
    assert dear[0][0] <= 3.6 * SECOND, "a full bucket, and one round"
    assert used(starts, 60) >= 0.95
    assert longest_gap(dear, 60) <= 10.0
    assert longest_gap(cheap, 60) <= 7.0, "the bucket fills up, then the debt is waited off"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "streams",
    [
        [[1500], [100]],
        [[1500], [500], [100]],
        [[2000], [1999], [1], [300]],
        [[50, 500, 1500, 100], [1500, 70, 900], [400, 410, 420]],
        [[cost] for cost in range(100, 2000, 150)],
    ],
)
def test_streams_of_any_costs_all_go_on(streams, seed):
    starts = run(streams, 120, seed)
    one_of_each = sum(max(stream) for stream in streams) / 1000
    assert used(starts, 120) >= 0.95
    assert max(longest_gap(each, 120) for each in starts) <= 3 * one_of_each + 2


@pytest.fixture
def kinds():
    """Limits with an empty bucket of tokens."""
    kinds = Kinds()
    assert take(kinds, NOW, 2000) == (True, 2 * SECOND)
    return kinds


def test_a_claim_of_a_worker_that_is_gone_ends(kinds):
    assert take(kinds, NOW, 2000) == (False, 2 * SECOND)
    assert take(kinds, NOW + 1_999_999, 100) == (False, 100_001)
    assert take(kinds, NOW + 2 * SECOND, 100)[0]


def test_a_claim_that_is_renewed_lasts_even_when_the_bucket_is_full(kinds):
    take(kinds, NOW, 2000)
    take(kinds, NOW + SECOND, 2000)
    kinds.forget(NOW + 2_500_000, NOW)
    assert take(kinds, NOW + 2_500_000, 5) == (False, LEAST_WAIT_US), "as it takes no more than five thousandths"
    assert take(kinds, NOW + 2_500_000, 2000) == (True, 2_010_000 - 5000)
    assert take(kinds, NOW + 2_505_000, 5)[0]


def test_what_is_beyond_the_claims_is_for_all(kinds):
    assert take(kinds, NOW, 1500) == (False, 1_500_000)
    assert take(kinds, NOW + 1_599_999, 100) == (False, LEAST_WAIT_US)
    assert take(kinds, NOW + 1_600_000, 100)[0]
    assert take(kinds, NOW + 1_600_000, 1500)[0]


def test_first_come_first_served(kinds):
    assert take(kinds, NOW, 300) == (False, 300_000)
    assert take(kinds, NOW, 1500) == (False, 1_800_000)
    assert take(kinds, NOW, 300) == (False, 300_000)
    assert take(kinds, NOW, 100) == (False, 1_900_000)
    assert take(kinds, NOW + 300_000, 300) == (True, 1_900_000), "the next one of its cost is behind them"


def test_a_full_line_is_left_in_order(kinds):
    for cost in range(1, MOST_CLAIMS + 1):
        take(kinds, NOW, cost)
    whole = sum(range(1, MOST_CLAIMS + 1))
    for _ in range(2):
        assert take(kinds, NOW, 500) == (False, 1000 * (whole + 500))
    assert take(kinds, NOW, 600) == (False, 1000 * (whole + 600)), "500 has no claim yet"
    assert take(kinds, NOW + 1000, 1)[0]
    assert take(kinds, NOW + 1000, 500) == (False, 1000 * (whole - 1 + 500))
    assert take(kinds, NOW + 1000, 600) == (False, 1000 * (whole - 1 + 500 + 600))


def test_a_peek_claims_nothing_and_sees_the_claims(kinds):
    assert take(kinds, NOW, 2000, count=0) == (False, 2 * SECOND)
    assert take(kinds, NOW, 100) == (False, 100_000)
    assert take(kinds, NOW, 2000, count=0) == (False, 2_100_000)


def test_a_claim_keeps_its_tokens_at_another_rate_and_another_burst(kinds):
    assert take(kinds, NOW, 1500) == (False, 1_500_000)
    assert take(kinds, NOW, 100, bucket=replace(TOKENS, interval_us=500)) == (False, 800_000)
    assert take(kinds, NOW, 100, bucket=replace(TOKENS, burst=500)) == (False, 600_000 + 1_500_000)


def test_a_clock_that_was_set_back_ends_claims(kinds):
    take(kinds, NOW, 1500)
    assert take(kinds, NOW - 10 * SECOND, 100) == (False, 100_000)


def test_settling_and_giving_back_keep_the_claims(kinds):
    take(kinds, NOW, 1500)
    kinds.settle(Settlement(TOKENS, 500, 300), NOW)
    assert take(kinds, NOW, 100, count=0) == (False, 1_400_000)
    taken = kinds.take(Take((TOKENS,), costs=(1,)), NOW + 1_500_000, NOW)
    kinds.give_back(GiveBack(TOKENS, taken[2][0], 1), NOW + 1_500_000)
    assert take(kinds, NOW + 1_500_000, 201, count=0) == (False, LEAST_WAIT_US)
    paused = replace(TOKENS, burst=0)
    assert not take(kinds, NOW + 1_500_000, 100, bucket=paused)[0]
    kinds.settle(Settlement(paused, 500, 700), NOW + 1_500_000)
    assert take(kinds, NOW + 1_500_000, 100, count=0) == (False, 100_000)


def test_nobody_claims_tokens_while_other_limits_refuse_him_for_long(kinds):
    slots, soon = Slots("s", SECOND, 1), Window("w", SECOND, 1, period_us=2 * SECOND, exact=True)
    late = replace(soon, key="l", period_us=3 * SECOND)
    assert not take(kinds, NOW, 1, slots, soon, late, member="a")[0]
    kinds.take(Take((slots, soon, late), member="a"), NOW, NOW)
    for other in (slots, late):
        assert not take(kinds, NOW, 1500, other, member="b")[0]
        assert take(kinds, NOW, 100, count=0) == (False, 1000 * 101), "only the first one's"
    assert not take(kinds, NOW, 1500, soon, member="b")[0]
    assert take(kinds, NOW, 100, count=0) == (False, 1000 * 1601)


def test_a_claim_is_kept_while_another_limit_refuses_for_a_moment(kinds):
    soon = Window("w", SECOND, 1, period_us=2 * SECOND, exact=True)
    take(kinds, NOW, 1500)
    kinds.take(Take((soon,)), NOW + 1_500_000, NOW)
    assert not take(kinds, NOW + 1_900_000, 1500, soon)[0]
    assert not take(kinds, NOW + 2_800_000, 1500, soon)[0]
    assert take(kinds, NOW + 2_800_000, 600) == (False, 100_000), "renewed, though it could have had its tokens"
