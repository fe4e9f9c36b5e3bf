"""How a bucket stands: what is in force, why, and in which time what waits for it starts, against the bucket itself."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.sizes import examples

from limitkit.buckets import token_bucket as sums
from limitkit.buckets.adaptive_rate import seconds_for
from limitkit.buckets.decision import Bucket, Refusal, Take
from limitkit.buckets.override import Override, Target
from limitkit.config.declared import Feedback, Limit
from limitkit.config.model.units import about, parse_rate
from limitkit.control.bucket_state import BucketState, adapted, state_of
from limitkit.control.in_force import InForce, Terms
from limitkit.stores.memory import MemoryStore

SECOND = 1_000_000
NOW = 1_800_000_000.0
NOW_US = round(NOW * SECOND)
FEEDBACK = Feedback("api", ("a.B",))
API = Bucket("b", 100_000, 10, feedback=FEEDBACK)


def limit(**said):
    told = {
        "own": False,
        "rate": parse_rate("10/s"),
        "burst": 10,
        "key": None,
        "mode": "enforce",
        "feedback": FEEDBACK,
    } | said
    return Limit("api", strategy="token_bucket", path="ratelimits.toml", line=1, **told)


def refused(bucket=API, *, said=None, times=1, action="slow", ceiling=None):
    """Return what so many refusals in a row teach, the last one now."""
    bucket = replace(bucket, feedback=replace(bucket.feedback, action=action, ceiling=ceiling))
    known, at = {}, NOW_US - (times - 1) * 5 * SECOND
    for _ in range(times):
        sums.back_off({}, known, Refusal(bucket, 0.0, said), at)
        at += 5 * SECOND
    return known["b"]


def stands(known=None, *, now=NOW, pause=None, **said):
    return BucketState(limit(**said), API, Terms(API.interval_us, API.burst), pause, known, now)


def paused(until=None):
    return Override(target=Target("limits", "api"), kind="pause", by="ann", until=until)


def test_as_declared():
    plain = stands()
    assert (plain.rate, plain.interval, plain.burst, plain.slowed) == ("10/s", 0.1, 10, False)
    assert plain.paused_for == plain.refused_for == 0.0
    assert plain.drained_in(50) == pytest.approx(5.0)
    assert plain.drained_in(50, buckets=2) == pytest.approx(2.5)
    assert plain.drained_in(0) == 0.0


def test_what_the_other_side_has_paused_starts_when_that_is_over():
    known = stands(refused(said=600.0, action="pause"))
    assert known.refused_for == known.paused_for == pytest.approx(600.0)
    assert not known.slowed
    assert known.drained_in(50) == pytest.approx(605.0)
    assert stands(refused(said=600.0, action="pause"), now=NOW + 601).paused_for == 0.0


def test_a_slowed_one_is_as_slow_as_it_is_and_holds_as_many_tokens_less():
    known = stands(refused())
    assert known.slowed
    assert known.rate == "9/s"
    assert known.burst == 8, "a token more would need a moment more than a full bucket's time"
    assert 50 / 10 < known.drained_in(50) < 50 / 9
    assert not stands(refused(), now=NOW + 1000).slowed, "its rate is back"


def test_a_pause_of_the_hand_stands_over_all_else():
    assert stands(pause=paused()).paused_for == inf
    assert stands(pause=paused()).drained_in(5) == inf
    assert stands(pause=paused(NOW + 60)).drained_in(50) == pytest.approx(65.0)
    both = stands(refused(said=600.0, action="pause"), pause=paused(NOW + 60))
    assert both.paused_for == pytest.approx(600.0), "whichever is longer"


def test_a_ceiling_that_was_taught_holds_for_an_hour_and_is_no_slowing_down():
    known = refused(ceiling=9.5)
    assert stands(known).ceiling_until is None, "it is not back there yet"
    later = stands(known, now=NOW + 200)
    assert later.rate == "9.5/s"
    assert later.ceiling_until - NOW > 3600
    assert stands(refused(), now=NOW + 1).ceiling_until is None


@pytest.mark.parametrize("mode", ["off", "shadow"])
def test_a_limit_that_keeps_nobody_is_neither_slowed_nor_paused(mode):
    known = stands(refused(said=600.0), pause=paused(), mode=mode)
    assert not known.keeps
    assert (known.slowed, known.paused_for, known.drained_in(50)) == (False, 0.0, 0.0)


def test_what_is_set_is_what_gives_way():
    in_force = InForce()
    in_force.use([Override(target=Target("limits", "api"), kind="rate", rate=parse_rate("2/s"), burst=4)], NOW)
    assert state_of(in_force, limit(), "").rate == "2/s"
    in_force.use([*in_force.overrides, paused()], NOW)
    both = state_of(in_force, limit(), "")
    assert (both.paused_for, both.bucket.interval_us, both.bucket.burst) == (inf, 500_000, 4)
    in_force.use([paused()], NOW)
    assert state_of(in_force, limit(), "").bucket.interval_us == 100_000


@settings(deadline=None, max_examples=examples(50))
@given(
    count=st.integers(1, 100),
    every=st.sampled_from([10_000, 142_858, SECOND, 60 * SECOND]),
    times=st.integers(1, 6),
    after=st.integers(0, 40),
    shape=st.tuples(*[st.none() | st.floats(0.01, 5)] * 2),
)
def test_what_waits_starts_in_that_time_as_the_bucket_itself_has_it(count, every, times, after, shape):
    feedback = replace(FEEDBACK, step=shape[0], ceiling=shape[1])
    bucket = Bucket("b", every, 1, feedback=feedback)
    known, at = {}, NOW_US
    for _ in range(times):
        sums.back_off({}, known, Refusal(bucket, 0.0), at)
        at += 4 * SECOND
    at += after * SECOND
    told = seconds_for(count, bucket, known["b"], at)
    state = {"b": at + sums.pace(bucket, known, at).interval}
    when = at
    for _ in range(count):
        wait = sums.take(state, Take((bucket,), 0), when, known)[1][0]
        when += wait
        assert len(sums.take(state, Take((bucket,)), when, known)[0]) == 1
    own = every / SECOND
    # The rate is as fast as it was when a token was begun, and no faster until that is there.
    assert (when - at) / SECOND == pytest.approx(told, rel=0.1, abs=3 * max(own, 1 / known["b"].low))


def test_only_what_was_taught_is_returned():
    store = MemoryStore()
    store.back_off(Refusal(API, 0.0), now_us=NOW_US)
    found = adapted(store, ["b", *(f"other{number}" for number in range(1200))])
    assert [*found] == ["b"]
    assert found["b"].plateau > 0
    assert adapted(None, ["b"]) == {}


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        (1_100_000, "0.909/s"),
        (111_112, "9/s"),
        (100, "10000/s"),
        (17_857_143, "3.36/m"),
        (86_400 * SECOND * 30, "0.0333/d"),
    ],
)
def test_a_rate_is_written_in_three_digits(interval, text):
    assert about(interval) == text
