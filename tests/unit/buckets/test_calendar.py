"""When windows reset, against a plain reckoning: when the wall clock first shows the time, or is past it."""

from __future__ import annotations

import calendar
import datetime as dt
import random
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from limitkit.buckets import calendar as borders_of
from limitkit.buckets.calendar import borders
from limitkit.config.declared import Resets
from limitkit.errors import LimitkitError

UTC = dt.timezone.utc
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/Los_Angeles",
    "America/New_York",
    "America/Sao_Paulo",
    "America/Santiago",
    "America/Havana",
    "America/St_Johns",
    "America/Caracas",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "Asia/Beirut",
    "Australia/Lord_Howe",
    "Australia/Sydney",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Asia/Pyongyang",
]
FIRST, LAST = dt.datetime(2009, 1, 1, tzinfo=UTC), dt.datetime(2029, 1, 1, tzinfo=UTC)
HOUR = dt.timedelta(hours=1)
MINUTE = dt.timedelta(minutes=1)
DAY = dt.timedelta(days=1)


def micros(moment):
    return (moment - dt.datetime(1970, 1, 1, tzinfo=UTC)) // dt.timedelta(microseconds=1)


def shown(moment, zone):
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


@cache
def plain_moment(wall, name):
    """Try each offset that the zone has around then; if none shows the time, look at each minute."""
    zone, near = ZoneInfo(name), wall.replace(tzinfo=UTC)
    offsets = {(near + step * 3 * HOUR).astimezone(zone).utcoffset() for step in range(-12, 13)}
    found = [near - offset for offset in offsets if shown(near - offset, zone) == wall]
    if found:
        return min(found)
    minutes = (near - 30 * HOUR + step * MINUTE for step in range(60 * 60))
    before = False
    for minute in minutes:
        if before and shown(minute, zone) > wall:
            return minute
        before = shown(minute, zone) < wall
    raise AssertionError(wall)


def days_of(resets, near):
    """All days around then on which such a window begins."""
    reach = 200 + 3 * {"d": 1, "w": 7, "mo": 31}[resets.unit] * resets.every
    for away in range(-reach, reach):
        day = near + away * DAY
        if resets.unit == "d" and day.toordinal() % resets.every == dt.date(1970, 1, 1).toordinal() % resets.every:
            yield day
        elif resets.unit == "w" and day.weekday() == resets.day:
            monday = day - resets.day * DAY
            if (monday - dt.date(1970, 1, 5)).days % (7 * resets.every) == 0:
                yield day
        elif resets.unit == "mo":
            last = calendar.monthrange(day.year, day.month)[1]
            if day.day == min(resets.day, last) and (day.year * 12 + day.month - 1 - 1970 * 12) % resets.every == 0:
                yield day


def plain(resets, now):
    near = now.astimezone(ZoneInfo(resets.timezone)).date()
    every = {"d": 1, "w": 7, "mo": 31}[resets.unit] * resets.every
    days = [day for day in days_of_cached(resets, near.year) if abs((day - near).days) <= 3 * every + 3]
    time = dt.time(resets.minute // 60, resets.minute % 60)
    moments = sorted({plain_moment(dt.datetime.combine(day, time), resets.timezone) for day in days})
    begin = max(moment for moment in moments if moment <= now)
    end, then = moments[moments.index(begin) + 1 :][:2]
    return micros(begin), micros(end), micros(then)


@cache
def days_of_cached(resets, year):
    return list(days_of(resets, dt.date(year, 7, 1)))


@pytest.mark.parametrize("name", ZONES)
def test_ten_thousand_instants_have_the_borders_of_a_plain_reckoning(name):
    chance, zone = random.Random(name), ZoneInfo(name)
    changes = [
        day
        for day, after in pairwise(FIRST + each * DAY for each in range((LAST - FIRST).days))
        if day.astimezone(zone).utcoffset() != after.astimezone(zone).utcoffset()
    ]
    all_resets = [
        Resets("", "d", minute=0, timezone=name),
        Resets("", "d", minute=150, timezone=name),
        Resets("", "d", minute=0, timezone=name, every=3),
        Resets("", "w", minute=480, day=chance.randrange(7), timezone=name, every=chance.choice([1, 2])),
        Resets("", "mo", day=31, timezone=name),
        Resets("", "mo", minute=1439, day=chance.randrange(1, 30), timezone=name, every=chance.choice([2, 6])),
    ]
    for number in range(500):
        if changes and number % 2:
            now = chance.choice(changes) + dt.timedelta(seconds=chance.uniform(0, 2 * 86_400))
        else:
            now = FIRST + dt.timedelta(seconds=chance.uniform(0, (LAST - FIRST).total_seconds()))
        resets = chance.choice(all_resets)
        borders_of._known.clear()
        assert borders(resets, micros(now)) == plain(resets, now), (resets, now)


def borders_shown(resets, *now):
    zone = ZoneInfo(resets.timezone)
    found = borders(resets, micros(dt.datetime(*now, tzinfo=zone)))
    return [(dt.datetime(1970, 1, 1, tzinfo=UTC) + dt.timedelta(microseconds=each)).astimezone(zone) for each in found]


@pytest.mark.parametrize(
    ("minute", "now", "wanted"),
    [
        (0, (2026, 3, 29, 12), ["2026-03-29 00:00+01:00", "2026-03-30 00:00+02:00", "2026-03-31 00:00+02:00"]),
        (0, (2026, 10, 25, 12), ["2026-10-25 00:00+02:00", "2026-10-26 00:00+01:00", "2026-10-27 00:00+01:00"]),
        (150, (2026, 3, 29, 12), ["2026-03-29 03:00+02:00", "2026-03-30 02:30+02:00", "2026-03-31 02:30+02:00"]),
        (150, (2026, 10, 25, 12), ["2026-10-25 02:30+02:00", "2026-10-26 02:30+01:00", "2026-10-27 02:30+01:00"]),
    ],
    ids=["23 hours", "25 hours", "skipped", "repeated"],
)
def test_days_with_a_clock_change(minute, now, wanted):
    found = borders_shown(Resets("", "d", minute=minute, timezone="Europe/Berlin"), *now)
    assert [each.isoformat(" ", "minutes") for each in found] == wanted


def test_a_day_that_a_month_lacks_is_its_last():
    found = borders_shown(Resets("", "mo", day=31), 2028, 2, 29, 1)
    assert [each.date().isoformat() for each in found] == ["2028-02-29", "2028-03-31", "2028-04-30"]


def test_a_day_that_a_zone_skips_is_no_window():
    found = borders_shown(Resets("", "d", timezone="Pacific/Apia"), 2011, 12, 29, 12)
    assert [each.date().isoformat() for each in found] == ["2011-12-29", "2011-12-31", "2012-01-01"]


def test_by_the_clock_a_window_is_a_whole_number_of_periods_since_midnight_utc():
    minute = 60_000_000
    assert borders(Resets("clock", "clock", period_us=15 * minute), 100 * minute) == (
        90 * minute,
        105 * minute,
        120 * minute,
    )


def test_the_border_itself_is_in_the_next_window():
    resets = Resets("", "d", timezone="America/Los_Angeles")
    begin, end, then = borders(resets, 1_764_000_000_000_000)
    assert borders(resets, end - 1)[:2] == (begin, end)
    assert borders(resets, end)[:2] == (end, then)


def test_a_zone_that_this_machine_does_not_know(monkeypatch):
    for name in ("Europe/Nowhere", "../etc/passwd"):
        with pytest.raises(LimitkitError) as raised:
            borders(Resets("", "d", timezone=name), 0)
        assert str(raised.value) == (
            f"This machine does not know the time zone {name}, so no window can reset by its clock; "
            "install the data of time zones with `pip install tzdata`, or correct the name."
        )
