"""Limits of all kinds against what they promise, reckoned plainly, on a virtual clock."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.sizes import examples

from limitkit.buckets.claims import LEAST_WAIT_US, MOST_CLAIMS
from limitkit.buckets.decision import Bucket, GiveBack, Settlement, Slots, Take, Window
from limitkit.buckets.group import Kinds
from limitkit.buckets.slots import new_member, since
from limitkit.config.declared import Resets

SECOND = 1_000_000
NOW = 1_764_000_000_123_457
CLOCK = Resets("clock", "clock", period_us=5 * SECOND)

thoroughly = settings(max_examples=examples(100), deadline=None)


def take(kinds, now, *buckets, **more):
    """Returns whether it was admitted, the waits, and the marks."""
    slots, waits, marks = kinds.take(Take(buckets, **more), now, now)
    return bool(slots), waits, marks


def metered(interval=1000, burst=10, key="m"):
    return Bucket(key, interval, burst, metered=True)


def window(burst, period, *, exact, key="w"):
    return Window(key, max(1, period // max(1, burst)), burst, period_us=period, exact=exact)


# -- costs and debt -----------------------------------------------------------------------------------------------


class Tokens:
    """A token bucket as in the textbook; below zero is debt. Who was refused is in a line, as costs with their ends."""

    def __init__(self, burst, interval, now):
        self.burst, self.interval, self.tokens, self.then = burst, interval, Fraction(burst), now
        self.line = {}

    def at(self, now):
        self.tokens = min(Fraction(self.burst), self.tokens + Fraction(now - self.then, self.interval))
        self.then = now
        return self.tokens

    def wait(self, cost, now):
        line = [each for each, end in self.line.items() if now < end]
        first = line[: line.index(cost)] if cost in line else line
        tokens = min(cost, self.burst) + sum(min(each, self.burst) for each in first)
        wait = max(Fraction(0), (tokens - self.at(now)) * self.interval)
        return max(wait, LEAST_WAIT_US) if wait and first else wait

    def start(self, cost):
        self.tokens -= cost
        self.line.pop(cost, None)

    def refuse(self, cost, now):
        wait = self.wait(cost, now)
        self.line = {each: end for each, end in self.line.items() if now < end}
        if cost in self.line or len(self.line) < MOST_CLAIMS:
            self.line[cost] = now + min(wait, SECOND) + SECOND


costs = st.integers(1, 5) | st.integers(1, 40)


@thoroughly
@given(st.integers(1, 10_000), st.integers(1, 20), st.data())
def test_costs_and_settled_ones_are_those_of_a_bucket_of_tokens(interval, burst, data):
    kinds, model, now, bucket = Kinds(), Tokens(burst, interval, NOW), NOW, metered(interval, burst)
    gaps = st.integers(0, 3 * interval) | st.integers(0, 40 * interval)
    for gap, cost, known in data.draw(st.lists(st.tuples(gaps, costs, st.none() | st.integers(0, 60)), max_size=15)):
        now += gap
        wanted = model.wait(cost, now)
        assert take(kinds, now, bucket, costs=(cost,), count=0)[1] == (wanted,)
        admitted, waits, _ = take(kinds, now, bucket, costs=(cost,))
        assert admitted == (wanted == 0)
        if admitted:
            model.start(cost)
        else:
            model.refuse(cost, now)
        assert waits == (model.wait(cost, now),)
        if known is not None and admitted:
            kinds.settle(Settlement(bucket, cost, known), now)
            model.tokens += cost - known
    assert take(kinds, now + 2 * SECOND, bucket)[1][0] <= 60 * 15 * interval, "the claims have ended"


@thoroughly
@given(st.lists(st.tuples(st.integers(1, 5000), st.integers(0, 30_000)), min_size=1, max_size=12), st.integers(20, 90))
def test_debt_stays_as_many_tokens_when_the_rate_changes(changes, cost):
    kinds, now, left = Kinds(), NOW, Fraction(10 - cost)
    assert take(kinds, now, metered(1000, 10), costs=(cost,))[0]
    for interval, gap in changes:
        bucket = metered(interval, 10)
        wait = take(kinds, now, bucket, costs=(10,))[1][0]
        wanted = max(Fraction(0), (10 - left) * interval)
        assert wanted <= wait <= wanted + len(changes) * max(1, Fraction(interval, min(every for every, _ in changes)))
        gap = min(gap, max(0, wait - 1))  # noqa: PLW2901 (a token more, and it would be taken)
        now += gap
        left += Fraction(gap, interval)


def test_a_cost_above_the_burst_waits_for_a_full_bucket_and_the_rest_is_waited_off():
    kinds, bucket = Kinds(), metered(1000, 10)
    take(kinds, NOW, bucket)
    assert take(kinds, NOW, bucket, costs=(50,))[:2] == (False, (1000,))
    assert take(kinds, NOW + 1000, bucket, costs=(50,))[0]
    assert take(kinds, NOW + 1000, bucket)[1] == (41_000,)
    assert take(kinds, NOW + 41_999, bucket)[:2] == (False, (1,))
    assert take(kinds, NOW + 42_000, bucket)[0]


def test_a_clock_that_was_set_back_adds_no_debt():
    kinds, bucket = Kinds(), metered(1000, 10)
    take(kinds, NOW, bucket, costs=(50,))
    back = NOW - 3600 * SECOND
    assert take(kinds, back, bucket)[1] == (41_000,)
    assert take(kinds, back + 40_999, bucket)[:2] == (False, (1,))
    assert take(kinds, back + 41_000, bucket)[0]


def test_a_bucket_becomes_metered_and_plain_again():
    kinds, plain = Kinds(), Bucket("m", 1000, 2)
    assert take(kinds, NOW, plain)[0]
    assert take(kinds, NOW, metered(1000, 2), costs=(1,))[:2] == (True, (1000,))
    assert take(kinds, NOW, plain)[:2] == (False, (1000,))
    assert take(kinds, NOW, metered(1000, 2), costs=(2,))[:2] == (False, (2000,))


def test_a_paused_bucket_keeps_its_debt():
    kinds, bucket = Kinds(), metered(1000, 10)
    take(kinds, NOW, bucket, costs=(50,))
    paused = Bucket("m", SECOND, 0, metered=True)
    assert take(kinds, NOW, paused, costs=(1,))[:2] == (False, (SECOND,))
    kinds.settle(Settlement(paused, 50, 60), NOW)
    assert take(kinds, NOW, bucket)[1] == (51_000,)


# -- sliding windows ----------------------------------------------------------------------------------------------


def most_in(starts, period):
    """The most tokens in any stretch of time."""
    found, first = 0, 0
    for last, (end, _) in enumerate(starts):
        while starts[first][0] <= end - period:
            first += 1
        found = max(found, sum(cost for _, cost in starts[first : last + 1]))
    return found


@pytest.mark.parametrize("exact", [True, False])
@thoroughly
@given(st.integers(1, 12), st.sampled_from([60, 599, 6000, SECOND]), st.data())
def test_never_more_than_its_number_in_any_stretch(exact, burst, period, data):
    kinds, now, one = Kinds(), NOW, window(burst, period, exact=exact)
    starts, length = [], -(-period // 60)
    gap = st.just(0) | st.sampled_from([length, period]).flatmap(lambda us: st.integers(us - 1, us + 1))
    gaps = gap | st.integers(0, period)
    for gap, cost in data.draw(st.lists(st.tuples(gaps, st.integers(1, 3) | st.integers(1, 20)), max_size=40)):
        now += gap
        _, (wait,), (counted,) = take(kinds, now, one, costs=(cost,), count=0)
        true = sum(each for at, each in starts if at > now - period)
        longer = sum(each for at, each in starts if at > now - max(period, 61 * length))
        assert true <= counted <= longer or (exact and counted <= burst)
        admitted = take(kinds, now, one, costs=(cost,))[0]
        assert admitted == (not wait)
        if admitted:
            assert true + cost <= burst or not true
            starts.append((now, cost))
        else:
            assert longer + cost > burst, "it gives away at most a part"
            assert wait <= period + 2 * length
            assert take(kinds, now + wait, one, costs=(cost,), count=0)[1] == (0,)
            assert take(kinds, now + wait - 1, one, costs=(cost,), count=0)[1] == (1,)
    single = max([cost for _, cost in starts], default=0)
    assert most_in(starts, period) <= max(burst, single)


@pytest.mark.parametrize(("exact", "most"), [(True, 1), (False, Fraction(61, 60))])
def test_an_endless_backlog_gets_nearly_all(exact, most):
    kinds, one, now, starts = Kinds(), window(100, 6 * SECOND, exact=exact), NOW, 0
    while now < NOW + 600 * SECOND:
        admitted, (wait,), _ = take(kinds, now, one)
        starts += admitted
        now += wait
    assert 100 * 100 / most <= starts <= 100 * 101


@pytest.mark.parametrize("exact", [True, False])
def test_a_clock_that_was_set_back_admits_no_more_in_a_window(exact):
    kinds, one = Kinds(), window(2, SECOND, exact=exact)
    assert [take(kinds, NOW, one)[0] for _ in range(3)] == [True, True, False]
    back = NOW - 10 * SECOND
    assert not take(kinds, back, one)[0]
    assert not take(kinds, back + 9 * SECOND, one)[0]
    assert take(kinds, NOW + SECOND + SECOND // 50, one)[0]


@pytest.mark.parametrize("exact", [True, False])
def test_after_a_clock_was_set_back_time_goes_on_from_the_last_start(exact):
    kinds, one = Kinds(), window(2, SECOND, exact=exact)
    take(kinds, NOW, one)
    take(kinds, NOW + 2 * SECOND, one)
    assert take(kinds, NOW + SECOND // 2, one)[0], "the first one is out of the window"
    assert not take(kinds, NOW + SECOND // 2, one)[0]
    assert take(kinds, NOW + 3 * SECOND + SECOND // 50, one)[0]


@pytest.mark.parametrize("exact", [True, False])
def test_a_window_follows_another_number_and_period(exact):
    kinds = Kinds()
    assert [take(kinds, NOW, window(3, SECOND, exact=exact))[0] for _ in range(4)] == [True] * 3 + [False]
    more = window(5, SECOND, exact=exact)
    assert [take(kinds, NOW, more)[0] for _ in range(3)] == [True, True, False]
    longer = window(5, 10 * SECOND, exact=exact)
    assert not take(kinds, NOW + 9 * SECOND, longer)[0]
    assert take(kinds, NOW + 11 * SECOND, longer)[0]


@pytest.mark.parametrize("exact", [True, False])
def test_a_start_of_a_window_is_given_back_and_settled_where_it_was(exact):
    kinds, one = Kinds(), window(10, SECOND, exact=exact)
    _, _, (first,) = take(kinds, NOW, one, costs=(6,))
    take(kinds, NOW + SECOND // 2, one, costs=(3,))
    kinds.give_back(GiveBack(one, first, 2), NOW + SECOND // 2)
    assert take(kinds, NOW + SECOND // 2, one, count=0)[2] == (7,)
    kinds.settle(Settlement(one, 4, 1, first), NOW + SECOND // 2)
    assert take(kinds, NOW + SECOND // 2, one, count=0)[2] == (4,)
    kinds.settle(Settlement(one, 4, 6, first), NOW + SECOND // 2)
    assert take(kinds, NOW + SECOND // 2, one, count=0)[2] == (6,)
    assert take(kinds, NOW + SECOND + SECOND // 40, one, count=0)[2] == (5,)
    kinds.settle(Settlement(one, 9, 1, first), NOW + SECOND + SECOND // 40)
    assert take(kinds, NOW + SECOND + SECOND // 40, one, count=0)[2] == (5,), "what is out of it gives nothing back"


# -- windows that reset -------------------------------------------------------------------------------------------


def test_a_window_that_resets_counts_from_one_reset_to_the_next():
    begin = NOW - NOW % (5 * SECOND)
    kinds, one = Kinds(), Window("c", SECOND, 3, resets=CLOCK, late_us=1000)
    assert [take(kinds, begin, one)[0] for _ in range(4)] == [True] * 3 + [False]
    assert take(kinds, begin + 1, one)[1] == (5 * SECOND - 1,)
    end = begin + 5 * SECOND
    admitted, waits, marks = take(kinds, end, one, costs=(2,))
    assert (admitted, waits, marks) == (True, (5 * SECOND,), (end,))
    kinds.settle(Settlement(one, 2, 1, begin), end)
    assert take(kinds, end, one, count=0)[2] == (2,), "it was in another window"
    kinds.settle(Settlement(one, 2, 1, end), end)
    assert take(kinds, end, one, count=0)[2] == (1,)
    assert take(kinds, end + 5 * SECOND - 1000, one)[:2] == (False, (1000,)), "it might start in the next window"
    assert take(kinds, end + 5 * SECOND - 1001, one)[0]


def test_a_clock_set_back_over_a_reset_goes_on_with_the_window():
    begin = NOW - NOW % (5 * SECOND)
    kinds, one = Kinds(), Window("c", SECOND, 3, resets=CLOCK)
    take(kinds, begin, one, costs=(2,))
    assert take(kinds, begin - SECOND, one, costs=(1,))[0]
    assert not take(kinds, begin - SECOND, one)[0]
    assert not take(kinds, begin + SECOND, one)[0]


def test_more_than_the_number_starts_in_an_empty_window_only():
    begin = NOW - NOW % (5 * SECOND)
    kinds, one = Kinds(), Window("c", SECOND, 3, resets=CLOCK)
    take(kinds, begin, one)
    assert not take(kinds, begin, one, costs=(4,))[0]
    assert take(kinds, begin + 5 * SECOND, one, costs=(4,))[0]


# -- slots --------------------------------------------------------------------------------------------------------


@thoroughly
@given(
    st.integers(0, 4), st.lists(st.tuples(st.integers(0, 30), st.sampled_from("tger"), st.integers(0, 9)), max_size=60)
)
def test_never_more_run_than_may_and_each_end_frees_its_own_slot(burst, steps):
    kinds, ends, now, slots = Kinds(), {}, 0, Slots("s", 7, burst, lease_us=50)
    for gap, what, who in steps:
        now += gap
        ends = {member: end for member, end in ends.items() if end > now}
        member = str(who)
        if what == "t":
            wanted = member in ends or len(ends) < burst
            assert take(kinds, now, slots, member=member)[0] == wanted
            if wanted:
                ends[member] = now + 50
        elif what == "g":
            kinds.give_back(GiveBack(slots, 0, member=member), now)
            ends.pop(member, None)
        elif what == "r" and "s" in kinds.leases:
            assert kinds.leases["s"].renew(member, 50, now) == (member in kinds.leases["s"].ends)
            if member in ends or member in kinds.leases["s"].ends:
                ends[member] = now + 50
        assert len(ends) <= burst
        assert take(kinds, now, slots, count=0)[2] == (len(ends),)


def test_a_member_that_has_a_slot_keeps_it_when_fewer_may_run():
    kinds = Kinds()
    assert take(kinds, 0, Slots("s", 7, 1, lease_us=50), member="a")[0]
    paused = Slots("s", 7, 0, lease_us=50)
    assert take(kinds, 1, paused, member="a")[0]
    assert take(kinds, 1, paused, member="b")[:2] == (False, (7,))


def test_the_name_of_a_start_says_when_it_began():
    member = new_member(1_764_000_000.123)
    assert since(member) == 1_764_000_000.123
    assert new_member(1.0) != new_member(1.0)
    assert [since(each) for each in ("", "x", "-1", "9" * 20 + "-1")] == [0.0] * 4


# -- groups -------------------------------------------------------------------------------------------------------

EVERY_KIND = (
    Bucket("plain", SECOND, 3),
    metered(SECOND, 9),
    window(4, 7 * SECOND, exact=True),
    window(5, 9 * SECOND, exact=False, key="parts"),
    Window("c", SECOND, 6, resets=CLOCK),
    Slots("s", SECOND, 2, lease_us=5 * SECOND),
)


def spent(kinds, now):
    """What each limit has, by a look that writes nothing."""
    return [take(kinds, now, bucket, count=0)[1:] for bucket in EVERY_KIND]


@thoroughly
@given(
    st.lists(st.tuples(st.integers(0, 3 * SECOND), st.lists(st.integers(0, 5), min_size=1, unique=True)), max_size=25)
)
def test_a_start_takes_from_all_of_its_limits_or_from_none(steps):
    kinds, now = Kinds(), NOW
    for number, (gap, which) in enumerate(steps):
        now += gap
        group, before = [EVERY_KIND[each] for each in which], spent(kinds, now)
        free = [not take(kinds, now, bucket, count=0)[1][0] for bucket in group]
        admitted, _, _ = take(kinds, now, *group, member=str(number))
        assert admitted == all(free)
        after = spent(kinds, now)
        for at, bucket in enumerate(EVERY_KIND):
            assert (before[at] != after[at]) == (admitted and bucket in group)


def test_what_is_as_if_never_taken_is_forgotten():
    kinds = Kinds()
    assert take(kinds, NOW, *EVERY_KIND, member="a")[0]
    take(kinds, NOW, replace(EVERY_KIND[1], key="other"), costs=(30,))
    kinds.forget(NOW + 1, NOW + 1)
    assert len(kinds.keys()) == 6
    kinds.forget(NOW + 20 * SECOND, NOW + 20 * SECOND)
    assert kinds.keys() == {"other"}
    assert not kinds.leases
    assert set(kinds.meters.spent) == {"other"}
