"""What a worker held that was killed starts elsewhere within seconds, and not after the visibility timeout.

Each start is waited for; what would come only after the timeout, an hour, does not come in time.
"""

import signal
import time

import pytest
from support.killed_workers import BACK, HELD, RATE, TOML, WORKERS, last_seen, make_shop, own_processes, send_to_all
from support.measure import excess, promised
from support.workers import wait_until


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
