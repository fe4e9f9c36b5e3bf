"""Windows are counted right: the same as by trying all of them, on whole microseconds."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from limitkit.trial.expectations.windows import emptiest, fullest, merged

TIMES = st.lists(st.integers(0, 30), max_size=12).map(sorted)
WIDTHS = st.integers(1, 12)
SPANS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=6)


def within(times, begin, width):
    return [time for time in times if begin <= time < begin + width]


@given(TIMES, WIDTHS)
def test_the_fullest_window_is_the_fullest_of_all(times, width):
    found = fullest(times, width)
    most = max(len(within(times, begin, width)) for begin in range(-12, 32))
    assert (found.starts if found else 0) == most
    if found:
        assert times[found.first : found.first + found.starts] == within(times, found.begin, width)


@given(TIMES, SPANS, WIDTHS)
def test_the_emptiest_window_is_the_emptiest_of_all_within_the_periods(times, spans, width):
    periods = merged(spans)
    all_of_them = [
        (len(within(times, begin, width)), begin) for start, over in periods for begin in range(start, over - width + 1)
    ]
    found = emptiest(times, periods, width)
    assert (found and (found.starts, found.begin)) == min(all_of_them, default=None)
    if found:
        assert times[found.first : found.first + found.starts] == within(times, found.begin, width)


@given(SPANS)
def test_merged_spans_hold_the_same_times_and_do_not_touch(spans):
    periods = merged(spans)
    held = {time for begin, over in spans for time in range(begin, over)}
    assert {time for begin, over in periods for time in range(begin, over)} == held
    assert all(begin < over for begin, over in periods)
    assert all(one[1] < other[0] for one, other in itertools.pairwise(periods))


def test_a_window_is_half_open():
    assert fullest([0, 10, 20], 10).starts == 1
    assert fullest([0, 9, 19], 10).starts == 2
    assert emptiest([0, 10, 20], [(0, 20)], 10).starts == 1
    assert emptiest([0, 10, 20], [(0, 21)], 10) == (0, 0, 1)
    assert emptiest([], [(0, 9)], 10) is None
    assert emptiest([], [(0, 10)], 10) == (0, 0, 0)
