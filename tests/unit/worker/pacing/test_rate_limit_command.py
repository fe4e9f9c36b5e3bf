"""Celery's own ``rate_limit`` command, as it reaches the pacer."""

from __future__ import annotations

from types import SimpleNamespace

from support.virtual_worker import Request, bound

from limitkit.buckets.decision import Slots

SECOND = 1_000_000


def test_a_new_rate_limit_reaches_what_waits_already(make_worker):
    worker = make_worker()
    task = SimpleNamespace(name="static", rate_limit=None)
    worker.limits = {"static": (bound("static", SECOND, local=True),)}
    command_rates = worker.pacer._command_rates
    command_rates.take_over(worker.pacer.reconsider)
    command_rates._bucket_for_task(task)
    requests = [Request(f"r{n}", task) for n in range(60)]
    for request in requests:
        worker.send(request)
    worker.run(worker.clock.now + 2)
    task.rate_limit = "20/s"
    command_rates._bucket_for_task(task)
    worker.run(worker.clock.now + 1)  # the token that was next comes at its time, a second from the last at most
    before = sum(request.handed_over for request in requests)
    worker.run(worker.clock.now + 1)
    assert 15 <= sum(request.handed_over for request in requests) - before <= 22
    worker.run(worker.clock.now + 60)
    assert worker.left() == worker.nothing_left()


def test_a_task_whose_only_limit_here_is_how_many_run_gets_a_cap(make_worker):
    worker = make_worker()
    task = SimpleNamespace(name="report", rate_limit=None)
    one = SimpleNamespace(bucket=Slots("limitkit:{report}:r1", SECOND, 3), local=True)
    worker.limits = {"report": (one,)}
    command_rates = worker.pacer._command_rates
    command_rates.take_over(worker.pacer.reconsider)
    command_rates._bucket_for_task(task)
    task.rate_limit = "2/s"
    command_rates._bucket_for_task(task)
    assert (command_rates.rates(), command_rates.caps()) == ({}, {"report": 0.5})
