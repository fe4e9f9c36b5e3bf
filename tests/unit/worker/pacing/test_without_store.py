"""The time without the store: each limit does as its ``on_error`` says, and a worker keeps to its share."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import pytest
from support.virtual_worker import Request, bound

from limitkit.buckets import ticket

SECOND = 1_000_000


def test_a_static_lane_without_a_token_when_the_store_goes(make_worker):
    worker = make_worker()
    static, shared, free = (SimpleNamespace(name=name, rate_limit=None) for name in ("static", "shared", "free"))
    worker.limits = {"free": (), "static": (bound("static", 60 * SECOND, local=True),)}
    worker.limits["shared"] = (bound("shared", SECOND),)
    worker.seconds = lambda _: 0.02
    worker.send(Request("s1", static))
    worker.run(worker.clock.now + 1)
    requests = [Request("f1", free), Request("f2", free), Request("s2", static), Request("p1", shared)]
    for request in requests:
        worker.send(request)
    worker.store.gone = True
    worker.run(worker.clock.now + 5)
    assert [request.handed_over for request in requests] == [1, 1, 0, 1]
    worker.run(worker.clock.now + 60)
    assert requests[2].handed_over == 1


@pytest.mark.parametrize("workers", [2, 0])
def test_without_the_store_each_limit_has_its_own_word(make_worker, workers):
    """One worker of two; one that has never seen the store does not know its share, and holds."""
    worker = make_worker(size=4, prefetch=32)
    worker.task_limits.worker_count = worker._headcount(workers)
    names = ("allows", "holds", "divides", "mixed", "static")
    tasks = {name: SimpleNamespace(name=name, rate_limit=None) for name in names}
    held, divided = (bound(f"{on_error}s", 100_000, 4, on_error=on_error) for on_error in ("hold", "divide"))
    static = bound("static", 200_000, local=True)
    allowed = bound("holds", 100_000, 4)  # the same bucket, in a task that says something else
    worker.limits = {"allows": (allowed,), "holds": (held,), "divides": (divided,), "static": (divided, static)}
    worker.limits["mixed"] = (bound("other", 100_000), held)
    worker.store.gone = True
    requests = {name: [Request(f"{name} {n}", task) for n in range(15)] for name, task in tasks.items()}
    for request in (request for name in ("holds", "mixed", "allows", "divides") for request in requests[name]):
        worker.send(request)
    worker.run(worker.clock.now + 2.02)  # half of a burst of 4, and 5/s
    started = {name: sum(each.handed_over for each in those) for name, those in requests.items()}
    assert started.pop("divides") in ({11, 12} if workers else {0})  # to ask the store takes a quarter of a second
    assert started == {"allows": 15, "holds": 0, "mixed": 0, "static": 0}
    shown = [each.request_dict["properties"][ticket.KEY] for each in requests["divides"] if each.handed_over]
    assert {each.until for each in shown} <= {float("inf")}  # the guard has no store to ask, either
    worker.run(worker.clock.now + 1)
    for request in requests["static"]:
        worker.send(request)
    worker.run(worker.clock.now + 2.02)  # 5/s are its own limit and the share of the other; the static one has no burst
    assert sum(each.handed_over for each in requests["static"]) in (range(8, 12) if workers else {0})
    worker.store.gone = False
    worker.run(worker.clock.now + 20)
    assert all(each.handed_over == 1 for those in requests.values() for each in those)
    assert not worker.errors
    assert worker.left() == worker.nothing_left()


def test_while_others_may_not_know_that_the_store_is_back_a_worker_keeps_to_its_share(make_worker):
    worker = make_worker(size=4, prefetch=32)
    task = SimpleNamespace(name="divides", rate_limit=None)
    worker.limits = {"divides": (bound("divides", 50_000, on_error="divide"),)}
    worker.store.gone = True
    requests = [Request(f"r{n}", task) for n in range(100)]
    for request in requests:
        worker.send(request)
    worker.run(worker.clock.now + 3)
    worker.store.gone = False
    worker.run(worker.clock.now + 1)  # by then it has seen it
    starts = []
    for _ in range(6):
        before = sum(each.handed_over for each in requests)
        worker.run(worker.clock.now + 0.5)
        starts.append(sum(each.handed_over for each in requests) - before)
    assert starts[0] in (4, 5, 6)  # half of 20/s
    assert starts[5] in (9, 10, 11)


def test_a_share_that_starts_late_is_counted_late(make_worker):
    """After the starts of a pool that stalled the next one has a gap before it, as if they had been in time."""
    worker = make_worker(size=4)
    task = SimpleNamespace(name="divides", rate_limit=None)
    worker.limits = {"divides": (bound("divides", 50_000, on_error="divide"),)}
    worker.store.gone = True
    requests, accepted = [Request(f"r{n}", task) for n in range(12)], []
    for number, request in enumerate(requests):
        worker.at(worker.clock.now + number * 0.1, partial(worker.send, request))
        request.on_accepted = lambda _, at, accept=request.on_accepted: (accepted.append(at), accept(_, at))
    began = worker.clock.now
    worker.latency = lambda _: max(0.001, began + 0.7 - worker.clock.now) if worker.clock.now > began + 0.15 else 0.001
    worker.run(began + 5)
    late = [at for at in accepted if at > began + 0.69]
    assert len(accepted) == 12
    assert late[4] - late[3] > 0.05
