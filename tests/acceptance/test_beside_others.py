"""What other packages hand to the pool, or run elsewhere than Celery does, keeps its limits as well."""

import pytest
import redis as redis_client
from celery.exceptions import TaskRevokedError
from support.measure import excess, promised, waited
from support.results import returned
from support.workers import wait_until

from limitkit import RateLimitExceeded

BATCHES = """
version = 1

[tasks."batch.*"]
strategy = "token_bucket"
rate = "4/s"

[tasks."batch.late"]
strategy = "static"
rate = "4/s"

[tasks."batch.hourly"]
strategy = "token_bucket"
rate = "1/h"

[tasks."batch.dropped"]
strategy = "token_bucket"
rate = "1/h"
on_limit = "drop"

[tasks."batch.failed"]
strategy = "token_bucket"
rate = "1/h"
on_limit = "fail"

[tasks."strange.own"]
strategy = "static"
rate = "5/s"

[limits.rare]
strategy = "token_bucket"
rate = "1/h"

[queues.rare]
limits = ["rare"]
"""

ASYNC = """
version = 1

[tasks."async.*"]
strategy = "token_bucket"
rate = "20/s"

[limits.api]
strategy = "token_bucket"
rate = "100/s"
feedback = { on = ["support.passing_app.TooManyError"], action = "pause" }

[tasks."refused.*"]
limits = ["api"]
"""


@pytest.fixture(scope="module")
def batches(make_kept):
    """One prefork worker with tasks of celery-batches."""
    shop = make_kept(BATCHES, module="support.passing_app")
    shop.start_worker("--prefetch-multiplier", "16", "-Q", "celery,rare")
    return shop


@pytest.fixture(scope="module")
def coroutines(make_kept):
    """A worker of celery-aio-pool."""
    env = {"CELERY_CUSTOM_WORKER_POOL": "celery_aio_pool.pool:AsyncIOPool", "ASYNC_POOL": "1"}
    shop = make_kept(ASYNC, module="support.passing_app")
    shop.start_worker("-P", "custom", env=env)
    return shop


def runs(shop, task, messages):
    """Wait until all these messages are served; returns the starts that did it."""
    wait_until(lambda: sum(int(start.label) for start in shop.starts(task)) >= messages)
    return shop.starts(task)


def test_a_batch_is_one_start(batches):
    sent = [batches.send("batch.many", number) for number in range(30)]
    late = [batches.send("batch.late", number) for number in range(20)]
    assert returned(sent) == list(range(30))
    assert returned(late) == list(range(20))
    for name, count in (("batch.many", 30), ("batch.late", 20)):
        starts = runs(batches, name, count)
        assert sum(int(start.label) for start in starts) == count  # none was served twice
        assert len(starts) <= count // 5 + 1  # each run takes one token, not one a message
        assert excess([start.at for start in starts], 4) <= promised(4)
    with redis_client.Redis.from_url(batches.broker_url) as broker:
        wait_until(
            lambda: not any(each.id.encode() in kept for kept in broker.hvals("unacked") for each in sent + late)
        )


def test_batches_that_wait_keep_no_pool_process_and_no_place_in_the_window(batches):
    assert returned([batches.send("batch.hourly", number) for number in range(5)]) == list(range(5))
    for number in range(200):  # more runs than processes, and more messages than are prefetched
        batches.send("batch.hourly", number)
    batches.wait_for_each([batches.send("free") for _ in range(20)])
    assert len(batches.starts("batch.hourly")) == 1


def test_a_batch_from_a_queue_with_limits_keeps_them(batches):
    assert returned([batches.send("other.many", number, queue="rare") for number in range(5)]) == list(range(5))
    for number in range(5):
        batches.send("other.many", number, queue="rare")
    assert returned([batches.send("plain.many", number) for number in range(10)]) == list(range(10))
    batches.wait_for_each([batches.send("free") for _ in range(20)])
    assert len(batches.starts("other.many")) == 1


def test_a_batch_may_be_dropped_or_fail(batches):
    for name, error in (("batch.dropped", TaskRevokedError), ("batch.failed", RateLimitExceeded)):
        first = [batches.send(name, number) for number in range(5)]
        assert returned(first) == list(range(5))
        second = [batches.send(name, number) for number in range(15)]  # more runs than processes
        for result in second:
            with pytest.raises(error):
                result.get(timeout=20)
        assert len(batches.starts(name)) == 1
    again = [batches.send("plain.many", number) for number in range(10)]
    assert returned(again) == list(range(10))  # no process is left behind


def test_a_batch_that_runs_in_a_thread_outlives_the_connection(make_kept):
    shop = make_kept(BATCHES, module="support.passing_app")
    worker = shop.start_worker("-P", "threads", "--prefetch-multiplier", "16")
    first = [shop.send("batch.slow", number) for number in range(5)]
    runs(shop, "batch.slow", 5)
    with redis_client.Redis.from_url(shop.broker_url) as broker:
        broker.client_kill_filter(_type="normal", skipme=True)
        wait_until(lambda: worker.output().count("Connected to") > 1)
        assert returned(first) == list(range(5))
        second = [shop.send("batch.slow", number) for number in range(5)]
        runs(shop, "batch.slow", 10)
        worker.stop()  # in the midst of the second
        assert returned(second) == list(range(5))
        wait_until(lambda: not broker.hlen("unacked"))
        assert not broker.llen("celery")
    assert sum(int(start.label) for start in shop.starts("batch.slow")) == 10  # none was served twice


def test_a_strategy_of_somebody_else_s_is_reported(batches):
    sent = [batches.send("strange.own") for _ in range(5)]
    assert waited(batches.wait_for_each_once(sent), 0.2)  # this one hands its requests over as Celery's does
    (worker,) = batches.workers
    assert 'LK057 tasks."strange.own": the Strategy of "strange.own", ' in worker.output()
    assert worker.output().count("LK057") == 1
    (answer,) = batches.app.control.broadcast("limitkit_status", reply=True, limit=1, timeout=10)
    ((fact, _),) = answer["w1@test"]["passing"]
    assert "Own.Strategy, is none of Celery's" in fact


def test_tasks_that_run_in_an_event_loop_are_limited(coroutines):
    sent = [coroutines.send("async.coroutine") for _ in range(20)]
    plain = [coroutines.send("async.plain") for _ in range(20)]
    assert returned(sent) == [each.id for each in sent]
    assert returned(plain) == [True] * 20
    for results in (sent, plain):
        starts = coroutines.wait_for_each_once(results)
        assert excess([start.at for start in starts], 20) <= promised(20)
    (worker,) = coroutines.workers
    assert "Pool: celery_aio_pool.pool:AsyncIOPool (1), paced." in worker.output()
    assert "LK058" not in worker.output()
    assert {start.label for start in coroutines.starts("async.coroutine")} == {"celery-worker-async-loop"}


def test_a_coroutine_that_is_refused_goes_back_and_waits(coroutines):
    result = coroutines.send("refused.coroutine")
    assert result.get(timeout=20) == "done"
    first, second = coroutines.starts_of(result)
    assert second.at - first.at >= 0.3
    assert second.retries == 0
