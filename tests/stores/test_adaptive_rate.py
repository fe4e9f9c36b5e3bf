"""What every store must do with refusals: the sums of ``buckets.adaptive_rate``, in each store."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.sizes import examples

from limitkit.buckets import token_bucket as sums
from limitkit.buckets.decision import Bucket, GiveBack, Refusal, Take
from limitkit.config.declared import Feedback
from limitkit.stores.memory import MemoryStore
from limitkit.stores.take_script import adapted_key

SECOND = 1_000_000
STORES = ["memory", "redis", "sentinel", "cluster"]
_numbers = itertools.count()


def adaptive(interval_us=100_000, burst=1, **feedback):
    """A bucket with feedback that nobody has asked for yet."""
    told = Feedback("api", ("a.B",), **feedback)
    return Bucket(f"limitkit:{{feedback}}:g1:{next(_numbers)}", interval_us, burst, feedback=told)


def one(store, now, *args, **kwargs):
    return store.take([Take(*args, **kwargs)], now_us=now)[0]


def refuse(store, now, bucket, retry_after=None, age=0.0):
    return store.back_off(Refusal(bucket, age, retry_after), now_us=now)


def seconds(*microseconds):
    return tuple(each / SECOND for each in microseconds)


# -- the same sums ------------------------------------------------------------------------------------------------


@st.composite
def worlds(draw):
    """Buckets of which some have feedback, and calls in which they are taken from and refused."""
    every = draw(st.sampled_from([10, 1000, 142_858, SECOND, 3600 * SECOND]))
    rates = st.none() | st.floats(1e-9, 1e6)
    told = st.builds(
        Feedback,
        st.just("api"),
        st.just(("a.B",)),
        st.sampled_from(["slow", "slow", "pause"]),
        st.sampled_from([0.9, 0.5]) | st.floats(0.001, 0.999),
        rates,
        rates,
        rates,
    )
    made = []
    for _ in range(draw(st.integers(1, 3))):
        plain = adaptive(draw(st.integers(max(10, every // 2), every)), draw(st.integers(1, 3) | st.integers(1, 200)))
        made.append(replace(plain, feedback=draw(st.none() | told)))
    gap = st.just(0) | st.integers(0, 5 * every) | st.integers(0, 40 * SECOND) | st.integers(0, 7200 * SECOND)
    ahead = st.just(0.0) | st.integers(0, SECOND).map(lambda us: us / SECOND)
    groups = st.lists(st.sampled_from(made), min_size=1, max_size=3, unique=True).map(tuple)
    asks = st.builds(Take, groups, st.integers(0, 5), st.integers(0, 5), ahead)
    some = [each for each in made if each.feedback] or [adaptive()]
    ages = st.just(0) | st.integers(0, 5 * SECOND)
    said = st.none() | st.integers(0, 3600 * SECOND).map(lambda us: us / SECOND)
    refusals = st.builds(Refusal, st.sampled_from(some), ages.map(lambda us: us / SECOND), said)
    call = st.tuples(gap, refusals | st.lists(asks, max_size=3))
    return draw(st.lists(call, min_size=1, max_size=15))


@pytest.mark.parametrize("name", STORES)
@settings(max_examples=examples(100), deadline=None)
@given(calls=worlds())
def test_any_row_of_takes_and_refusals_gets_the_same_everywhere(name, request, calls):
    store, at = request.getfixturevalue("store_named")(name), request.getfixturevalue("now")
    admin = request.getfixturevalue({"sentinel": "sentinel_admin", "cluster": "cluster_admin"}.get(name, "admin"))
    state, adapted = {}, {}
    for gap, call in calls:
        at += gap
        if isinstance(call, Refusal):
            changed, pause, interval = sums.back_off(state, adapted, call, at)
            got = store.back_off(call, now_us=at)
            assert (got.changed, got.pause, got.interval_us) == (changed, pause / SECOND, interval)
            asked = {bucket.key: None for bucket in (call.bucket, adaptive())}
            assert store.adapted([*asked]) == [adapted.get(key) for key in asked]
        else:
            wanted = [(*sums.take(state, ask, at, adapted), sums.intervals(ask, at, adapted)) for ask in call]
            found = store.take(call, now_us=at)
            assert [(seconds(*slots), seconds(*waits), marks, paces) for slots, waits, marks, paces in wanted] == [
                (each.slots, each.waits, each.marks, each.intervals) for each in found
            ]
        for key in [*state, *(adapted_key(key) for key in adapted)] if name != "memory" else ():
            admin.persist(key)  # keys fade in real time, which has nothing to do with the time of the decisions
    for key in [*state, *(adapted_key(key) for key in adapted)] if name != "memory" else ():
        admin.delete(key)


# -- what a refusal means -----------------------------------------------------------------------------------------


def test_a_refusal_slows_the_bucket_down_for_all_who_ask(store, now):
    api = adaptive(100_000)
    one(store, now, (api,))
    told = refuse(store, now + 1000, api, age=0.001)
    assert (told.changed, told.pause, told.interval_us) == (True, 0.0, 111_112)
    decision = one(store, now + 100_000, (api,), 3, 1, 1.0)
    assert decision.intervals == (111_112,)
    assert decision.slots == seconds(0, 111_112, 222_224)
    assert one(store, now + SECOND, (api,), 0).intervals == (111_112,)


def test_for_as_long_as_the_other_side_says_nothing_starts(store, now):
    api, other = adaptive(100_000, 5), adaptive(100_000, 5)
    assert refuse(store, now, api, 30.0).pause == 30.0
    paused = one(store, now + SECOND, (other, api), 5, 5, 1.0)
    assert paused.slots == ()
    assert paused.waits == (0.0, 29.0)
    assert one(store, now + SECOND, (other,)).slots == (0.0,), "it has nothing to do with that"
    assert one(store, now + 30 * SECOND - 1, (api,)).retry_after == seconds(1)[0]
    assert one(store, now + 30 * SECOND, (api,), 5, 5).slots == (0.0,), "it has not been filling up meanwhile"


def test_what_was_reserved_before_its_end_begins_there(store, now):
    api = adaptive(100_000)
    refuse(store, now, api, 10.0)
    slots = one(store, now + 9_900_000, (api,), 3, 0, 0.5).slots
    assert slots == seconds(100_000, 211_112, 322_224)


def test_what_was_under_way_does_not_cut_the_rate_again(store, now):
    api = adaptive(100_000)
    first = refuse(store, now, api)
    for later, age in ((10_000, 0.02), (900_000, 0.0), (5 * SECOND, 4.5)):
        again = refuse(store, now + later, api, age=age)
        assert not again.changed
        assert again.interval_us <= first.interval_us
    assert refuse(store, now + 5_100_000, api, age=0.1).changed


def test_but_it_may_lengthen_a_pause(store, now):
    api = adaptive(100_000)
    refuse(store, now, api, 2.0)
    assert not refuse(store, now + 20_000, api, 2.0, age=0.1).changed, "nobody wants to hear of a moment more"
    longer = refuse(store, now + 30_000, api, 60.0, age=0.1)
    assert longer.changed
    assert longer.pause == 60.0
    shorter = refuse(store, now + 30_000, api, 1.0, age=0.1)
    assert (shorter.changed, shorter.pause) == (False, 60.0)


def test_a_slowed_bucket_holds_fewer_tokens_and_begins_without_any(store, now):
    api = adaptive(100_000, 10, factor=0.5)
    refuse(store, now, api)
    assert one(store, now, (api,), 0).waits == (0.0,)
    assert one(store, now, (api,), 10, 10).slots == (0.0,)
    assert one(store, now + SECOND, (api,), 10, 10).slots == (0.0,) * 5
    assert one(store, now + SECOND, (api,)).waits == (0.2,)


def test_a_give_back_of_slots_at_a_slower_rate(store, now):
    api = adaptive(100_000)
    refuse(store, now, api)
    first = one(store, now, (api,))
    second = one(store, now, (api,), 1, 0, 1.0)
    slow = replace(api, interval_us=second.intervals[0])
    store.take([], [GiveBack(slow, second.marks[0])], now_us=now)
    assert one(store, now, (api,), 0).marks == first.marks


def test_a_pause_alone_leaves_the_rate_as_it_is_and_doubles_while_it_is_in_vain(store, now):
    api = adaptive(100_000, action="pause")
    pauses, at = [], now
    for _ in range(8):
        told = refuse(store, at, api)
        assert told.interval_us == 100_000
        pauses.append(told.pause)
        at += round(told.pause * SECOND) + 10_000
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert refuse(store, at + 10 * SECOND, api).pause == 1.0


def test_who_resets_a_bucket_has_it_forget_what_it_was_taught(store, now):
    api, other = adaptive(100_000), adaptive(100_000)
    for each in (api, other):
        refuse(store, now, each, 60.0)
    assert store.refill(api.key, partitions=False) == 1, "who is paused was not full, though nothing was taken"
    assert one(store, now, (api,)).slots == (0.0,)
    assert one(store, now, (api,), 0).intervals == (100_000,)
    assert one(store, now, (other,)).slots == ()
    assert store.refill(other.key.rpartition(":")[0], partitions=True) >= 1
    assert one(store, now, (other,)).slots == (0.0,)


@pytest.mark.parametrize("action", ["slow", "pause"])
def test_a_pause_of_weeks_lasts_until_its_end(store, now, action):
    api, longest = adaptive(100_000, max_pause=31 * 86_400.0, action=action), 31 * 86_400
    assert refuse(store, now, api, float(longest)).pause == longest
    for later in (1, 3601, longest - 1):
        assert one(store, now + later * SECOND, (api,)).slots == ()
        assert one(store, now + later * SECOND, (api,), 0).retry_after == longest - later
    assert one(store, now + longest * SECOND, (api,)).slots == (0.0,)


# -- Redis itself -------------------------------------------------------------------------------------------------


def test_keys_fade_when_the_rate_is_back_and_an_hour_has_passed(redis_store, admin, now):
    api, short = adaptive(100_000), adaptive(100_000, action="pause")
    refuse(redis_store, now, api, 5.0)
    refuse(redis_store, now, short, 5.0)
    for bucket, most in ((api, 3700), (short, 3610)):
        assert 3600 < admin.pttl(adapted_key(bucket.key)) / 1000 <= most
        assert admin.pttl(bucket.key) == -2, "a refusal takes no token"


def test_a_key_is_in_its_buckets_slot_and_not_longer():
    assert adapted_key("p:{tenant}:g1:0123") == "p:{tenant}:f1:0123"


def test_a_memory_store_forgets_too():
    store, api = MemoryStore(), adaptive(100_000)
    refuse(store, 0, api)
    store._until_sweep = 0
    one(store, 3600 * SECOND, (api,))
    assert store._adapted
    store._until_sweep = 0
    one(store, 3700 * SECOND, (api,))
    assert not store._adapted
    assert not store._kept
