"""The bucket against a plain token bucket in exact fractions, on a virtual clock."""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.sizes import examples

from limitkit.buckets import token_bucket as sums
from limitkit.buckets.decision import Bucket, GiveBack, Take
from limitkit.config.model.units import parse_rate

SLOWEST_US = 366 * 86_400 * 1_000_000
SECOND = 1_000_000
NOW = 1_764_000_000_123_457

exhaustively = settings(max_examples=examples(100), deadline=None)

bursts = st.integers(1, 5) | st.integers(1, 1_000_000)
intervals = st.integers(1, 20) | st.integers(10, 2 * SECOND) | st.integers(10, SLOWEST_US)


def buckets(key="a"):
    return st.builds(Bucket, st.just(key), intervals, bursts)


class Tokens:
    """A token bucket as in the textbook: ``tokens = min(burst, tokens + elapsed * rate)``."""

    def __init__(self, bucket):
        self.burst, self.rate = bucket.burst, Fraction(1, bucket.interval_us)
        self.after = [(Fraction(bucket.burst), NOW)]
        """Behind each start: the tokens that were left, and when."""

    def at(self, now):
        tokens, then = self.after[-1]
        return min(Fraction(self.burst), tokens + max(now - then, 0) * self.rate)

    def next(self, now):
        """The first moment from now on at which a start is admitted, never before one that was admitted already."""
        now = max(now, self.after[-1][1])
        return now + max(Fraction(0), (1 - self.at(now)) / self.rate)

    def start(self, moment):
        assert self.at(moment) >= 1
        self.after.append((self.at(moment) - 1, moment))

    def full(self, now):
        tokens, then = self.after[-1]
        return max(Fraction(now), then + (self.burst - tokens) / self.rate)

    def undo(self, count):
        del self.after[-count:]


def expected(models, ask, now):
    """What a take should bring: the offsets of its slots."""
    slots, ready = [], ask.ready
    while len(slots) < ask.count:
        moment = max(model.next(now) for model in models)
        if moment - now > Fraction(ask.horizon).limit_denominator(SECOND) * SECOND or (moment == now and not ready):
            break
        ready -= moment == now
        for model in models:
            model.start(moment)
        slots.append(moment - now)
    return tuple(slots)


def gaps(interval):
    """Steps of the clock: none, near a token's time, several tokens', anything."""
    near = st.integers(max(0, interval - 2), interval + 2)
    return st.just(0) | near | st.integers(0, 4 * interval) | st.integers(0, 20 * SECOND)


asks = st.tuples(st.integers(0, 6), st.integers(0, 6), st.sampled_from([0, 1, SECOND]) | st.integers(0, SECOND))


def starts_within_limit(starts, bucket):
    """Whether no window, however long, has more than burst + rate * window starts."""
    balance = [number * bucket.interval_us - at for number, at in enumerate(sorted(starts))]
    lowest = accumulate(balance, min)
    return all(
        most - least <= (bucket.burst - 1) * bucket.interval_us for most, least in zip(balance, lowest, strict=True)
    )


@exhaustively
@given(st.data())
def test_slots_waits_and_marks_are_those_of_a_token_bucket(data):
    bucket = data.draw(buckets())
    state, model, now, starts = {}, Tokens(bucket), NOW, []
    for gap, (count, ready, horizon) in data.draw(st.lists(st.tuples(gaps(bucket.interval_us), asks), max_size=12)):
        now += gap
        ask = Take((bucket,), count, ready, horizon / SECOND)
        slots, waits, marks = sums.take(state, ask, now)
        assert slots == expected([model], ask, now)
        assert waits == (model.next(now) - now,)
        assert marks == (model.full(now),)
        starts += [now + slot for slot in slots]
    assert starts_within_limit(starts, bucket)


@exhaustively
@given(buckets())
def test_the_whole_burst_at_once_and_then_one_an_interval(bucket):
    state = {"a": NOW + (bucket.burst - min(bucket.burst, 3)) * bucket.interval_us}
    slots, waits, _ = sums.take(state, Take((bucket,), 10, 10), NOW)
    assert slots == (0,) * min(bucket.burst, 3)
    assert waits == (bucket.interval_us,)
    one = Take((bucket,))
    assert sums.take(state, one, NOW + bucket.interval_us - 1)[:2] == ((), (1,))
    assert sums.take(state, one, NOW + bucket.interval_us)[:2] == ((0,), (bucket.interval_us,))


@exhaustively
@given(st.integers(1, 1000), st.integers(1, 60), st.sampled_from("smh"), st.integers(1, 5), st.data())
def test_never_faster_than_the_rate_as_declared(tokens, period, unit, burst, data):
    rate = parse_rate(f"{tokens}/{period}{unit}")
    bucket = Bucket("a", rate.interval_us, burst)
    assert bucket.interval_us - 1 < SECOND / rate.per_second <= bucket.interval_us
    state, now, starts = {}, NOW, []
    for gap in data.draw(st.lists(gaps(bucket.interval_us), min_size=2, max_size=20)):
        now += gap
        starts += [now + slot for slot in sums.take(state, Take((bucket,), 3, 3, 0.1), now)[0]]
    for first, start in enumerate(starts):
        for last in range(first, len(starts)):
            window = Fraction(starts[last] - start, SECOND)
            assert last - first + 1 <= burst + rate.per_second * window


@st.composite
def calls_for_several(draw):
    """Two or three buckets, and takes of some of them in any order."""
    several = tuple(draw(buckets(key)) for key in "abc"[: draw(st.integers(2, 3))])
    among = st.permutations(several).flatmap(lambda order: st.integers(1, 3).map(lambda size: tuple(order[:size])))
    gap = st.sampled_from([bucket.interval_us for bucket in several]).flatmap(gaps)
    return several, draw(st.lists(st.tuples(gap, asks, among), max_size=10))


@exhaustively
@given(calls_for_several())
def test_all_of_several_buckets_or_none(calls):
    several, steps = calls
    state, models, now = {}, {bucket: Tokens(bucket) for bucket in several}, NOW
    for gap, (count, ready, _), wanted in steps:
        now += gap
        before = dict(state)
        ask = Take(wanted, count, ready)
        slots, waits, marks = sums.take(state, ask, now)
        assert slots == expected([models[bucket] for bucket in wanted], ask, now)
        assert waits == tuple(models[bucket].next(now) - now for bucket in wanted)
        assert marks == tuple(models[bucket].full(now) for bucket in wanted)
        untouched = {bucket.key for bucket in several if not slots or bucket not in wanted}
        assert {key: state.get(key) for key in untouched} == {key: before.get(key) for key in untouched}


@exhaustively
@given(calls_for_several())
def test_slots_ahead_of_several_buckets_keep_the_limit_of_each(calls):
    several, steps = calls
    state, now = {}, NOW
    starts = {bucket: [] for bucket in several}
    for gap, (count, ready, horizon), wanted in steps:
        now += gap
        slots, waits, _ = sums.take(state, Take(wanted, count, ready, horizon / SECOND), now)
        for bucket in wanted:
            starts[bucket] += [now + slot for slot in slots]
        if len(slots) < count and any(waits):
            assert max(waits) > horizon, "no slot within the horizon is left out"
    assert all(starts_within_limit(starts[bucket], bucket) for bucket in several)


def test_a_slot_ahead_spends_the_other_buckets_token_when_it_comes():
    slow, fast = Bucket("slow", 100_000, 1), Bucket("fast", 10_000, 2)
    state = {}
    sums.take(state, Take((slow,)), NOW)
    assert sums.take(state, Take((slow, fast), 1, 1, 1.0), NOW)[0] == (100_000,)
    assert sums.take(state, Take((fast,), 5, 5), NOW + 100_000)[0] == (0,), "with the start of both, that is two"


@exhaustively
@given(st.data())
def test_given_back_slots_are_as_if_never_taken(data):
    bucket = data.draw(buckets())
    state, model, now, last = {}, Tokens(bucket), NOW, None
    steps = st.lists(st.tuples(gaps(bucket.interval_us), asks, st.integers(0, 3), st.booleans()), max_size=12)
    for gap, (count, ready, horizon), back, other in data.draw(steps):
        now += gap
        ask = Take((bucket,), count, ready, horizon / SECOND)
        slots, _, (mark,) = sums.take(state, ask, now)
        assert slots == expected([model], ask, now)
        if slots:
            last = mark, len(slots)
        if other and (theirs := sums.take(state, Take((bucket,), 1, 1, 1.0), now)[0]):
            model.start(now + theirs[0])
            if last:  # somebody took behind our slots: they stay taken
                before = dict(state)
                assert not sums.give_back(state, GiveBack(bucket, *last))
                assert state == before
                last = None
        if last and (count := min(back, last[1])):
            assert sums.give_back(state, GiveBack(bucket, last[0], count))
            model.undo(count)
            assert not sums.give_back(state, GiveBack(bucket, last[0], count)), "twice"
            last = None
        assert sums.take(state, Take((bucket,), 0), now)[1:] == ((model.next(now) - now,), (model.full(now),))


def test_a_give_back_of_a_bucket_that_is_not_there_changes_nothing():
    state = {"b": 5}
    assert not sums.give_back(state, GiveBack(Bucket("a", 10, 1), 5))
    assert state == {"b": 5}


@exhaustively
@given(buckets(), buckets(), st.integers(1, 50), st.integers(0, 10**9))
def test_a_raised_rate_and_a_clock_set_back_are_felt_at_once(slow, fast, count, back):
    state = {}
    sums.take(state, Take((slow,), count, count, 1.0), NOW)
    left = state["a"]
    now = NOW - back
    (wait,) = sums.take(state, Take((fast,), 0), now)[1]
    most = now + fast.burst * fast.interval_us + SECOND
    assert wait == max(0, min(left, most) + fast.interval_us - fast.burst * fast.interval_us - now)
    assert wait <= fast.interval_us + SECOND
    assert state["a"] == left, "a peek writes nothing"


@exhaustively
@given(buckets(), buckets("b"), asks, st.integers(1, SECOND))
def test_a_paused_bucket_admits_nothing_and_keeps_its_tokens(bucket, other, ask, pause):
    state = {}
    sums.take(state, Take((bucket,), 2, 2, 1.0), NOW)
    left = dict(state)
    count, ready, horizon = ask
    paused = Bucket(bucket.key, pause, 0)
    slots, waits, _ = sums.take(state, Take((paused, other), count, ready, horizon / SECOND), NOW)
    assert (slots, waits) == ((), (pause, 0))
    assert state == left


@exhaustively
@given(buckets(), st.integers(1, 30), st.integers(1, 10**6))
def test_with_a_long_horizon_each_takes_the_next_slot_however_far_ahead(bucket, count, gap):
    state, model, now = {}, Tokens(bucket), NOW
    ask = Take((bucket,), 1, 1, 10.0**9)
    for _ in range(count):
        now += gap
        assert sums.take(state, ask, now)[0] == expected([model], ask, now)


@pytest.mark.parametrize("burst", [1, 7])
def test_a_slot_a_whole_second_ahead_is_not_cut_off(burst):
    bucket = Bucket("a", 250_000, burst)
    state = {}
    taken, _, _ = sums.take(state, Take((bucket,), 100, burst, 1.0), NOW)
    assert taken == (0,) * burst + (250_000, 500_000, 750_000, 1_000_000)
    assert sums.take(state, Take((bucket,), 0), NOW)[1] == (1_250_000,)


def test_starts_of_one_take_never_skip_a_slot():
    bucket = Bucket("a", 100, 2)
    assert sums.take({}, Take((bucket,), 3, ready=0, horizon=1.0), NOW)[0] == ()
    assert sums.take({}, Take((bucket,), 3, ready=1, horizon=1.0), NOW)[0] == (0,)
    assert sums.take({}, Take((bucket,), 4, ready=2, horizon=1.0), NOW)[0] == (0, 0, 100, 200)


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 100)), st.integers(0, 100))
@settings(deadline=None)
def test_only_full_buckets_may_be_forgotten(state, now):
    bucket = Bucket("a", 10, 3)
    for key in sums.full(state, now):
        kept, forgotten = {"a": state[key]}, {}
        ask = Take((bucket,), 5, 5, 1.0)
        assert sums.take(kept, ask, now) == sums.take(forgotten, ask, now)
    assert set(sums.full(state, now)) == {key for key, tat in state.items() if tat <= now}
