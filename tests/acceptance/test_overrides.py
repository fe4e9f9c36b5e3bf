"""Rates that are set while real workers run: they show in the starts, on all workers, and go again."""

import threading
import time

import pytest
import redis
from support.measure import excess
from support.scene import Scene, config, limit

from limitkit import RateLimitManager

pytestmark = pytest.mark.quiet

FOLLOWS = 3.0
"""Seconds in which workers follow, at most (bench: 1.5): they look once a second, and a busy machine may stall."""


@pytest.fixture(scope="module")
def scene():
    """Two workers, whose store is a Redis of its own; each test has a task for itself."""
    limits = [limit(name, "10/s") for name in ("paid", "slow", "user")] + [limit("other", "5/s", strategy="static")]
    limits.append('[tasks.until]\nstrategy = "window"\nrate = "3/d"\n')
    with Scene(config(*limits), own_store=True) as scene:
        scene.shop.start_workers(2, concurrency=3)
        yield scene
        assert scene.tally() == {"lost": 0, "twice": 0}


@pytest.fixture(scope="module")
def manager(scene):
    return RateLimitManager(scene.shop.app, scene.shop.folder / "ratelimits.toml")


def seen(scene, task, seconds):
    """Wait for so long; returns how many have started a second."""
    scene._follow()
    began, before = time.monotonic(), scene.counts[task]
    scene.wait(lambda: time.monotonic() - began >= seconds)
    return (scene.counts[task] - before) / (time.monotonic() - began)


def wait_for_rate(scene, task, fits):
    """Wait until tasks start at a rate that fits, seen over a second."""
    scene.wait(lambda: fits(seen(scene, task, 1.0)), 20)


def assert_kept(scene, task, since, rate, burst=1):
    """No window since then has more starts than the limit promises."""
    times = [at for at in scene.shop.times(task) if at >= since]
    assert excess(times, rate) <= burst + rate * 0.05 + 1


def test_a_rate_is_felt_by_what_waits_up_and_down_and_ends_by_itself(scene, manager):
    scene.send([("paid", ())] * 500)
    raised = time.monotonic()
    manager.adjust_rate("paid", "60/s", for_=5, by="eve", reason="the campaign")
    wait_for_rate(scene, "paid", lambda rate: rate >= 30)  # the declared rate is 10/s
    assert_kept(scene, "paid", raised, 60)
    scene.wait(lambda: time.monotonic() - raised >= 5 + FOLLOWS)
    ended = time.monotonic()
    seen(scene, "paid", 1.5)
    assert_kept(scene, "paid", ended, 10)
    manager.adjust_rate("paid", "2/s")
    lowered = time.monotonic() + FOLLOWS
    late = scene.shop.start_worker()
    late.wait_for_output("tasks.paid has the rate 2/s now, by ")
    scene.wait(lambda: time.monotonic() >= lowered + 2)
    assert_kept(scene, "paid", lowered, 2)  # on the worker that was started later, too
    manager.adjust_rate("paid", "100/s")
    scene.wait_for({"paid": 500})
    late.stop()


def test_static_limits_follow_or_one_worker_alone_does(scene, manager):
    scene.send([("other", ())] * 300)
    manager.adjust_rate("other", "40/s", workers=["w1@test"])
    scene.wait_for({"other": 120})
    by_worker = [start.worker for start in scene.shop.starts("other")]
    assert by_worker.count("w1@test") > 2 * by_worker.count("w2@test")  # 40/s and 5/s
    manager.restore("other")
    manager.adjust_rate("other", "30/s")
    scene.wait_for({"other": 300})
    by_worker = [start.worker for start in scene.shop.starts("other")][-100:]
    assert min(by_worker.count("w1@test"), by_worker.count("w2@test")) >= 25


def test_fifty_changes_a_second_lose_nothing_and_hardly_slow(scene, manager):
    manager.adjust_rate("user", "40/s")
    scene.send([("user", ("u",))] * 250)
    wait_for_rate(scene, "user", lambda rate: rate >= 25)
    done = threading.Event()

    def change():
        number = 0
        while not done.wait(0.02):
            number += 1
            manager.adjust_rate("user", ("40/s", "44/s")[number % 2], burst=1 + number % 3, reason=str(number))

    thread, began = threading.Thread(target=change), time.monotonic()
    thread.start()
    try:
        rate = seen(scene, "user", 3)
    finally:
        done.set()
        thread.join()
    assert rate >= 0.5 * 40  # bench: 0.9
    assert_kept(scene, "user", began, 44, burst=3)
    scene.wait_for({"user": 250})


def test_a_pause_lets_nothing_start_whatever_becomes_of_the_store(scene, manager):
    scene.send([("slow", (0.0,))] * 60)
    scene.wait_for({"slow": 5})
    manager.pause("slow", reason="they are down")
    wait_for_rate(scene, "slow", lambda rate: not rate)
    before = scene.counts["slow"]
    with redis.Redis(port=scene.store.port) as client:
        client.flushall()
        scene.wait(lambda: client.exists("limitkit:{overrides}"))
    assert not seen(scene, "slow", 1.5), "paused, though the store had lost its data"
    scene.store.stop()
    assert not seen(scene, "slow", 2.5), "paused, though on_error lets all else start without limits"
    scene.store.start()
    with redis.Redis(port=scene.store.port) as client:
        scene.wait(lambda: client.exists("limitkit:{overrides}"))
    manager.resume("slow")
    scene.wait_for({"slow": 60})
    assert before < 60


def test_what_is_parked_until_a_day_is_over_starts_when_its_window_is_reset(scene, manager):
    scene.send([("until", ("/",))] * 40)
    scene.wait_for({"until": 3})
    assert seen(scene, "until", 1.5) == 0.0
    for number in (6, 9):
        assert manager.reset("until") == 1
        scene.wait_for({"until": number})
    assert seen(scene, "until", 1.5) == 0.0
    manager.adjust_rate("until", "1000/d")
    scene.wait_for({"until": 40})
