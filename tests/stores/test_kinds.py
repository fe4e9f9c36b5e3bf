"""What every store must do with limits of all kinds: the sums of ``buckets.group``, in each store alike."""

from __future__ import annotations

import itertools
import re
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.sizes import examples

from limitkit.buckets.decision import Bucket, GiveBack, Lease, Once, Refusal, Settlement, Slots, Take, Window
from limitkit.config.declared import Feedback, Resets
from limitkit.stores.memory import MemoryStore
from limitkit.stores.redis import RedisStore
from limitkit.stores.server_clock import ServerClock
from limitkit.stores.take_script import SCRIPTS

SECOND = 1_000_000
NOW = 1_764_000_000_123_457
CLOCK = Resets("clock", "clock", period_us=5 * SECOND)
MIDNIGHT = Resets("00:00 UTC", "d")
FADING = SCRIPTS["take"]
STORES = ["redis", "cluster"]
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
@settings(max_examples=examples(50), deadline=None)
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


def test_a_bucket_that_was_metered_before_plain_starts_gives_back_all_of_them(store):
    plain = Bucket(f"limitkit:{{kinds}}:g1:{next(_numbers)}", SECOND, 5)
    costly = one(store, NOW, plain, count=1, costs=(2,))
    cheap = one(store, NOW, plain, count=1)
    store.take([], [GiveBack(plain, cheap.marks[0], 1)], now_us=NOW)
    store.take([], [GiveBack(plain, costly.marks[0], 1)], now_us=NOW)
    assert one(store, NOW, plain, count=0).marks == (NOW + SECOND,)


@st.composite
def lines(draw):
    """What workers ask of one metered bucket and others, one shortly after another, so that they wait in line."""
    number, told = next(_numbers), draw(TOLD)
    buckets = [metered(number, draw(st.sampled_from([50_000, 170_001])), burst, feedback=told) for burst in (0, 10, 6)]
    others = [metered(f"{number}o", 90_000, 5), slots(number), window(number, 3, 2 * SECOND)]
    costs = st.sampled_from(draw(st.sampled_from([[1, 4, 9], [3, 5, 50], range(1, 13)])))
    group = st.builds(
        lambda mine, cost, others, costs, count, member: Take(
            (mine, *others), count, costs=(cost, *costs[: len(others)]), member=member
        ),
        st.sampled_from([buckets[draw(st.integers(1, 2))]] * 8 + buckets), costs,
        st.just(()) | st.just(()) | st.lists(st.sampled_from(others), max_size=2, unique=True).map(tuple),
        st.tuples(st.just(1), st.just(1)), st.sampled_from([1, 1, 1, 1, 0]), st.sampled_from("abcd"),
    )  # fmt: skip
    gap = st.sampled_from(
        [0, 0, 10_000, 50_000, 170_001, 500_000, 999_999, SECOND, 2 * SECOND - 1, 2 * SECOND, -300_000]
    )
    after = st.none() | st.none() | st.tuples(st.integers(-5, 20), st.booleans())
    emptied = (0, Take((buckets[1],), costs=(10,)), None)
    return [emptied, *draw(st.lists(st.tuples(gap, group, after), min_size=3, max_size=25))]


@pytest.mark.parametrize("name", STORES)
@settings(max_examples=examples(50), deadline=None)
@given(calls=lines())
def test_those_who_wait_for_tokens_have_the_same_claims_in_every_store(name, store_named, request, calls):
    store, exact, at = store_named(name), MemoryStore(), NOW
    for gap, ask, after in calls:
        at += gap
        (got,) = store.take([ask], now_us=at)
        assert [got] == exact.take([ask], now_us=at)
        if after is not None:
            more, gives_back = after
            corrected = [Settlement(ask.buckets[0], 10, 10 + more)]
            gifts = [GiveBack(ask.buckets[0], got.marks[0], ask.costs[0])] if gives_back else []
            for each in (store, exact):
                each.settle(corrected, now_us=at)
                each.take([], gifts, now_us=at)
    admin = request.getfixturevalue("cluster_admin" if name == "cluster" else "admin")
    for key in admin.scan_iter("limitkit:{kinds}:*"):
        admin.delete(key)


# -- what a call means --------------------------------------------------------------------------------------------


def fresh(make, *args, **more):
    return make(f"own{next(_numbers)}", *args, **more)


@pytest.fixture
def clock(now):
    return now


def test_a_group_of_all_kinds_takes_all_or_nothing(store, clock):
    kinds = [fresh(metered), fresh(window), fresh(window, exact=False), fresh(calendar), fresh(slots, 1)]
    plain = Bucket(fresh(metered).key, SECOND, 3)
    first = one(store, clock, plain, *kinds, costs=(1, 4, 2, 2, 2, 1), member="a")
    assert (first.slots, first.waits[-1]) == ((0.0,), 1.0)
    for _ in range(2):
        refused = one(store, clock, plain, *kinds, costs=(1, 4, 2, 2, 2, 1), member="b")
        assert (refused.slots, refused.marks[-1]) == ((), 1)
        assert refused.marks[2:5] == (2, 2, 2), "nothing was counted"
        assert refused.waits[:2] == (0.0, 0.0)
    store.take([], [GiveBack(kinds[-1], 0, member="a")], now_us=clock)
    assert one(store, clock, plain, *kinds, costs=(1, 4, 2, 2, 2, 1), member="b").slots == (0.0,)


def test_a_group_on_several_slots_gives_all_kinds_back(cluster_store, now):
    tagged = [
        replace(bucket, key=bucket.key.replace("{kinds}", f"{{kinds {index}}}"))
        for index, bucket in enumerate((fresh(metered), fresh(window), fresh(window, exact=False), fresh(calendar)))
    ]
    full = replace(fresh(slots, 1), key=f"limitkit:{{full {next(_numbers)}}}:r1", interval_us=1)
    free = replace(fresh(slots, 1), key=f"limitkit:{{free {next(_numbers)}}}:r1", interval_us=10 * SECOND)
    before = [one(cluster_store, now, bucket, count=0) for bucket in tagged]
    assert one(cluster_store, now, full, member="other").slots == (0.0,)
    refused = one(cluster_store, now, free, *tagged, full, costs=(1, 2, 2, 2, 2, 1), member="mine")
    assert (refused.slots, refused.waits[-1], refused.marks[-1]) == ((), 1.0, 1)
    assert [one(cluster_store, now, bucket, count=0) for bucket in tagged] == before
    assert cluster_store.running([free, full], now_us=now) == [[], [("other", 3.0)]]
    cluster_store.take([], [GiveBack(full, 0, member="other")], now_us=now)
    taken = one(cluster_store, now, free, *tagged, full, costs=(1, 2, 2, 2, 2, 1), member="mine")
    assert taken.slots == (0.0,)
    cluster_store.settle([Settlement(tagged[1], 2, 3, taken.marks[2]), Settlement(tagged[0], 2, 9)], now_us=now)
    assert one(cluster_store, now, tagged[1], count=0).marks == (3,)
    assert one(cluster_store, now, tagged[0], costs=(2,), count=0).waits == (0.01,)
    leases = [Lease(free, "mine"), Lease(full, "gone"), Lease(full, "mine")]
    assert cluster_store.renew(leases, now_us=now + SECOND) == [True, False, True]


def test_what_was_removed_is_not_revived(store, clock):
    few = fresh(slots, 1)
    one(store, clock, few, member="a")
    assert store.renew([Lease(few, "a"), Lease(few, "b")], now_us=clock + SECOND) == [True, False]
    assert store.running([few], now_us=clock + 2 * SECOND) == [[("a", 2.0)]]
    assert store.running([few], now_us=clock + 4 * SECOND) == [[]]
    assert one(store, clock + 4 * SECOND, few, member="b").slots == (0.0,)
    assert store.renew([Lease(few, "a")], now_us=clock + 4 * SECOND) == [False]
    assert store.renew([], now_us=clock) == []
    store.settle([], now_us=clock)


def test_what_is_settled_again_under_the_same_name_counts_once(store, clock):
    many, sender = fresh(metered, burst=2000), f"sender{next(_numbers)}"
    one(store, clock, many, costs=(2000,))
    corrected = [Settlement(many, 1, 2)] * 1000  # more than go in one call
    for number in (1, 1, 2, 1, 2):
        store.settle(corrected, Once(sender, number), now_us=clock)
    assert one(store, clock, many, costs=(1,), count=0).waits == (20.01,)
    store.settle(corrected, Once(f"another {sender}", 1), now_us=clock)
    assert one(store, clock, many, costs=(1,), count=0).waits == (30.01,)


def test_who_waits_for_a_slot_is_woken_once_it_is_free(store):
    few, woken, awake = fresh(slots, 1), [], threading.Event()

    def on_wake(key):
        woken.append(key)
        awake.set()

    waiter = f"limitkit:wake:{next(_numbers)}"
    stop = store.listen(waiter, on_wake)
    try:
        assert one(store, None, few, member="a").slots == (0.0,)
        deadline = time.monotonic() + 60
        while not awake.wait(0.05):  # the connection of its own comes a moment later
            assert time.monotonic() < deadline, "never woken"
            assert one(store, None, few, member="b", waiter=waiter).slots == ()
            store.take([], [GiveBack(few, 0, member="a")])
            assert one(store, None, few, member="a").slots == (0.0,)
        assert set(woken) == {few.key}
    finally:
        stop()


def test_a_slot_that_is_taken_in_the_same_call_wakes_nobody(redis_store, admin):
    few, waiter = fresh(slots, 1), f"limitkit:wake:{next(_numbers)}"
    with closing(admin.pubsub(ignore_subscribe_messages=True)) as channel:
        channel.subscribe(waiter)
        channel.get_message(timeout=10.0)
        one(redis_store, None, few, member="a")
        one(redis_store, None, few, member="b", waiter=waiter)
        one(redis_store, None, few, member="b", back=[GiveBack(few, 0, member="a")])
        redis_store.take([], [GiveBack(few, 0, member="b")])
        redis_store.take([], [GiveBack(few, 0, member="b")])
        assert channel.get_message(timeout=10.0)["data"] == few.key.encode()
        assert channel.get_message(timeout=0.0) is None, "woken once, and only when one was free"


def test_a_wake_is_heard_again_after_the_connection_was_lost(redis_store, admin):
    woken, waiter = threading.Event(), f"limitkit:wake:{next(_numbers)}"
    stop = redis_store.listen(waiter, lambda _: woken.set())
    try:
        for _ in range(2):
            deadline = time.monotonic() + 60
            while not woken.wait(0.05):
                assert time.monotonic() < deadline
                admin.publish(waiter, "key")
            admin.client_kill_filter(_type="pubsub")
            woken.clear()
    finally:
        stop()


def test_refill_empties_windows_and_leaves_slots(store, clock):
    kinds = [metered(1, 3600 * SECOND), window(1), window(1, exact=False), calendar(1, resets=MIDNIGHT), slots(1)]
    tag = f"{{refill {next(_numbers)}}}"
    kinds = [replace(each, key=each.key.replace("{kinds}", tag)) for each in kinds]
    one(store, clock, *kinds, costs=(5, 5, 5, 5, 1), member="a")
    assert [store.refill(each.key, partitions=False) for each in kinds] == [1, 1, 1, 1, 0]
    refilled = one(store, clock, *kinds, count=0, member="b")
    assert refilled.marks[1:] == (0, 0, 0, 1)
    one(store, clock, kinds[1], kinds[4], member="c")
    assert store.refill(kinds[1].key.rpartition(":")[0], partitions=True) == 1
    assert store.refill(kinds[4].key.rpartition(":")[0], partitions=True) == 0
    assert one(store, clock, kinds[1], kinds[4], count=0).marks == (0, 2)


def test_a_limit_of_every_kind_can_be_paused_by_the_other_side(store, clock):
    told = Feedback("api", ("a.B",), action="pause")
    for bucket in [fresh(make, feedback=told) for make in (metered, window, calendar, slots)]:
        store.back_off(Refusal(bucket, 0.0, 7.0), now_us=clock)
        assert one(store, clock + SECOND, bucket, member="a")[:2] == ((), (6.0,))
        assert one(store, clock + 7 * SECOND, bucket, member="a").slots == (0.0,)


def test_a_window_that_is_slowed_down_has_a_smaller_number(store, clock):
    told = Feedback("api", ("a.B",), factor=0.5)
    wide = fresh(window, 100, 10 * SECOND, exact=False, feedback=told)
    store.back_off(Refusal(wide, 0.0, None), now_us=clock)
    taken = [one(store, clock, wide) for _ in range(60)]
    assert sum(len(each.slots) for each in taken) == 100_000 * 100 // taken[0].intervals[0] < 60


def test_without_a_time_a_window_resets_by_the_servers_clock(store):
    daily = fresh(calendar, 2, resets=MIDNIGHT)
    assert [one(store, None, daily).slots for _ in range(3)] == [(0.0,), (0.0,), ()]
    assert 0 < one(store, None, daily).waits[0] <= 86_400


@pytest.mark.parametrize("ahead", [-40 * 86_400, -3600, 3600, 40 * 86_400])
def test_a_caller_whose_clock_is_wrong_learns_what_the_servers_says(server, ahead):
    hourly = fresh(calendar, 2, resets=Resets("clock", "clock", period_us=1800 * SECOND))
    other = fresh(slots, 9)
    with closing(RedisStore(server.url, 5.0)) as store:
        store._server_clock = ServerClock(SimpleNamespace(time=lambda: time.time() + ahead))
        both = store.take([Take((other,), member="a"), Take((other, hourly), member="b"), Take((other,), member="c")])
        assert [each.slots for each in both] == [(0.0,)] * 3
        assert store.take([Take((hourly,), count=0)])[0].marks == (1,)
        assert len(store.running([other])[0]) == 3
        calls = store._calls
        store._calls = lambda *asked: counted.append(asked[0]) or calls(*asked)
        counted = []
        assert [one(store, None, hourly).slots for _ in range(2)] == [(0.0,), ()]
        assert counted == ["take"] * 2, "once it knows, it asks once"


def test_a_window_of_many_stays_small_and_fades(server, admin):
    daily = fresh(window, 10_000, 86_400 * SECOND, exact=False)
    short = fresh(window, 200, SECOND)
    with closing(RedisStore(server.url, 5.0)) as store, pytest.MonkeyPatch.context() as patch:
        patch.setitem(SCRIPTS, "take", FADING)
        begin = NOW
        for part in range(62):
            one(store, begin + part * 1440 * SECOND, daily, costs=(163,))
        assert admin.memory_usage(daily.key) <= 1024
        assert 0 < admin.pttl(daily.key) <= 86_400_000 * 61 / 60 + 1000
    with closing(RedisStore(server.url, 5.0)) as store:
        patch = pytest.MonkeyPatch()
        patch.setitem(SCRIPTS, "take", FADING)
        one(store, None, short)
        patch.undo()
        assert 0 < admin.pttl(short.key) <= 2000


def test_a_bucket_that_was_metered_is_read_as_a_plain_one(store, clock):
    debtor = fresh(metered, SECOND, 5)
    plain = Bucket(debtor.key, SECOND, 5)
    one(store, clock, debtor, costs=(5,))
    assert one(store, clock, plain).waits == (1.0,)
    assert one(store, clock + SECOND, plain).slots == (0.0,)
    assert one(store, clock + SECOND, debtor, costs=(5,)).waits == (5.0,)


def test_a_bucket_for_which_somebody_waits_is_read_as_a_plain_one(store, clock):
    debtor = fresh(metered, SECOND, 5)
    one(store, clock, debtor, costs=(5,))
    assert one(store, clock, debtor, costs=(4,)).waits == (4.0,)
    assert one(store, clock, debtor, costs=(1,)).waits == (5.0,)
    plain = Bucket(debtor.key, SECOND, 5)
    assert one(store, clock, plain).waits == (1.0,)
    assert one(store, clock + SECOND, plain).slots == (0.0,)
    assert one(store, clock + 2 * SECOND, debtor, costs=(1,)).slots == (0.0,), "a plain take keeps no claims"


def test_a_bucket_of_before_there_were_claims_is_read(redis_store, admin):
    old = fresh(metered, SECOND, 5)
    admin.set(old.key, f"{NOW + 5 * SECOND} {SECOND} {5 * SECOND}")
    assert one(redis_store, NOW, old, costs=(5,)).waits == (5.0,)
    assert one(redis_store, NOW, old, costs=(2,)).waits == (7.0,)
    assert admin.get(old.key).startswith(f"{NOW + 5 * SECOND} {SECOND} {5 * SECOND} 5 ".encode())


def test_claims_fade(server, admin):
    waited = fresh(metered, 1000, 5)
    with closing(RedisStore(server.url, 5.0)) as store, pytest.MonkeyPatch.context() as patch:
        patch.setitem(SCRIPTS, "take", FADING)
        one(store, None, waited, costs=(500,))
        one(store, None, waited, costs=(5,))
        assert admin.get(waited.key).count(b" ") == 4
        assert 1000 < admin.pttl(waited.key) <= 3000


def test_a_user_needs_only_the_rights_that_the_docs_list(server, admin):
    lines = (Path(__file__).parents[2] / "docs" / "store.md").read_text().split("## What its user may do")[1]
    rights = re.findall(r"ACL SETUSER limitkit on >password (.*)", lines)[0].split()
    for kinds in ("for windows that slide", "for `concurrency`"):
        line = next(each for each in lines.splitlines() if kinds in each)
        rights += [right for some in re.findall("`([+][^`]*)`", line) for right in some.split()]
    woken = re.findall("`([+]publish[^`]*)`", lines)[0].split()
    few, waiter = fresh(slots, 1), f"limitkit:wake:{next(_numbers)}"
    several = [fresh(metered), fresh(window), fresh(window, exact=False), fresh(calendar), few]
    for name, may in (("deaf", rights), ("hears", [*rights, *woken])):
        admin.execute_command("ACL", "SETUSER", name, "reset", "resetchannels", "on", ">pw", *may)
        with closing(RedisStore(server.url.replace("//", f"//{name}:pw@"), 5.0)) as store:
            heard = threading.Event()
            stop = store.listen(waiter, lambda _, heard=heard: heard.set())
            taken = one(store, None, *several, member=name)
            assert taken.slots == (0.0,)
            store.settle([Settlement(each, 1, 2, mark) for each, mark in zip(several[:4], taken.marks, strict=False)])
            store.renew([Lease(few, name)])
            store.running([few])
            deadline = time.monotonic() + 60
            while name == "hears" and not heard.wait(0.05):
                assert time.monotonic() < deadline
                one(store, None, few, member="other", waiter=waiter)
                store.take([], [GiveBack(few, 0, member=name)])
                one(store, None, few, member=name)
            one(store, None, few, member="other", waiter=waiter)
            gifts = map(GiveBack, several[:4], taken.marks)
            store.take([], [*gifts, GiveBack(few, 0, member=name)])
            stop()
        admin.execute_command("ACL", "DELUSER", name)
