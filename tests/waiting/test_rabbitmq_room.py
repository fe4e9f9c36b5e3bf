"""Parking in RabbitMQ: what comes back is the same, what is not confirmed is not acknowledged, nothing is lost."""

import datetime as dt
import os
import signal
import socket
import subprocess
import sys
import time
from itertools import pairwise

import pytest
from celery import Celery, chord
from support.deliveries import BUCKET, Deliveries, leavers
from support.messages import RICH

from limitkit.waiting import rabbitmq_publisher
from limitkit.waiting.message_copy import came_back
from limitkit.waiting.rabbitmq_publisher import Publisher
from limitkit.waiting.rabbitmq_room import STEPS, RabbitMQRoom, wait_queue
from limitkit.waiting.room import Steering

CONF = {
    "result_backend": "cache+memory://",
    "broker_connection_timeout": 4,
    "broker_transport_options": {"confirm_publish": True},  # waits for each message where that is not switched off
}
ARGUMENTS = {
    "classic": {"x-max-priority": 9},
    "quorum": {"x-queue-type": "quorum"},
}


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """Wait longer for RabbitMQ's confirmations: on a busy machine they may be late."""
    monkeypatch.setattr(rabbitmq_publisher, "_PATIENCE", 30.0)


@pytest.fixture
def deliveries(rabbit, request):
    with Deliveries(rabbit.url, request.node.name, **CONF) as deliveries:
        yield deliveries


@pytest.fixture
def room(deliveries):
    room = RabbitMQRoom(deliveries.app, lambda: deliveries.connection)
    yield room
    room.close()


def wait_queues(deliveries, *steps):
    return [wait_queue(deliveries.queue.name, step, quorum=False)[0] for step in steps]


def seen(request):
    """All that a task and Celery see of a message, but where it came from at last."""
    came_back(request.request_dict)
    kept = {name: value for name, value in request.request_dict.items() if name not in ("delivery_info", "properties")}
    properties = dict(request.request_dict["properties"])
    properties.pop("application_headers", None)  # the same once more
    properties.pop("expiration", None)  # the time that it may lie in a queue until somebody has it
    return kept, properties, bytes(request.body, "utf-8") if isinstance(request.body, str) else request.body


@pytest.mark.parametrize(("kind", "protocol"), [("classic", 2), ("quorum", 2), ("classic", 1)])
def test_what_comes_back_is_the_same_message(rabbit, kind, protocol):
    queue = f"same.{kind}.{protocol}"
    with Deliveries(rabbit.url, queue, ARGUMENTS[kind], task_protocol=protocol, **CONF) as deliveries:
        task = deliveries.task
        amqp = {
            "expires": 3600,
            "message_id": "m",
            "type": "t",
            "app_id": "a",
            "user_id": "guest",
            "timestamp": 1_700_000_000,
        }
        rich = task.s(1, "ä").set(**{**RICH, **amqp}, link=task.si(2), link_error=task.si(3), reply_to="somewhere")
        chord([rich, task.s(4).set(eta=dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc))], task.s(5)).apply_async()
        task.apply_async((6,), serializer="pickle", expires=3600, correlation_id="else", delivery_mode=1)
        requests = deliveries.receive(3)
        before = {request.id: seen(request) for request in requests}
        room = RabbitMQRoom(deliveries.app, lambda: deliveries.connection)
        room.park(leavers(requests))
        assert all(request.acknowledged for request in requests)
        assert deliveries.messages(wait_queue(queue, 1, quorum=kind == "quorum")[0]) == 3
        again = {request.id: seen(request) for request in deliveries.receive(3)}
        room.close()
        assert again == before
        sent = str(before)
        assert all(name in sent for name in ("chord", "callbacks", "errbacks"))


def test_a_message_waits_in_the_largest_step_before_its_turn(deliveries, room):
    for _ in range(4):
        deliveries.send()
    requests = deliveries.receive(4)
    for request, turn in zip(requests, (0.1, 7.9, 60, 1000), strict=True):
        room.park(leavers([request], turn))
    assert [deliveries.messages(name) for name in wait_queues(deliveries, STEPS[0], 5, STEPS[-1])] == [1, 1, 2]
    assert room.bring(Steering(full={BUCKET.key: (1.0, 1.0)})).left == {BUCKET.key: 4}


def test_the_name_of_a_queue_is_never_too_long_for_rabbitmq():
    names = {wait_queue("ä" * 126 + last, 60, quorum=True)[0] for last in "ab"}
    assert len(names) == 2
    assert max(len(name.encode()) for name in names) <= 255


def test_a_queue_that_has_gone_is_seen_and_made_again(deliveries, room):
    (name,) = wait_queues(deliveries, 30)
    deliveries.send()
    room.park(leavers(deliveries.receive(), 30))
    deliveries.connection.default_channel.queue_delete(name)
    for _ in range(2):
        deliveries.send()
    requests = deliveries.receive(2)
    both = leavers(requests[:1], 30) + leavers(requests[1:], 45)
    with pytest.raises(TimeoutError, match="1 messages are not parked yet"):
        room.park(both)
    assert [request.acknowledged for request in requests] == [False, True]
    room.park(both)
    assert requests[0].acknowledged
    assert [deliveries.messages(name) for name in wait_queues(deliveries, 30, 45)] == [1, 1]


def test_a_broker_that_refuses_queues_gets_messages_back_at_a_steady_pace(rabbit, caplog):
    full = {"x-max-length": 1, "x-overflow": "reject-publish"}
    with Deliveries(rabbit.url, "refused", full, **CONF) as deliveries:
        deliveries.connection.default_channel.queue_declare(*wait_queues(deliveries, 5), durable=True)
        room = RabbitMQRoom(deliveries.app, lambda: deliveries.connection)
        deliveries.send(1)
        first = deliveries.receive()
        room.park(leavers(first, 5))
        assert first[0].acknowledged
        assert (room.most, room.every) == (25, 0.1)
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        again = deliveries.receive()
        # Nobody takes another one out of the queue: it is full, and the broker says no.
        deliveries.consumer.cancel()
        deliveries.send(2)
        with pytest.raises(TimeoutError, match="1 messages are not parked yet"):
            room.park(leavers(again, 5))
        assert not again[0].acknowledged
        deliveries.connection.default_channel.queue_purge("refused")
        room.park(leavers(again, 5))
        assert again[0].acknowledged
        room.close()
        assert len(caplog.records) == 1


def test_a_user_who_may_not_make_queues_is_told_what_is_missing(rabbit, deliveries, caplog):
    rabbit.control(
        "eval",
        'rabbit_auth_backend_internal:add_user(<<"poor">>, <<"poor">>, <<"test">>),'
        'rabbit_auth_backend_internal:set_permissions(<<"poor">>, <<"/">>, <<"^$">>, <<".*">>, <<".*">>, <<"test">>).',
    )
    poor = Celery("poor", broker=rabbit.url.replace("guest:guest", "poor:poor"), set_as_current=False)
    room = RabbitMQRoom(poor, poor.connection_for_read)
    deliveries.send()
    requests = deliveries.receive()
    room.park(leavers(requests, 5))
    assert requests[0].acknowledged
    assert deliveries.receive()[0].id == requests[0].id
    assert "ACCESS_REFUSED" in caplog.text
    room.close()
    # With the rights that the warning names, and no others, it parks.
    rights = '<<"^limitkit[.]wait[.]">>, <<"^(limitkit[.]wait[.]|amq[.]default$)">>, <<"^limitkit[.]wait[.]">>'
    rabbit.control("eval", f'rabbit_auth_backend_internal:set_permissions(<<"poor">>, <<"/">>, {rights}, <<"test">>).')
    deliveries.send()
    room = RabbitMQRoom(poor, poor.connection_for_read)
    room.park(leavers(deliveries.receive(), 5))
    assert deliveries.messages(*wait_queues(deliveries, 5)) == 1
    room.close()


def test_a_broker_out_of_memory_confirms_later_and_each_message_once(rabbit, deliveries, room, monkeypatch):
    monkeypatch.setattr(rabbitmq_publisher, "_PATIENCE", 1.0)
    ids = [deliveries.send() for _ in range(6)]
    requests = deliveries.receive(6)
    rabbit.control("set_vm_memory_high_watermark", "absolute", "1")
    try:
        with pytest.raises(TimeoutError, match="5 messages are not parked yet"):
            room.park(leavers(requests[:5]))
        # From now on nobody waits for the broker, and nothing more is sent to it.
        times = [time.monotonic()]
        for _ in range(3):
            with pytest.raises(TimeoutError, match="takes no messages for now: 6 messages"):
                room.park(leavers(requests))
            times.append(time.monotonic())
        assert min(later - earlier for earlier, later in pairwise(times)) < 0.9
        assert not room._publisher.knows(requests[5])
        assert not any(request.acknowledged for request in requests)
    finally:
        rabbit.control("set_vm_memory_high_watermark", "0.6")
    deadline = time.monotonic() + 60
    while not all(request.acknowledged for request in requests):
        assert time.monotonic() < deadline
        try:
            room.park(leavers([request for request in requests if not request.acknowledged]))
        except TimeoutError:
            time.sleep(0.05)
    counts = deliveries.counts(ids, lambda counts: len(counts) == 6)
    assert set(counts.values()) == {1}
    assert [deliveries.messages(name) for name in (*wait_queues(deliveries, 1), deliveries.queue.name)] == [0, 0]


def test_what_was_not_confirmed_when_a_connection_was_lost_is_published_again(deliveries, room, monkeypatch):
    deliveries.send()
    requests = deliveries.receive()
    settle = Publisher.settle

    def lose(publisher):
        publisher._connection.sock.shutdown(socket.SHUT_RD)
        settle(publisher)

    monkeypatch.setattr(Publisher, "settle", lose)
    with pytest.raises(deliveries.connection.connection_errors):
        room.park(leavers(requests, 30))
    monkeypatch.undo()
    assert not requests[0].acknowledged
    room.park(leavers(requests, 30))
    assert requests[0].acknowledged
    assert deliveries.messages(*wait_queues(deliveries, 30)) in (1, 2)  # the first one may have come, too


def test_a_connection_that_was_lost_is_made_again(deliveries, room):
    deliveries.send()
    room.park(leavers(deliveries.receive(), 30))
    room._publisher._connection.sock.shutdown(socket.SHUT_RDWR)
    deliveries.send()
    requests = deliveries.receive()
    with pytest.raises(deliveries.connection.connection_errors):
        room.park(leavers(requests, 30))
    room.park(leavers(requests, 30))
    assert deliveries.messages(*wait_queues(deliveries, 30)) == 2


DYING = """
import os, signal, sys
from support.deliveries import Deliveries, leavers
from limitkit.waiting import rabbitmq_publisher
from limitkit.waiting.rabbitmq_publisher import Publisher
from limitkit.waiting.rabbitmq_room import RabbitMQRoom

url, queue, step, count = sys.argv[1:]
rabbitmq_publisher._PATIENCE = 30.0
owner, name = (Publisher, step) if hasattr(Publisher, step) else (None, step)

def dying(call):
    left = int(count)
    def called(*args, **kwargs):
        nonlocal left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args, **kwargs)
    return called

with Deliveries(url, queue) as deliveries:
    requests = deliveries.receive(4)
    room = RabbitMQRoom(deliveries.app, lambda: deliveries.connection)
    if owner:
        setattr(owner, name, dying(getattr(owner, name)))
    else:
        acknowledge = dying(lambda request: type(request).acknowledge(request))
        for request in requests:
            request.acknowledge = lambda request=request: acknowledge(request)
    room.park(leavers(requests))
"""


@pytest.mark.parametrize(("step", "count"), [("publish", 3), ("settle", 1), ("acknowledge", 1), ("acknowledge", 3)])
def test_a_worker_killed_on_the_way_loses_nothing(rabbit, deliveries, step, count):
    ids = [deliveries.send() for _ in range(4)]
    deliveries.connection.release()  # the messages are the other's
    killed = subprocess.run(
        [sys.executable, "-c", DYING, rabbit.url, deliveries.queue.name, step, str(count)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
        timeout=60,
    )
    assert killed.returncode == -signal.SIGKILL
    with Deliveries(rabbit.url, deliveries.queue.name, **CONF) as after:
        # What RabbitMQ has confirmed it has; of what it has not, it may have read nothing when the connection broke.
        confirmed = 4 - (count - 1) if step == "acknowledge" else 0
        counts = after.counts(ids, lambda counts: set(counts) == set(ids) and counts.total() >= 4 + confirmed)
        assert set(counts) == set(ids)
        assert max(counts.values()) <= 2
