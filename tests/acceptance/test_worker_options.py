"""Limits hold, and nothing is lost, whatever options the worker was started with."""

import redis
from celery import chord
from support.measure import waited
from support.messages import RICH, seen
from support.results import returned

INTERVAL = 1 / 3
"""Seconds between two starts of a ``kept.…`` task."""


def test_autoscale(make_kept):
    shop = make_kept(env={"AUTOSCALE_KEEPALIVE": "1"})
    worker = shop.start_worker("--autoscale=4,1")
    busy = [shop.send("slow", 2.0) for _ in range(5)]
    limited = [shop.send("kept.result", number) for number in range(4)]
    worker.wait_for_output("Scaling up")
    assert returned(limited) == [0, 1, 2, 3]
    assert waited(shop.wait_for_each_once(limited), INTERVAL)
    assert returned(busy) == [2.0] * 5
    worker.wait_for_output("Scaling down")
    more = [shop.send("kept.result", number) for number in range(3)]
    assert returned(more) == [0, 1, 2]
    assert waited(shop.wait_for_each_once(more), INTERVAL)


def test_disabled_prefetch(make_kept):
    shop = make_kept(worker_disable_prefetch=True)
    shop.start_workers(2)
    limited = [shop.send("kept.result", number) for number in range(15)]
    free = [shop.send("plain.add", number) for number in range(20)]
    assert returned(free) == list(range(20))
    assert returned(limited) == list(range(15))
    starts = shop.wait_for_each_once(limited)
    assert waited(starts, INTERVAL)
    assert max(start.at for start in shop.wait_for_each_once(free)) < starts[-1].at  # 4.7 s after the first


def test_what_waits_for_the_pool_alone_is_left_in_its_queue_for_other_workers(make_kept, tmp_path):
    shop = make_kept('version = 1\n[tasks.until]\nstrategy = "token_bucket"\nrate = "500/s"\n')
    shop.start_worker(concurrency=1)
    gate = tmp_path / "open"
    sent = [shop.send("until", str(gate)) for _ in range(100)]
    shop.wait_for(1, "until")
    for _ in range(5):  # long enough for a worker to fetch them all, one by one
        shop.inspect("stats")
    with redis.Redis.from_url(shop.broker_url) as client:
        assert client.llen("celery") >= 70
    gate.touch()
    shop.wait_for_each_once(sent)


def test_recycled_processes(make_kept):
    shop = make_kept()
    shop.start_worker("--max-tasks-per-child=1")
    limited = [shop.send("kept.recycled") for _ in range(5)]
    free = [shop.send("plain.add", number) for number in range(5)]
    assert returned(free) == list(range(5))
    starts = shop.wait_for_each_once(limited)
    assert waited(starts, INTERVAL)
    assert len({start.label for start in starts}) == 5  # each in a process of its own


def test_installed_after_the_tasks_were_registered(make_kept):
    shop = make_kept(env={"WITH_LIMITKIT": "0", "INSTALL_LAST": "1"})
    shop.start_worker()
    sent = {name: [shop.send(name, 1) for _ in range(3)] for name in ("kept.result", "kept.shared", "kept.late")}
    for results in sent.values():
        assert returned(results) == [1, 1, 1]
        assert waited(shop.wait_for_each_once(results), INTERVAL)


def test_what_was_held_as_long_as_it_may_be_goes_back_unchanged(make_kept):
    """Held for a quarter of the visibility timeout at most, here 1.5 s, and so sent back, once or more often."""
    shop = make_kept(broker_transport_options={"visibility_timeout": 6})
    worker = shop.start_worker()
    header = [shop.app.signature("kept.chain", (number,)) for number in range(8)]
    body = chord(header, app=shop.app)(shop.app.signature("plain.collect"))
    ahead = [shop.send("kept.told_back", number) for number in range(6)]
    link = shop.app.signature("plain.add", (1,), immutable=True).set(task_id="link")
    told = shop.send("kept.told_back", 7, link=[link], **RICH)
    plain = shop.send("plain.tell", 7, link=[link.clone().set(task_id="other")], **RICH)
    assert body.get(timeout=30) == list(range(8))
    assert shop.app.AsyncResult("link").get(timeout=30) == 1
    assert worker.output().count(f"[{told.id}] received") > 1
    assert waited(shop.wait_for_each_once([*ahead, told]), INTERVAL)
    assert waited(shop.wait_for_each_once(body.parent.results), INTERVAL)
    assert seen(told.get(timeout=20)) == seen(plain.get(timeout=20))
