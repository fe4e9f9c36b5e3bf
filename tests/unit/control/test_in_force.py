"""What is in force: which of several terms win, for a limit and for its partitions, by the store's clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.given_clock import GivenClock

from limitkit.buckets.decision import Bucket, Slots, Window
from limitkit.buckets.named_partition import named
from limitkit.buckets.override import Override, Target
from limitkit.buckets.partition import Partition, canonical
from limitkit.config.declared import Key, Limit, Part, Scheduled, ShareTerms
from limitkit.config.model.units import parse_rate
from limitkit.control.declarations import (
    Numbers,
    declarations_text,
    declared_of,
    read_declarations,
    strictest,
)
from limitkit.control.in_force import InForce
from limitkit.control.make_bucket import bucket_of, late_us

NOW = 1_800_000_000.0 - 1_800_000_000 % 86400
"""Midnight, UTC."""
DAYS = frozenset(range(7))
ACME = Partition(canonical("acme"))
OTHER = Partition(canonical("other"))
TENANT = Target("limits", "tenant")


def limit(strategy="per_user", rate="5/s", burst=1, **said):
    told = {"own": False, "key": Key((Part(("tenant",)),)), "mode": "enforce", "path": "f.toml", "line": 1} | said
    declared = parse_rate(rate) if rate else None
    return Limit("tenant", strategy=strategy, rate=declared, burst=burst, **told)


def terms(rate=None, **said):
    return ShareTerms(parse_rate(rate) if rate else None, **said)


def entry(begin, end, its_terms):
    return Scheduled(begin * 60, end * 60, DAYS, "UTC", its_terms)


def override(kind="rate", rate=None, partition="", **said):
    target = Target("limits", "tenant", named(partition).digest if partition else "")
    return Override(target=target, kind=kind, rate=parse_rate(rate) if rate else None, **said)


@pytest.fixture
def in_force():
    """The clock stands still until it is set; ``set_clock`` does it. The store's is ahead of it."""
    clock = GivenClock()
    found = InForce(clock)
    assert found.now == clock.time()
    found.clock(NOW)

    def set_clock(seconds):
        clock.now = 1000.0 + seconds

    found.set_clock = set_clock
    return found


def held(in_force, of, partition=None):
    found = in_force.terms(of, "", partition)
    return found.interval_us, found.burst, found.source


NIGHT = entry(22, 6, terms("20/s", burst=7))
EVERYTHING = limit(partitions={"acme": terms("50/s", burst=50)}, schedule=(NIGHT,))


def test_the_strongest_holds_and_each_gives_way_to_the_next(in_force):
    posted = [
        override("pause", partition="acme"),
        override("pause"),
        override(rate="40/s", partition="acme"),
        override(rate="2/s"),
    ]
    seen = []
    for left in range(5):
        in_force.use(posted[left:], NOW)
        seen.append((held(in_force, EVERYTHING, ACME), held(in_force, EVERYTHING, OTHER)))
    assert [(acme[2], other[2]) for acme, other in seen] == [
        ("pause", "pause"),
        ("pause", "pause"),
        ("override", "override"),
        ("override", "override"),
        ("partition", "schedule"),
    ]
    assert seen[2] == ((25_000, 50, "override"), (500_000, 1, "override")), "a partition's own burst stays with it"
    assert seen[3][0] == (500_000, 1, "override")
    assert seen[4] == ((20_000, 50, "partition"), (50_000, 7, "schedule"))
    in_force.use(posted[:1], NOW)
    assert [held(in_force, EVERYTHING, each)[1:] for each in (ACME, OTHER)] == [(0, "pause"), (7, "schedule")]


@pytest.mark.parametrize("said", ["42", "0123456789abcdef0123456789abcdef"])
def test_a_partition_is_meant_by_its_name_its_number_or_its_digest(in_force, said):
    in_force.use([Override(target=Target("limits", "tenant", named(said).digest), kind="pause")], NOW)
    assert held(in_force, limit(), Partition(canonical(said)))[2] == "pause"
    assert held(in_force, limit(), OTHER)[2] == held(in_force, limit())[2] == "file"
    number = limit(partitions={"42": terms("9/s")})
    assert in_force.terms(number, "", Partition(canonical(42))).source == ("pause" if said == "42" else "partition")
    in_force.use([Override(target=Target("limits", "tenant", "0123456789abcdef0123456789abcdef"), kind="pause")], NOW)
    by_name = Partition(canonical("0123456789abcdef0123456789abcdef"))
    assert (
        held(in_force, limit(), by_name)[2] == held(in_force, limit(), "0123456789abcdef0123456789abcdef")[2] == "pause"
    )


def test_a_schedule_turns_at_its_minute_by_the_store_s_clock(in_force):
    of = limit(schedule=(NIGHT,))
    in_force.use((), NOW)
    assert in_force.terms(of, "").until == NOW + 6 * 3600
    for seconds, turned, source in [
        (6 * 3600 - 1, False, "schedule"),
        (6 * 3600, True, "file"),
        (22 * 3600 - 1, False, "file"),
        (22 * 3600, True, "schedule"),
        (21 * 3600, True, "file"),  # the clock was set back
    ]:
        in_force.set_clock(seconds)
        assert in_force.turned() is turned, seconds
        assert in_force.terms(of, "").source == source, seconds
    in_force.set_clock(22 * 3600)
    assert in_force.end(), "who looks at the overrides sees it, too"
    in_force.terms(of, "")
    in_force.set_clock(6 * 3600 + 86_400)
    assert in_force.terms(of, "").source == "file", "asked before anybody has looked"
    assert in_force.turned()
    assert not in_force.turned()


def test_an_override_wins_over_a_schedule_and_says_when_it_ends(in_force):
    of = limit(schedule=(NIGHT,))
    in_force.use([override(rate="1/s", until=NOW + 60)], NOW)
    assert held(in_force, of) == (1_000_000, 1, "override")
    assert in_force.terms(of, "").until == NOW + 60
    in_force.set_clock(60)
    assert in_force.end()
    assert held(in_force, of) == (50_000, 7, "schedule")


REPORTS = limit("concurrency", None, max_running=3, key=None, schedule=(entry(0, 6, terms(max_running=9)),))
DAILY = limit("window", "100/5s", key=None)


def test_each_kind_has_its_numbers(in_force):
    in_force.use((), NOW)
    reports = bucket_of("k", REPORTS, in_force.terms(REPORTS, ""))
    assert reports == Slots("k", 111_111, 9, lease_us=15_000_000)
    daily = bucket_of("k", DAILY, in_force.terms(DAILY, ""))
    assert daily == Window("k", 50_000, 100, period_us=5_050_000, exact=True, late_us=50_000)
    in_force.use([override(rate="300/1m"), override(max_running=2)], NOW)
    in_force.use([override(rate="300/m")], NOW)
    daily = bucket_of("k", DAILY, in_force.terms(DAILY, ""))
    assert daily == Window("k", 200_000, 300, period_us=60_500_000, exact=True, late_us=500_000), (
        "its declared number is exact"
    )
    assert held(in_force, REPORTS)[2] == "schedule", "a rate is none of its"
    in_force.use([override(max_running=2)], NOW)
    assert held(in_force, REPORTS) == (500_000, 2, "override")
    assert held(in_force, DAILY)[2] == "file"
    in_force.use([override("pause")], NOW)
    assert isinstance(bucket_of("k", DAILY, in_force.terms(DAILY, "")), Window)
    assert type(bucket_of("k", limit(), in_force.terms(limit(), ""))) is Bucket


LATE = [(100_000, 2_000), (1_000_000, 20_000), (5_000_000, 50_000), (86_400_000_000, 500_000)]


@pytest.mark.parametrize(("period", "late"), LATE)
def test_a_window_allows_for_a_late_start(period, late):
    assert late_us(period) == late


def test_of_two_files_the_stricter_holds_at_every_hour_for_every_partition(in_force):
    in_force.use((), NOW)
    other = limit(burst=3, partitions={"acme": terms("30/s", burst=80)}, schedule=(entry(4, 8, terms("1/s")),))
    theirs = {TENANT: declared_of(other)}
    assert read_declarations(declarations_text(theirs)) == theirs
    assert in_force.others([theirs])
    assert held(in_force, EVERYTHING, ACME) == (33_334, 50, "stricter file")
    assert held(in_force, EVERYTHING, OTHER) == (200_000, 3, "stricter file"), "their own rate, while it is night here"
    in_force.set_clock(5 * 3600)
    assert held(in_force, EVERYTHING, OTHER) == (1_000_000, 3, "stricter file")
    in_force.set_clock(12 * 3600)
    assert held(in_force, EVERYTHING, OTHER) == (200_000, 1, "file")
    assert held(in_force, limit("token_bucket"), OTHER)[2] == "file", "limits of another kind can't be compared"
    less = limit(partitions={"acme": terms("1/s")})
    in_force.others([{TENANT: declared_of(less)}])
    assert held(in_force, limit(), ACME) == (1_000_000, 1, "stricter file"), "which this file does not name"
    assert in_force.partitions_apart(limit(), "") == {ACME.digest: ""}


def test_what_an_older_version_declares_is_read():
    text = '[["limits", "tenant", 200000, 5, "per_user tenant"]]'
    (declared,) = read_declarations(text).values()
    assert (declared.own, declared.schedule, declared.partitions) == (Numbers(200_000, 5), (), {})


@given(st.lists(st.tuples(st.integers(1, 500), st.integers(1, 500)), min_size=2, max_size=4))
def test_the_strictest_of_windows_keeps_each(windows):
    each = [Numbers(-(-period * 1000 // number), number, period * 1000) for number, period in windows]
    found = strictest("window", each)
    assert all(found.most <= one.most and found.period_us >= one.period_us for one in each)
    assert found.interval_us >= max(one.interval_us for one in each)


def test_weights_that_were_set_go_by_their_values(in_force):
    target = Target("limits", "tenant", named("A").digest)
    in_force.use([Override(target=target, kind="weight", weight=3.0)], NOW)
    assert in_force.weights(limit(), "")[named("A").digest] == 3.0
    assert not in_force.apart(limit(), ""), "a weight gives no partition other terms"
    assert held(in_force, limit(), Partition(canonical("A")))[2] == "file"
