"""Schedules and partitions are compared by what is in force, whatever their entries look like."""

import datetime as dt
import zoneinfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limitkit.config.declared import Scheduled, ShareTerms
from limitkit.control.schedules import holding
from limitkit.trial.plan.changes import Highest, Worst
from limitkit.trial.plan.weeks import same_clock, weeks

USED = '[tasks.t]\nlimits = ["a"]\n'


def bucket(rate, schedule="", **more):
    said = "".join(f"{key} = {value}\n" for key, value in more.items())
    return f'[limits.a]\nstrategy = "token_bucket"\nrate = "{rate}"\nschedule = [{schedule}]\n{said}{USED}'


def user(rate, partitions="", **more):
    said = "".join(f"{key} = {value}\n" for key, value in more.items())
    parts = f"partitions = {{ {partitions} }}\n"
    return f'[limits.a]\nstrategy = "per_user"\nrate = "{rate}"\nkey = "u"\n{parts}{said}{USED}'


NIGHT = '{ from = "02:00", to = "04:00", rate = "5/s" }'
ALL_DAY = '{ rate = "500/s" }'
SAME = {
    "a split entry": (
        bucket("1/s", NIGHT),
        bucket("1/s", f"{NIGHT.replace('04', '03')}, {NIGHT.replace('02', '03')}"),
    ),
    "another name of the zone": (bucket("1/s", NIGHT), bucket("1/s", NIGHT.replace(" }", ', timezone = "Etc/UTC" }'))),
    "entries in another order that do not overlap": (
        bucket("1/s", f'{NIGHT}, {{ from = "04:00", to = "05:00", rate = "9/s" }}'),
        bucket("1/s", f'{{ from = "04:00", to = "05:00", rate = "9/s" }}, {NIGHT}'),
    ),
    "an entry that another one hides": (bucket("1/s", ALL_DAY), bucket("1/s", f"{ALL_DAY}, {NIGHT}")),
    "an entry with the limit's own terms": (bucket("5/s"), bucket("5/s", NIGHT)),
    "a burst that is inherited, or written out": (
        bucket("1/s", NIGHT, burst=9),
        bucket("1/s", NIGHT.replace(" }", ", burst = 9 }"), burst=9),
    ),
    "a day written as hours": (
        bucket("1/s", '{ from = "20:00", to = "08:00", rate = "5/s" }'),
        bucket(
            "1/s",
            '{ from = "00:00", to = "08:00", rate = "5/s" }, { from = "20:00", to = "24:00", rate = "5/s" }',
        ),
    ),
    "a partition's burst that is inherited, or written out": (
        user("1/s", 'x = { rate = "5/s" }', burst=9),
        user("1/s", 'x = { rate = "5/s", burst = 9 }', burst=9),
    ),
    "a reset at the same moment": tuple(
        f'[limits.a]\nstrategy = "window"\nrate = "9/d"\nresets = "00:00 {zone}"\n{USED}' for zone in ("UTC", "Etc/UTC")
    ),
}


@pytest.mark.parametrize("name", SAME)
@pytest.mark.parametrize("turned", [False, True])
def test_what_is_in_force_as_before_is_no_change(plan_of, name, turned):
    old, new = SAME[name][::-1] if turned else SAME[name]
    plan = plan_of(old, new)
    assert (plan.changes, plan.worst, plan.notes) == ((), (), ())


WEEKEND = NIGHT.replace(' from = "02:00", to = "04:00",', "")
EARLY = "each day from 02:00 to 03:00 in UTC: 5/s instead of 1/s"
LESS = "each day from 07:00 to 08:00 in UTC: 1/s instead of 5/s"
TIMES = {
    "entries that overlap, in another order": (
        bucket("1/s", f"{NIGHT}, {ALL_DAY}"),
        bucket("1/s", f"{ALL_DAY}, {NIGHT}"),
        "each day from 02:00 to 04:00 in UTC: 500/s instead of 5/s",
    ),
    "a longer entry": (
        bucket("1/s", NIGHT),
        bucket("1/s", NIGHT.replace("04:00", "09:30")),
        "each day from 04:00 to 09:30 in UTC: 5/s instead of 1/s",
    ),
    "over midnight": (
        bucket("1/s", '{ from = "22:00", to = "02:00", rate = "5/s" }'),
        bucket("1/s", '{ from = "21:00", to = "03:00", rate = "5/s" }'),
        f"{EARLY}; {EARLY.replace('02', '21').replace('03', '22')}",
    ),
    "other days": (
        bucket("1/s", NIGHT.replace(" }", ', days = "mon-fri" }')),
        bucket("1/s", NIGHT),
        "sat-sun from 02:00 to 04:00 in UTC: 5/s instead of 1/s",
    ),
    "whole days": (
        bucket("1/s"),
        bucket("1/s", WEEKEND.replace(" }", ', days = "sat-mon" }')),
        "sat-mon in UTC: 5/s instead of 1/s",
    ),
    "over the end of the week": (
        bucket("1/s"),
        bucket("1/s", '{ from = "22:00", to = "02:00", days = "sun", rate = "5/s" }'),
        "sun from 22:00 to 02:00 in UTC: 5/s instead of 1/s",
    ),
    "always": (bucket("1/s"), bucket("1/s", ALL_DAY), "each day in UTC: 500/s instead of 1/s"),
    "a burst": (
        bucket("1/s", NIGHT),
        bucket("1/s", NIGHT.replace(" }", ", burst = 7 }")),
        "each day from 02:00 to 04:00 in UTC: burst 7 instead of burst 1",
    ),
    "summer alone": (
        bucket("1/s", f'{{ from = "08:00", to = "09:00", rate = "5/s", timezone = "Europe/London" }}, {NIGHT}'),
        bucket("1/s", f'{{ from = "08:00", to = "09:00", rate = "5/s", timezone = "UTC" }}, {NIGHT}'),
        f"{EARLY.replace('02', '08').replace('03', '09')} (in a part of the year); {LESS} (in a part of the year)",
    ),
}


@pytest.mark.parametrize("name", TIMES)
def test_the_times_are_told_at_which_other_terms_are_in_force(plan_of, name):
    old, new, said = TIMES[name]
    (change,) = plan_of(old, new).changes
    assert (change.field, change.effect, change.message) == ("schedule", "looser", said)
    if name != "summer alone":
        (back,) = plan_of(new, old).changes
        assert (back.field, back.effect) == ("schedule", "stricter")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (bucket("1/s", ALL_DAY), bucket("50/s", ALL_DAY)),
        (bucket("10/s", '{ rate = "5/s" }'), bucket("5/s")),
        (bucket("5/s"), bucket("10/s", '{ rate = "5/s" }')),
    ],
)
def test_a_rate_that_the_schedule_always_replaces_lets_nothing_more_through(plan_of, old, new):
    plan = plan_of(old, new)
    (change,) = plan.changes
    assert (change.field, change.effect) == ("rate", "other")
    assert change.message.endswith("in its place at all times, so this changes nothing")
    assert "worst window" not in change.message
    assert plan.worst == ()


def test_a_rate_that_the_schedule_always_replaces_is_in_force_for_a_partition_that_has_a_burst_alone(plan_of):
    old = user("1/s", "x = { burst = 3 }", schedule=f"[{ALL_DAY}]")
    (change,) = plan_of(old, old.replace("1/s", "50/s")).changes
    assert (change.field, change.effect) == ("rate", "looser")


def test_a_rate_beside_a_schedule_says_where_it_holds(plan_of):
    old = bucket("1/s", NIGHT)
    (change,) = plan_of(old, old.replace("1/s", "2/s")).changes
    said = "the rate is doubled, where the schedule has no other; worst window 3,601 to 7,201 an hour"
    assert (change.field, change.message) == ("rate", said)


def test_a_burst_that_an_entry_inherits_is_told_once(plan_of):
    old = bucket("1/s", NIGHT, burst=5)
    assert [each.field for each in plan_of(old, old.replace("burst = 5", "burst = 50")).changes] == ["burst"]
    new = bucket("1/s", NIGHT.replace(" }", ", burst = 5 }"), burst=50)
    assert [each.field for each in plan_of(old, new).changes] == ["burst"]
    (burst, schedule) = plan_of(new, bucket("1/s", NIGHT, burst=60)).changes
    assert (burst.field, schedule.message) == (
        "burst",
        "each day from 02:00 to 04:00 in UTC: burst 60 instead of burst 5",
    )


def test_a_partition_that_keeps_its_terms_without_its_name(plan_of):
    rate, partition = plan_of(user("10/s", 'x = { rate = "100/s" }'), user("100/s")).changes
    assert (rate.field, rate.effect) == ("rate", "looser")
    assert (partition.action, partition.effect, partition.message) == (
        "remove",
        "other",
        '"x" is no longer named, and the same terms hold for it as before',
    )
    (added,) = plan_of(user("10/s"), user("10/s", 'x = { rate = "10/s" }')).changes
    assert (added.effect, added.message) == ("other", '"x" is now named, and the same terms hold for it as before')


def test_a_partition_beside_a_schedule(plan_of):
    old = user("10/s", schedule=f"[{NIGHT}]")
    (change,) = plan_of(old, user("10/s", 'x = { rate = "10/s" }', schedule=f"[{NIGHT}]")).changes
    assert (change.effect, change.message) == ("looser", '"x" has terms of its own: 10/s instead of 5/s, by the time')


def test_the_most_that_may_start_is_of_the_highest_terms(plan_of):
    plan = plan_of(bucket("1/s", NIGHT), bucket("1/s", NIGHT.replace("5/s", "500/s")))
    two_hours, rest = 7200, 86400 - 7200
    assert plan.worst == (
        Worst(
            "a",
            (6, 301, 18_001, two_hours * 5 + rest + 1, None),
            (501, 30_001, 1_800_001, two_hours * 500 + rest + 1, None),
            (Highest("schedule", "5/s, burst 1", "500/s, burst 1"),),
        ),
    )


def test_a_longer_entry_counts_in_a_day(plan_of):
    (worst,) = plan_of(bucket("1/s", NIGHT), bucket("1/s", NIGHT.replace("04", "05"))).worst
    assert worst.before[:3] == worst.after[:3]
    assert worst.after[3] - worst.before[3] == 3600 * 4


def test_the_stretch_with_the_most_may_begin_or_end_with_an_entry(plan_of):
    high = '{ from = "02:00", to = "02:30", rate = "500/s" }'
    for entry in ('{ from = "02:30", to = "20:00", rate = "3/s" }', '{ from = "01:00", to = "02:00", rate = "3/s" }'):
        (worst,) = plan_of(bucket("1/s"), bucket("1/s", f"{high}, {entry}")).worst
        assert worst.after[2] == 1800 * 500 + 1800 * 3 + 1


def test_a_partition_counts_for_the_most_that_may_start(plan_of):
    (worst,) = plan_of(user("1/s"), user("1/s", 'x = { rate = "5/s", burst = 9 }')).worst
    assert (worst.before[0], worst.after[0]) == (2, 14)
    assert worst.highest == (Highest("partitions", None, "5/s, burst 9"),)


def test_a_partition_and_a_schedule_count_for_what_runs_at_once(plan_of):
    slots = f'[limits.a]\nstrategy = "concurrency"\nmax_running = 2\nkey = "u"\n{USED}'
    for more in ("schedule = [{ max_running = 7 }]\n", "partitions = { x = { max_running = 7 } }\n"):
        (worst,) = plan_of(slots, slots.replace("key", f"{more}key")).worst
        assert (worst.before[-1], worst.after[-1]) == (2, 7)


ENTRY = st.builds(
    Scheduled,
    begin=st.sampled_from([0, 60, 90, 1380]),
    end=st.sampled_from([60, 90, 720, 1440]),
    days=st.frozensets(st.integers(0, 6), min_size=1),
    timezone=st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York"]),
    terms=st.builds(ShareTerms, burst=st.integers(1, 1000)),
)


@settings(max_examples=60, deadline=None)
@given(
    schedule=st.lists(ENTRY, min_size=1, max_size=4).map(tuple), minute=st.integers(0, 7 * 1440 - 1), july=st.booleans()
)
def test_a_week_has_in_each_minute_what_workers_hold_to(schedule, minute, july):
    found = weeks(schedule)
    zone = zoneinfo.ZoneInfo(found[0].zone)
    monday = dt.datetime(2035, 7 if july else 1, 2 if july else 8, tzinfo=zone)
    assert monday.weekday() == 0
    moment = monday + dt.timedelta(minutes=minute)
    entry = holding(schedule, moment.timestamp()).entry
    said = [next(span.held for span in week.spans if span.begin <= minute < span.end) for week in found]
    assert ((entry and entry.terms),) in said
    if len(found) == 1:
        assert found[0].spans[0].begin == 0
        assert found[0].spans[-1].end == 7 * 1440


def test_clocks_are_the_same_if_they_are_so_all_year():
    assert same_clock("UTC", "Etc/UTC")
    assert same_clock("Europe/Berlin", "Europe/Paris")
    assert not same_clock("UTC", "Europe/London")
