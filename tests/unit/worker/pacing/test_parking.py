"""What is parked, and what is held: nobody fills a worker, and nobody holds up what is behind."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import pytest
from support.virtual_worker import Request, bound

SECOND = 1_000_000


def test_what_goes_back_does_not_hold_up_what_is_behind(make_worker):
    """300 of a task at 1/m, of which 15 may be held, and 100 unlimited ones behind, through a window of 8."""
    worker = make_worker(size=4)
    slow, free = (SimpleNamespace(name=name, rate_limit=None) for name in ("slow", "free"))
    worker.limits = {"slow": (bound("slow", 60 * SECOND),), "free": ()}
    queue = [Request(f"s{n}", slow) for n in range(300)]
    queue += [Request(f"f{n}", free) for n in range(100)]
    behind, unacknowledged, began = queue[300:], [], worker.clock.now

    def deliver():
        unacknowledged[:] = [each for each in unacknowledged if not (each.acknowledged or each.away)]
        while queue and len(unacknowledged) < worker.consumer.qos.value:
            unacknowledged.append(queue.pop(0))
            worker.send(unacknowledged[-1])
        worker.at(worker.clock.now + 0.001, deliver)

    worker.at(began, deliver)
    worker.run(began + 6)
    assert all(request.handed_over == 1 for request in behind)


@pytest.mark.parametrize("local", [True, False])
def test_of_what_other_workers_could_start_a_worker_holds_only_what_it_starts_soon(make_worker, local):
    worker = make_worker(size=4, prefetch=16)
    worker.parking.bounds.steered = True
    task = SimpleNamespace(name="own", rate_limit=None)
    worker.limits["own"] = (bound("own", SECOND // 2, local=local),)
    requests = [Request(f"r{number}", task) for number in range(60)]
    for request in requests:
        worker.at(worker.clock.now, partial(worker.send, request))
    worker.run(worker.clock.now + 0.5)
    held = len(worker.pacer._lanes.held)
    # In 2 s it starts 4. A shared bucket's tokens are there for whoever asks, so holding more does no harm.
    assert held <= 8 if local else held > 50
    assert not worker.errors


def test_what_was_dropped_is_forgotten_before_it_would_be_due(make_worker):
    worker = make_worker(grows=False)
    slow, lively = (SimpleNamespace(name=name, rate_limit=None) for name in ("slow", "lively"))
    worker.limits = {"slow": (bound("slow", 3600 * SECOND),), "lively": (bound("lively", 400_000),)}
    for n in range(2000):
        worker.at(worker.clock.now + n * 0.05, partial(worker.send, Request(f"s{n}", slow)))
    for n in range(240):
        worker.at(worker.clock.now + n * 0.42, partial(worker.send, Request(f"l{n}", lively)))
    worker.run(worker.clock.now + 100)
    assert worker.room.parks > 1500
    assert len(worker.pacer._lane_timer._heap) < 600


def test_the_first_of_a_very_slow_limit_starts_at_once(make_worker):
    """Even where the broker lets a worker hold a request for a much shorter time than the limit's token takes."""
    worker = make_worker()
    worker.parking.bounds.longest = 0.75
    task = SimpleNamespace(name="rare", rate_limit=None)
    worker.limits = {"rare": (bound("rare", 3600 * SECOND),)}
    requests = [Request(f"r{n}", task) for n in range(3)]
    for request in requests:
        worker.send(request)
    worker.run(worker.clock.now + 60)
    assert [request.handed_over for request in requests] == [1, 0, 0]
    # What the worker can't hold is parked until it is due, not again and again.
    assert sum(request.parks for request in requests) <= 4
    assert not worker.errors


def test_those_that_wait_long_leave_places_to_others(make_worker):
    worker = make_worker()
    worker.parking.bounds._settings().per_worker = 4
    rare, lively = (SimpleNamespace(name=name, rate_limit=None) for name in ("rare", "lively"))
    worker.limits = {"rare": (bound("rare", 3600 * SECOND),), "lively": (bound("lively", 100_000),)}
    requests = [Request(f"r{n}", rare) for n in range(6)] + [Request(f"l{n}", lively) for n in range(40)]
    for request in requests:
        worker.send(request)
    worker.run(worker.clock.now + 20)
    assert all(request.handed_over for request in requests[6:])
    assert max(request.parks for request in requests) <= 2


def test_a_broker_that_can_not_park_does_not_fill_a_worker(make_worker):
    worker = make_worker()
    worker.parking.bounds._settings().per_worker = 10
    slow = SimpleNamespace(name="slow", rate_limit=None)
    worker.limits = {"slow": (bound("slow", SECOND),)}
    worker.room.gone = True
    for n in range(500):
        worker.at(worker.clock.now + n * 0.001, partial(worker.send, Request(f"r{n}", slow)))
    worker.run(worker.clock.now + 5)
    assert worker.consumer.qos.value <= worker.prefetch + 10 + 10
    worker.room.gone = False
    worker.run(worker.clock.now + 600)
    assert worker.left() == worker.nothing_left()


def test_one_that_was_held_comes_back_at_its_own_turn_not_behind_those_that_are_parked(make_worker):
    """Else nobody would take the next token of its bucket."""
    worker = make_worker()
    worker.parking.bounds._settings().per_limit = 1
    user = SimpleNamespace(name="user", rate_limit=None)
    worker.limits = {"user": (bound("user", 5 * SECOND),)}
    began = worker.clock.now
    for n in range(5):
        worker.send(Request(f"u{n}", user))
    worker.run(began + 0.5)
    ((key, parked),) = worker.room.parked.items()
    (held,) = worker.pacer._lanes.held
    assert len(parked) == 3
    assert worker.room.due[key] > began + 9
    worker.pacer._leave(held)
    worker.pacer.pump()
    worker.run(began + 1)
    assert began + 4.9 < worker.room.due[key] < began + 5.5
