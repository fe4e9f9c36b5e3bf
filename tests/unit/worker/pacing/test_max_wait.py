"""Requests that may not wait long, on a virtual clock: given up as soon as the wait would be longer, and not before."""

from functools import partial
from types import SimpleNamespace

import pytest
from support.virtual_worker import Request, bound

from limitkit.config.declared import Patience


@pytest.fixture
def life(make_worker):
    """Let 30 requests of one limit of 5/s come within 60 ms; returns when they started, and when they were dropped."""

    def play(max_wait, *, busy=0.0, local=False, burst=1):
        worker = make_worker(size=2)
        worker.limits = {"task": (bound("task", 200_000, burst, local=local),), "long": ()}
        worker.patience = {"task": Patience("drop", max_wait)}
        worker.seconds = lambda request: busy if request.task.name == "long" else 0.001
        task, long = SimpleNamespace(name="task"), SimpleNamespace(name="long")
        began, dropped = worker.clock.now, []
        worker.pacer._max_wait._drop = lambda request: dropped.append((worker.clock.now - began, request.id))
        if busy:
            for number in range(2):
                worker.send(Request(f"long{number}", long))
        requests = [Request(f"r{number}", task) for number in range(30)]
        for number, request in enumerate(requests):
            worker.at(began + number * 0.002, partial(worker.send, request))
        worker.run(began + 20)
        started = [request.at - began for request in requests if request.handed_over]
        assert len(started) + len(dropped) == 30
        assert worker.left() == worker.nothing_left()
        return started, [at for at, _ in dropped]

    return play


@pytest.mark.parametrize("local", [False, True])
def test_what_would_wait_longer_is_given_up_at_once(life, local):
    started, dropped = life(1.0, local=local)
    assert 5 <= len(started) <= 7
    assert max(started) <= 1.2
    assert max(dropped) <= 1.1
    assert sorted(dropped)[20] <= 0.1


def test_no_wait_means_a_token_now_or_never(life):
    started, dropped = life(0.0, burst=4)
    assert len(started) == 4
    assert max(dropped) <= 0.2


def test_a_busy_pool_is_no_reason_to_give_up(life):
    started, dropped = life(0.0, burst=4, busy=3.0)
    assert len(started) == 4
    assert min(started) >= 3.0
    assert min(dropped) >= 3.0


def test_what_would_be_parked_behind_the_last_token_is_given_up_also_while_the_pool_is_busy(make_worker):
    """Parked, it would come back with the next token: in an hour."""
    worker = make_worker(size=2)
    worker.limits = {"task": (bound("task", 3600 * 1_000_000),), "long": ()}
    worker.patience = {"task": Patience("drop", 0.0)}
    worker.seconds = lambda request: 3.0 if request.task.name == "long" else 0.001
    task, long = SimpleNamespace(name="task"), SimpleNamespace(name="long")
    began, dropped = worker.clock.now, []
    worker.pacer._max_wait._drop = dropped.append
    for number in range(2):
        worker.send(Request(f"long{number}", long))
    requests = [Request(f"r{number}", task) for number in range(3)]
    for request in requests:
        worker.at(began + 0.5, partial(worker.send, request))
    worker.run(began + 10)
    assert dropped == requests[1:]
    assert requests[0].handed_over == 1
    assert not worker.room.parked
    assert worker.left() == worker.nothing_left()
