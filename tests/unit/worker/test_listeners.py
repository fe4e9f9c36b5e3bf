"""What a worker tells with ``-E``: a task's state comes out right for whoever follows its events, as Flower does."""

import itertools
from copy import copy
from types import SimpleNamespace

import pytest
from celery import Celery
from celery.events.state import State

from limitkit.events.event_types import StoreRecovered, TaskDropped, TaskSentBack, TaskThrottled
from limitkit.worker.listeners import WorkerEvents

THROTTLED = TaskThrottled(task="shop.charge", id="1", limit="stripe", wait=2.0, held=True)
SENT_BACK = TaskSentBack(task="shop.charge", id="1", limit="stripe", wait=2.0)
DROPPED = TaskDropped(task="shop.charge", id="1")
OURS = (THROTTLED, SENT_BACK, DROPPED)
LIVES = ("received started succeeded", "received started failed", "received started retried", "received revoked")
LIVES += ("received rejected", "received started retried received started succeeded", "received")


@pytest.fixture
def app():
    app = Celery("told", set_as_current=False)

    def charge(): ...

    app.task(name="shop.charge", shared=False)(charge)
    app.task(name="quiet", send_events=False, shared=False)(charge)
    return app


class Worker:
    """A worker's consumer with a dispatcher as Celery makes it; what it would publish is kept."""

    def __init__(self, app, *, groups=None, enabled=True, buffer_group=("task",), paced=False):
        self.sent = []
        dispatcher = app.events.Dispatcher(
            SimpleNamespace(transport=SimpleNamespace(driver_type="")),
            hostname="w1@test",
            enabled=False,
            groups=groups,
            buffer_group=buffer_group,
        )
        dispatcher.enabled, dispatcher._publish = enabled, lambda event, *_, **__: self.sent.append(copy(event))
        self.dispatcher = dispatcher
        self.events = WorkerEvents(app)
        self.events.consumer, self.events.paced = SimpleNamespace(event_dispatcher=dispatcher), paced

    def tell(self, event):
        """Tell of an event, and return what is sent: what is gathered for one message is sent at once."""
        self.events(event)
        self.dispatcher.flush(errors=False)
        sent, self.sent = self.sent, []
        return [each for piece in sent for each in (piece if isinstance(piece, list) else [piece])]


def replayed(told):
    """Return the state in which a task is by these events, in the order in which they have come."""
    state = State()
    for at, event in told:
        state.event({**event, "hostname": "w1@test", "timestamp": at, "local_received": at, "clock": at})
    return state.tasks["1"].state


@pytest.mark.parametrize("life", LIVES)
@pytest.mark.parametrize("event", [THROTTLED, SENT_BACK], ids=lambda event: type(event).__name__)
def test_a_state_is_what_celery_s_own_events_say_in_whichever_order_they_come(app, event, life):
    (ours,) = Worker(app).tell(event)
    told = [(at, {"type": f"task-{name}", "uuid": "1"}) for at, name in enumerate(life.split(), 1)]
    for order in itertools.islice(itertools.permutations(told), 200):
        for place in range(len(order) + 1):
            assert replayed([*order[:place], (1.5, ours), *order[place:]]) == replayed(order)


def test_one_that_was_dropped_is_revoked_in_whichever_order_its_events_come(app):
    (ours,) = Worker(app).tell(DROPPED)
    told = [(1, {"type": "task-received", "uuid": "1"}), (2, {"type": "task-started", "uuid": "1"}), (3, ours)]
    assert {replayed(order) for order in itertools.permutations(told)} == {"REVOKED"}


def test_a_task_that_has_only_been_throttled_is_none_of_celery_s(app):
    (ours,) = Worker(app).tell(THROTTLED)
    state = State()
    state.event({**ours, "timestamp": 1.0, "local_received": 1.0, "clock": 1})
    assert not state.tasks


def test_it_says_who_waits_for_what_and_until_when(app):
    (ours,) = Worker(app).tell(THROTTLED)
    assert (ours["type"], ours["uuid"], ours["name"]) == ("limitkit-task-throttled", "1", "shop.charge")
    assert ours["limit"] == "stripe"


def test_many_are_one_message_where_celery_s_are(app):
    for group, messages in ((("task",), 1), (None, 3)):
        worker = Worker(app, buffer_group=group)
        for _ in range(3):
            worker.events(THROTTLED)
        worker.dispatcher.flush(errors=False)
        assert len(worker.sent) == messages


def test_a_task_that_was_dropped_ends_once(app):
    """A pool ignores it without a word; a pacer has Celery itself tell."""
    (ours,) = Worker(app).tell(DROPPED)
    assert ours["type"] == "task-revoked"
    assert Worker(app, paced=True).tell(DROPPED) == []


def test_nothing_is_sent_that_nobody_has_asked_for(app):
    assert not Worker(app, enabled=False).events.wants(TaskThrottled)
    assert not Worker(app, groups=["worker"]).events.wants(TaskThrottled)
    assert not Worker(app).events.wants(StoreRecovered)
    for event in OURS:
        assert Worker(app, enabled=False).tell(event) == []
        assert Worker(app, groups=["worker"]).tell(event) == []
        assert len(Worker(app, groups=["worker", "task"]).tell(event)) == 1, "as celery control enable_events has it"
    assert Worker(app).tell(TaskThrottled(task="quiet", id="1", limit="stripe", wait=2.0, held=True)) == []
    assert Worker(app).tell(TaskSentBack(task="shop.charge", id="1", limit="a", wait=1.0, throttled=True)) == []


def test_what_was_asked_for_by_remote_control_can_be_taken_back(app):
    worker = Worker(app, groups=["worker", "task"])
    assert len(worker.tell(THROTTLED)) == 1
    worker.dispatcher.groups.discard("task")  # celery control disable_events
    assert worker.tell(THROTTLED) == []
    assert not worker.events.wants(TaskThrottled)
