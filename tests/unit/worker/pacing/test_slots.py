"""Concurrency limits in one worker: slots are taken with the tokens, renewed while a task runs, and free at its end."""

from functools import partial
from types import SimpleNamespace

import pytest
from support.virtual_worker import Request

from limitkit.buckets.decision import Slots

LEASE = 15_000_000


def slots(key, most, *, local=False):
    limit = SimpleNamespace(on_error="hold", name=key, settle=None)
    return SimpleNamespace(
        bucket=Slots(f"limitkit:{{{key}}}:r1", 1_000_000 // most, most, lease_us=LEASE), local=local, limit=limit
    )


def most_at_once(requests, seconds):
    """How many ran at once, by the times at which they were handed over and had ended."""
    changes = sorted(change for request in requests for change in ((request.at, 1), (request.at + seconds, -1)))
    running = most = 0
    for _, change in changes:
        running += change
        most = max(most, running)
    return most


@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize("most", [1, 4])
def test_no_more_run_at_once_and_a_free_slot_is_taken_at_once(make_worker, most, local):
    worker = make_worker(size=8, prefetch=16)
    worker.limits = {"report": (slots("reports", most, local=local),), "free": ()}
    worker.seconds = lambda _: 0.05
    worker.latency = lambda _: 0.0
    task = SimpleNamespace(name="report")
    requests = [Request(f"r{number}", task) for number in range(100)]
    began = worker.clock.now
    for number, request in enumerate(requests):
        worker.at(began + number * 0.001, partial(worker.send, request))
    worker.run(began + 60)
    assert not worker.errors
    assert all(request.handed_over for request in requests)
    assert most_at_once(requests, 0.0499) == most
    span = max(request.at for request in requests) - min(request.at for request in requests)
    assert span <= (100 / most - 1) * 0.05 / 0.93
    assert not worker.pacer._tokens.leases.end_all()


@pytest.mark.parametrize("seconds", [0.1, 0.4, 3.0])
def test_each_partition_keeps_its_slot_busy_though_most_wait_in_the_room(make_worker, seconds):
    worker = make_worker(size=64, prefetch=64)
    worker.seconds = lambda _: seconds
    worker.latency = lambda _: 0.0
    tenants, each = 40, 12
    for number in range(tenants):
        worker.limits[f"tenant{number}"] = (slots(f"tenant{number}", 1),)
    began, requests = worker.clock.now, []
    for number in range(tenants * each):
        task = SimpleNamespace(name=f"tenant{number % tenants}")
        requests.append(Request(f"r{number}", task))
        worker.at(began + number * 0.001, partial(worker.send, requests[-1]))
    worker.run(began + 120)
    assert not worker.errors
    assert all(request.handed_over == 1 for request in requests)
    spans = []
    for number in range(tenants):
        mine = [request for request in requests if request.task.name == f"tenant{number}"]
        assert most_at_once(mine, seconds - 0.0001) == 1
        spans.append(max(request.at for request in mine) - min(request.at for request in mine))
    assert max(spans) <= (each - 1) * seconds / 0.9 + 0.2
