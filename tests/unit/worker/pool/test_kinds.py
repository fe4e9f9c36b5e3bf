"""Which pools can be counted, and that each tells the end of what it runs."""

import threading
from types import SimpleNamespace

import pytest
from celery.concurrency.solo import TaskPool as SoloPool
from celery.concurrency.thread import TaskPool as ThreadPool
from celery_aio_pool import AsyncIOPool
from support.foreign_pools import Solo, Threads
from support.workers import wait_until

from limitkit.worker.pool.kinds import kind_of

SOFT, HARD = True, False


class Tuned(ThreadPool):
    """Celery's, but for what it says of itself."""

    def _get_info(self):
        return {}


@pytest.mark.parametrize(
    ("pool", "name", "consumes"),
    [
        ("prefork", "prefork", False),
        ("threads", "threads", False),
        ("solo", "solo", True),
        (Tuned, "threads", False),
        (AsyncIOPool, "AsyncIOPool", True),
    ],
)
def test_celery_s_pools_are_known_and_those_made_of_them(pool, name, consumes):
    kind = kind_of(pool)
    assert (kind.name, kind.consumes) == (name, consumes)


@pytest.mark.parametrize("pool", [Threads, Solo])
def test_a_pool_that_is_given_tasks_in_a_way_of_its_own_is_not_counted(pool):
    assert kind_of(pool) is None


def test_a_thread_tells_its_end_also_where_a_callback_fails():
    pool, ends, go = ThreadPool(limit=1), [], threading.Event()

    def fails(_):
        raise SystemExit

    kind = kind_of(ThreadPool)
    run = lambda **options: pool.apply_async(go.wait, (), {}, **options)  # noqa: E731
    kind.give(pool, run, lambda *_: ends.append(1), {"callback": fails})
    assert ends == []
    go.set()
    wait_until(lambda: ends)
    pool.stop()


def test_solo_has_ended_when_it_returns():
    pool, ends = SoloPool(limit=1, initargs=(None, "w1")), []
    run = lambda **options: pool.apply_async(lambda: ends.append("ran"), (), {}, **options)  # noqa: E731
    kind_of(SoloPool).give(pool, run, lambda *_: ends.append("left"), {"callback": lambda _: None})
    assert ends == ["ran", "left"]


@pytest.mark.parametrize("ends_by", ["callback", "error_callback"])
def test_processes_without_an_event_loop_tell_it_by_callbacks(ends_by):
    told, given = [], {}
    run = lambda **options: given.update(options)  # noqa: E731
    kind_of("prefork").give(SimpleNamespace(), run, lambda *_: told.append("left"), {ends_by: told.append})
    given["timeout_callback"](SOFT, 1.0)  # a soft one ends nothing
    assert told == []
    given[ends_by]("result")
    assert told == ["result", "left"]


def test_a_process_that_is_killed_by_its_time_limit_has_left():
    told, given = [], {}
    run = lambda **options: given.update(options)  # noqa: E731
    options = {"timeout_callback": lambda soft, timeout: told.append((soft, timeout))}
    kind_of("prefork").give(SimpleNamespace(), run, lambda *_: told.append("left"), options)
    given["timeout_callback"](HARD, 1.0)
    assert told == [(HARD, 1.0), "left"]
