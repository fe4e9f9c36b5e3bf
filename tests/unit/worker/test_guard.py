"""What a message says of itself does not switch the guard off, and a message never goes to a queue that nobody has."""

from types import SimpleNamespace

import pytest
from celery import Celery
from celery.app.task import Context
from celery.exceptions import Retry
from kombu import Exchange, Message, Queue
from kombu.common import Broadcast
from support.given_clock import GivenClock

from limitkit.buckets.decision import Bucket, Take, Window
from limitkit.buckets.ticket import KEY, NONCE, Ticket
from limitkit.clock import SYSTEM
from limitkit.control.task_limits import Ask
from limitkit.errors import StoreError
from limitkit.stores.memory import MemoryStore
from limitkit.stores.outage import Outage
from limitkit.stores.worker_count import WorkerCount
from limitkit.waiting.origin_queue import parkable_queue, queue_of
from limitkit.worker.guard import Guard


class Gone:
    """A store that can't be asked."""

    def take(self, *_, **__):
        raise StoreError("gone")


def asking(monkeypatch, store, bucket, on_error="hold", clock=SYSTEM):
    """Make a guard that is asked for a start of a message with these headers; returns what asks it."""
    worker_count = WorkerCount("x")
    pool = SimpleNamespace(pool=None, pool_cls=SimpleNamespace(uses_semaphore=False))
    worker_count.start(MemoryStore(), pool, SimpleNamespace(call_repeatedly=lambda *_: None))
    task_limits = SimpleNamespace(
        store=store,
        new_member=lambda: "1-a",
        has_queues=False,
        limits=lambda *_: [SimpleNamespace(local=False, limit=SimpleNamespace(name="paid", on_error=on_error))],
        patience=lambda *_: None,
        ask=lambda *_: Ask(bucket, local=False),
        worker_count=worker_count,
        outage=Outage(clock),
        on_errors=(on_error,),
        rules=SimpleNamespace(store=SimpleNamespace(timeout=0.25)),
        freshen=lambda: None,
    )
    guard = Guard(None, lambda: task_limits, clock)
    monkeypatch.setattr(guard, "_send_back", lambda *_: True)

    def admit(**request):
        context = Context({"id": "1", "delivery_info": {"exchange": "", "routing_key": "celery"}, **request})
        context.called_directly = False
        task = SimpleNamespace(name="paid", request_stack=SimpleNamespace(top=context))
        guard.admit(task, (), {})

    return admit


@pytest.fixture
def admit(monkeypatch):
    """Ask a guard whose bucket is empty."""
    bucket, store = Bucket("a", 3_600_000_000, 1), MemoryStore()
    store.take([Take((bucket,))])
    return asking(monkeypatch, store, bucket)


def test_without_the_store_the_guard_takes_from_its_part_of_a_bucket_unless_that_is_the_pacer_s(monkeypatch):
    admit = asking(monkeypatch, Gone(), Bucket("a", 3_600_000_000, 2), "divide")
    stale = Ticket(NONCE, "1", 0.0, (Bucket("a", 3_600_000_000, 2),), ())
    with pytest.raises(Retry):  # the message goes back to the pacer, which gave it a ticket when there was a store
        admit(properties={KEY: stale})
    admit()
    admit()
    with pytest.raises(Retry):
        admit()


def test_what_a_window_has_counted_long_before_its_answer_came_is_counted_again(monkeypatch):
    window = Window("limitkit:{paid}:x1", 100_000, 10, period_us=60_000_000, exact=True, late_us=10_000)

    class Slow(MemoryStore):
        asked = 0

        def take(self, takes, give_backs=(), **options):
            self.asked += 1
            decisions = super().take(takes, give_backs, **options)
            clock.sleep(0.02 if self.asked == 1 else 0.0)
            return decisions

    clock = GivenClock()
    store = Slow(clock)
    asking(monkeypatch, store, window, clock=clock)()
    assert store.asked == 2
    assert store.take([Take((window,), 0)])[0].marks == (1,)


def test_a_start_waits_by_the_clock_that_is_given_and_only_for_a_slot_that_comes_soon(monkeypatch):
    clock = GivenClock()
    store, bucket = MemoryStore(clock), Bucket("a", 80_000, 1)
    admit = asking(monkeypatch, store, bucket, clock=clock)
    admit()
    assert clock.now == 1000.0
    admit()
    assert clock.now == pytest.approx(1000.08)
    store.take([Take((bucket,), 1, horizon=1.0)])
    with pytest.raises(Retry):
        admit()
    assert clock.now == pytest.approx(1000.08)


def test_a_ticket_is_fresh_by_the_clock_that_is_given(monkeypatch):
    clock = GivenClock()
    admit = asking(monkeypatch, Gone(), Bucket("a", 3_600_000_000, 2), clock=clock)
    shown = Ticket(NONCE, "1", 1000.0, (Bucket("a", 3_600_000_000, 2),), ())
    admit(properties={KEY: shown})
    clock.sleep(0.001)
    with pytest.raises(Retry):
        admit(properties={KEY: shown})


@pytest.mark.parametrize("header", [{}, {"_limitkit_guarded": True}, {"is_eager": True}])
def test_a_header_does_not_switch_the_guard_off(admit, header):
    with pytest.raises(Retry, match="rate limit"):
        admit(**header)


def test_what_apply_makes_is_let_through(admit):
    admit(is_eager=True, delivery_info={"is_eager": True})


@pytest.fixture
def app():
    app = Celery(set_as_current=False)
    orders = Exchange("orders", "topic")
    app.conf.task_queues = [Queue("new", orders, "orders.new.#"), Queue("plain", Exchange("direct"), "key")]
    app.amqp.queues.select(["new", "plain"])
    return app


@pytest.mark.parametrize(
    ("exchange", "routing_key", "queue"),
    [
        ("orders", "orders.new.big", "new"),
        ("direct", "key", "plain"),
        ("", "anything", "anything"),
        ("orders", "orders.old", None),
        ("elsewhere", "key", None),
    ],
)
def test_the_queue_of_a_message_is_known_or_not_guessed(app, exchange, routing_key, queue):
    assert queue_of(app, {"exchange": exchange, "routing_key": routing_key}) == queue


def test_a_broadcast_that_is_consumed_under_its_alias_is_never_parked():
    app = Celery(broker="memory://", set_as_current=False)
    app.conf.task_queues = [Broadcast("shout")]
    (queue,) = app.amqp.queues.values()
    app.amqp.queues._consume_from = {"shout": queue}  # as Celery 5.5 makes of -Q shout
    delivery_info = {"exchange": "shout", "routing_key": ""}
    assert queue_of(app, delivery_info) == "shout"
    with app.connection_for_read() as connection:
        assert parkable_queue(app, Message(delivery_info=delivery_info, channel=connection.default_channel)) is None
