"""Durations of several parts, which stand in test files alone."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limitkit.config.model.units import parse_duration
from limitkit.config.test_file.durations import SPAN_PATTERN, parse_span, span_between
from limitkit.config.wording import span


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2m1s", 121.0), ("2m 39s", 159.0), ("1h30m", 5400.0), ("1d 2h 3m 4s 5ms", 93784.005), ("1.5m 250ms", 90.25)],
)
def test_the_parts_are_added(text, seconds):
    assert parse_span(text) == seconds
    assert span_between("0s", "366d", text) is None


@pytest.mark.parametrize("text", ["1s 1m", "1m1m", "2m  1s", "2m 1s ", " 2m1s", "2m1", "2m\n1s", "2m1\uff53", "1h-30m"])
def test_parts_are_in_order_and_a_blank_apart_at_most(text):
    with pytest.raises(ValueError, match="is not a duration"):
        parse_span(text)
    assert "is not a duration" in span_between("0s", "366d", text)[0]


@pytest.mark.parametrize("text", ["365d 25h", f"2m {'0' * 70}1s", f"2m {'9' * 5000}s"])
def test_a_sum_has_the_bounds_of_one_part(text):
    fact, hint = span_between("0s", "366d", text)
    assert fact.endswith("is out of range")
    assert hint == 'write a duration from "0s" to "366d"'
    assert span_between("1m", "366d", "0m 59s")[0] == '"0m 59s" is out of range'


@settings(deadline=None)
@given(st.text("0159.dhms ", max_size=12))
def test_what_the_pattern_for_editors_refuses_is_refused_here(text):
    try:
        found = parse_span(text)
    except ValueError:
        found = None
    assert (found is None) == (not re.fullmatch(SPAN_PATTERN, text))


@given(st.integers(0, 3_599))
def test_each_time_that_is_shown_can_be_copied(seconds):
    assert parse_span(span(seconds)) == seconds


@given(st.integers(0, 10**7), st.sampled_from(["ms", "s", "m", "h"]))
def test_one_part_is_what_it_is_in_a_config(number, unit):
    assert parse_span(f"{number}{unit}") == parse_duration(f"{number}{unit}")
