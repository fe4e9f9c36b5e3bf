"""Which limit never admits more than another: against starts that are made up and counted one by one."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limitkit.buckets.window import is_exact
from limitkit.config.declared import Resets
from limitkit.config.lints.admission import EXACT, Bucket, Resetting, Sliding, never_more

UTC = "UTC"


EIGHTHS = 8
"""Rates here are eighths of a token in each second, so that all sums are of whole numbers."""


class Counted:
    """One limit, kept exactly as it is declared, at full seconds."""

    def __init__(self, curve):
        self.curve, self.starts, self.at = curve, [], 0
        self.level = EIGHTHS * curve.burst if isinstance(curve, Bucket) else 0

    def admits(self, time):
        curve = self.curve
        if isinstance(curve, Bucket):
            new = (time - self.at) * int(curve.rate * EIGHTHS)
            self.level, self.at = min(EIGHTHS * curve.burst, self.level + new), time
            return self.level >= EIGHTHS
        period = int(curve.period)
        if isinstance(curve, Sliding):
            return sum(time - start < period for start in self.starts) < curve.most
        return sum(start // period == time // period for start in self.starts) < curve.most

    def start(self, time):
        self.level -= EIGHTHS
        self.starts = [*self.starts[-20:], time]


def clock(most, period):
    return Resetting(most, Fraction(period), Resets("clock", "clock", period_us=period * 1_000_000))


numbers = st.integers(1, 12)
buckets = st.builds(lambda burst, rate: Bucket(burst, Fraction(rate, EIGHTHS)), numbers, st.integers(1, 32))
curves = st.one_of(
    buckets,
    st.builds(lambda most, period: Sliding(most, Fraction(period)), numbers, numbers),
    st.builds(clock, numbers, numbers),
)


@settings(max_examples=200, deadline=None)
@given(curves, curves, st.lists(st.integers(0, 12), min_size=5, max_size=30))
def test_what_the_first_admits_the_second_never_refuses(first, second, gaps):
    if not never_more(first, second):
        return
    one, two, now = Counted(first), Counted(second), 0
    for gap in gaps:
        now += gap
        while one.admits(now):  # all that may start now, as the worst case is
            assert two.admits(now), (first, second, one.starts)
            one.start(now)
            two.start(now)


@settings(max_examples=200, deadline=None)
@given(buckets, buckets)
def test_for_buckets_it_is_exact(first, second):
    """If it is not so, there is a time in which the first one admits more."""
    late = Fraction(10_000)
    more = any(first.burst + first.rate * time > second.burst + second.rate * time for time in (Fraction(0), late))
    assert never_more(first, second) is not more


def daily(most, zone=UTC, unit="d", days=1):
    seconds = {"d": 86_400, "w": 7 * 86_400, "mo": 2_629_746}[unit]
    return Resetting(most, Fraction(days * seconds), Resets(f"1 {zone}", unit, timezone=zone, every=days))


def bucket(rate, burst=1, per=1):
    return Bucket(burst, Fraction(rate, per))


@pytest.mark.parametrize(
    ("first", "second", "never"),
    [
        (bucket(1, 5), bucket(10, 10), True),
        (bucket(10, 10), bucket(1, 5), False),
        (bucket(1, 11), bucket(10, 10), False),  # more at once
        (bucket(9), Sliding(10, Fraction(1)), True),
        (bucket(10), Sliding(10, Fraction(1)), False),  # 11 from the first to the last
        (bucket(14_390, 1, per=86_400), daily(14_391), True),
        (bucket(14_390, 1, per=86_400), daily(14_391, "Europe/Berlin"), False),  # one day has 25 hours
        (bucket(14_390, 1, per=86_400), daily(14_991, "Europe/Berlin"), True),
        (bucket(1), Sliding(601, Fraction(600)), False),  # that one is longer by a sixtieth
        (bucket(1), Sliding(611, Fraction(600)), True),
        (Sliding(10, Fraction(60)), bucket(10, 10, per=60), True),
        (Sliding(10, Fraction(60)), bucket(10, 9, per=60), False),
        (Sliding(10, Fraction(60)), bucket(9, 10, per=60), False),
        (Sliding(100, Fraction(60)), Sliding(100, Fraction(60)), True),
        (Sliding(100, Fraction(60)), Sliding(150, Fraction(60)), True),
        (
            Sliding(150, Fraction(60)),
            Sliding(250, Fraction(60)),
            False,
        ),  # that one counts in parts
        (Sliding(150, Fraction(60)), Sliding(300, Fraction(60)), True),
        (Sliding(10, Fraction(1)), Sliding(600, Fraction(60)), False),  # likewise
        (Sliding(10, Fraction(1)), Sliding(620, Fraction(60)), True),
        (Sliding(10, Fraction(1)), clock(600, 60), True),
        (Sliding(10, Fraction(1)), clock(599, 60), False),
        (Sliding(10, Fraction(7)), clock(80, 60), False),  # nine of its windows begin in a minute
        (Sliding(10, Fraction(7)), clock(90, 60), True),
        (clock(10, 60), bucket(10, 20, per=60), True),
        (clock(10, 60), bucket(10, 19, per=60), False),  # 20 around the end of a minute
        (clock(10, 60), clock(600, 3600), True),
        (clock(10, 60), clock(599, 3600), False),
        (clock(10, 40), clock(100, 60), True),
        (clock(10, 40), clock(29, 60), False),
        (clock(10, 60), Sliding(20, Fraction(30)), True),
        (clock(10, 60), Sliding(19, Fraction(30)), False),
        (daily(10), daily(11), True),
        (daily(11), daily(10), False),
        (daily(10), daily(12, "Europe/Berlin"), False),
        (daily(10), daily(30, "Europe/Berlin"), True),
        (daily(10, unit="w"), daily(59, unit="mo"), False),
        (daily(10, unit="w"), daily(60, unit="mo"), True),
        (daily(10), bucket(10, 20, per=86_400), True),
    ],
)
def test_pairs(first, second, never):
    assert never_more(first, second) is never


def test_limits_that_are_counted_apart_need_some_more():
    assert never_more(bucket(10), bucket(10), apart=False)
    assert not never_more(bucket(10), bucket(10), apart=True)
    assert never_more(bucket(10), bucket(10, 2), apart=True)
    assert not never_more(Sliding(10, Fraction(60)), bucket(1, 10), apart=True)
    assert never_more(Sliding(10, Fraction(60)), bucket(1, 11), apart=True)


def test_windows_are_counted_as_the_store_does_it():
    assert is_exact(EXACT)
    assert not is_exact(EXACT + 1)
