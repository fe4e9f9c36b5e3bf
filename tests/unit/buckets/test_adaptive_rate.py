"""How a rate backs off and comes back, on a virtual clock: the curve, and another side that keeps its rate secret."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limitkit.buckets import token_bucket as sums
from limitkit.buckets.adaptive_rate import interval_us, kept_us, rate, refused
from limitkit.buckets.decision import Bucket, Refusal, Take
from limitkit.config.declared import Feedback

SECOND = 1_000_000
NOW = 1_764_000_000_123_457


def adaptive(per_second=100, burst=1, **feedback):
    return Bucket("a", SECOND // per_second, burst, feedback=Feedback("api", ("a.B",), **feedback))


def cut(bucket, *gaps, retry_after=None):
    """Refuse a start at once, and again after each of these gaps (seconds); returns the adapted rate, and when."""
    at, (adapted, _) = NOW, refused(None, NOW, NOW, Refusal(bucket, 0.0, retry_after))
    for gap in gaps:
        at += round(gap * SECOND)
        adapted, _ = refused(adapted, at, at, Refusal(bucket, 0.0, retry_after))
    return adapted, at


def after(adapted, seconds):
    """The rate in force so long after it begins to grow."""
    return rate(adapted, adapted.since + round(seconds * SECOND))


def test_it_is_nearly_back_after_a_quarter_of_a_minute_and_has_doubled_after_half_a_minute():
    adapted, _ = cut(adaptive(), 1.1, 1.1, 1.1)
    refused_at = adapted.plateau / 0.98
    assert after(adapted, 0) == adapted.low == pytest.approx(refused_at * 0.5)
    assert after(adapted, 7.5) > 0.9 * refused_at
    assert after(adapted, 15) == pytest.approx(0.98 * refused_at)
    assert after(adapted, 21) == after(adapted, 15), "it stays there for a while"
    assert refused_at * 0.98 < after(adapted, 23) < 1.1 * refused_at
    assert after(adapted, 27) == pytest.approx(2 * 0.98 * refused_at)
    assert after(adapted, 3600) == 100


@pytest.mark.parametrize("feedback", [{}, {"factor": 0.5}, {"step": 2.0}, {"floor": 30.0, "ceiling": 60.0}])
@given(st.lists(st.floats(0.0, 60.0), max_size=12))
def test_it_only_grows_between_floor_and_ceiling(feedback, gaps):
    adapted, _ = cut(adaptive(**feedback), *gaps)
    rates = [after(adapted, second / 4) for second in range(400)]
    assert rates == sorted(rates)
    assert rates[0] >= feedback.get("floor", 1.0)
    assert rates[-1] <= feedback.get("ceiling", 100.0)


def test_cuts_in_a_row_count_double_and_halve_the_rate_at_most():
    bucket = adaptive()
    lows = [cut(bucket, *[1.1] * count)[0].low for count in range(6)]
    assert lows == pytest.approx([90, 72.9, 47.829, 23.914, 11.957, 5.978], rel=2e-2)
    later, _ = cut(bucket, 1.1, 1.1, 10.0)
    before = rate(cut(bucket, 1.1, 1.1)[0], NOW + round(11.7 * SECOND))
    assert later.low == pytest.approx(0.9 * before), "a new row, of the rate half a second before"


def test_step_is_what_it_gains_in_a_second_until_it_is_nearly_back():
    adapted, _ = cut(adaptive(factor=0.5, step=4.0))
    assert (adapted.low, adapted.plateau) == (50.0, 98.0)
    assert adapted.climb == 12 * SECOND


def test_a_slow_limit_takes_a_hundred_starts_to_come_back():
    assert cut(adaptive(1))[0].climb == pytest.approx(102 * SECOND, rel=0.01)


def test_who_refuses_at_the_floor_refuses_for_another_reason():
    adapted, _ = cut(adaptive(), *[1.1] * 8, *[2.5] * 4)
    assert adapted.low == 1.0
    assert adapted.plateau == pytest.approx(75.0), "three quarters of the rate with which it began"


@given(st.integers(0, 40), st.integers(1, 1000))
def test_the_time_to_full_is_the_same_at_any_rate(gap, burst):
    bucket = adaptive(burst=burst)
    adapted, at = cut(bucket, gap)
    goes = sums.pace(bucket, {"a": adapted}, at)
    assert goes.interval == interval_us(bucket, adapted, at)
    assert goes.depth + goes.interval == max(burst * bucket.interval_us, goes.interval)


def test_it_is_kept_until_the_rate_is_back_and_an_hour_more():
    bucket = adaptive()
    adapted, at = cut(bucket, *[1.1] * 8)
    back = at + kept_us(adapted, bucket, at) - 3600 * SECOND
    assert interval_us(bucket, adapted, back) == bucket.interval_us
    assert interval_us(bucket, adapted, back - 2 * SECOND) > bucket.interval_us


# -- an other side ------------------------------------------------------------------------------------------------


def played(bucket, secret, seconds, *, retry_after=None, answers_after=0.03):
    """Start as the bucket admits, and tell of refusals as they are answered; returns (second, whether admitted)."""
    state, adapted, found, waiting = {}, {}, [], deque()
    admitted, now = deque(), NOW
    while now < NOW + seconds * SECOND:
        slots, (wait,), _ = sums.take(state, Take((bucket,)), now, adapted)
        if slots:
            while admitted and admitted[0] <= now - SECOND:
                admitted.popleft()
            fine = len(admitted) < secret((now - NOW) / SECOND)
            if fine:
                admitted.append(now)
            else:
                waiting.append(now)
            found.append(((now - NOW) / SECOND, fine))
        now += max(1000, min(wait, 10_000))
        while waiting and waiting[0] + answers_after * SECOND <= now:
            age = (now - waiting.popleft()) / SECOND
            sums.back_off(state, adapted, Refusal(bucket, age, retry_after), now)
    return found


def share(found, begin, end, secret):
    """The part of the secret rate that was used, and the part of the starts that was refused."""
    those = [fine for at, fine in found if begin <= at < end]
    return sum(those) / (end - begin) / secret, 1 - sum(those) / len(those)


@pytest.mark.parametrize("retry_after", [None, 1.0])
@pytest.mark.parametrize("other", [10, 40])
def test_it_settles_at_a_secret_rate_and_finds_another_within_half_a_minute(retry_after, other):
    found = played(adaptive(100), lambda at: 20 if at < 120 else other, 240, retry_after=retry_after)
    for begin, secret in ((30, 20), (150, other)):
        used, lost = share(found, begin, begin + 90, secret)
        assert used >= 0.9
        assert lost < 0.02
