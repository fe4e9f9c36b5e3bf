"""What the pacer tells of requests, on a virtual clock: a limit is blamed when it is why they wait, and only then."""

from collections import Counter
from functools import partial
from types import SimpleNamespace

import pytest
from support.listeners import Heard
from support.virtual_worker import Request, bound

from limitkit.config.declared import Patience
from limitkit.events.event_types import TaskAdmitted, TaskDropped, TaskParked, TaskThrottled
from limitkit.worker.pacing import max_wait

PAID, LONG = SimpleNamespace(name="paid"), SimpleNamespace(name="long")
SECOND = 1_000_000


@pytest.fixture
def play(make_worker, listen):
    """Let so many requests of one limit come at once, with the pool busy for some seconds; returns what was told."""

    def play(count, limit, *, busy=0.0, patience=None):
        heard = listen(Heard())
        worker = make_worker(size=2)
        worker.limits = {"paid": (limit,), "long": ()}
        worker.patience = {"paid": patience}
        worker.seconds = lambda request: busy if request.task is LONG else 0.001
        for number in range(2 if busy else 0):
            worker.send(Request(f"long{number}", LONG))
        requests = [Request(f"r{number}", PAID) for number in range(count)]
        began = worker.clock.now
        for number, request in enumerate(requests):
            worker.at(began + number * 0.001, partial(worker.send, request))
        worker.run(began + 60)
        assert worker.left() == worker.nothing_left()
        return [event for event in heard if event.task == "paid"], requests

    return play


def of(kind, events):
    return [event for event in events if isinstance(event, kind)]


def test_each_that_waits_for_a_token_is_throttled_once(play):
    events, requests = play(6, bound("paid", SECOND, 2))
    throttled = of(TaskThrottled, events)
    waits = {event.id: round(event.wait) for event in throttled}
    # The third came while a process was waited for, and so it was seen later that the limit holds it up, too.
    assert waits.pop("r2") <= 1
    assert waits == {"r3": 2, "r4": 3, "r5": 4}
    assert len(throttled) == 4
    assert all(event.limit == "paid" and event.held for event in throttled)
    assert Counter(event.id for event in of(TaskAdmitted, events)) == Counter(request.id for request in requests)


def test_a_busy_pool_is_not_blamed_on_the_limit(play):
    events, _ = play(6, bound("paid", SECOND // 1000, 50), busy=5.0)
    assert not of(TaskThrottled, events)
    assert min(event.waited for event in of(TaskAdmitted, events)) >= 4.9


def test_a_limit_that_shows_behind_a_busy_pool_is_reported(play):
    events, _ = play(6, bound("paid", SECOND, 2), busy=3.0)
    assert sorted(event.id for event in of(TaskThrottled, events)) == ["r2", "r3", "r4", "r5"]


def test_what_is_parked_is_throttled_and_parked(play):
    events, requests = play(40, bound("paid", SECOND, 1))
    parked = of(TaskParked, events)
    assert parked
    assert len(parked) == sum(request.parks for request in requests)
    throttled = Counter(event.id for event in of(TaskThrottled, events) if not event.held)
    assert throttled.keys() >= {event.id for event in parked}
    assert {event.limit for event in parked} == {"paid"}


def test_what_may_not_wait_is_throttled_and_dropped(play, monkeypatch):
    monkeypatch.setattr(Request, "_announce_revoked", lambda *_: None, raising=False)
    monkeypatch.setattr(max_wait.state, "task_reserved", lambda _: None)
    events, _ = play(6, bound("paid", SECOND, 2), patience=Patience("drop", 0.0))
    throttled = of(TaskThrottled, events)
    assert sorted(event.id for event in throttled) == ["r2", "r3", "r4", "r5"]
    assert not all(event.held for event in throttled)
    assert sorted(event.id for event in of(TaskDropped, events)) == ["r2", "r3", "r4", "r5"]
