"""Which entry of a schedule holds, against a reckoning that reads the wall clock of each minute."""

import datetime as dt
import logging
import zoneinfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.sizes import examples

from limitkit.config.declared import Scheduled, ShareTerms
from limitkit.control import schedules
from limitkit.control.schedules import holding

ALL = frozenset(range(7))
ZONES = ["UTC", "Europe/Berlin", "America/Los_Angeles", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"]


def entry(begin, end, days=ALL, zone="UTC", terms=None):
    return Scheduled(begin, end, frozenset(days), zone, terms or ShareTerms())


def at(text, zone="UTC", fold=0):
    return dt.datetime.fromisoformat(text).replace(tzinfo=zoneinfo.ZoneInfo(zone), fold=fold).timestamp()


def plainly(schedule, moment):
    """Read the wall clock, and go back over midnight by the calendar."""
    for each in schedule:
        clock = dt.datetime.fromtimestamp(moment, zoneinfo.ZoneInfo(each.timezone))
        for days in (0, 1):
            day = clock.date() - dt.timedelta(days)
            minute = clock.hour * 60 + clock.minute + 1440 * days
            end = each.end if each.end > each.begin else each.end + 1440
            if day.weekday() in each.days and each.begin <= minute < end:
                return each
    return None


@settings(max_examples=examples(150), deadline=None)
@given(
    st.lists(
        st.builds(
            entry,
            st.integers(0, 1439),
            st.integers(0, 1439),
            st.frozensets(st.integers(0, 6), min_size=1),
            st.sampled_from(ZONES),
        ),
        min_size=1,
        max_size=4,
    ).map(tuple),
    st.sampled_from(["2026-03-28", "2026-10-24", "2026-03-07", "2026-10-31", "2026-04-04", "2024-02-28", "2026-12-31"]),
    st.integers(0, 3 * 86400),
)
def test_it_is_the_first_whose_minutes_the_clock_shows_and_nothing_turns_before_it_says(schedule, day, seconds):
    now = at(day) + seconds
    held = holding(schedule, now)
    assert held.entry is plainly(schedule, now)
    assert held.until > now
    last = min(held.until, now + 2 * 86400) - 1e-3
    minutes = (60 * (now // 60 + number) for number in range(1, 2881))
    assert all(plainly(schedule, moment) is held.entry for moment in minutes if moment <= last)
    if held.is_end:
        assert plainly(schedule, held.until) is not held.entry


@pytest.mark.parametrize(
    ("begin", "end", "now", "until"),
    [
        ("02:30", "04:00", "2026-03-29T01:59", "2026-03-29T03:00"),  # the hour from 2 is skipped: it begins at 3
        ("02:00", "03:00", "2026-03-29T01:59", "2026-03-30T02:00"),  # all of it is skipped
        ("01:00", "02:30", "2026-03-29T01:59", "2026-03-29T03:00"),
        ("02:30", "04:00", "2026-10-25T02:45", "2026-10-25T02:00+"),  # at 3 it is 2 again
        ("02:30", "04:00", "2026-10-25T02:10+", "2026-10-25T02:30+"),
        ("02:10", "04:00", "2026-10-25T02:05+", "2026-10-25T02:10+"),
        ("01:00", "02:30", "2026-10-25T02:20", "2026-10-25T02:30"),
        ("01:00", "02:30", "2026-10-25T02:40", "2026-10-25T02:00+"),  # it holds twice
    ],
)
def test_the_hour_that_a_clock_change_skips_or_repeats(begin, end, now, until):
    berlin = "Europe/Berlin"

    def moment(text):
        return at(text.rstrip("+"), berlin, fold=int(text.endswith("+")))

    minutes = [int(text[:2]) * 60 + int(text[3:]) for text in (begin, end)]
    assert holding((entry(*minutes, zone=berlin),), moment(now)).until == moment(until)


def test_what_always_holds_has_no_end():
    held = holding((entry(0, 720), entry(720, 0)), at("2026-05-05T11:00"))
    assert held.entry.begin == 0
    assert held.is_end
    whole = holding((entry(60, 60),), at("2026-05-05T11:00"))
    assert whole.entry is not None
    assert not whole.is_end


def test_without_data_of_its_zone_an_entry_does_not_hold_and_that_is_said_once(caplog, monkeypatch):
    def gone(name):
        raise zoneinfo.ZoneInfoNotFoundError(name)

    monkeypatch.setattr(schedules.zoneinfo, "ZoneInfo", gone)
    schedules._zone.cache_clear()
    there, elsewhere = entry(0, 0, zone="Europe/Paris"), entry(0, 0)
    with caplog.at_level(logging.ERROR, "limitkit"):
        for _ in range(2):
            assert holding((there, elsewhere), at_utc := 1_800_000_000.0).entry is elsewhere
            assert holding((there,), at_utc).entry is None
    schedules._zone.cache_clear()
    (message,) = caplog.messages
    assert message.startswith("This machine has no data of the time zone Europe/Paris (ZoneInfoNotFoundError), so ")
    assert message.endswith("; install tzdata.")
