"""Rates and durations: what is one, what is refused, and that numbers stay exact."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limitkit.config.model.units import (
    DURATION_PATTERN,
    FASTEST,
    RATE_PATTERN,
    SECONDS,
    SLOWEST,
    duration_text,
    parse_duration,
    parse_rate,
)


@pytest.mark.parametrize(
    ("text", "tokens", "period", "interval_us"),
    [
        ("25/s", 25, 1, 40_000),
        ("7/s", 7, 1, 142_858),
        ("3/s", 3, 1, 333_334),
        ("0.5/s", Fraction(1, 2), 1, 2_000_000),
        ("0.1/s", Fraction(1, 10), 1, 10_000_000),
        ("1.50/s", Fraction(3, 2), 1, 666_667),
        ("100/m", 100, 60, 600_000),
        ("50/h", 50, 3600, 72_000_000),
        ("1000/d", 1000, 86_400, 86_400_000),
        ("10/15m", 10, 900, 90_000_000),
        ("007/007s", 7, 7, 1_000_000),
        ("100000/s", 100_000, 1, 10),
        ("6000000/m", 6_000_000, 60, 10),
        ("99999.9/s", Fraction(999_999, 10), 1, 11),
        ("1/366d", 1, 366 * 86_400, 31_622_400_000_000),
        ("5/217d", 5, 217 * 86_400, 3_749_760_000_000),  # a float would say 1 us more
    ],
)
def test_a_rate_is_exact_and_its_interval_rounded_up(text, tokens, period, interval_us):
    rate = parse_rate(text)
    assert (rate.tokens, rate.period, rate.interval_us) == (tokens, period, interval_us)
    assert rate.per_second == Fraction(tokens) / period
    assert str(rate) == rate.text == text


NOT_RATES = [
    *("", " ", " 25/s", "25/s ", "25 /s", "25/ s", "25/1 s", "2 5/s", "25/s\n", "\n25/s", "25/s\0", "25\t/s"),
    *("25", "25/", "/s", "s", "25s", "25//s", "25/s/s", "25\\s", "25:s", "25/s.", "25/s;"),
    *("25/S", "25/sec", "25/ms", "25/w", "+25/s", "-25/s", "25/-1s", "25/+1s", "1e3/s", "1E3/s", "25/1e1s"),
    *("1_000/s", "25/1_0s", ".5/s", "5./s", "1..5/s", "1.5.5/s", "1,5/s", "25/1.5s", "0x10/s", "inf/s", "nan/s"),
    *("\u0662\u0665/s", "25/\u0662s", "\uff12\uff15/s", "\u00b2/s", "25\u2215s", "25/\u017f", "25/\uff53"),
]


@pytest.mark.parametrize("text", NOT_RATES)
def test_what_is_not_a_rate(text):
    with pytest.raises(ValueError) as caught:
        parse_rate(text)
    assert str(caught.value) == f'"{text}" is not a rate; write a number, a slash and s, m, h or d, e.g. "10/s"'
    assert not re.match(RATE_PATTERN, text) or text.endswith("\n")


@pytest.mark.parametrize("text", ["10/0s", "10/00m", "0/0d"])
def test_a_period_of_nothing_is_refused(text):
    with pytest.raises(ValueError) as caught:
        parse_rate(text)
    said = f'"{text}" counts tokens in no time at all; write a period of at least 1, e.g. "10/15m"'
    assert str(caught.value) == said


@pytest.mark.parametrize("text", ["0/s", "0.0/m", "00/15m", "0.000/d"])
def test_a_rate_of_nothing_is_refused(text):
    with pytest.raises(ValueError) as caught:
        parse_rate(text)
    said = f'"{text}" would never start a task; write a rate above 0, or mode = "off" for no limit'
    assert str(caught.value) == said


@pytest.mark.parametrize(
    "text", ["1/367d", "0.9999/366d", "100001/s", "100000.0001/s", "6000001/m", "1" + "0" * 400 + "/s"]
)
def test_a_rate_out_of_range_is_refused(text):
    with pytest.raises(ValueError) as caught:
        parse_rate(text)
    assert str(caught.value) == f'"{text}" is out of range; write a rate from "1/366d" to "100000/s"'


decimals = st.from_regex(r"[0-9]{1,6}(\.[0-9]{1,6})?", fullmatch=True)


@settings(deadline=None)
@given(decimals, st.just("") | st.from_regex(r"[0-9]{1,4}", fullmatch=True), st.sampled_from("smhd"))
def test_any_rate_is_the_fraction_that_it_says(number, every, unit):
    text = f"{number}/{every}{unit}"
    assert re.match(RATE_PATTERN, text)
    period = Fraction(int(every or 1) * SECONDS[unit])
    wanted = Fraction(number) / period if period else Fraction(0)
    if not SLOWEST <= wanted <= FASTEST:
        with pytest.raises(ValueError):
            parse_rate(text)
        return
    rate = parse_rate(text)
    assert (rate.tokens, rate.period, rate.per_second) == (Fraction(number), period, wanted)
    assert rate.interval_us - 1 < 1_000_000 / wanted <= rate.interval_us


@settings(deadline=None)
@given(st.text("0123456789./smhdx +-e_\n", max_size=8) | st.text(max_size=5))
def test_what_the_pattern_for_editors_refuses_is_refused_here(text):
    for parse, pattern in ((parse_rate, RATE_PATTERN), (parse_duration, DURATION_PATTERN)):
        try:
            parse(text)
        except ValueError as error:
            refused = "is not a" in str(error)
        else:
            refused = False
        assert refused == (not re.fullmatch(pattern[1:-1], text))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("250ms", 0.25),
        ("0.5ms", 0.0005),
        ("9ms", 0.009),
        ("0.1s", 0.1),
        ("0.3s", 0.3),
        ("1s", 1.0),
        ("1.5m", 90.0),
        ("2h", 7200.0),
        ("366d", 31_622_400.0),
        ("0s", 0.0),
    ],
)
def test_a_duration_is_seconds(text, seconds):
    assert parse_duration(text) == seconds
    assert isinstance(parse_duration(text), float)


NOT_DURATIONS = [
    *(
        "",
        "1",
        "s",
        "1 s",
        " 1s",
        "1s ",
        "1s\n",
        "-1s",
        "+1s",
        "1e3s",
        "1_0s",
        ".5s",
        "1.s",
        "1,5s",
        "1S",
        "1MS",
        "1us",
    ),
    *("1w", "1sm", "1h30m", "\u0662s", "\uff12s", "1\uff53", "\u00b2s", "1m\u017f"),
]


@pytest.mark.parametrize("text", NOT_DURATIONS)
def test_what_is_not_a_duration(text):
    with pytest.raises(ValueError) as caught:
        parse_duration(text)
    assert str(caught.value) == f'"{text}" is not a duration; write a number and ms, s, m, h or d, e.g. "250ms"'
    assert not re.match(DURATION_PATTERN, text) or text.endswith("\n")


@pytest.mark.parametrize("text", ["1ms", "250ms", "2s", "90s", "1m", "90m", "2h", "36h", "366d"])
def test_a_duration_is_written_in_its_largest_whole_unit(text):
    assert duration_text(parse_duration(text)) == text
