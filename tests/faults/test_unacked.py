"""What a lost connection to a Redis broker leaves unacknowledged, message by message."""

from types import SimpleNamespace

import pytest
from celery.worker import state
from kombu import Connection
from kombu.asynchronous import Hub
from redis.exceptions import RedisError
from support.servers import RedisServer

from limitkit.waiting.origin_queue import note_queues
from limitkit.worker.pool.in_pool import ProcessesInPool, QueuedInPool
from limitkit.worker.reconnect import Unacked

DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


class Worker:
    """One that holds what it receives; of Celery's it has only how a connection is closed that was lost."""

    def __init__(self, broker, *, pool_queues=False):
        self.broker = broker
        self.consumer = SimpleNamespace(on_connection_error_after_connected=self._close)
        self.consumer.pool = SimpleNamespace(_pool=SimpleNamespace(_cache={}))
        self.consumer.hub = Hub()
        in_pool = QueuedInPool() if pool_queues else ProcessesInPool(self.consumer.pool)
        self.unacked = Unacked(self.consumer, in_pool)
        self.connect()

    def connect(self):
        self.consumer.connection = Connection(self.broker.url)
        self.channel = self.consumer.connection.default_channel
        note_queues(self.channel)
        self.unacked.connected()
        self.queue = self.consumer.connection.SimpleQueue("work")

    def _close(self, _):
        self.consumer.connection.collect()

    def send(self, *bodies):
        for body in bodies:
            self.queue.put(body)

    def receive(self, count):
        return {message.payload: message for message in (self.queue.get(timeout=5) for _ in range(count))}

    def lose(self):
        self.broker.stop()
        self.consumer.on_connection_error_after_connected(ConnectionError())

    def reconnect(self):
        self.broker.start()
        self.connect()

    def left(self):
        """What is in the queue now, in its order; nothing else may be noted as delivered."""
        found = list(self.receive(self.queue.qsize()))
        assert self.channel.client.hlen("unacked") == len(found)
        return found


@pytest.fixture
def broker(tmp_path):
    with RedisServer(tmp_path, *DURABLE) as server:
        yield server


@pytest.fixture
def work(broker):
    """Make a worker, which gives back what it has received in the end."""
    workers = []

    def work(**options):
        workers.append(Worker(broker, **options))
        return workers[-1]

    yield work
    for worker in workers:
        worker.consumer.connection.close()


@pytest.fixture
def run():
    """Let a message be a request that runs."""
    running = []

    def run(message, where=state.active_requests):
        request = SimpleRequest(message)
        running.append(request)
        where.add(request)
        return request

    yield run
    for request in running:
        state.active_requests.discard(request)
        state.reserved_requests.discard(request)


class SimpleRequest:
    _already_cancelled = False

    def __init__(self, message):
        self.message = message


def test_messages_are_back_in_the_order_in_which_they_came(work):
    worker = work()
    worker.send(1, 2, 3, 4)
    worker.receive(3)
    worker.lose()
    worker.reconnect()
    assert worker.left() == [1, 2, 3, 4]


def test_what_runs_on_is_acknowledged_over_the_next_connection(work, run):
    worker = work()
    worker.send("ends meanwhile", "ends later", "waits", "stopped by Celery", "rejected", "requeued")
    messages = worker.receive(6)
    for name, message in messages.items():
        if name != "waits":
            run(message)._already_cancelled = name == "stopped by Celery"
    worker.lose()
    messages["ends meanwhile"].ack()
    messages["stopped by Celery"].ack()  # as it does in gevent
    messages["rejected"].reject()
    messages["requeued"].requeue()
    worker.reconnect()
    messages["ends later"].ack()
    assert worker.left() == ["waits", "stopped by Celery", "requeued"]


def test_a_delivery_that_names_its_worker_goes_back_under_another_tag(work):
    """Else whoever gets it next, without such names, would have it noted as that worker's."""
    worker = work()
    worker.unacked.new_tag = lambda: "worker.1"
    worker.send("message")
    (message,) = worker.receive(1).values()
    assert message.delivery_tag == "worker.1"
    noted = worker.channel.client.hgetall("unacked")
    assert list(noted) == [b"worker.1"]
    assert b"worker.1" not in noted[b"worker.1"]
    worker.unacked.new_tag = None
    message.requeue()
    assert worker.left() == ["message"]


def test_a_second_loss_is_like_the_first(work, run):
    worker = work()
    worker.send("runs", "stopped by Celery at the second", "waits")
    messages = worker.receive(3)
    run(messages["runs"])
    stopped = run(messages["stopped by Celery at the second"])
    worker.lose()
    worker.reconnect()
    worker.lose()
    stopped._already_cancelled = True
    worker.reconnect()
    messages["runs"].ack()
    assert worker.left() == ["stopped by Celery at the second", "waits"]


def test_an_acknowledgement_that_failed_is_made_up_for(work, broker):
    worker = work()
    worker.send("ended", "waits")
    message = worker.receive(2)["ended"]
    broker.stop()
    with pytest.raises((RedisError, OSError)):
        message.ack()
    worker.lose()
    worker.reconnect()
    assert worker.left() == ["waits"]


def test_a_message_that_was_popped_and_not_noted_is_not_lost(work, broker):
    worker = work()
    worker.send("popped")
    popped = worker.receive(1)["popped"]
    worker.channel.qos.ack(popped.delivery_tag)  # as if it had never been noted
    broker.stop()
    with pytest.raises((RedisError, OSError)):
        worker.channel.qos.append(popped, popped.delivery_tag)
    worker.lose()
    worker.reconnect()
    assert worker.left() == ["popped"]


@pytest.mark.parametrize("pool_queues", [True, False])
def test_a_pool_with_a_queue_inside_runs_what_it_was_given(work, run, pool_queues):
    worker = work(pool_queues=pool_queues)
    worker.send("given", "waits")
    given = worker.receive(2)["given"]
    run(given, state.reserved_requests)
    for _ in range(2):
        worker.lose()
        state.reserved_requests.clear()  # as Celery does then
        worker.reconnect()
    if pool_queues:
        given.ack()
    assert worker.left() == (["waits"] if pool_queues else ["given", "waits"])


def test_a_worker_that_stops_gives_back_none_that_the_loop_was_about_to_acknowledge(work):
    worker = work()
    worker.send("ended", "waits")
    worker.consumer.hub.call_soon(worker.receive(2)["ended"].ack)  # as Celery acknowledges
    worker.unacked.give_back()
    assert worker.left() == ["waits"]
