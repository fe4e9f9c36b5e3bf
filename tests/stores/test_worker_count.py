"""Workers note themselves in the store, and each remembers how many there were."""

from __future__ import annotations

from contextlib import closing
from types import SimpleNamespace

import pytest
import redis
from celery.concurrency.prefork import TaskPool
from support.needed import missing
from support.servers import RedisServer, redis_binary

from limitkit.buckets.decision import Bucket, Slots, Window
from limitkit.stores.memory import MemoryStore
from limitkit.stores.redis import RedisStore
from limitkit.stores.worker_count import WorkerCount

SECOND = 1_000_000
POOL = SimpleNamespace(num_processes=4, _pool=object())


@pytest.fixture
def server(tmp_path):
    if redis_binary() is None:
        missing("redis-server", "redis-server")
    with RedisServer(tmp_path) as running:
        yield running


@pytest.fixture
def store(server):
    with closing(RedisStore(server.url, 5.0)) as store:
        yield store


def start(worker_count, store, *, prefork, pool=POOL):
    """Start as a worker's consumer does; returns what the timer was given."""
    armed = []
    pool = SimpleNamespace(pool=pool, pool_cls=SimpleNamespace(uses_semaphore=prefork))
    timer = SimpleNamespace(call_repeatedly=lambda every, call: armed.append((every, call)))
    worker_count.start(store, pool, timer)
    return armed


def test_who_has_not_been_there_for_a_quarter_of_a_minute_does_not_count(server, store):
    now = 1_754_000_000_123_456
    counts = [
        store.note("x:workers", name, now_us=now + round(at * SECOND))
        for at, name in [(0, "a"), (0.1, "a"), (5, "b"), (15.1, "b"), (15.2, "b"), (15.3, "a")]
    ]
    assert counts == [1, 1, 2, 2, 1, 2]
    assert store.note("x:workers", "", now_us=now + round(15.4 * SECOND)) == 2, "who only counts is not counted"
    assert store.note("x:workers", "", now_us=now + round(30.25 * SECOND)) == 1
    assert store.note("y:workers", "a", now_us=now) == 1
    with closing(redis.Redis.from_url(server.url)) as admin:
        assert 0 < admin.pttl("x:workers") <= 15_000
        assert admin.zrange("x:workers", 0, -1, withscores=True) == [(b"a", now + 15.3 * SECOND)]
        store.note("x:workers", "c")
        seconds, _ = admin.time()
        assert abs(admin.zscore("x:workers", "c") / SECOND - seconds) < 5


def test_memory_is_one_worker_s():
    assert MemoryStore().note("x:workers", "a") == MemoryStore().note("x:workers", "b") == 1


def test_each_worker_keeps_to_what_it_saw_last(server, store):
    first, second = WorkerCount("shop"), WorkerCount("shop")
    shared = Bucket("b", 100_000, 10)
    assert first.share(shared) is None
    ((every, note_again),) = start(first, store, prefork=True)
    assert every <= 15 / 3
    start(second, store, prefork=False)
    assert (first.workers, second.workers) == (1, 2)
    note_again()
    server.stop()
    note_again()
    assert first.workers == 2
    assert first.share(shared) == Bucket("b", 200_000, 5)
    assert (first.processes, second.processes) == (4, 1)
    assert first.share_of_process(shared) == Bucket("b", 800_000, 1)
    assert first.share(Bucket("c", 7, 3)) == Bucket("c", 14, 1)
    assert first.share(Window("w", 7, 9, period_us=63, exact=True)) == Window("w", 14, 4, period_us=63, exact=True)
    assert first.share(Slots("s", 7, 1, lease_us=5)) == Slots("s", 14, 1, lease_us=5)
    assert first.share(Slots("s", 7, 0)).burst == 0


def test_a_pool_that_a_cold_shutdown_has_ended_is_not_asked(store):
    worker_count = WorkerCount("x")
    ended = TaskPool(2)  # as one that was not started yet
    start(worker_count, store, prefork=True, pool=ended)
    assert worker_count.workers == 0
