"""Values that take turns in a worker, on a virtual clock: between those of one with many come those of the others."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import pytest
from support.virtual_worker import Request, bound

from limitkit.control.task_limits import Ask

SECOND = 1_000_000
TASK = SimpleNamespace(name="t", rate_limit=None)


@pytest.fixture
def worker(make_worker):
    worker = make_worker(size=4, prefetch=400)
    worker.limits["t"] = (bound("api", 50_000),)
    worker.weights = {}
    worker.task_limits.ask = lambda limit, _, call: Ask(
        limit.bucket, limit.local, turn=call.args[0], weight=worker.weights.get(call.args[0], 1.0)
    )
    worker.parking.bounds.steered = False  # it holds all
    worker.parking.bounds._settings().per_limit = 400
    return worker


def send(worker, value, count):
    requests = [Request(f"{value}{number}", TASK) for number in range(count)]
    for request in requests:
        request.args = (value,)
        worker.send(request)
    return requests


def started(*requests):
    return sorted((each for some in requests for each in some if each.handed_over), key=lambda each: each.at)


@pytest.mark.parametrize("limits", [1, 2])
def test_the_others_come_between_those_of_one_with_many(worker, limits):
    worker.limits["t"] = (bound("api", 50_000), bound("wide", 10_000))[:limits]
    many = send(worker, "a", 100)
    few = [send(worker, value, 5) for value in "bcd"]
    worker.run(worker.clock.now + 1.2)
    first = Counter(each.args[0] for each in started(many, *few)[:20])
    assert all(4 <= first[value] <= 6 for value in "abcd")
    assert [each.id for each in started(many)] == [each.id for each in many[: len(started(many))]]
    worker.run(worker.clock.now + 20.0)
    assert all(each.handed_over == 1 for each in [*many, *(each for some in few for each in some)])
    assert worker.left() == worker.nothing_left()
    assert not worker.errors


def test_a_changed_weight_holds_for_what_is_held(worker):
    many, few = send(worker, "a", 100), send(worker, "b", 100)
    worker.run(worker.clock.now + 1.0)
    worker.weights = {"a": 4.0}
    worker.pacer.reconsider()
    before = len(started(many)), len(started(few))
    worker.run(worker.clock.now + 2.0)
    assert (len(started(many)) - before[0]) / (len(started(few)) - before[1]) == pytest.approx(4, abs=0.7)


def test_whose_turn_it_was_is_known_when_a_lane_was_empty_meanwhile(worker):
    send(worker, "a", 2)
    worker.run(worker.clock.now + 1.0)
    assert not worker.pacer._lanes.by_key
    turns = worker.pacer._lanes._turns["api"]
    send(worker, "a", 3)
    assert worker.pacer._lanes.by_key["api"].turns is turns
