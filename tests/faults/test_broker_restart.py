"""The Redis broker is restarted, with its data, while a worker holds messages."""

import os
import signal

import pytest
import redis
from support.measure import excess, promised
from support.servers import RedisServer
from support.workers import Shop, wait_until

TOML = """version = 1

[store]
on_error = "hold"

[tasks.paid]
strategy = "token_bucket"
rate = "10/s"
"""
DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


def restart(broker, worker):
    """Restart the broker, once the worker has seen that it is gone."""
    broker.stop()
    wait_until(lambda: worker.process.poll() is not None or "Cannot connect" in worker.output())
    broker.start()


def unacknowledged(broker):
    with redis.Redis(port=broker.port) as client:
        return client.hlen("unacked")


@pytest.mark.parametrize("pool", ["prefork", "threads", "gevent", "solo"])
def test_a_worker_survives_and_starts_once_each_of_what_it_held(tmp_path, pool):
    with (
        RedisServer(tmp_path, *DURABLE) as broker,
        Shop(tmp_path, broker.url, TOML, module="support.fault_app") as shop,
    ):
        worker = shop.start_worker("-P", pool, concurrency=3)
        sent = [shop.send("paid").id for _ in range(30)]
        sent += [shop.send("late_free", 8.0).id]  # runs across the restart, acknowledged at its end
        sent += [shop.send("free", countdown=3).id for _ in range(5)]  # are held by Celery itself
        wait_until(lambda: len(shop.starts("paid")) >= 5 and shop.starts("late_free"))
        if pool != "solo":  # which fetches nothing while its one task runs
            # What kombu has taken from the queue and not noted yet is lost with the broker: it holds all of them.
            wait_until(
                lambda: unacknowledged(broker) == len(sent) - len(shop.starts("paid")) - len(shop.starts("free"))
            )
        restart(broker, worker)
        shop.wait_for(len(sent))
        # Celery 5.5 never hears the end of what runs across a reconnect.
        wait_until(lambda: unacknowledged(broker) == len(shop.inspect("active")))
        assert sorted(start.id for start in shop.starts()) == sorted(sent)
        assert excess(shop.times("paid"), 10) <= promised(10)
        assert worker.process.poll() is None


def test_what_a_process_was_sent_and_has_not_accepted_starts_once(tmp_path):
    with RedisServer(tmp_path, *DURABLE) as broker, Shop(tmp_path, broker.url, TOML) as shop:
        worker = shop.start_worker(concurrency=1)
        (process,) = shop.inspect("stats")["pool"]["processes"]
        os.kill(process, signal.SIGSTOP)
        sent = shop.send("paid").id
        worker.wait_for_output("received")
        broker.stop()
        os.kill(process, signal.SIGCONT)
        broker.start()
        wait_until(lambda: worker.output().count("Connected to") == 2)
        shop.wait_for_each([sent])
        last = shop.send("free").id  # what came back would come before it
        shop.wait_for_each([last])
        assert [start.id for start in shop.starts()] == [sent, last]


def test_celery_alone_dies_or_leaves_them_to_the_visibility_timeout(tmp_path):
    """If this fails, Celery has learned it, and ``limitkit/worker/reconnect.py`` may go."""
    with RedisServer(tmp_path, *DURABLE) as broker, Shop(tmp_path, broker.url, env={"WITH_LIMITKIT": "0"}) as shop:
        worker = shop.start_worker()
        for _ in range(5):
            shop.send("free", countdown=60)
        wait_until(lambda: unacknowledged(broker) == 5)
        restart(broker, worker)
        wait_until(lambda: worker.process.poll() is not None or worker.output().count("Connected to") == 2)
        if worker.process.poll() is None:
            shop.send("other")
            shop.wait_for(1, "other")  # which is acknowledged a moment after it has started
        wait_until(lambda: unacknowledged(broker) == 5)
