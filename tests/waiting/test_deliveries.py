"""What a worker has of a Redis broker's messages, on a real Redis: only that comes back, and each of it once."""

import contextlib
import re
import threading
import uuid
from types import SimpleNamespace

import pytest
import redis
from celery import Celery
from kombu.utils import json
from support.servers import RedisServer
from support.workers import ROOT

from limitkit.waiting.deliveries import SILENCE, Deliveries, new_worker, tag
from limitkit.worker.pool.in_pool import QueuedInPool
from limitkit.worker.reconnect import LastingQoS, Unacked

SOON = 1000
"""Milliseconds, less than after which a worker is not seen."""
WORKERS = "limitkit:waiting:workers:unacked"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with RedisServer(tmp_path_factory.mktemp("redis")) as running:
        yield running


class Broker:
    """A sender, and one end of a worker, whose deliveries have the tags that a test says."""

    def __init__(self, url, stack, **options):
        self.app = Celery("deliveries", broker=url, set_as_current=False)
        stack.callback(self.app.close)
        self.app.conf.broker_transport_options = options
        self.channel = stack.enter_context(self.app.connection_for_read()).channel()
        self.channel.qos.__class__ = LastingQoS
        standing = SimpleNamespace(on_connection_error_after_connected=None)
        self.channel.qos.unacked = Unacked(standing, QueuedInPool())
        self.channel.qos.restore_at_shutdown = False
        self.prefix = options.get("global_keyprefix", "")
        self.client = stack.enter_context(contextlib.closing(redis.Redis.from_url(url)))
        self.client.flushdb()
        self.deliveries = Deliveries(self.channel, "limitkit")
        stack.callback(self.deliveries.close)

    def deliver(self, worker, count, *, first=1, **options):
        """Send messages, and have them delivered to a worker; returns their ids, in that order."""
        ids = []
        for number in range(first, first + count):
            ids.append(self.app.send_task("paid", **options).id)
            for queue in ("celery", "celery\x06\x169"):
                raw = self.client.rpop(self.prefix + queue)
                if raw:
                    self._note(json.loads(raw), tag(worker, number) if worker else str(uuid.uuid4()))
        return ids

    def _note(self, raw, name):
        raw["properties"]["delivery_tag"] = name
        self.channel.qos._from = "celery"
        message = self.channel.Message(raw, channel=self.channel)
        self.channel.qos.append(message, name)

    def queued(self, queue="celery"):
        """The messages of a queue, the next one first."""
        return [json.loads(raw) for raw in reversed(self.client.lrange(self.prefix + queue, 0, -1))]

    def ids(self, queue="celery"):
        return [raw["headers"]["id"] for raw in self.queued(queue)]

    def unacked(self):
        count = self.client.hlen(f"{self.prefix}unacked")
        assert self.client.zcard(f"{self.prefix}unacked_index") == count
        return count

    def silence(self, worker, milliseconds):
        """Have a worker be last seen so long ago."""
        seconds, microseconds = self.client.time()
        last = seconds * 1000 + microseconds // 1000 - milliseconds
        self.client.zadd(WORKERS, {worker: last})
        return last

    def give_back(self, worker):
        tags = [each for some in self.deliveries.tags(worker) for each in some]
        return sum(self.deliveries.give_back(worker, tags))


@pytest.fixture
def make_broker(server):
    with contextlib.ExitStack() as stack:
        yield lambda **options: Broker(server.url, stack, **options)


@pytest.fixture
def broker(make_broker):
    return make_broker()


@pytest.fixture
def workers():
    return new_worker("w1@test"), new_worker("w2@test")


def test_who_is_not_seen_is_told_to_the_others(broker, workers):
    one, other = workers
    assert broker.deliveries.note(one, begins=True) == broker.deliveries.note(other, begins=True) == []
    broker.silence(one, SILENCE * 1000 - SOON)
    assert broker.deliveries.note(other) == []
    last = broker.silence(one, SILENCE * 1000 + 1)
    assert broker.deliveries.note(other) == [(one, last)]
    assert broker.deliveries.note(one) == []
    assert broker.deliveries.note(other) == []
    assert broker.client.ttl(WORKERS) > 86_400  # no key stays for ever


def test_who_is_ahead_of_a_clock_that_went_back_is_not_seen_either(broker, workers):
    one, other = workers
    last = broker.silence(one, -60_000)
    assert broker.deliveries.note(other, begins=True) == [(one, last)]
    assert broker.deliveries.note(one) == []
    assert broker.deliveries.note(other) == []


def test_only_one_of_two_declares_a_worker_dead(broker, workers):
    one, other = workers
    broker.silence(one, 15_000)
    (silent,) = broker.deliveries.note(other, begins=True)
    assert 15 <= broker.deliveries.declare_dead(silent) < 100
    assert broker.deliveries.declare_dead(silent) is None


def test_who_was_seen_meanwhile_is_not_declared_dead(broker, workers):
    one, other = workers
    broker.silence(one, 15_000)
    (silent,) = broker.deliveries.note(other, begins=True)
    assert broker.deliveries.note(one) is not None
    assert broker.deliveries.declare_dead(silent) is None
    assert broker.deliveries.is_alive(one)


def test_who_was_declared_dead_learns_it_also_later(broker, workers):
    one, other = workers
    broker.silence(one, 15_000)
    (silent,) = broker.deliveries.note(other, begins=True)
    broker.deliveries.declare_dead(silent)
    for _ in range(2):
        assert broker.deliveries.note(one) is None
        assert not broker.deliveries.is_alive(one)
        broker.deliveries.forget(one)  # its messages are back
    assert broker.deliveries.note(one, begins=True) == []


def test_who_returns_a_dead_ones_messages_is_watched_too(broker, workers):
    """It may die in the midst of it; as long as it goes on, nobody else takes that for unseen."""
    one, other = workers
    broker.deliver(one, 1)
    broker.silence(one, 15_000)
    (silent,) = broker.deliveries.note(other, begins=True)
    broker.deliveries.declare_dead(silent)
    (taken,) = broker.deliveries.note(other)
    assert taken.worker == one
    assert broker.deliveries.note(other) == [taken]
    broker.silence(one, 3_000_000_000_000)  # an hour passes
    (stale,) = broker.deliveries.note(other)
    assert broker.give_back(one) == 1
    assert broker.deliveries.declare_dead(stale) is None


@pytest.mark.parametrize("prefix", ["", "app:"])
def test_what_a_dead_worker_had_comes_back_in_its_order_before_the_rest(make_broker, workers, prefix):
    broker = make_broker(global_keyprefix=prefix)
    one, other = workers
    back = broker.deliver(one, 12)
    broker.deliver(other, 2)
    queued = [broker.app.send_task("paid").id for _ in range(2)]
    assert broker.give_back(one) == 12
    assert broker.ids() == back + queued
    assert broker.unacked() == 2
    first, *_, last = broker.queued()
    for message, redelivered in ((first, True), (last, None)):
        assert message["headers"].get("redelivered") is redelivered
        assert message["properties"]["delivery_info"].get("redelivered") is redelivered


def test_what_others_have_stays(broker, workers):
    one, other = workers
    broker.deliver(other, 3)
    broker.deliver(None, 3)  # a worker without limitkit
    broker.client.zadd("unacked_index", {"f" * 16: 1})
    broker.client.hset("unacked", "f" * 16, "of another program")
    before = broker.client.hgetall("unacked")
    assert broker.give_back(one) == 0
    assert broker.client.hgetall("unacked") == before
    assert broker.ids() == []


def test_what_no_queue_is_known_of_stays(broker, workers):
    one, _ = workers
    broker.deliver(one, 3)
    raw = json.loads(broker.client.hget("unacked", tag(one, 1)))
    broker.client.hset("unacked", tag(one, 1), json.dumps([raw[0], "news", "celery"]))  # a broadcast
    broker.client.hset("unacked", tag(one, 2), "not JSON")
    assert broker.give_back(one) == 1
    assert broker.unacked() == 2


def test_what_was_acknowledged_meanwhile_stays_so(broker, workers):
    one, _ = workers
    broker.deliver(one, 3)
    tags = [each for some in broker.deliveries.tags(one) for each in some]
    broker.channel.qos.ack(tag(one, 2))
    assert sum(broker.deliveries.give_back(one, tags)) == 2
    assert broker.unacked() == 0


def test_one_comes_back_into_the_list_of_its_priority(broker, workers):
    one, _ = workers
    (first,) = broker.deliver(one, 1)
    (later,) = broker.deliver(one, 1, first=2, priority=9)
    assert broker.give_back(one) == 2
    assert broker.ids() == [first]
    assert broker.ids("celery\x06\x169") == [later]


def test_each_comes_back_once_when_two_return_them_at_once(make_broker, workers):
    brokers = [make_broker(), make_broker()]
    one, _ = workers
    ids = brokers[0].deliver(one, 200)
    counts = []
    threads = [
        threading.Thread(target=lambda broker=broker: counts.append(broker.give_back(one))) for broker in brokers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == len(ids)
    assert sorted(brokers[0].ids()) == sorted(ids)
    assert brokers[0].unacked() == 0


def test_one_is_found_among_many_by_small_steps(broker, workers):
    one, other = workers
    ids = broker.deliver(one, 3)
    raw = broker.client.hget("unacked", tag(one, 1))
    names = [tag(other, number) for number in range(5_000)]
    broker.client.hset("unacked", mapping=dict.fromkeys(names, raw))
    broker.client.zadd("unacked_index", dict.fromkeys(names, 1.0))
    steps = list(broker.deliveries.tags(one))
    assert len(steps) >= 4
    assert broker.give_back(one) == 3
    assert broker.ids() == ids
    assert broker.unacked() == 5_000


def test_the_rights_that_the_docs_name_are_enough(broker, workers, server):
    one, other = workers
    *_, rights = re.findall(r"`(\+.*?)`", (ROOT / "docs" / "waiting.md").read_text())
    keys = ("~limitkit:waiting:*", "~unacked*", "~celery*")
    broker.client.execute_command("ACL", "SETUSER", "worker", "on", ">s3cret", *keys, *rights.split())
    with Celery("worker", broker=server.url, set_as_current=False).connection_for_read() as connection:
        channel = connection.channel()
        connection.userid, connection.password = "worker", "s3cret"  # kombu's own calls need more
        with contextlib.closing(Deliveries(channel, "limitkit")) as deliveries:
            ids = broker.deliver(one, 2)
            broker.silence(one, 15_000)
            (silent,) = deliveries.note(other, begins=True)
            assert deliveries.is_alive(one)
            assert deliveries.declare_dead(silent) >= 15
            tags = [each for some in deliveries.tags(one) for each in some]
            assert sum(deliveries.give_back(one, tags)) == 2
            deliveries.forget(one)
            assert broker.ids() == ids


def test_large_messages_come_back_by_few(broker, workers):
    one, _ = workers
    ids = broker.deliver(one, 4, args=("x" * 100_000,))
    counts = list(broker.deliveries.give_back(one, [tag(one, number) for number in range(1, 5)]))
    assert len(counts) >= 2
    assert sum(counts) == 4
    assert broker.ids() == ids
