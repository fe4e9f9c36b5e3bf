"""What a worker held that was killed, or frozen, starts elsewhere within seconds, and not after the visibility timeout.

Each start is waited for; what would come only after the timeout, an hour, does not come in time.
"""

import os
import signal
import subprocess
import time

import pytest
import redis
from support.measure import excess, promised
from support.servers import RedisServer
from support.workers import Shop, wait_until

RATE, HELD = 5, 30
TOML = f"""version = 1

[waiting]
hold = "20s"
per_limit = {HELD}

[tasks.late]
strategy = "token_bucket"
rate = "{RATE}/s"

[tasks.early]
strategy = "token_bucket"
rate = "{RATE}/s"
"""
CONF = {"broker_transport_options": {"visibility_timeout": 3600}}
WORKERS = "limitkit:waiting:workers:unacked"
BACK = "are back in their queues"


@pytest.fixture
def broker(tmp_path):
    with RedisServer(tmp_path) as broker:
        yield broker


@pytest.fixture
def client(broker):
    with redis.Redis.from_url(broker.url) as client:
        yield client


def make_shop(folder, broker, toml=TOML):
    return Shop(folder, broker.url, toml, module="support.fault_app", **CONF)


def own_processes(worker):
    """Return the process of a worker, and those of its pool."""
    found = subprocess.run(["pgrep", "-P", str(worker.process.pid)], capture_output=True, text=True, check=False)
    return [worker.process.pid, *map(int, found.stdout.split())]


def send_to_all(processes, number):
    for process in processes:
        os.kill(process, number)


def each_started_once(shop, ids, task="early"):
    return sorted(start.id for start in shop.starts(task)) == sorted(ids)


def last_seen(client, name="w1@test"):
    return next((seen for worker, seen in client.zrange(WORKERS, 0, -1, withscores=True) if name in str(worker)), None)


@pytest.mark.quiet
@pytest.mark.parametrize("task", ["early", "late"])
def test_what_a_killed_worker_held_starts_elsewhere_within_25_seconds(broker, client, tmp_path, task):
    with make_shop(tmp_path, broker) as shop:
        victim = shop.start_worker()
        sent = shop.send_many([(task, ())] * HELD)
        shop.wait_for(5, task)
        wait_until(lambda: not client.llen("celery") and not client.hlen("limitkit:waiting:messages"))
        other = shop.start_worker()
        held = client.hlen("unacked")
        assert held > 0
        killed = time.monotonic()
        victim.process.kill()
        shop.wait_for_each(sent)
        assert shop.times(task)[-1] - killed < 25
        other.wait_for_output(BACK)
        wait_until(lambda: not client.hlen("unacked"))
        assert len(shop.starts(task)) <= HELD + 2  # at most one for each process ran, and was not acknowledged
        assert excess(shop.times(task), RATE) <= promised(RATE)
        assert last_seen(client) is None


def test_what_waited_for_a_process_comes_back_and_what_had_begun_does_not(broker, client, tmp_path):
    with make_shop(tmp_path, broker) as shop:
        victim = shop.start_worker(concurrency=1)
        running = shop.send("until", str(tmp_path / "go")).id
        shop.wait_for_each([running])
        waiting = shop.send_many([("free", ())] * 3)
        for name in waiting:
            victim.wait_for_output(f"{name}] received")
        wait_until(lambda: client.hlen("unacked") == len(waiting))
        other = shop.start_worker()
        victim.process.kill()
        assert {start.worker for start in shop.wait_for_each_once(waiting)} == {"w2@test"}
        other.wait_for_output(f"{len(waiting)} messages that w1@test held {BACK}")
        assert len(shop.starts_of(running)) == 1
        (tmp_path / "go").touch()


def test_what_was_acknowledged_late_runs_again_with_the_same_worker_started_anew(broker, tmp_path):
    with make_shop(tmp_path, broker) as shop:
        victim = shop.start_worker(concurrency=1)
        running = shop.send("late", 600)
        shop.wait_for_each([running])
        processes = own_processes(victim)
        send_to_all(processes, signal.SIGKILL)
        shop.start_worker(concurrency=1, name="w1")
        wait_until(lambda: len(shop.starts_of(running)) == 2)
        send_to_all(own_processes(shop.workers[-1]), signal.SIGKILL)


@pytest.mark.parametrize("alone", [True, False], ids=["main process", "all processes"])
def test_a_frozen_worker_begins_nothing_that_others_were_given(broker, client, tmp_path, alone):
    with make_shop(tmp_path, broker) as shop:
        victim = shop.start_worker(concurrency=1)
        sent = shop.send_many([("early", ())] * HELD)
        shop.wait_for(5, "early")
        wait_until(lambda: not client.llen("celery") and not client.hlen("limitkit:waiting:messages"))
        frozen = own_processes(victim)[: 1 if alone else None]
        other = shop.start_worker()
        send_to_all(frozen, signal.SIGSTOP)
        try:
            other.wait_for_output(BACK)
            shop.wait_for_each(sent)
        finally:
            send_to_all(frozen, signal.SIGCONT)
        victim.wait_for_output("begins anew")
        more = shop.send_many([("early", ())] * 10)
        shop.wait_for_each(more)
        wait_until(lambda: last_seen(client) is not None)
        wait_until(lambda: not client.hlen("unacked"))
        other.stop()
        last = shop.send("early").id
        assert [start.worker for start in shop.wait_for_each([last])] == ["w1@test"]  # it works again
        assert each_started_once(shop, [*sent, *more, last])
        assert excess(shop.times("early"), RATE) <= promised(RATE)


@pytest.mark.parametrize("pool", ["prefork", "threads", "gevent"])
def test_a_frozen_worker_hands_its_pool_nothing_that_others_were_given(broker, client, tmp_path, pool):
    """Its pool is free the moment it goes on, before anything else happens there."""
    with make_shop(tmp_path, broker) as shop:
        victim = shop.start_worker("-P", pool, concurrency=1)
        running = shop.send("early", 5).id
        shop.wait_for_each([running])
        waiting = shop.send_many([("free", ())] * 3)
        for name in waiting:
            victim.wait_for_output(f"{name}] received")
        other = shop.start_worker()
        victim.process.send_signal(signal.SIGSTOP)
        try:
            other.wait_for_output(BACK)
            shop.wait_for_each(waiting)
        finally:
            victim.process.send_signal(signal.SIGCONT)
        victim.wait_for_output("Back in their queues")
        other.stop()
        last = shop.send("free").id
        shop.wait_for_each([last])
        assert each_started_once(shop, [*waiting, last], "free")
        assert each_started_once(shop, [running], "early")


def test_what_a_killed_solo_worker_had_begun_does_not_come_back(broker, client, tmp_path):
    """It is acknowledged as it begins, though the event loop that Celery leaves this to stands still then."""
    with make_shop(tmp_path, broker) as shop:
        victim = shop.start_worker("-P", "solo")
        shop.wait_for_each([shop.send("until", str(tmp_path / "go"))])
        assert not client.hlen("unacked")
        victim.process.kill()


@pytest.mark.parametrize("pool", ["solo", "threads", "prefork"])
def test_notes_go_on_while_a_task_runs_and_while_a_worker_stops(broker, client, tmp_path, pool):
    with make_shop(tmp_path, broker) as shop:
        worker = shop.start_worker("-P", pool, concurrency=1)
        shop.wait_for_each([shop.send("until", str(tmp_path / "go"))])
        for _ in range(3):
            seen = last_seen(client)
            wait_until(lambda seen=seen: last_seen(client) > seen)
        worker.process.terminate()
        worker.wait_for_output("Warm shutdown")
        for _ in range(3):
            seen = last_seen(client)
            wait_until(lambda seen=seen: last_seen(client) > seen)
        (tmp_path / "go").touch()
        assert worker.wait_stopped() == 0
        assert last_seen(client) is None


@pytest.mark.parametrize(
    "toml", ["version = 1\n", TOML.replace("[waiting]", "[waiting]\nrescue = false")], ids=["no limits", "off"]
)
def test_a_worker_that_takes_no_part_is_not_noted(broker, client, tmp_path, toml):
    with make_shop(tmp_path, broker, toml) as shop:
        shop.start_worker()
        shop.wait_for_each([shop.send("free")])
        assert not client.exists(WORKERS)


@pytest.mark.quiet
def test_a_worker_calls_once_a_second(broker, client, tmp_path):
    with make_shop(tmp_path, broker) as shop:
        shop.start_worker()
        begin, first = time.monotonic(), last_seen(client)
        client.config_set("slowlog-log-slower-than", 0)
        client.config_set("slowlog-max-len", 100_000)
        wait_until(lambda: last_seen(client) - first > 4500)
        entries = client.slowlog_get(100_000)
        calls = [
            each for each in entries if each["command"].startswith(b"EVALSHA") and WORKERS.encode() in each["command"]
        ]
        assert 1 <= len(calls) <= time.monotonic() - begin + 1
