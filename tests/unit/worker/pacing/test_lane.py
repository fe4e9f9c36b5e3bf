"""Lanes: who is first, how late a start may be, and that late starts keep the limit."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate, cycle
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.sizes import examples

from limitkit.buckets import token_bucket as sums
from limitkit.buckets.decision import Bucket, Take
from limitkit.config.declared import Feedback
from limitkit.stores.memory import MemoryStore
from limitkit.worker.pacing.lane import Held, Lane
from limitkit.worker.pacing.taking import give_back

SECOND = 1_000_000


def lane(interval_us=100_000, burst=1, key="a", *, local=False):
    return Lane(Bucket(key, interval_us, burst), local=local)


def held(order, *lanes):
    return Held(order, SimpleNamespace(id=str(order)), lanes or (lane(),), 0.0)


@given(st.lists(st.tuples(st.integers(-3, 9), st.integers(0, 10**6)), unique=True), st.data())
@settings(deadline=None)
def test_the_first_is_of_the_first_priority_and_came_first(orders, data):
    waiting, requests = lane(), [held(order) for order in orders]
    for request in requests:
        waiting.push(request)
        assert request.at is waiting
    gone = data.draw(st.sets(st.sampled_from(requests))) if requests else set()
    for request in gone:
        waiting.waiting.take_out(request)
    left = [waiting.pop().order for _ in range(len(requests) - len(gone))]
    assert left == sorted(request.order for request in requests if request not in gone)
    assert not waiting.waiting


@pytest.mark.parametrize(
    ("interval_us", "burst", "tolerance", "slack"),
    [
        (10, 1, 0.008, 0.008),
        (10, 1_000_000, 0.008, 0.508),
        (4000, 1, 0.008, 0.008),
        (10_000, 1, 0.015, 0.015),
        (10_000, 11, 0.015, 0.115),
        (20_000, 1, 0.03, 0.03),
        (100_000, 5, 0.03, 0.43),
        (100_000, 6, 0.03, 0.53),
        (100_000, 7, 0.03, 0.53),
        (300_000, 2, 0.03, 0.33),
        (400_000, 1, 0.04, 0.04),
        (SECOND, 1, 0.1, 0.1),
        (5 * SECOND, 2, 0.5, 1.0),
        (366 * 86_400 * SECOND, 2, 0.5, 1.0),
    ],
)
def test_how_late_a_start_may_be(interval_us, burst, tolerance, slack):
    made = lane(interval_us, burst)
    assert made.tolerance == pytest.approx(tolerance)
    assert made.slack == pytest.approx(slack)
    made.use(Bucket("a", 10_000, 1))
    assert (made.tolerance, made.slack, made.rate) == pytest.approx((0.015, 0.015, 100.0))


def test_a_lane_goes_by_the_rate_that_is_in_force():
    api = Bucket("a", 100_000, 5, feedback=Feedback("api", ("a.B",)))
    made = Lane(api, local=False)
    assert (made.horizon, made.lead) < (lane().horizon, lane().lead)
    made.follow(200_000)
    assert made.rate == pytest.approx(5.0)
    assert made.paced == replace(api, interval_us=200_000)
    assert (made.tolerance, made.slack) == pytest.approx((0.03, 0.33)), "it holds half as many tokens"
    assert give_back(made).bucket.interval_us == 200_000
    made.use(api)
    assert made.rate == pytest.approx(10.0)


def test_only_slots_ahead_have_the_slack():
    made = lane(100_000, 3)
    made.reserve_slots((0.0, 0.0, 0.1), 7, 50.0)
    assert [slot.at for slot in made.slots] == [50.0, 50.0, 50.1]
    assert [slot.until for slot in made.slots] == pytest.approx([50.03, 50.03, 50.33])
    assert made.mark == 7


def test_the_anchor_is_the_fastest_of_the_shared():
    slow, fast, local = lane(500), lane(100), lane(1, local=True)
    request = held((0, 0), local, slow, fast)
    assert request.anchor is fast
    assert request.others() == [local, slow]
    assert held((0, 0), local).anchor is local


@pytest.mark.parametrize(
    ("takers", "next_slot"),
    [
        ("mine", 0.1),
        (
            "mine mine",
            0.2,
        ),  # what came in the take before is not given back, as nobody knows that it is the last but one
        ("mine other", 0.3),
        ("mine other mine", 0.3),
        ("mine other mine mine", 0.4),
        ("mine other mine other", 0.5),
    ],
)
def test_only_what_is_surely_last_goes_back(takers, next_slot):
    store, made = MemoryStore(), lane()
    store.take([Take((made.bucket,))], now_us=0)
    reserve = Take((made.bucket,), 1, 0, 1.0)
    for taker in takers.split():
        # Nothing is due at time 0, so a slot ahead is reserved by whoever may start nothing now.
        (decision,) = store.take([reserve], now_us=0)
        if taker == "mine":
            made.reserve_slots(decision.slots, decision.marks[0], 0.0)
    store.take([], [give_back(made)], now_us=0)
    assert store.take([reserve], now_us=0)[0].slots == (next_slot,)


@pytest.mark.parametrize(("others", "next_slot"), [(0, 0.1), (1, 0.3)])
def test_a_take_that_brought_nothing_is_not_what_goes_back(others, next_slot):
    store, made = MemoryStore(), lane()
    store.take([Take((made.bucket,))], now_us=0)
    reserve = Take((made.bucket,), 1, 0, 1.0)
    for ask in (reserve, Take((made.bucket,), 0)):
        (decision,) = store.take([ask], now_us=0)
        made.reserve_slots(decision.slots, decision.marks[0], 0.0)
        store.take([reserve] * others, now_us=0)
        others = 0
    store.take([], [give_back(made)], now_us=0)
    assert store.take([reserve], now_us=0)[0].slots == (next_slot,)


# -- late slots ---------------------------------------------------------------------------------------------------


def most_over(starts, interval_us):
    """The most, over all windows, of starts - rate * window, in microseconds' worth of tokens."""
    balance = [number * interval_us - at for number, at in enumerate(sorted(starts))]
    lowest = accumulate(balance, min)
    return max((most + interval_us - least for most, least in zip(balance, lowest, strict=True)), default=0)


class Worker:
    """Reserves batches of a bucket, starts some of its slots late, and gives others back."""

    def __init__(self, state, bucket, starts):
        self.state, self.bucket, self.starts = state, bucket, starts
        self.lane = Lane(bucket, local=False)
        self.slack_us = round((self.lane.slack - self.lane.tolerance) * SECOND)

    def take(self, now, count, ready, horizon_us):
        slots, _, (mark,) = sums.take(self.state, Take((self.bucket,), count, ready, horizon_us / SECOND), now)
        self.starts += [now for slot in slots if not slot]
        ahead = tuple(slot for slot in slots if slot)
        self.lane.reserve_slots(ahead, mark, 0.0)
        return [now + slot for slot in ahead]


@st.composite
def shifts(draw):
    """A bucket, and what two workers do with it on a virtual clock."""
    interval = draw(st.integers(1000, 20_000) | st.integers(10, 2 * SECOND))
    bucket = Bucket("a", interval, draw(st.integers(1, 8) | st.integers(1, 40)))
    depth = interval * bucket.burst
    gap = st.just(0) | st.integers(0, interval) | st.integers(0, 2 * depth) | st.just((bucket.burst - 1) * interval)
    late = st.just(1.0) | st.just(0.0) | st.floats(0, 1)
    step = st.tuples(
        gap,
        st.integers(0, 1),
        st.integers(1, 16),
        st.integers(0, 16),
        st.sampled_from([0, SECOND]) | st.integers(0, SECOND),
        st.lists(late, min_size=1, max_size=4),
        st.integers(0, 5),
    )
    return bucket, draw(st.lists(step, min_size=1, max_size=14))


@settings(max_examples=examples(200), deadline=None)
@given(shifts())
def test_reserved_slots_started_late_never_break_the_limit(shift):
    bucket, steps = shift
    state, starts, now = {}, [], 1_764_000_000_123_457
    workers = [Worker(state, bucket, starts) for _ in range(2)]
    for gap, who, count, ready, horizon_us, lateness, unused in steps:
        now += gap
        worker = workers[who]
        ahead = worker.take(now, count, ready, horizon_us)
        kept = len(ahead) - min(unused, len(ahead))
        for _ in ahead[:kept]:
            worker.lane.slots.popleft()
        if worker.lane.slots:
            sums.give_back(state, give_back(worker.lane))
            worker.lane.slots.clear()
        for slot, late in zip(ahead[:kept], cycle(lateness), strict=False):
            starts.append(slot + int(late * worker.slack_us))
    assert most_over(starts, bucket.interval_us) <= bucket.burst * bucket.interval_us


@pytest.mark.parametrize("burst", [1, 2, 5])
def test_a_burst_of_late_slots_is_the_most_that_is_allowed(burst):
    bucket, state = Bucket("a", 10_000, burst), {}
    sums.take(state, Take((bucket,), burst, burst), 0)
    slots = sums.take(state, Take((bucket,), burst, 0, 1.0), 0)[0]
    late = [min(slot + (burst - 1) * 10_000, slots[-1]) for slot in slots]
    assert late == [slots[-1]] * burst
    assert most_over(late, 10_000) == burst * 10_000
