"""The waiting room of a Redis broker under real workers: what waits there starts in its turn, once, unchanged."""

import random
import signal
import threading
import time

import pytest
import redis
from celery import chain, chord, group
from kombu import Exchange
from support.measure import efficiency, excess, promised
from support.scene import Scene, config, limit
from support.wire import Wire

WAITING = "[waiting]\nper_worker = {}\n"


class Watch(threading.Thread):
    """Looks again and again at how many messages are delivered and not acknowledged."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.most, self.done = port, 0, threading.Event()

    def run(self):
        with redis.Redis(port=self.port) as client:
            while not self.done.wait(0.005):
                self.most = max(self.most, client.hlen("unacked"))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.join()


def unacknowledged(scene):
    with redis.Redis(port=scene.broker.port) as client:
        return client.hlen("unacked")


def parked(scene):
    with redis.Redis(port=scene.broker.port) as client:
        return client.hlen("limitkit:waiting:messages")


def subscriptions(scene):
    with redis.Redis(port=scene.broker.port) as client:
        return sum(int(each["psub"]) for each in client.client_list())


def displacement(starts, ids):
    """By how many places one came before another at most."""
    order = [start.id for start in starts]
    assert sorted(order) == sorted(ids)
    return max(abs(order.index(id_) - place) for place, id_ in enumerate(ids))


@pytest.mark.quiet  # a machine that fetches no faster than it starts has nothing to park
def test_one_worker_serves_who_came_first_and_parks_each_once():
    """A backlog of 6 s at 50/s, of which 20 may be held. The workers do nothing else with the broker."""
    count, rate, most = 300, 50, 20
    with Scene(config(WAITING.format(most), limit("paid", f"{rate}/s", burst=5)), own_store=True) as scene:
        ids = scene.send([("paid", ())] * count)
        with Wire(scene.broker.port) as wire, Watch(scene.broker.port) as watch:
            scene.shop.start_worker(concurrency=1)
            scene.wait_for({"paid": count})
        starts = scene.shop.starts()
        # What is late for its token on a busy machine is sent again, to the end of the queue.
        in_turn = [start for start in starts if start.id not in wire.sent]
        assert len(in_turn) >= 0.7 * count
        assert displacement(in_turn, [id_ for id_ in ids if id_ not in wire.sent]) <= 0.1 * count
        times = [start.at for start in starts]
        assert efficiency(times, rate, 5) >= 0.5
        assert excess(times, rate) <= promised(rate, 5)
        parks = wire.parks.values()
        assert len(parks) >= count / 3  # 280, but for those that start while a slow machine fetches the others
        assert max(parks) <= 3
        assert sum(parks) <= 1.25 * count
        # Nine for a delivery and its acknowledgement, which these messages would need anyway.
        assert wire.commands.total() - 9 * count <= 14 * sum(parks)
        # A worker holds that many at most, beside its prefetch window and those that are about to leave.
        assert watch.most <= most + 4 + 64
        assert scene.tally() == {"lost": 0, "twice": 0}


def test_workers_that_are_killed_again_and_again_lose_nothing():
    count, rnd = 600, random.Random()
    conf = {
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "broker_transport_options": {
            "visibility_timeout": 3,
            "unacked_restore_interval": 1,
            "unacked_restore_throttle": 1,
        },
    }
    with Scene(config(WAITING.format(30), limit("paid", "100/s", burst=10)), **conf) as scene:
        workers = scene.shop.start_workers(2)
        with Wire(scene.broker.port) as wire:
            ids = set(scene.send([("paid", ())] * count))
            for kill in range(3):
                target = min(scene.counts["paid"] + rnd.randint(10, 60), count // 2)  # while there is much to lose
                scene.wait(lambda target=target: scene.counts["paid"] >= target)
                workers[kill % 2].stop(signal.SIGKILL)
                workers[kill % 2] = scene.shop.start_worker()

            def missing():
                """Return those that have not started, but for what kombu lost."""
                # It pops a message first, and writes down that it has it in the next step.
                ids.difference_update(start.id for start in scene.shop.starts())
                idle = scene.queued() + parked(scene) + unacknowledged(scene) == 0
                return [id_ for id_ in ids if not (idle and wire.queued_last(id_))]

            # What a killed worker had is restored after its visibility timeout, by one that starts then at the latest.
            for _ in range(10):
                if scene.wait(lambda: not missing(), 8, give_up=True):
                    break
                scene.shop.start_worker()
            # Not those that a worker has just popped: one that stops notes them, and gives them back.
            scene.stop_workers()
            lost = ids - scene.started() - scene.waiting()
            assert all(wire.queued_last(id_) for id_ in lost)
        assert len(lost) <= 3  # at most one for each kill
        starts = scene.shop.starts()
        assert excess([start.at for start in starts], 100) <= promised(100, 10)
        assert len(starts) - count <= 3 * (2 + 2)  # those that ran in a killed worker, and those that it had reported


def test_what_is_held_and_parked_is_not_delivered_again():
    """A backlog of 12 s, a visibility timeout of 6 s: a worker holds nothing for longer than a quarter of that."""
    options = {"visibility_timeout": 6, "unacked_restore_interval": 1, "unacked_restore_throttle": 1}
    with Scene(config(limit("paid", "5/s"), limit("slow", "1/m")), broker_transport_options=options) as scene:
        scene.send([("paid", ())] * 60 + [("slow", ())] * 3)
        scene.shop.start_workers(2)
        scene.wait_for({"paid": 60, "slow": 1})
        times = scene.shop.times("paid")
        assert efficiency(times, 5, 1) >= 0.5
        assert parked(scene) == 2
        assert scene.tally() == {"lost": 0, "twice": 0}


def test_a_worker_that_is_busy_with_something_else_keeps_nothing_from_another():
    with Scene(config(WAITING.format(5), limit("paid", "3/s"))) as scene:
        busy = scene.shop.start_worker(concurrency=1)
        scene.send([("free", (60.0,))])
        scene.wait_for({"free": 1})
        scene.send([("paid", ())] * 30)
        scene.wait(lambda: busy.output().count("Task paid[") >= 4)  # as many as it fetches without limitkit, too
        scene.shop.start_worker(concurrency=1)
        scene.wait_for({"paid": 26}, 20)  # at 3/s that is 9 s; the first worker is busy for a minute
        busy.process.kill()


def test_a_rate_that_is_raised_brings_them_back_sooner():
    with Scene(config(WAITING.format(4), limit("paid", "1/s", strategy="static"))) as scene:
        scene.send([("paid", ())] * 60)
        scene.shop.start_worker()
        scene.wait(lambda: parked(scene) >= 40)
        scene.shop.app.control.rate_limit("paid", "50/s")
        raised = time.monotonic()
        scene.wait_for({"paid": 60})
        assert scene.last_at - raised <= 20  # 1.2 s at 50/s; 54 s at 1/s
        assert scene.tally() == {"lost": 0, "twice": 0}


def test_those_that_nobody_else_can_have_are_held():
    """A broadcast and a queue without acknowledgements: each worker has its own, or the only one."""
    with Scene(
        config(WAITING.format(2), limit("paid", "20/s"), limit("other", "20/s")), module="support.shouting"
    ) as scene:
        workers = scene.shop.start_workers(2, "-Q", "celery,shout,told once", concurrency=1)
        # Who has not subscribed yet gets nothing of a broadcast; each worker also does for remote control.
        scene.wait(lambda: subscriptions(scene) >= 2 * len(workers))
        with Wire(scene.broker.port) as wire:
            to_all = {"exchange": "shout", "routing_key": "celery", "declare": [Exchange("shout", "fanout")]}
            shouted = scene.send([("paid", ())] * 20, **to_all)
            told = scene.send([("other", ())] * 20, queue="told once")
            scene.wait_for({"paid": 40, "other": 20})
        assert not wire.parks
        assert wire.commands["lpush"] == 20  # as they were sent; a broadcast is published
        for worker in ("w1@test", "w2@test"):
            assert {start.id for start in scene.shop.starts("paid") if start.worker == worker} == set(shouted)
        assert {start.id for start in scene.shop.starts("other")} == set(told)


def test_several_queues_priorities_and_a_key_prefix():
    options = {"global_keyprefix": "{app}:", "queue_order_strategy": "priority"}
    toml = config(WAITING.format(3), limit("paid", "10/s"), limit("other", "10/s"))
    with Scene(toml, broker_transport_options=options) as scene:
        first = {priority: scene.send([("paid", ())] * 6, queue="one", priority=priority) for priority in (9, 3, 0)}
        other = scene.send([("other", ())] * 12, queue="two")
        with Wire(scene.broker.port) as wire:
            scene.shop.start_worker("-Q", "one,two", concurrency=1)
            scene.wait_for({"paid": 18, "other": 12})
        assert len(wire.parks) >= 10
        # What is late for its token on a busy machine is sent again, to the end of the queue.
        for task, ids in (("other", other), ("paid", first[0] + first[3] + first[9])):
            starts = [start for start in scene.shop.starts(task) if start.id not in wire.sent]
            assert displacement(starts, [id_ for id_ in ids if id_ not in wire.sent]) <= 3
        with redis.Redis(port=scene.broker.port) as client:
            own = {b"limitkit:paid", b"limitkit:other"}  # the limits' buckets
            keys = {key for key in client.scan_iter() if not key.startswith(b"{app}:")}
            assert not {key for key in keys if b"waiting" in key} - own


# -- what a canvas is made of ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kept(make_kept):
    shop = make_kept(config(WAITING.format(2), limit('"kept.*"', "20/s")))
    shop.start_worker()
    return shop


def test_members_of_a_canvas_that_are_parked_complete_it(kept, redis):
    def adding(*values, of="kept.result"):
        return kept.app.signature(of, values)

    with Wire(redis.port) as wire:
        crowd = group(adding(n) for n in range(30)).apply_async()
        whole = chord([adding(n) for n in range(10)], adding(of="kept.body")).apply_async()
        row = chain(adding(1), adding(2), adding(3)).apply_async()
        assert crowd.get(timeout=30) == list(range(30))
        assert whole.get(timeout=30) == sum(range(10))
        assert row.get(timeout=30) == 6
    assert len(wire.parks) >= 10
    assert {start.retries for start in kept.starts()} == {0}
    assert len(kept.starts()) == 30 + 11 + 3
