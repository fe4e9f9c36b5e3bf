"""What every store must do with limits of all kinds: the sums of ``buckets.group``, in each store alike."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.sizes import examples

from limitkit.buckets.decision import Bucket, GiveBack, Lease, Refusal, Settlement, Slots, Take, Window
from limitkit.config.declared import Feedback, Resets
from limitkit.stores.memory import MemoryStore
from limitkit.stores.take_script import SCRIPTS

SECOND = 1_000_000
NOW = 1_764_000_000_123_457
CLOCK = Resets("clock", "clock", period_us=5 * SECOND)
MIDNIGHT = Resets("00:00 UTC", "d")
STORES = ["redis", "sentinel", "cluster"]
_numbers = itertools.count()


@pytest.fixture(scope="module", autouse=True)
def lasting_keys():
    """Have keys fade an hour later, as time is an argument here."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("take", "settle", "renew"):
            lasting = SCRIPTS[name].replace("/ 1000) + 1000", "/ 1000) + 3600000")
            lasting = lasting.replace("PATIENCE / 1000)", "3600000)")
            assert lasting != SCRIPTS[name]
            patch.setitem(SCRIPTS, name, lasting)
        yield


def metered(number, interval=10_000, burst=10, **more):
    return Bucket(f"limitkit:{{kinds}}:g1:{number}", interval, burst, metered=True, **more)


def window(number, burst=5, period=SECOND, *, exact=True, **more):
    key = f"limitkit:{{kinds}}:{'x' if exact else 'w'}1:{number}"
    return Window(key, max(1, period // max(1, burst)), burst, period_us=period, exact=exact, **more)


def calendar(number, burst=5, resets=CLOCK, **more):
    return Window(f"limitkit:{{kinds}}:c1:{number}", SECOND, burst, resets=resets, **more)


def slots(number, burst=2, lease=3 * SECOND, **more):
    return Slots(f"limitkit:{{kinds}}:r1:{number}", SECOND, burst, lease_us=lease, **more)


def one(store, now, *buckets, back=(), **more):
    return store.take([Take(buckets, **more)], back, now_us=now)[0]


# -- the same sums ------------------------------------------------------------------------------------------------

TOLD = st.none() | st.sampled_from([Feedback("api", ("a.B",)), Feedback("api", ("a.B",), action="pause")])


@st.composite
def several(draw):
    """Limits of any kind, and others in their place, as after a change of what is in force."""
    number, period = next(_numbers), draw(st.sampled_from([60, 6000, SECOND, 5 * SECOND, 3600 * SECOND]))
    burst = st.integers(0, 12) | st.sampled_from([1, 200, 5000])
    interval = st.sampled_from([1, 7, 1000, period // 7 + 1])
    kinds = [
        lambda told: Bucket(f"limitkit:{{kinds}}:g1:p{number}", draw(interval), draw(burst), feedback=told),
        lambda told: metered(number, draw(interval), draw(burst), feedback=told),
        lambda _: replace(metered(number, draw(interval), draw(burst)), metered=draw(st.booleans())),
        lambda told: window(number, draw(burst), draw(st.sampled_from([period, 2 * period])), feedback=told),
        lambda told: window(
            number, draw(burst), draw(st.sampled_from([period, 3 * period])), exact=False, feedback=told
        ),
        lambda told: calendar(
            number, draw(burst), draw(st.sampled_from([CLOCK, MIDNIGHT])), late_us=1000, feedback=told
        ),
        lambda told: slots(number, draw(st.integers(0, 4)), period, feedback=told),
    ]
    makers = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=4))
    told = draw(TOLD)
    return [make(told) for make in makers for _ in range(draw(st.integers(1, 2)))], period


@st.composite
def worlds(draw):
    several_kinds, period = draw(several())
    near = st.sampled_from([period, period // 60 + 1, *(each.interval_us for each in several_kinds)])
    gap = st.just(0) | near.flatmap(lambda us: st.integers(us - 1, us + 1)) | st.integers(0, 3 * period)
    gap |= st.integers(-period // 50, 0)
    groups = st.lists(st.sampled_from(several_kinds), min_size=1, max_size=4, unique_by=lambda each: each.key).map(
        tuple
    )
    cost = st.just(1) | st.integers(1, 15)

    def ask(group):
        costs = st.just(()) | st.tuples(*(st.just(1) if isinstance(each, Slots) else cost for each in group))
        return st.builds(
            Take, st.just(group), st.integers(0, 1), st.integers(0, 1) | st.just(1), st.just(0.0), costs,
            st.sampled_from("abcdef"), st.sampled_from(["", "limitkit:wake:me"]),
        )  # fmt: skip

    calls = st.tuples(
        gap,
        st.lists(groups.flatmap(ask), max_size=3),
        st.lists(st.tuples(st.integers(0, 30), st.integers(1, 5)), max_size=2),
        st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9), st.integers(0, 40)), max_size=2),
        st.booleans(),
    )
    return draw(st.lists(calls, min_size=1, max_size=14))


@pytest.mark.parametrize("name", STORES)
@settings(max_examples=examples(150), deadline=None)
@given(calls=worlds())
def test_any_row_of_calls_gets_the_same_from_every_store(name, store_named, request, calls):
    store, exact, at = store_named(name), MemoryStore(), NOW
    admin = request.getfixturevalue({"sentinel": "sentinel_admin", "cluster": "cluster_admin"}.get(name, "admin"))
    taken = []
    for gap, asks, backs, settled, refused in calls:
        at += gap
        back = []
        for which, count in backs:
            if taken:
                ask, mark, bucket = taken[which % len(taken)]
                back.append(GiveBack(bucket, mark, count, ask.member))
        got = store.take(asks, back, now_us=at)
        assert got == exact.take(asks, back, now_us=at)
        corrected = [
            Settlement(bucket, estimate, cost, mark)
            for which, estimate, cost in settled
            for _, mark, bucket in taken[which % max(1, len(taken)) :][:1]
            if not isinstance(bucket, Slots)
        ]
        store.settle(corrected, now_us=at)
        exact.settle(corrected, now_us=at)
        taken += [
            (ask, mark, bucket)
            for ask, one in zip(asks, got, strict=True)
            for bucket, mark in zip(ask.buckets, one.marks, strict=True)
        ]
        known = list(dict.fromkeys(bucket for ask in asks for bucket in ask.buckets if isinstance(bucket, Slots)))
        leases = [Lease(each, member) for each in known for member in "abc"]
        assert store.renew(leases, now_us=at) == exact.renew(leases, now_us=at)
        for got, wanted in zip(store.running(known, now_us=at), exact.running(known, now_us=at), strict=True):
            assert sorted(got) == sorted(wanted)
        for ask in asks[:1] if refused else ():
            for bucket in ask.buckets:
                if bucket.feedback is not None:
                    refusal = Refusal(bucket, 0.0, None)
                    assert store.back_off(refusal, now_us=at) == exact.back_off(refusal, now_us=at)
    for key in admin.scan_iter("limitkit:{kinds}:*"):
        admin.delete(key)
