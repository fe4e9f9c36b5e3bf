"""The pacer goes on, whatever the requests are that wait in it."""

from __future__ import annotations

import random
from functools import partial
from types import SimpleNamespace

from celery.worker import state
from support.virtual_worker import Request, bound

from limitkit.waiting.message_copy import NOTE, Note

SECOND = 1_000_000


def test_requests_that_have_each_others_token_in_view_go_on(make_worker):
    for seed in range(40):
        rnd = random.Random(seed)
        worker = make_worker(size=2)
        limits = [bound(f"L{n}", interval) for n, interval in enumerate([10_000, 50_000, 100_000, 300_000])]
        tasks = [SimpleNamespace(name=f"t{n}", rate_limit=None) for n in range(4)]
        for task in tasks:
            worker.limits[task.name] = tuple(rnd.sample(limits, 3))
        requests = [Request(f"r{n}", rnd.choice(tasks)) for n in range(30)]
        for request in requests:
            worker.at(worker.clock.now + rnd.uniform(0, 0.5), partial(worker.send, request))
        worker.run(worker.clock.now + 60)
        assert all(request.handed_over == 1 for request in requests)
        assert worker.left() == worker.nothing_left()


def test_one_that_cannot_be_revoked_does_not_stop_the_others(make_worker):
    worker = make_worker()
    slow, other = (SimpleNamespace(name=name, rate_limit=None) for name in ("slow", "other"))
    worker.limits = {"slow": (bound("slow", 5 * SECOND),), "other": (bound("other", 500_000),)}
    stuck = Request("stuck", slow)
    stuck.broken = True
    others = [Request(f"r{n}", other) for n in range(20)]
    for request in (Request("first", slow), stuck, *others):
        worker.send(request)
    state.revoked.add("stuck")
    worker.run(worker.clock.now + 15)
    assert all(request.handed_over == 1 for request in others)
    assert not stuck.handed_over


def test_a_request_without_limits_shows_its_task_nothing_of_earlier_waiting(make_worker):
    worker = make_worker()
    worker.limits["free"] = ()
    request = Request("r", SimpleNamespace(name="free", rate_limit=None))
    request.message.headers = {"mine": 1, NOTE: Note(rest=0.0, waited=3.0, eta=None)._asdict()}
    request.request_dict = {**request.message.headers, "eta": "2031-05-06T07:08:09+00:00"}
    worker.send(request)
    assert request.request_dict == {"mine": 1, "eta": None}


def test_nothing_starts_once_the_connection_closes(make_worker):
    worker = make_worker(size=1)
    paid, free = (SimpleNamespace(name=name, rate_limit=None) for name in ("paid", "free"))
    worker.limits = {"paid": (bound("paid", SECOND),), "free": ()}
    first, held = Request("first", paid), Request("held", paid)
    worker.send(first)
    worker.send(held)
    worker.pacer.close()
    late = [Request("late", paid), Request("unlimited", free)]
    for request in late:
        worker.send(request)
    worker.run(worker.clock.now + 10)
    assert [each.handed_over for each in (first, held, *late)] == [1, 0, 0, 0]
    assert not {"late", "unlimited"} & state.requests.keys()
