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
