"""What is used of a bucket of each kind, in memory on a clock that is given, and in words."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from limitkit.buckets.decision import Bucket, Slots, Take, Window
from limitkit.cli.why_words import starts_when, waits_for
from limitkit.config.declared import Limit, Resets
from limitkit.config.model.units import parse_rate
from limitkit.control.bucket_state import state_of
from limitkit.control.in_force import InForce
from limitkit.control.status.snapshot import Part
from limitkit.control.usage import Usage, usages
from limitkit.stores.memory import MemoryStore

SECOND = 1_000_000
NOW = 1_800_000_000.0
NOON = Resets("12:00 UTC", "d", 12 * 60)
PLAIN = Bucket("plain", SECOND, 5)
OPENAI = Bucket("openai", SECOND, 20, metered=True)
RECENT = Window("recent", SECOND, 4, period_us=4 * SECOND, exact=True)
DAILY = Window("daily", 5_760_000, 15_000, resets=NOON)
REPORTS = Slots("reports", SECOND, 3)


@pytest.fixture
def store():
    return MemoryStore()


def take(store, bucket, cost=1, *, at=NOW):
    """Take a cost, as often as one at a time if it is a slot."""
    costs = () if isinstance(bucket, Slots) or cost == 1 else (cost,)
    member = f"{at * 1000:.0f}-a" if isinstance(bucket, Slots) else ""
    (decision,) = store.take([Take((bucket,), costs=costs, member=member)], now_us=round(NOW * SECOND))
    assert decision.slots


def test_each_kind_in_the_order_in_which_it_was_asked(store):
    take(store, PLAIN)
    take(store, OPENAI, 3_220)
    take(store, RECENT, 4)
    take(store, DAILY, 12_400)
    for ago in (41, 2, 30):
        take(store, REPORTS, at=NOW - ago)
    found = usages(store, [REPORTS, PLAIN, DAILY, OPENAI, RECENT], NOW)
    assert [each.text() for each in found] == [
        "3 of 3 run",
        "4",
        "12,400 of 15,000 counted, resets in 4h",
        "-3,200, paid in 53m 20s",
        "4 of 4 counted, one more in 4s",
    ]
    assert [each.is_full for each in found] == [True, False, False, True, True]
    assert all(each.is_used for each in found)
    assert found[0].oldest == pytest.approx(41)
    assert found[2].resets_at == NOW + 4 * 3600
    assert found[3].debt == 3_200


def test_nothing_is_used_and_looking_uses_nothing(store):
    buckets = [REPORTS, PLAIN, DAILY, OPENAI, RECENT]
    for _ in range(2):
        found = usages(store, buckets, NOW)
        assert [each.text() for each in found] == [
            "0 of 3 run",
            "5",
            "0 of 15,000 counted, resets in 4h",
            "20",
            "0 of 4 counted",
        ]
        assert not any(each.is_used or each.is_full for each in found)


def test_slots_that_are_reserved_ahead_are_no_debt(store):
    store.take([Take((PLAIN,), 8, 5, horizon=1.0)], now_us=round(NOW * SECOND))
    (found,) = usages(store, [PLAIN], NOW)
    assert (found.tokens, found.debt, found.text()) == (0.0, 0.0, "0")


def test_more_than_one_call_can_look_into(store):
    many = [replace(PLAIN if number % 2 else REPORTS, key=str(number)) for number in range(250)]
    take(store, many[201])
    assert [number for number, each in enumerate(usages(store, many, NOW)) if each.is_used] == [201]


def limit(strategy, rate=None, **said):
    told = {"own": False, "burst": 1, "key": None, "mode": "enforce", "path": "f.toml", "line": 1} | said
    return Limit("api", strategy=strategy, rate=parse_rate(rate) if rate else None, **told)


def state(declared):
    in_force = InForce()
    in_force.clock(NOW)
    return state_of(in_force, declared, "")


@pytest.mark.parametrize(
    ("count", "counted", "seconds"),
    [(5, 0, 0.0), (100, 0, 0.0), (101, 0, 600.0), (5, 95, 0.0), (6, 95, 600.0), (105, 95, 600.0), (106, 95, 87_000.0)],
)
def test_a_window_that_resets_starts_its_number_at_each_reset(count, counted, seconds):
    daily = state(limit("window", "100/d", resets=NOON))
    usage = Usage(100, counted=counted, resets_in=600.0)
    assert daily.drained_in(count, usage=usage) == pytest.approx(seconds)
    assert Part(daily, held=count, usage=usage).drained_in == pytest.approx(seconds)


def test_a_sliding_window_goes_on_at_its_rate():
    recent = state(limit("window", "100/50s"))
    assert recent.drained_in(10, usage=Usage(100, counted=95, more_in=3.0)) == pytest.approx(3.0 + 4 * 0.5)


@pytest.mark.parametrize("declared", [limit("concurrency", max_running=3), limit("token_bucket", "5/s", metered=True)])
def test_nobody_knows_how_long_others_run_or_what_they_cost(declared):
    assert state(declared).drained_in(5) is None
    assert state(declared).drained_in(0) == 0.0


@pytest.mark.parametrize(
    ("declared", "usage", "cost", "said"),
    [
        (limit("concurrency", max_running=3), None, 1, "waits for a slot of X"),
        (
            limit("concurrency", max_running=3),
            Usage(3, running=3, oldest=41.0),
            1,
            "waits for a slot of X: 3 of 3 run, the oldest for 41s",
        ),
        (
            limit("token_bucket", "5/s", metered=True),
            Usage(600, tokens=120.4),
            500,
            "waits for tokens of X: it costs 500, 120 are there",
        ),
        (
            limit("token_bucket", "5/s", metered=True),
            Usage(600, tokens=-15.0, more_in=3.0),
            500,
            "waits for tokens of X: it costs 500, 15 are owed, and paid in 3s",
        ),
        (limit("token_bucket", "5/s", metered=True), None, 500, "waits for tokens of X: it costs 500"),
        (limit("token_bucket", "5/s", metered=True), None, 0, "waits for tokens of X"),
        (limit("token_bucket", "5/s"), Usage(5, tokens=0.0), 1, "waits for X"),
        (
            limit("window", "15000/d", resets=NOON),
            Usage(15_000, counted=15_000, resets_in=14_400.0),
            1,
            "waits for the window of X: 15,000 of 15,000 counted, it resets at 12:00 UTC, in 4h",
        ),
        (
            limit("window", "100/5s"),
            Usage(100, counted=100, more_in=2.0),
            1,
            "waits for the window of X: 100 of 100 counted, one more in 2s",
        ),
    ],
)
def test_what_a_task_waits_for(declared, usage, cost, said):
    assert waits_for("X", state(declared), usage, cost) == said


def test_when_it_starts_where_that_can_be_told():
    slots, daily = state(limit("concurrency", max_running=3)), state(limit("window", "100/d", resets=NOON))
    assert starts_when(slots, None, 1, 0.3) == "starts when a slot is free"
    assert starts_when(slots, None, 2, 0.3) == "starts when a slot is free, after those before it"
    assert starts_when(daily, Usage(100, counted=100, resets_in=14_400.0), 3, 9.0) == "starts in about 4h"
    assert (
        starts_when(daily, Usage(100, counted=4, resets_in=14_400.0), 3, 9.0) == "starts when a process is free for it"
    )
    tokens = state(limit("token_bucket", "5/s", metered=True))
    assert starts_when(tokens, None, 1, 0.3) == "starts when its tokens are there"
    assert inf not in (slots.drained_in(1), daily.drained_in(1))
