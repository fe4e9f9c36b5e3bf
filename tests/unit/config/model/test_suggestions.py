"""What is proposed to somebody who writes a rate or a duration in words of his own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limitkit.config.model import suggestions
from limitkit.config.model.value_errors import duration_fault, rate_fault


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("10000/month", "10000/30d"),
        ("5/week", "5/7d"),
        ("10/2 weeks", "10/14d"),
        ("1/year", "1/365d"),
        ("10/sec", "10/s"),
        ("10/min", "10/m"),
        ("100/hour", "100/h"),
        ("10 per second", "10/s"),
        ("10 requests per minute", "10/m"),
        ("100 a day", "100/d"),
        ("5 every 10 seconds", "5/10s"),
        ("5 / s", "5/s"),
        ("10/S", "10/s"),
        ("10rps", "10/s"),
        ("600 rpm", "600/m"),
        ("10", "10/s"),
        ("1_000/s", "1000/s"),
        ("1,000/h", "1000/h"),
        ("2.5k/h", "2500/h"),
        ("1e3/s", "1000/s"),
        ("10/500ms", "20/s"),
        ("7/300ms", "70/3s"),
        ("10/1.5m", "10/90s"),
        ("1/0.5s", "2/s"),
        ("1e33/500ms", f"2{'0' * 33}/s"),
        (f"{'7' * 40}/1.5s", f"{'7' * 40}0/15s"),
        ("unlimited", None),
        ("-10/s", None),
        ("nan/s", None),
        ("0/s", None),
        ("10/0s", None),
        ("10/fortnight", None),
        ("", None),
        ("1" * 100, None),
    ],
)
def test_a_rate(said, meant):
    assert suggestions.rate(said) == meant


@pytest.mark.parametrize(
    ("said", "meant"),
    [("5 minutes", "5m"), ("1w", "7d"), ("300", "300s"), ("1 month", "30d"), ("2.5 sec", "2.5s"), ("soon", None)],
)
def test_a_duration(said, meant):
    assert suggestions.duration(said) == meant


def test_the_hint_names_it():
    assert rate_fault("10000/month")[1] == 'write a number, a slash and s, m, h or d, e.g. "10000/30d"'
    assert rate_fault("1e9/s")[1] == 'write a number, a slash and s, m, h or d, e.g. "10/s"'  # it would be out of range
    assert rate_fault("1e99/500ms")[1] == 'write a number, a slash and s, m, h or d, e.g. "10/s"'
    assert duration_fault("max_wait", "2 weeks")[1] == 'write a number and ms, s, m, h or d, e.g. "14d"'


def test_a_text_of_any_length_that_is_no_rate_is_not_called_out_of_range():
    assert rate_fault("x" * 70)[0].endswith('…" is not a rate')
    assert rate_fault("9" * 70 + "/s")[0].endswith('…" is out of range')
    assert duration_fault("max_wait", "a while " * 10)[0].endswith('…" is not a duration')
    assert duration_fault("max_wait", "9" * 70 + "s")[0].endswith('…" is out of range')


parts = st.sampled_from(
    ["10", "1e9", "1e99", "0.5", "1,000", "/", " per ", "every", "1.5", "ms", "month", "s", "k", "_"]
)


@given(st.lists(parts, max_size=6).map("".join))
def test_what_is_proposed_as_a_rate_is_one_or_out_of_range(said):
    meant = suggestions.rate(said)
    assert meant is None or " is not a rate" not in str(rate_fault(meant))
    meant = suggestions.duration(said)
    assert meant is None or " is not a duration" not in str(duration_fault("max_wait", meant))
