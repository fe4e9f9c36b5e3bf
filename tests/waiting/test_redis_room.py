"""The waiting room in a Redis broker, step by step on real connections: nothing is lost, doubled, changed or left."""

import contextlib
import datetime as dt
import json
import time
from uuid import UUID

import pytest
import redis
from celery import Celery, chain, group
from celery.worker.request import Request
from kombu import Queue
from kombu.serialization import prepare_accept_content
from support.servers import RedisServer

from limitkit.buckets.decision import Bucket
from limitkit.clock import SYSTEM
from limitkit.waiting import redis_keys, redis_room
from limitkit.waiting.origin_queue import priority_of
from limitkit.waiting.parked_messages import ParkedMessages
from limitkit.waiting.redis_room import RedisRoom
from limitkit.waiting.room import NO_MORE, ORDER, Leaving, Steering
from limitkit.worker.pacing.hold_bounds import LEAD
from limitkit.worker.pool.request_order import Arrivals

SECOND = 1_000_000
FAST, SLOW = Bucket("fast", 100_000, 1), Bucket("slow", SECOND, 1)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with RedisServer(tmp_path_factory.mktemp("redis")) as running:
        yield running


def paid(*args, **kwargs):
    """Never runs here."""


class Broker:
    """A sender, and workers' ends of its Redis, each a connection of its own."""

    def __init__(self, url, stack, **options):
        self.url, self.stack = url, stack
        self.app = Celery("room", broker=url, set_as_current=False)
        stack.callback(self.app.close)
        self.app.conf.broker_transport_options = options
        self.task = self.app.task(paid, name="paid", shared=False)
        self.client = stack.enter_context(contextlib.closing(redis.Redis.from_url(url)))

    def send(self, *args, **options):
        return self.task.apply_async(args, **options).id

    def worker(self, *queues):
        connection = self.stack.enter_context(self.app.connection_for_read())
        return End(self.app, connection.channel(), queues or ("celery",))

    def queued(self, queue="celery"):
        """The raw messages of a queue, in the order in which they are delivered: priority by priority."""
        lists = [queue, *(f"{queue}\x06\x16{step}" for step in (3, 6, 9))]
        return [json.loads(raw) for name in lists for raw in reversed(self.client.lrange(name, 0, -1))]

    def ids(self, queue="celery"):
        return [raw["headers"]["id"] for raw in self.queued(queue)]

    def places(self):
        """How many messages are queued, delivered, and parked."""
        assert self.client.zcard("unacked_index") == self.client.hlen("unacked")
        return len(self.queued()), self.client.hlen("unacked"), self.client.hlen("limitkit:waiting:messages")

    def due_in(self, bucket, queue="celery"):
        """Seconds until the next of a bucket is due."""
        seconds, microseconds = self.client.time()
        return self.client.zscore(f"limitkit:waiting:due:{queue}", bucket) - seconds - microseconds / SECOND

    def written(self):
        return {key.decode() for key in self.client.scan_iter()}


class End:
    """What a worker does with its connection, one step at a time."""

    def __init__(self, app, channel, queues):
        self.app, self.channel = app, channel
        self.room = RedisRoom("limitkit", lambda: channel, lambda: queues)

    def receive(self, count=1, queue="celery", bucket=SLOW, turn=0.0):
        leavers = []
        for _ in range(count):
            message = self.channel.basic_get(queue)
            message.accept = prepare_accept_content(["json", "pickle"])
            leavers.append(Leaving(Request(message, app=self.app), queue, bucket, turn))
        return leavers

    def bring(self, hungry=None, full=None, places=1000):
        return self.room.bring(Steering(hungry or {}, full or {}, LEAD, places))

    def park_all(self, count, **options):
        leavers = self.receive(count, **options)
        self.room.park(leavers)
        return leavers


@pytest.fixture
def make_broker(server):
    with contextlib.ExitStack() as stack:

        def make(**options):
            made = Broker(server.url, stack, **options)
            made.client.flushdb()
            return made

        yield make


@pytest.fixture
def broker(make_broker):
    return make_broker()


# -- the message -------------------------------------------------------------------------------------------------------

WHEN = dt.datetime(2100, 1, 1, tzinfo=dt.timezone.utc)
RICH = {
    "headers": {"tenant": "ünï 🦊", "empty": [], "none": {}, "big": 2**70, "deep": [[], [{"a": []}]], "float": 1e400},
    "priority": 3,
    "expires": WHEN,
    "eta": WHEN,
    "reply_to": str(UUID(int=7)),
    "correlation_id": "another",
    "time_limit": 60,
    "shadow": "shown.as",
    "stamped_headers": ["customer"],
    "stamps": {"customer": ["acme"]},
    "customer": ["acme"],
    "argsrepr": 'newline \n, quote ", "' + "x" * 16 + '"',
}


def messages(broker):
    """What can be sent, each by a call of its own."""
    task, one = broker.task, broker.task.si(1)
    return {
        "plain": task.apply_async,
        "rich": lambda: task.apply_async((1, "ä\u2028\x00", [], 2**70), {"k": {}}, **RICH),
        "compressed": lambda: task.apply_async(("x" * 5000,), compression="gzip", **RICH),
        "pickle": lambda: task.apply_async(({1, 2}, b"\x00\xff"), serializer="pickle"),
        "links": lambda: task.apply_async(link=[one, one], link_error=one.set(priority=9)),
        "chain": lambda: chain(one, one, one).apply_async(),
        "group": lambda: group(one, one).apply_async(),
        "chord": lambda: broker.task.apply_async(chord=one.set(chord_size=2), group_id="g", **RICH),
        "odd headers": lambda: task.apply_async(headers={"when": WHEN, "id2": UUID(int=1), "raw": b"\x00\xff"}),
    }


@pytest.mark.parametrize(
    "kind", ["plain", "rich", "compressed", "pickle", "links", "chain", "group", "chord", "odd headers"]
)
def test_a_message_comes_back_the_same(broker, kind):
    messages(broker)[kind]()
    before, worker = broker.queued(), broker.worker()
    for _ in range(2):
        worker.park_all(len(before))
        assert broker.queued() == []
        worker.bring({SLOW.key: (1.0, 99)})
        after = broker.queued()
        orders = [raw["properties"].pop(ORDER) for raw in after]
        assert orders == sorted(set(orders))
        assert after == before


# -- nothing is lost, and nothing is there twice -----------------------------------------------------------------------


def test_each_step_leaves_a_message_in_one_place(broker):
    """A worker that is killed between two steps does no more of them: another one, which knows nothing, goes on."""
    broker.send()
    worker = broker.worker()
    assert broker.places() == (1, 0, 0)
    leavers = worker.receive()
    assert broker.places() == (0, 1, 0)
    worker.room.park(leavers)
    assert broker.places() == (0, 0, 1)
    broker.worker().bring()
    assert broker.places() == (1, 0, 0)
    other = broker.worker()
    other.park_all(1)
    assert broker.places() == (0, 0, 1)
    broker.worker().bring()
    broker.worker().receive()[0].request.message.ack()
    assert broker.places() == (0, 0, 0)
    assert not broker.written() & {"unacked", "unacked_index"}


def test_a_script_that_was_done_and_not_answered(broker, monkeypatch):
    """The connection goes before the answer comes: what is parked is not put back by whoever thinks that it is here."""
    broker.send()
    worker = broker.worker()
    leavers = worker.receive()

    def cut_off(*args):
        redis_keys.call(*args)
        raise redis.ConnectionError

    monkeypatch.setattr(redis_room, "call", cut_off)
    with pytest.raises(redis.ConnectionError):
        worker.room.park(leavers)
    assert not leavers[0].request.message.acknowledged
    monkeypatch.undo()
    worker.room.park(leavers)
    worker.channel.close()
    assert broker.places() == (0, 0, 1)


def test_one_that_is_delivered_elsewhere_before_this_worker_knows_that_it_is_parked(broker, monkeypatch):
    broker.send()
    worker, other = broker.worker(), broker.worker()
    leavers = worker.receive()

    def slowly(*args):
        monkeypatch.undo()
        redis_keys.call(*args)
        other.bring()
        other.receive()

    monkeypatch.setattr(redis_room, "call", slowly)
    worker.room.park(leavers)
    assert leavers[0].request.acknowledged
    assert leavers[0].request.message.acknowledged
    worker.channel.close()
    assert broker.places() == (0, 1, 0)


def test_a_delivery_that_is_the_brokers_again_is_not_parked(broker):
    broker.send()
    worker = broker.worker()
    leavers = worker.receive()
    worker.channel.qos.restore_by_tag(leavers[0].request.message.delivery_tag)  # its visibility timeout was over
    worker.room.park(leavers)
    assert broker.places() == (1, 0, 0)
    assert not {key for key in broker.written() if ":due:" in key}
    worker.channel.close()
    assert broker.places() == (1, 0, 0)


def test_one_that_was_delivered_and_parked_twice_comes_back_once(broker):
    broker.send()
    [raw] = broker.client.lrange("celery", 0, -1)
    worker = broker.worker()
    worker.park_all(1)
    broker.client.lpush("celery", raw)
    broker.worker().park_all(1)
    assert worker.bring({SLOW.key: (1.0, 9)}).left == {SLOW.key: 0}
    assert broker.places() == (1, 0, 0)


def test_one_that_comes_back_to_the_same_worker_is_held_by_it(broker):
    """It has the delivery tag that it had before, which this channel was told is done."""
    broker.send()
    worker = broker.worker()
    worker.channel.qos.prefetch_count = 1
    for _ in range(3):
        assert worker.channel.qos.can_consume()
        leavers = worker.receive()
        assert not worker.channel.qos.can_consume()
        worker.room.park(leavers)
        worker.bring()
    worker.receive()
    worker.channel.close()
    assert broker.places() == (1, 0, 0)


def test_nothing_is_left_behind(broker):
    """Each bucket, user by user, is forgotten once nothing is parked for it."""
    ids = [broker.send(n) for n in range(50)]
    worker = broker.worker()
    for n in range(50):
        worker.park_all(1, bucket=Bucket(f"user {n}", SECOND, 1))
    assert broker.places() == (0, 0, 50)
    assert worker.bring().empty
    assert sorted(broker.ids()) == sorted(ids)
    assert {key for key in broker.written() if "waiting" in key} == {"limitkit:waiting:order", "limitkit:waiting:clock"}


# Each is the beginning of another, or is so with what stands behind it in the line.
ALIKE = ["", "a", "a\x01", "a\x01b", "a ", "aa", "a0000000000000000", "\x01", "ä", "\U0001f98a"]


@pytest.mark.parametrize("name", ALIKE)
def test_buckets_with_names_alike_are_kept_apart(broker, name):
    worker, ids = broker.worker(), {}
    for each in 2 * ALIKE:
        ids[each] = [*ids.get(each, ()), broker.send()]
        worker.park_all(1, bucket=Bucket(each, SECOND, 1), turn=60.0)
    parked = ParkedMessages(worker.channel, "limitkit")
    assert {pile.bucket: pile.count for pile in parked.piles()} == dict.fromkeys(ALIKE, 2)
    found = [parked.find(each) for each in ids[name]]
    assert [(each.pile.bucket, each.place) for each in found] == [(name, 1), (name, 2)]
    assert worker.bring({name: (1.0, 1)}).left == {name: 1}
    assert broker.ids() == ids[name][:1]
    assert list(parked.purge(pile for pile in list(parked.piles()) if pile.bucket == name)) == [1]
    assert {pile.bucket: pile.count for pile in parked.piles()} == dict.fromkeys({*ALIKE} - {name}, 2)
    assert worker.bring(dict.fromkeys(ALIKE, (1.0, 99))).left == dict.fromkeys(ALIKE, 0)
    assert sorted(broker.ids()) == sorted(id_ for each, pair in ids.items() for id_ in pair[: 1 if each == name else 2])


# -- order -------------------------------------------------------------------------------------------------------------


def test_first_come_first_served_however_often_each_is_parked(broker):
    ids = [broker.send(n) for n in range(30)]
    workers = [broker.worker() for _ in range(2)]
    for n in range(30):
        workers[n % 2].park_all(1)
    for n in range(10):
        workers[n % 2].bring({SLOW.key: (1.0, 5)})
        assert broker.ids()[0] == ids[0]
        workers[1 - n % 2].park_all(len(broker.ids()))
    workers[0].bring({SLOW.key: (1.0, 99)})
    assert broker.ids() == ids


def test_older_ones_come_before_what_is_queued(broker):
    first = [broker.send(n) for n in range(3)]
    worker = broker.worker()
    worker.park_all(3)
    later = [broker.send(n) for n in range(3)]
    worker.bring({SLOW.key: (1.0, 99)})
    assert broker.ids() == first + later


def test_those_that_came_back_before_stay_first(broker):
    first = [broker.send(n) for n in range(6)]
    worker, other = broker.worker(), broker.worker()
    worker.park_all(6)
    later = [broker.send(n) for n in range(3)]
    for each in (worker, other, worker):
        each.bring({SLOW.key: (60.0, 2)})
    assert broker.ids() == first + later


def test_priorities_hold_among_those_that_are_parked(broker):
    sent = [(priority, broker.send(n, priority=priority)) for n, priority in enumerate([9, 3, 0, 5, 9, 0, 4, 3])]
    worker = broker.worker()
    worker.park_all(len(sent), turn=60.0)
    steps = {0: 0, 3: 3, 4: 3, 5: 3, 9: 9}
    ordered = [id_ for _, id_ in sorted(sent, key=lambda each: steps[each[0]])]
    for id_ in ordered:
        worker.bring({SLOW.key: (60.0, 1)})
        assert broker.ids() == [id_]
        worker.receive()[0].request.message.ack()


def test_steps_beyond_all_priorities_lose_no_message(make_broker):
    """As kombu has it, what is below all steps has the last."""
    broker = make_broker(priority_steps=[5, 1000])
    ids = [broker.send(priority=0) for _ in range(3)]
    worker = broker.worker()
    worker.park_all(3)
    parked = ParkedMessages(worker.channel, "limitkit")
    assert [pile.count for pile in parked.piles()] == [3]
    assert all(parked.find(id_) for id_ in ids)
    assert worker.bring({SLOW.key: (1.0, 9)}).left == {SLOW.key: 0}
    assert broker.client.llen("celery\x06\x161000") == 3


@pytest.mark.parametrize("steps", [(0, 3, 6, 9), (0, 5)])
def test_a_worker_goes_by_the_steps_of_its_broker(make_broker, steps):
    broker = make_broker(priority_steps=list(steps))
    worker, given = broker.worker(), [9, None, 4, 0, 30, 5, 2]
    for number in given:
        broker.send(priority=number)
    messages = [worker.receive()[0].request.message for _ in given]
    priorities = [priority_of(message, worker.channel.connection.client) for message in messages]
    expected = sorted(max(step for step in steps if step <= min(number or 0, 9)) for number in given)
    assert priorities == expected


@pytest.mark.parametrize("order", ["x", "nan", 1.5, -(10**17), 9 * 10**15, 10**17])
def test_a_place_that_no_worker_gave_loses_no_message(broker, order):
    ids = [broker.send(n) for n in range(2)]
    worker = broker.worker()
    odd, plain = worker.receive(2)
    odd.request.message._raw["properties"][ORDER] = order
    worker.room.park([odd, plain])
    parked = ParkedMessages(worker.channel, "limitkit")
    assert [pile.count for pile in parked.piles()] == [2]
    assert all(parked.find(id_) for id_ in ids)
    assert worker.bring({SLOW.key: (1.0, 9)}).left == {SLOW.key: 0}
    assert sorted(broker.ids()) == sorted(ids)
    assert broker.places() == (2, 0, 0)


def test_what_comes_back_goes_before_what_came_after_it_in_a_worker_too(broker):
    ids = [broker.send(n) for n in range(4)]
    worker = broker.worker()
    arrivals = Arrivals(lambda: worker.channel.connection.client, SYSTEM)
    worker.park_all(2, turn=60.0)
    places = {each.request.id: arrivals(each.request.message) for each in worker.receive(2)}
    worker.bring({SLOW.key: (60.0, 2)})
    places |= {each.request.id: arrivals(each.request.message) for each in worker.receive(2)}
    assert sorted(places, key=places.get) == ids


# -- queues and prefixes -----------------------------------------------------------------------------------------------


def test_each_goes_back_to_its_own_queue_by_whoever_consumes_from_it(broker):
    broker.app.conf.task_queues = [Queue("one"), Queue("two")]
    ids = {name: broker.send(queue=name) for name in ("one", "two")}
    both = broker.worker("one", "two")
    for name in ids:
        both.park_all(1, queue=name)
    assert broker.client.smembers("limitkit:waiting:queues") == {b"one", b"two"}
    assert broker.worker("one").bring().empty
    assert (broker.ids("one"), broker.ids("two")) == ([ids["one"]], [])
    assert broker.worker("one", "two").bring().left == {SLOW.key: 0}
    assert broker.ids("two") == [ids["two"]]


def test_a_key_prefix_of_the_broker_is_before_each_key(make_broker):
    broker = make_broker(global_keyprefix="{app}:")
    broker.send(priority=9)
    worker = broker.worker()
    worker.park_all(1, turn=100.0)
    assert all(key.startswith("{app}:") for key in broker.written())
    assert not worker.bring().empty
    worker.bring({SLOW.key: (1.0, 1)})
    assert broker.client.llen("{app}:celery\x06\x169") == 1
    assert all(key.startswith("{app}:") for key in broker.written())


def queued_lists(broker, *names):
    return [[json.loads(raw)["headers"]["id"] for raw in reversed(broker.client.lrange(name, 0, -1))] for name in names]


@pytest.mark.parametrize(
    ("steps", "lists"),
    [
        ([0, 3, 6, 9], {"celery": [0, 1], "celery\x06\x163": [2, 3], "celery\x06\x169": [4]}),
        ([0, 3, 5, 9], {"celery": [0, 1], "celery\x06\x163": [2, 3], "celery\x06\x169": [4]}),
        ([0, 2], {"celery": [0, 1], "celery\x06\x162": [2, 3, 4]}),
        ([0], {"celery": [0, 1, 2, 3, 4]}),
        ([1, 9], {"celery\x06\x161": [2, 3], "celery\x06\x169": [0, 1, 4]}),
    ],
)
def test_a_worker_brings_back_into_lists_that_it_reads(make_broker, steps, lists):
    """The lists of a worker with other priority steps may be read by nobody any more."""
    broker = make_broker()
    ids = [broker.send(priority=priority) for priority in (0, 2, 3, 4, 9)]
    broker.worker().park_all(5)
    with contextlib.ExitStack() as stack:
        other = Broker(broker.url, stack, priority_steps=steps).worker()
        assert other.bring({SLOW.key: (1.0, 9)}).left == {SLOW.key: 0}
        assert queued_lists(broker, *lists) == [[ids[n] for n in those] for those in lists.values()]
        assert other.channel._size("celery") == 5


def test_many_queues_are_asked_about_in_several_calls(broker, monkeypatch):
    names = [f"queue {n}" for n in range(5)]
    broker.app.conf.task_queues = [Queue(name) for name in names]
    worker = broker.worker(*names)
    assert worker.bring().empty
    for name in names[:4]:
        for n in range(3):
            broker.send(n, queue=name)
        worker.park_all(3, queue=name, turn=60.0)
    asked = []

    def counting(channel, text, keys, args):
        asked.append(len(keys))
        return redis_keys.call(channel, text, keys, args)

    monkeypatch.setattr(redis_room, "call", counting)
    monkeypatch.setattr(redis_room, "_MOST_KEYS", 20)
    brought = worker.bring({SLOW.key: (1.0, 2)}, places=5)
    assert asked == [3 + 2 * 8, 3 + 2 * 8, 3 + 8]
    assert not brought.empty
    assert brought.left == {SLOW.key: 7}
    assert [len(broker.ids(name)) for name in names] == [2, 2, 1, 0, 0]
    assert worker.bring({SLOW.key: (1.0, 9)}).left == {SLOW.key: 0}
    assert [len(broker.ids(name)) for name in names] == [3, 3, 3, 3, 0]
    assert worker.bring().empty


# -- when --------------------------------------------------------------------------------------------------------------


def test_a_bucket_comes_back_spread_at_its_rate(broker):
    ids = [broker.send(n) for n in range(40)]
    worker = broker.worker()
    worker.park_all(40, bucket=FAST)
    began = time.monotonic()
    brought = worker.bring()
    assert broker.ids() == ids[: int(LEAD * 10) + 1]
    assert brought.left == {FAST.key: 40 - len(broker.ids())}
    assert 0.1 <= brought.again <= 0.2
    assert worker.bring().left in ({}, {FAST.key: 40 - len(broker.ids())})
    assert len(broker.ids()) <= (LEAD + time.monotonic() - began) * 10 + 2


def test_what_is_not_due_stays(broker):
    broker.send()
    worker = broker.worker()
    worker.park_all(1, turn=60.0)
    brought = worker.bring()
    assert broker.places() == (0, 0, 1)
    assert (brought.again, brought.left, brought.empty) == (2.0, {}, False)


def test_one_that_is_parked_again_is_due_at_its_turn(broker):
    """Not an interval later, when its bucket's next one would have been."""
    once_a_minute = Bucket("once a minute", 60 * SECOND, 1)
    for n in range(2):
        broker.send(n)
    worker = broker.worker()
    worker.park_all(2, bucket=once_a_minute)
    worker.bring()
    assert len(broker.ids()) == 1
    assert broker.due_in(once_a_minute.key) > 50
    worker.park_all(1, bucket=once_a_minute, turn=3.0)
    assert 2 < broker.due_in(once_a_minute.key) <= 3


def test_a_bucket_is_due_at_the_first_turn_of_those_that_wait_for_it(broker):
    """A worker that parks what it has held, and reckoned with, knows better than when the others were parked."""
    for n in range(3):
        broker.send(n)
    worker = broker.worker()
    worker.park_all(1, bucket=SLOW, turn=40.0)
    assert 39 < broker.due_in(SLOW.key) <= 40
    worker.park_all(1, bucket=SLOW, turn=3.0)
    assert 2 < broker.due_in(SLOW.key) <= 3
    worker.park_all(1, bucket=SLOW, turn=40.0)
    assert broker.due_in(SLOW.key) <= 3


def test_only_so_many_come_back_in_one_call(broker):
    for n in range(300):
        broker.send(n)
    worker = broker.worker()
    worker.park_all(300)
    assert worker.bring({SLOW.key: (1.0, 1000)}).left == {SLOW.key: 300 - 256}
    assert len(broker.ids()) == 256


def test_no_more_come_back_than_a_worker_has_places_for(broker):
    for n in range(40):
        broker.send(n)
    worker = broker.worker()
    worker.park_all(20, bucket=FAST)
    worker.park_all(20, bucket=SLOW)
    assert worker.bring({SLOW.key: (1.0, 5)}, places=8).left == {SLOW.key: 15, FAST.key: 17}
    assert len(broker.ids()) == 8


def test_what_is_wanted_and_due_as_well_is_counted_once(broker):
    for n in range(20):
        broker.send(n)
    worker = broker.worker()
    worker.park_all(20)
    assert worker.bring({SLOW.key: (1.0, 5)}).left == {SLOW.key: 20 - len(broker.ids())}
    assert len(broker.ids()) > 5


def test_what_is_parked_in_several_queues_is_added_up(broker):
    broker.app.conf.task_queues = [Queue("one"), Queue("two")]
    worker = broker.worker("one", "two")
    for name, count in (("one", 2), ("two", 3)):
        for n in range(count):
            broker.send(n, queue=name)
        worker.park_all(count, queue=name, turn=60.0)
    assert worker.bring({SLOW.key: (1.0, 0)}).left == {SLOW.key: 5}


def test_a_worker_that_is_hungry_gets_more(broker):
    ids = [broker.send(n) for n in range(10)]
    worker = broker.worker()
    worker.park_all(10, turn=60.0)
    assert worker.bring({SLOW.key: (1.0, 0)}).left == {SLOW.key: 10}
    brought = worker.bring({SLOW.key: (0.1, 3)})
    assert brought.left == {SLOW.key: 7}
    assert brought.again <= 0.3  # and the next when these have started, at the rate that the worker says
    assert broker.ids() == ids[:3]


def test_a_bucket_that_has_no_more_tokens_waits(broker):
    broker.send()
    worker, other = broker.worker(), broker.worker()
    worker.park_all(1)
    worker.bring(full={SLOW.key: (SLOW.interval_us / 1e6, 30.0)})
    other.bring()
    assert broker.places() == (0, 0, 1)


LIMITED = Bucket("limitkit:{api}:g1:0", 60 * SECOND, 1)


def retime(worker, **intervals):
    for _ in worker.room.retime(intervals):
        pass


def parked_for_long(broker, seconds=1000.0):
    """Park three of a limit at one a minute."""
    for n in range(3):
        broker.send(n)
    worker = broker.worker()
    worker.park_all(3, bucket=LIMITED, turn=seconds)
    return worker


@pytest.mark.parametrize(
    ("intervals", "due"),
    [
        ({"other": 0.001}, 1000),  # another limit's
        ({"api": 6.0}, 100),
        ({"api": 3600.0}, 3600),  # later, but no later than a token's time
        ({"api": 0.001}, 0),
        ({"api": 0.001, LIMITED.key: 6.0}, 100),  # a partition with a rate of its own
        ({"limitkit:{api}:g1:1": 0.001}, 1000),
    ],
)
def test_what_is_parked_comes_sooner_or_later_when_its_limit_has_another_rate(broker, intervals, due):
    worker = parked_for_long(broker)
    for _ in range(2):  # twice is as once: each worker does it
        retime(worker, **intervals)
        assert broker.due_in(LIMITED.key) == pytest.approx(due, abs=5)


def test_a_worker_that_does_not_know_of_another_rate_yet_is_not_heard(broker):
    worker = parked_for_long(broker, 30.0)
    worker.bring(full={LIMITED.key: (60.0, 500.0)})
    assert broker.due_in(LIMITED.key) == pytest.approx(500 + LEAD, abs=5)
    retime(worker, api=1.0)
    worker.bring(full={LIMITED.key: (60.0, 500.0)})
    assert broker.due_in(LIMITED.key) < 15


def test_a_worker_that_is_busy_keeps_nothing_from_others(broker):
    for n in range(10):
        broker.send(n)
    worker, other = broker.worker(), broker.worker()
    worker.park_all(10)
    worker.bring(full={SLOW.key: (1.0, NO_MORE)})
    assert broker.places() == (0, 0, 10)
    other.bring()
    assert broker.places() == (2, 0, 8)


def test_a_busy_worker_brings_back_what_lies_behind_what_it_has_no_use_for(broker):
    unwanted = [Bucket(f"user {n}", 10 * SECOND, 1) for n in range(300)]
    for n in range(301):
        broker.send(n)
    worker = broker.worker()
    for bucket in (*unwanted, SLOW):
        worker.park_all(1, bucket=bucket, turn=1.0 if bucket is SLOW else 0.0)
    assert worker.bring(full={bucket.key: (1.0, NO_MORE) for bucket in unwanted}).left[SLOW.key] == 0
    assert broker.places() == (1, 0, 300)


@pytest.mark.parametrize("first", ["park", "bring"])
def test_a_clock_that_is_set_back_keeps_nobody_waiting(broker, first):
    ids = [broker.send(n) for n in range(2)]
    worker = broker.worker()
    worker.park_all(2, turn=3.0)
    # As it looks on a server that took over and is 30 s behind: all that was written is of later times.
    [(bucket, due)] = broker.client.zrange("limitkit:waiting:due:celery", 0, -1, withscores=True)
    broker.client.zadd("limitkit:waiting:due:celery", {bucket: due + 30})
    last, ahead = map(float, broker.client.get("limitkit:waiting:clock").split())
    broker.client.set("limitkit:waiting:clock", f"{last + 30:.6f} {ahead:.6f}")
    if first == "park":
        broker.send()
        worker.park_all(1, bucket=FAST, turn=20.0)
    assert worker.bring().again <= 1.6
    assert broker.ids() == []
    worker.bring({SLOW.key: (1.0, 2)})
    assert broker.ids() == ids[:2]


def test_a_clock_that_jumps_ahead_brings_no_flood(broker):
    for n in range(100):
        broker.send(n)
    worker = broker.worker()
    worker.park_all(100, bucket=FAST, turn=3600.0)
    broker.client.zincrby("limitkit:waiting:due:celery", -7200, FAST.key)
    began = time.monotonic()
    worker.bring()
    worker.bring()
    assert len(broker.ids()) <= (LEAD + time.monotonic() - began) * 10 + 2


def test_one_that_came_to_a_worker_that_is_busy_has_not_had_its_turn(broker):
    ids = [broker.send(n) for n in range(12)]
    worker, other = broker.worker(), broker.worker()
    worker.park_all(12)
    other.bring()
    came = worker.receive(2, turn=NO_MORE)
    other.bring()
    assert broker.places() == (0, 2, 10)  # the next are not due yet
    worker.room.park(came)
    other.bring()
    assert broker.ids() == ids[:2]
