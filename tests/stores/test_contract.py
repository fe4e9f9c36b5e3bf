"""What every store must do: one suite for all of them, with time as an argument."""

from __future__ import annotations

import itertools
import os
import socket
import time
from contextlib import closing
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.given_clock import GivenClock
from support.servers import RedisServer, free_port
from support.sizes import examples

from limitkit.buckets import token_bucket as sums
from limitkit.buckets.decision import Bucket, GiveBack, Take
from limitkit.errors import StoreError
from limitkit.stores import memory
from limitkit.stores.circuit_breaker import CircuitBreaker
from limitkit.stores.memory import MemoryStore
from limitkit.stores.redis import RedisStore
from limitkit.stores.take_script import SCRIPTS

SECOND = 1_000_000
FADING = SCRIPTS["take"]
_numbers = itertools.count()


@pytest.fixture(scope="module", autouse=True)
def lasting_keys():
    """Have keys fade an hour later: in most tests time is an argument, and these fade in real time.

    On a machine that stands still between two calls they could be gone by the second.
    """
    with pytest.MonkeyPatch.context() as patch:
        lasting = FADING.replace("/ 1000) + 1000)", "/ 1000) + 3600000)")
        assert lasting != FADING
        patch.setitem(SCRIPTS, "take", lasting)
        yield


@pytest.fixture
def fading_store(server, monkeypatch):
    monkeypatch.setitem(SCRIPTS, "take", FADING)
    with closing(RedisStore(server.url, 5.0)) as store:
        yield store


def bucket(interval_us=1000, burst=1, tag=""):
    """A bucket that nobody has asked for yet; in a cluster those of one tag are on one slot."""
    return Bucket(f"limitkit:test:{tag and f'{{{tag}}}'}{next(_numbers)}", interval_us, burst)


def seconds(*microseconds):
    return tuple(each / SECOND for each in microseconds)


def take(store, now, *takes, back=()):
    return store.take(takes, back, now_us=now)


def one(store, now, *args, back=(), **kwargs):
    return take(store, now, Take(*args, **kwargs), back=back)[0]


# -- the same sums ------------------------------------------------------------------------------------------------


def exactly(bucket_sums):
    """A decision as bucket.py's whole microseconds have it."""
    slots, waits, marks = bucket_sums
    return seconds(*slots), seconds(*waits), marks


@st.composite
def worlds(draw):
    """A few buckets, and calls in which they are taken from and given back to."""
    every = draw(st.sampled_from([10, 1000, 142_858, SECOND, 3600 * SECOND, 366 * 86_400 * SECOND]))
    # A burst of 0 is a paused bucket.
    sizes = st.tuples(st.integers(max(10, every // 2), every), st.integers(0, 4) | st.integers(1, 200))
    tag = draw(st.sampled_from(["", "one slot"]))
    several = [bucket(*size, tag) for size in draw(st.lists(sizes, min_size=1, max_size=3))]
    near = st.sampled_from([each.interval_us for each in several]).flatmap(lambda us: st.integers(us - 1, us + 1))
    gap = st.just(0) | near | st.integers(0, 5 * every)
    groups = st.lists(st.sampled_from(several), min_size=1, max_size=3, unique=True).map(tuple)
    asks = st.builds(
        Take,
        groups,
        st.integers(0, 5),
        st.integers(0, 5),
        st.just(0.0) | (st.integers(0, SECOND) | st.integers(0, 10**12)).map(lambda us: us / SECOND),
    )
    gifts = st.tuples(st.integers(1, 4), st.integers(0, 2), st.integers(1, 3))
    call = st.tuples(gap, st.lists(gifts, max_size=2), st.lists(asks, max_size=3))
    return draw(st.lists(call, min_size=1, max_size=12))


@pytest.mark.parametrize("name", ["memory", "redis", "sentinel", "cluster"])
@settings(max_examples=examples(100), deadline=None)
@given(calls=worlds())
def test_any_row_of_calls_gets_the_decisions_of_the_bucket(name, request, calls):
    store, at = request.getfixturevalue("store_named")(name), request.getfixturevalue("now")
    admin = request.getfixturevalue({"sentinel": "sentinel_admin", "cluster": "cluster_admin"}.get(name, "admin"))
    state, taken = {}, []
    for gap, gifts, asks in calls:
        at += gap
        if name == "cluster":  # a group on several slots reserves nothing ahead
            asks = [  # noqa: PLW2901
                ask if len(ask.buckets) == 1 or "{" in ask.buckets[0].key else replace(ask, horizon=0.0) for ask in asks
            ]
        # The same take may be given back twice, or after others took: then nothing may happen.
        chosen = [taken[-back % len(taken)] for back, _, _ in gifts if taken]
        back = [
            GiveBack(given[which % len(given)][0], given[which % len(given)][1], count)
            for given, (_, which, count) in zip(chosen, gifts, strict=False)
        ]
        for gift in back:
            sums.give_back(state, gift)
        wanted = [exactly(sums.take(state, ask, at)) for ask in asks]
        got = store.take(asks, back, now_us=at)
        assert [(one.slots, one.waits, one.marks) for one in got] == wanted
        taken += [list(zip(ask.buckets, one.marks, strict=True)) for ask, one in zip(asks, got, strict=True)]
    for key in state if name != "memory" else ():
        admin.delete(key)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3000), st.integers(0, 3)), max_size=60))
@settings(max_examples=examples(60), deadline=None)
def test_sweeping_a_memory_store_changes_no_decision(steps):
    swept, state, at = MemoryStore(), {}, 0
    for number, gap, count in steps:
        at += gap
        ask = Take((Bucket(str(number), 1000, 2),), count, count, 0.001)
        swept._until_sweep = 0
        (got,) = swept.take([ask], now_us=at)
        assert (got.slots, got.waits, got.marks) == exactly(sums.take(state, ask, at))
        assert all(tat > at for tat in swept._tats.values())


def test_a_memory_store_forgets_what_is_full_again():
    store = MemoryStore()
    for number in range(3 * memory._SWEEP_EVERY):
        one(store, number, (Bucket(str(number), 10, 1),))
    assert len(store._tats) <= memory._SWEEP_EVERY


def test_the_time_of_a_memory_store_is_this_hosts():
    before = time.monotonic()
    (mark,) = one(MemoryStore(), None, (bucket(1000),)).marks
    assert before * SECOND - 1 <= mark - 1000 <= time.monotonic() * SECOND


# -- what a call means --------------------------------------------------------------------------------------------


def test_takes_until_the_bucket_is_empty_and_says_how_long_to_wait(store, now):
    thin = bucket(7000, 3)
    decision = one(store, now, (thin,), 5, 5)
    assert decision.slots == (0.0, 0.0, 0.0)
    assert decision.waits == seconds(7000)
    assert decision.marks == (now + 21_000,)
    assert decision.retry_after == 0.007
    assert one(store, now + 6999, (thin,)).slots == ()
    assert one(store, now + 6999, (thin,)).waits == seconds(1)
    assert one(store, now + 7000, (thin,)).slots == (0.0,)


def test_groups_of_one_call_see_each_other_in_order(store, now):
    first, second = bucket(), bucket()
    decisions = take(store, now, Take((first,)), Take((first, second)), Take((second,)), Take((first,), 1, 1, 0.001))
    assert [decision.slots for decision in decisions] == [(0.0,), (), (0.0,), (0.001,)]
    assert [decision.waits for decision in decisions] == [seconds(1000), seconds(1000, 0), seconds(1000), seconds(2000)]


def test_a_group_takes_from_all_of_its_buckets_or_from_none(store, now):
    empty, full = bucket(5000), bucket(1000, 2)
    one(store, now, (empty,))
    refused = one(store, now, (full, empty))
    assert refused.slots == ()
    assert refused.waits == seconds(0, 5000)
    assert one(store, now, (full,), 3, 3).slots == (0.0, 0.0)
    both = one(store, now + 5000, (full, empty))
    assert both.slots == (0.0,)
    assert both.marks == (now + 6000, now + 10_000)


def test_a_call_without_takes_decides_nothing(store, now):
    assert take(store, now) == []


def test_give_backs_come_before_the_takes_of_a_call(store, now):
    thin = bucket()
    decision = one(store, now, (thin,))
    assert one(store, now, (thin,)).slots == ()
    assert one(store, now, (thin,), back=[GiveBack(thin, decision.marks[0])]).slots == (0.0,)


@pytest.mark.parametrize(("count", "next_slot"), [(1, 3000), (2, 2000), (3, 1000)])
def test_the_last_slots_go_back_and_come_again(store, now, count, next_slot):
    thin = bucket()
    one(store, now, (thin,))
    mark = one(store, now, (thin,), 3, 0, 1.0).marks[0]
    take(store, now, back=[GiveBack(thin, mark, count)])
    assert one(store, now, (thin,), 1, 0, 1.0).slots == seconds(next_slot)


def test_a_give_back_after_somebody_else_took_changes_nothing(store, now):
    thin = bucket()
    mark = one(store, now, (thin,)).marks[0]
    one(store, now, (thin,), 1, 0, 1.0)
    take(store, now, back=[GiveBack(thin, mark)])
    assert one(store, now, (thin,), 0).marks == (now + 2000,)


def test_the_same_take_goes_back_once(store, now):
    thin = bucket(1000, 5)
    marks = [one(store, now, (thin,)).marks[0] for _ in range(3)]
    for _ in range(2):
        take(store, now, back=[GiveBack(thin, marks[2])])
    assert one(store, now, (thin,), 0).marks == (marks[1],)


def test_a_peek_writes_nothing(store, now):
    thin = bucket(1000, 2)
    assert one(store, now, (thin,), 0).waits == (0.0,)
    mark = one(store, now, (thin,)).marks[0]
    assert one(store, now + 300, (thin,), 0, 5, 1.0) == one(store, now + 300, (thin,), 0)
    assert one(store, now + 300, (thin,), 0).marks == (mark,)
    raised = Bucket(thin.key, 1, 1)
    one(store, now - 5 * SECOND, (raised,), 0)  # sees it cut off, and leaves it as it is
    assert one(store, now, (thin,), 0).marks == (mark,)


def test_a_refused_take_writes_nothing(store, now):
    thin = bucket(3600 * SECOND)
    mark = one(store, now, (thin,)).marks[0]
    assert one(store, now + SECOND, (thin,), 1, 1, 0.5).slots == ()
    assert one(store, now, (thin,), 0).marks == (mark,)


@pytest.mark.parametrize(
    ("ask", "slots"),
    [
        ((4, 4, 0.0), (0, 0)),
        ((4, 1, 0.0), (0,)),
        ((4, 0, 0.0), ()),
        ((4, 0, 1.0), ()),
        ((1, 4, 1.0), (0,)),
        ((4, 4, 0.000999), (0, 0)),
        ((4, 4, 0.001), (0, 0, 1000)),
        ((4, 2, 1.0), (0, 0, 1000, 2000)),
        ((4, 1, 1.0), (0,)),
        ((4, 4, -0.5), (0, 0)),
    ],
)
def test_ready_bounds_what_is_for_now_and_the_horizon_what_is_ahead(store, now, ask, slots):
    assert one(store, now, (bucket(1000, 2),), *ask).slots == seconds(*slots)


def test_a_horizon_is_the_nearest_whole_microsecond(store, now):
    thin = bucket(249)  # 249 / 1e6 * 1e6 is a little less
    one(store, now, (thin,))
    assert one(store, now, (thin,), 1, 0, 249 / SECOND).slots == seconds(249)


def test_ready_counts_in_each_take_by_itself(store, now):
    thin = bucket(1000, 3)
    assert [one.slots for one in take(store, now, *[Take((thin,), 2, 1)] * 2)] == [(0.0,), (0.0,)]


def test_a_raised_rate_is_felt_within_a_second(store, now):
    key = bucket().key
    one(store, now, (Bucket(key, 60 * SECOND, 4),), 4, 4)
    assert one(store, now, (Bucket(key, 20_000, 1),)).waits == (1.02,)
    assert one(store, now + 1_020_000 - 1, (Bucket(key, 20_000, 1),)).waits == seconds(1)


def test_a_clock_set_back_costs_a_second_at_most(store, now):
    thin, other = bucket(1000), bucket(1000)
    one(store, now, (thin,))
    back = now - 30 * SECOND
    assert one(store, back, (thin, other), 0).waits == (1.001, 0.0)
    assert one(store, back + 900_000, (thin, other), 0).waits == (1.001, 0.0), "a peek writes nothing"
    assert one(store, back + 900_000, (thin, other)).waits == (1.001, 0.0)
    assert one(store, back + 1_000_000, (thin, other)).waits == (0.901, 0.0)
    assert one(store, back + 1_901_000, (thin, other)).slots == (0.0,)


def test_all_digits_of_a_mark_survive(store):
    at = 1_799_999_999_999_983
    thin = bucket(7)
    decision = one(store, at, (thin,))
    assert decision.marks == (at + 7,)
    assert one(store, at, (thin,), 0).marks == (at + 7,)
    assert one(store, at, (thin,), back=[GiveBack(thin, at + 7)]).slots == (0.0,)


def test_without_a_time_the_store_has_its_own(store):
    slow = bucket(3600 * SECOND, 2)
    first = one(store, None, (slow,))
    begun = time.monotonic()
    second = one(store, None, (slow,))
    assert first.slots == second.slots == (0.0,)
    assert second.marks[0] == first.marks[0] + slow.interval_us
    third = one(store, None, (slow,))
    assert third.slots == ()
    assert 3600 - 5 - (time.monotonic() - begun) < third.waits[0] < 3600


def test_a_store_can_be_closed_and_used_again(store, now):
    thin = bucket()
    one(store, now, (thin,))
    store.close()
    store.close()
    assert one(store, now, (thin,)).waits == seconds(1000)


def test_those_who_noted_themselves_lately_are_counted(store, now):
    alone, key = isinstance(store, MemoryStore), bucket().key
    assert [store.note(key, name, now_us=now) for name in "aab"] == [1, 1, 1 if alone else 2]
    assert store.note(key, "c", now_us=now + 15 * SECOND) == (1 if alone else 3)
    assert store.note(key, "c", now_us=now + 15 * SECOND + 1) == 1


def test_a_store_that_keeps_its_buckets_evicts_none(store):
    assert store.evicts() == ""


# -- Redis itself -------------------------------------------------------------------------------------------------


def server_now(admin):
    at, microseconds = admin.time()
    return at * SECOND + microseconds


def test_the_time_is_the_servers(redis_store, admin):
    before = server_now(admin)
    mark = one(redis_store, None, (bucket(1000),)).marks[0]
    assert before + 1000 <= mark <= server_now(admin) + 1000


def assert_fades_in_time(admin, key):
    """A key is there until its bucket is full, and for a second more at most."""
    before = server_now(admin)
    left, tat = admin.pttl(key), int(admin.get(key))
    after = server_now(admin)
    assert left > 0, "a key without an end"
    assert left * 1000 + after >= tat
    assert left * 1000 + before <= tat + SECOND + 1000, "the server counts in whole milliseconds"


@pytest.mark.parametrize("interval", [10, 999, 400_000, 3600 * SECOND, 366 * 86_400 * SECOND])
def test_a_key_fades_when_its_bucket_is_full(fading_store, admin, interval):
    thin = bucket(interval, 8)
    for count, horizon in ((1, 0.0), (3, 0.0), (8, 1.0)):
        decision = one(fading_store, None, (thin,), count, count, horizon)
        assert_fades_in_time(admin, thin.key)
    take(fading_store, None, back=[GiveBack(thin, decision.marks[0])])
    if admin.exists(thin.key):
        assert_fades_in_time(admin, thin.key)


def test_a_bucket_that_was_given_back_wholly_leaves_no_key(fading_store, admin):
    slow = bucket(SECOND, 3)
    decision = one(fading_store, None, (slow,), 3, 3)
    take(fading_store, None, back=[GiveBack(slow, decision.marks[0], 2)])
    assert_fades_in_time(admin, slow.key)
    take(fading_store, None, back=[GiveBack(slow, decision.marks[0] - 2 * SECOND)])
    assert not admin.exists(slow.key)


def test_neither_peek_nor_refusal_nor_vain_give_back_leaves_a_key(redis_store, admin):
    empty, full = bucket(3600 * SECOND), bucket()
    one(redis_store, None, (empty,))
    kept = admin.get(empty.key)
    one(redis_store, None, (empty, full), 0)
    one(redis_store, None, (full, empty))
    one(redis_store, None, (full,), 0, back=[GiveBack(full, 12345)])
    assert not admin.exists(full.key)
    assert admin.get(empty.key) == kept


def test_no_key_is_without_an_end(fading_store, admin):
    one(fading_store, None, (bucket(SECOND),), 5, 5, 1.0)
    assert not [key for key in admin.scan_iter("limitkit:test:*") if admin.pttl(key) == -1]


def test_what_is_stored_is_one_number_in_full(redis_store, admin, now):
    thin = bucket(7 * SECOND)
    decision = one(redis_store, now, (thin,))
    assert admin.get(thin.key) == str(decision.marks[0]).encode() == str(now + 7 * SECOND).encode()


def calls(admin, command):
    return int(admin.info("commandstats").get(f"cmdstat_{command}", {"calls": 0})["calls"])


def test_a_call_is_one_script_whatever_is_in_it(redis_store, admin, now):
    one(redis_store, now, (bucket(),))
    before, loads = calls(admin, "evalsha"), calls(admin, "script")
    take(redis_store, now, *[Take((bucket(), bucket())) for _ in range(20)], back=[GiveBack(bucket(), 1)] * 5)
    assert calls(admin, "evalsha") == before + 1
    assert calls(admin, "script") == loads
    assert calls(admin, "eval") == 0


def test_a_server_that_forgot_the_script_is_told_it_again(redis_store, admin, now):
    thin = bucket()
    one(redis_store, now, (thin,))
    admin.script_flush()
    assert one(redis_store, now, (thin,)).waits == seconds(1000)


def test_an_error_of_the_server_is_a_store_error(server, admin):
    thin = bucket()
    admin.lpush(thin.key, "not a number")
    with closing(RedisStore(server.url, 5.0)) as store, pytest.raises(StoreError, match="WRONGTYPE"):
        one(store, None, (thin,))
    admin.delete(thin.key)


def test_after_an_error_the_next_call_has_a_new_connection(server, admin):
    thin, other = bucket(), bucket()
    admin.lpush(thin.key, "not a number")
    with closing(RedisStore(server.url, 5.0)) as store:
        for _ in range(2):
            one(store, None, (other,), 0)
            before = connections(admin)
            with pytest.raises(StoreError):
                one(store, None, (thin,))
            one(store, None, (other,), 0)
            assert connections(admin) == before + 1, "the name may lead to another server by now"
    admin.delete(thin.key)


def connections(admin):
    return admin.info("stats")["total_connections_received"]


def named(admin, name):
    return [client["id"] for client in admin.client_list() if client["name"] == name]


def test_close_lets_go_of_the_connection(server, admin):
    store = RedisStore(server.url, 5.0, client_name="closing")
    store.close()
    one(store, None, (bucket(),))
    assert len(named(admin, "closing")) == 1
    store.close()
    deadline = time.monotonic() + 60
    while named(admin, "closing"):
        assert time.monotonic() < deadline, "still connected"


def exit_status(function):
    """Run a function in a forked process: 0 when it is true there."""
    child = os.fork()
    if child == 0:
        status = 9
        try:
            status = int(not function())
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_forked_process_has_a_connection_of_its_own(server, admin):
    thin = bucket(3600 * SECOND, 3)
    with closing(RedisStore(server.url, 5.0)) as store:
        one(store, None, (thin,))
        before = connections(admin)
        assert exit_status(lambda: one(store, None, (thin,)).slots == (0.0,)) == 0
        assert connections(admin) == before + 1
        assert one(store, None, (thin,)).slots == (0.0,)
        assert connections(admin) == before + 1, "the parent's own was left alone"
        assert one(store, None, (thin,)).slots == ()


def test_closing_in_a_forked_process_leaves_the_parents_connection(server, admin):
    with closing(RedisStore(server.url, 5.0, client_name="parent")) as store:
        one(store, None, (bucket(),))
        before = named(admin, "parent")
        assert exit_status(lambda: store.close() is None) == 0
        assert one(store, None, (bucket(),)).slots == (0.0,)
        assert named(admin, "parent") == before


# -- a store that is gone -----------------------------------------------------------------------------------------


@pytest.fixture
def clock():
    """The clock by which a store that failed is left alone."""
    return GivenClock()


def listening(port=0):
    """A server that takes connections and never answers."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    sock.listen(64)
    sock.settimeout(0)
    return sock


def accepted(sock):
    """How many came since the last count."""
    count = 0
    while True:
        try:
            connection, _ = sock.accept()
        except BlockingIOError:
            return count
        connection.close()
        count += 1


@pytest.mark.parametrize("url", ["redis://127.0.0.1/0?socket_timeout=soon", "redis://127.0.0.1/0?unheard_of=1"])
def test_options_that_cannot_be_used_are_a_store_error(url):
    with closing(RedisStore(url, 0.05)) as store, pytest.raises(StoreError):
        one(store, None, (bucket(),))


def test_a_refused_connection_is_a_store_error_and_then_no_call_for_a_second(clock):
    port = free_port()
    with closing(CircuitBreaker(RedisStore(f"redis://127.0.0.1:{port}/0", 0.05), clock)) as store:
        begun = time.monotonic()
        with pytest.raises(StoreError, match=r"ConnectionError: .*refused"):
            one(store, None, (bucket(),))
        assert time.monotonic() - begun < 5
        with listening(port) as server:
            for later in (0.0, 0.5, 0.999):
                clock.now = 1000.0 + later
                with pytest.raises(StoreError, match=r"ConnectionError: .*refused"):
                    one(store, None, (bucket(),))
            assert accepted(server) == 0
            clock.now = 1001.0
            with pytest.raises(StoreError, match="TimeoutError"):
                one(store, None, (bucket(),))
            assert accepted(server) == 1
            clock.now = 1001.999
            with pytest.raises(StoreError, match="TimeoutError"):
                one(store, None, (bucket(),))
            assert accepted(server) == 0


def test_a_store_that_never_answers_costs_one_timeout():
    with listening() as server:
        url = f"redis://127.0.0.1:{server.getsockname()[1]}/0"
        with closing(RedisStore(url, 0.1)) as store:
            begun = time.monotonic()
            with pytest.raises(StoreError, match="TimeoutError"):
                one(store, None, (bucket(),))
            assert 0.09 < time.monotonic() - begun < 4
        assert accepted(server) == 1


def test_a_store_that_comes_back_is_asked_again(tmp_path, clock, admin):
    coming = RedisServer(tmp_path)
    thin = bucket(3600 * SECOND, 2)
    with closing(CircuitBreaker(RedisStore(coming.url, 5.0), clock)) as store:
        with pytest.raises(StoreError):
            one(store, None, (thin,))
        with coming:
            with pytest.raises(StoreError):
                one(store, None, (thin,))
            clock.now += 1.0
            assert one(store, None, (thin,)).slots == (0.0,)
        with pytest.raises(StoreError):
            one(store, None, (thin,))
        clock.now += 1.0
        with coming:
            assert one(store, None, (thin,)).slots == (0.0,)
