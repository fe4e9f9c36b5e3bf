"""From which queue a message came is known, and what is sent back is the same message, in that queue alone."""

import contextlib
import datetime as dt
import json
from types import SimpleNamespace

import pytest
import redis
from celery import Celery
from celery.app.task import Context
from celery.worker.request import Request
from kombu import Consumer, Exchange, Queue
from support.given_clock import GivenClock
from support.messages import RICH
from support.servers import RedisServer

from limitkit.waiting.delivery import attach, collect, delivery_of
from limitkit.waiting.message_copy import came_back, note_of
from limitkit.waiting.origin_queue import QUEUE, note_queues, parkable_queue
from limitkit.waiting.room import ORDER
from limitkit.waiting.send_back import SendBack
from limitkit.worker.pool.in_pool import QueuedInPool
from limitkit.worker.reconnect import Unacked

TOPIC = Exchange("returned.topic", "topic")
QUEUES = [
    Queue("returned.some", TOPIC, routing_key="a.#"),
    Queue("returned.all", TOPIC, routing_key="#"),
    Queue("returned.plain"),
    Queue("returned.once", no_ack=True),
]
BROKERS_OWN = ("delivery_tag", "body_encoding", "application_headers", "delivery_info")
PAST = dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc)
PAID = SimpleNamespace(name="paid")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with RedisServer(tmp_path_factory.mktemp("redis")) as running:
        yield running


def paid(*_):
    """Never runs here."""


class Worker:
    """What a worker receives from all of these queues."""

    def __init__(self, url):
        self.app = Celery("returned", broker=url, set_as_current=False)
        self.app.conf.update(task_queues=QUEUES, task_default_queue="returned.plain", task_default_exchange="")
        self.task = self.app.task(name="paid", ignore_result=True, shared=False)(paid)
        self.clock = GivenClock()
        self.send_back = SendBack(self.app, self.clock)

    def __enter__(self):
        self.connection = self.app.connection_for_read()
        self.received = []
        channel = self.connection.default_channel
        note_queues(channel)
        if self.connection.transport.driver_type == "redis":
            standing = SimpleNamespace(connection=self.connection, on_connection_error_after_connected=None)
            self.unacked = Unacked(standing, QueuedInPool())
            self.unacked.connected()
        self.consumer = Consumer(channel, [queue(channel) for queue in QUEUES], accept=["json", "pickle"])
        self.consumer.on_message = self.received.append
        self.consumer.purge()
        self.consumer.consume()
        return self

    def __exit__(self, *_):
        self.connection.release()
        self.app.close()

    def send(self, *args, **options):
        return self.task.apply_async(args, declare=[TOPIC], **options)

    def receive(self, count):
        """Wait for so many messages; returns them by the queue that each says it came from."""
        with contextlib.suppress(TimeoutError):
            while len(self.received) < count:
                self.connection.drain_events(timeout=20)
        with contextlib.suppress(TimeoutError):  # no more than these
            self.connection.drain_events(timeout=0.1)
        found = {parkable_queue(self.app, message) or "none": message for message in self.received}
        assert len(found) == len(self.received) == count
        self.received.clear()
        return found


@pytest.fixture(params=["redis", "memory", "rabbitmq"])
def worker(request):
    urls = {
        "redis": lambda: request.getfixturevalue("server").url,
        "memory": lambda: "memory://",
        "rabbitmq": lambda: request.getfixturevalue("rabbit").url,
    }
    with Worker(urls[request.param]()) as worker:
        yield worker


def seen(worker, message):
    """What a task sees of its message, and how it stands in the broker."""
    request = Request(message, app=worker.app, task=worker.task)
    came_back(request.request_dict)
    properties = {name: value for name, value in message.properties.items() if name not in BROKERS_OWN}
    as_it_is = message.body, message.content_type, message.content_encoding, properties
    hidden = ("properties", "hostname")
    return as_it_is, {name: value for name, value in request.request_dict.items() if name not in hidden}


def test_a_message_of_another_producer_that_names_no_exchange_is_received(server):
    with Worker(server.url) as worker:
        worker.send(1, queue="returned.plain")
        client = redis.Redis.from_url(server.url)
        message = json.loads(client.rpop("returned.plain"))
        del message["properties"]["delivery_info"]["exchange"]
        client.lpush("returned.plain", json.dumps(message))
        (received,) = worker.receive(1).values()
        assert client.hlen("unacked") == 1
        received.ack()
        assert client.hlen("unacked") == 0
        client.close()


@pytest.mark.parametrize("options", [{}, RICH | {"expires": 3600, "serializer": "pickle"}, {"eta": PAST}])
def test_what_is_sent_back_is_the_same_message_in_its_queue_alone(worker, options):
    worker.send(1, {1: (2, 3)}, exchange=TOPIC, routing_key="a.b", **options)
    worker.send(2, queue="returned.plain", **options)
    first = worker.receive(3)
    assert sorted(first) == ["returned.all", "returned.plain", "returned.some"]
    assert first["returned.all"].delivery_info["exchange"] == TOPIC.name
    assert first["returned.some"].delivery_info["routing_key"] == "a.b"
    before = {queue: seen(worker, message) for queue, message in first.items()}
    for queue, message in first.items():
        assert worker.send_back(PAID, "1", delivery_of(message, queue))
        message.ack()
    second = worker.receive(3)
    assert {queue: seen(worker, message) for queue, message in second.items()} == before
    if worker.connection.transport.driver_type != "amqp":
        assert all(message.headers == first[queue].headers for queue, message in second.items())
    for queue, message in second.items():  # without a pacer it comes with an ETA, of which its task sees nothing
        assert worker.send_back(PAID, "1", delivery_of(message, queue), 7.0, refusals=3)
        message.ack()
    third = worker.receive(3)
    assert {note_of(message).refusals for message in third.values()} == {3}
    for queue, message in third.items():
        assert dt.datetime.fromisoformat(message.headers["eta"]).timestamp() == worker.clock.time() + 7
        # RabbitMQ has the header among the properties, too.
        assert seen(worker, message) == before[queue]
        assert worker.send_back(PAID, "1", delivery_of(message, queue))
        message.ack()
    fourth = worker.receive(3)
    assert {queue: seen(worker, message) for queue, message in fourth.items()} == before
    assert {note_of(message).refusals for message in fourth.values()} == {3}
    for message in fourth.values():
        message.ack()


def test_what_came_without_acknowledgement_or_is_not_known_stays(worker, caplog):
    worker.send(1, queue="returned.once")
    (message,) = worker.receive(1).values()
    request = Request(message, app=worker.app, task=worker.task)
    attach(request, parkable_queue(worker.app, message))
    assert collect(Context(request.request_dict)) is None
    for _ in range(2):
        assert not worker.send_back(PAID, "1", None)
    assert caplog.text.count("paid came from a queue to which its messages can't go back") == 1


def test_a_queue_that_is_gone_keeps_a_message_in_its_process(rabbit, caplog):
    with Worker(rabbit.url) as worker:
        worker.send(1, queue="returned.plain")
        (message,) = worker.receive(1).values()
        assert not worker.send_back(PAID, "1", delivery_of(message, "returned.never"))
        assert "RabbitMQ has no queue returned.never any more" in caplog.text
        message.ack()


def test_a_broker_that_is_gone_keeps_a_message_in_its_process(tmp_path, caplog):
    with RedisServer(tmp_path) as server, Worker(server.url) as worker:
        worker.send(1, queue="returned.plain")
        (message,) = worker.receive(1).values()
        server.stop()
        assert not worker.send_back(PAID, "1", delivery_of(message, "returned.plain"))
        assert "it waits in its process" in caplog.text
        server.start()
        assert worker.send_back(PAID, "1", delivery_of(message, "returned.plain"))
        message.ack()


def test_it_goes_back_to_the_broker_that_it_came_from_where_the_app_writes_to_another(server):
    with Worker(server.url) as worker:
        worker.app.conf.broker_write_url = f"{server.url[:-1]}1"
        worker.send(1, queue="returned.plain", connection=worker.app.connection_for_read())
        (message,) = worker.receive(1).values()
        assert worker.send_back(PAID, "1", delivery_of(message, "returned.plain"))
        message.ack()
        (again,) = worker.receive(1).values()
        assert again.body == message.body
        again.ack()


def test_what_a_message_says_is_no_delivery():
    forged = Context({"id": "1", "properties": {"limitkit_delivery": {"queue": "others"}}})
    assert collect(forged) is None
    assert forged.properties == {}


def test_a_task_sees_nothing_of_what_travels_with_its_message():
    message = SimpleNamespace(
        body=b"", content_type=None, content_encoding=None, headers={}, properties={ORDER: "1"}, delivery_info={}
    )
    request = SimpleNamespace(message=message, request_dict={"properties": {ORDER: "1", "priority": 3}})
    attach(request, "celery")
    context = Context(request.request_dict)
    assert collect(context).properties == {ORDER: "1"}
    assert context.properties == {"priority": 3}


def test_copies_of_one_message_are_noted_each_for_itself_and_for_its_queue(server):
    """Or to acknowledge one, or to put one back, would be to do it to all."""
    with Worker(server.url) as worker:
        worker.send(1, exchange=TOPIC, routing_key="a.b")
        copies = worker.receive(2)
        with redis.Redis.from_url(server.url, decode_responses=True) as client:
            kept = {tag: json.loads(noted)[1:] for tag, noted in client.hgetall("unacked").items()}
        tags = {message.delivery_tag: queue for queue, message in copies.items()}
        assert kept == {tag: ["", queue] for tag, queue in tags.items()}
        copies["returned.all"].ack()
        copies["returned.some"].reject(requeue=True)
        (again,) = worker.receive(1).items()
        assert again[0] == "returned.some"
        again[1].ack()


def test_a_message_cannot_say_that_it_came_from_another_queue(server):
    with Worker(server.url) as worker, redis.Redis.from_url(server.url) as client:
        worker.send()
        message = json.loads(client.rpop("returned.plain"))
        message["properties"]["delivery_info"][QUEUE] = "returned.other"
        client.lpush("returned.plain", json.dumps(message))
        assert list(worker.receive(1)) == ["returned.plain"]
