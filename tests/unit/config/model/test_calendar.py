"""Times of the day, days and time zones as a file writes them."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limitkit.config.checks.schedules import never_holds
from limitkit.config.model.calendar import (
    DAYS,
    DAYS_PATTERN,
    RESETS_PATTERN,
    day_fault,
    days_of,
    minutes_of,
    parse_resets,
    zone_fault,
)


@given(st.integers(0, 24 * 60))
def test_times_of_the_day(minute):
    assert minutes_of(f"{minute // 60:02d}:{minute % 60:02d}") == minute


@pytest.mark.parametrize(
    "text", ["24:01", "23:60", "8:00", "08:00 ", "08:00\n", "0800", "", "\u0660\u0668:00", "-1:00"]
)
def test_what_is_no_time_of_the_day(text):
    with pytest.raises(ValueError, match="is not a time of the day"):
        minutes_of(text)


@given(st.sampled_from(DAYS), st.sampled_from(DAYS))
def test_ranges_of_days_go_on_over_sunday(first, last):
    found = days_of([f"{first}-{last}"])
    assert {DAYS.index(first), DAYS.index(last)} <= found
    assert len(found) == (DAYS.index(last) - DAYS.index(first)) % 7 + 1
    assert days_of([first, last]) == {DAYS.index(first), DAYS.index(last)}


@given(st.text("montuefri-, 1", max_size=9) | st.sampled_from(["mon", "mon-fri", "Mon", "monday", "mon-fri-sun"]))
def test_a_day_is_what_its_pattern_says(text):
    assert (day_fault(text) is None) == bool(re.fullmatch(DAYS_PATTERN, text))


@given(st.text("montue 0123456789:clkUTC/", max_size=16) | st.from_regex(RESETS_PATTERN, fullmatch=True))
def test_what_is_read_matches_the_pattern_for_editors(text):
    with contextlib.suppress(ValueError):
        parse_resets(text)
        assert re.fullmatch(RESETS_PATTERN, text)


@pytest.mark.parametrize("name", ["", ".", "..", "../UTC", "/etc/passwd", "America", "a" * 5000, "\0", "UTC\n", "utc/"])
def test_no_name_of_a_zone_is_too_odd_to_be_refused(name):
    code, fact, hint = zone_fault(name)
    assert code == "LK064"
    assert "\n" not in fact + hint


@pytest.mark.parametrize(
    ("name", "meant"),
    [("europe/berlin", "Europe/Berlin"), ("America/LosAngeles", "America/Los_Angeles"), ("Asia/Tokio", "Asia/Tokyo")],
)
def test_the_zone_that_is_meant_is_suggested(name, meant):
    assert zone_fault(name)[2] == f'did you mean "{meant}"?'


def test_a_machine_without_zone_data_knows_utc_alone():
    """The data come with the system, or with the package tzdata: both are out of reach here."""
    code = """
import sys, zoneinfo
sys.modules["tzdata"] = None
zoneinfo.reset_tzpath(())
import limitkit
from limitkit.config.load import judge
from limitkit.config.source.toml import parse
text = 'version = 1\\n[tasks.t]\\nstrategy = "window"\\nrate = "9/d"\\nresets = "00:00 {}"\\n'
judge(parse(text.format("UTC"), "f.toml"))
try:
    judge(parse(text.format("Europe/Berlin"), "f.toml"))
except limitkit.ConfigError as error:
    print(error)
"""
    said = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert said == (
        'f.toml:5:10: LK065 tasks.t.resets: this machine has no time zone data, so "Europe/Berlin" can\'t be looked '
        "up; install it on each worker's machine: pip install tzdata\n"
    )


def schedule(begin, end, *days, **more):
    return {"from": begin, "to": end, "days": list(days) or [*DAYS], "rate": "1/s", **more}


@pytest.mark.parametrize(
    ("entries", "never"),
    [
        ([schedule("08:00", "18:00"), schedule("09:00", "17:00", "mon")], [1]),
        ([schedule("09:00", "17:00", "mon"), schedule("08:00", "18:00")], []),
        ([schedule("08:00", "18:00"), schedule("08:00", "18:00")], [1]),
        ([schedule("22:00", "06:00", "sun"), schedule("00:00", "06:00", "mon")], [1]),
        ([schedule("22:00", "06:00", "mon"), schedule("00:00", "06:00", "mon")], []),
        ([schedule("08:00", "12:00"), schedule("12:00", "18:00"), schedule("09:00", "17:00", "fri")], [2]),
        ([schedule("08:00", "18:00", timezone="Asia/Tokyo"), schedule("09:00", "17:00")], []),
        ([schedule("08:00", "18:00"), schedule("09:00", "17:00", timezone="Asia/Tokyo")], []),
        ([schedule("08:00", "18:00", timezone="Asia/Tokyo"), schedule("09:00", "17:00", timezone="Asia/Tokyo")], [1]),
        ([schedule("08:00", "08:00"), schedule("09:00", "17:00")], []),
        ([{}, {"rate": "1/s"}, {"days": "mon"}], [1, 2]),
        ([{"from": "25:00"}, {"from": 1}, {"days": ["x"]}, {"days": 1}, {"timezone": 1}, 5], []),
        (5, []),
    ],
)
def test_schedules_that_never_hold(entries, never):
    assert list(never_holds(entries)) == never
