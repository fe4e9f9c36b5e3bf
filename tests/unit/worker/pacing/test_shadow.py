"""Limits in shadow: what would have had to wait is counted, as if all before had waited, and nothing else is."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from limitkit.buckets.call import Call
from limitkit.config.load import judge
from limitkit.config.source.toml import parse
from limitkit.control.task_limits import TaskLimits
from limitkit.errors import StoreError
from limitkit.stores.memory import MemoryStore
from limitkit.waiting.room import ORDER
from limitkit.worker.pacing.shadow import Shadow
from limitkit.worker.pacing.tokens import Tokens

FILE = """
version = 1

[limits.api]
strategy = "token_bucket"
rate = "10/h"
burst = 2
mode = "shadow"

[limits.tenant]
strategy = "per_user"
rate = "1/h"
key = "tenant"

[tasks.paid]
limits = ["api", "tenant"]

[tasks.report]
strategy = "concurrency"
max_running = 1
mode = "shadow"

[tasks.own]
strategy = "static"
rate = "1/m"
mode = "shadow"

[tasks.free]
limits = []
"""


class Worker:
    def __init__(self, store):
        self.task_limits = TaskLimits(judge(parse(FILE, "f.toml")).rules, store)
        self.shadow = Shadow(self.task_limits, Tokens(self.task_limits))

    def come(self, name, count=1, **properties):
        task = SimpleNamespace(name=name, run=lambda tenant=None: tenant)
        message = SimpleNamespace(properties=properties, headers={})
        request = SimpleNamespace(
            id=f"request of {name}", task=task, args=(), kwargs={}, request_dict={}, message=message
        )
        return [self.shadow.came(request) for _ in range(count)]

    def shadow_count(self, tag):
        return self.shadow.shadow_counts.get(tag)


@pytest.fixture
def worker():
    return Worker(MemoryStore())


def test_each_waits_as_long_as_if_all_before_it_had(worker):
    assert worker.come("paid", 5) == [True] + [False] * 4, "one call serves all"
    assert worker.shadow_count("api") is None
    worker.shadow.work(worker.shadow.due)
    shadow_count = worker.shadow_count("api")
    assert (shadow_count.came, shadow_count.delayed) == (5, 3)  # the burst is 2
    assert shadow_count.longest == pytest.approx(3 * 360, abs=1)
    assert shadow_count.seconds == pytest.approx((1 + 2 + 3) * 360, abs=3)
    assert worker.shadow.due == float("inf")


def test_limits_in_force_are_none_of_its_business(worker):
    worker.come("paid")
    worker.come("free")
    worker.shadow.work(worker.shadow.due)
    assert set(worker.shadow.shadow_counts) == {"api"}
    assert [
        bound.limit.name for bound in worker.task_limits.limits(SimpleNamespace(name="paid", run=lambda tenant: tenant))
    ] == ["tenant"]


def test_a_static_one_counts_in_its_worker(worker):
    assert worker.come("own", 3) == [False] * 3, "it asks no store"
    assert (worker.shadow_count("task=own").came, worker.shadow_count("task=own").delayed) == (3, 2)


def test_what_comes_back_from_the_waiting_room_has_been_counted(worker):
    assert worker.come("paid", **{ORDER: "1"}) == [False]


def test_a_store_that_is_gone_costs_the_count_alone(worker):
    def gone(*_):
        raise StoreError("gone")

    worker.task_limits.store = SimpleNamespace(take=gone)
    worker.come("paid", 2000)
    assert len(worker.shadow._collected) == 1024
    while worker.shadow.due != float("inf"):
        worker.shadow.work(worker.shadow.due)
    assert worker.shadow_count("api") is None


def test_its_buckets_are_not_those_of_the_limit_in_force():
    store = MemoryStore()
    shadowed, enforced = Worker(store), Worker(store)
    enforced.task_limits.use(judge(parse(FILE.replace('mode = "shadow"', ""), "f.toml")).rules)
    task = SimpleNamespace(name="paid", run=lambda tenant=None: tenant)
    keys = [
        worker.task_limits.ask(bound, task, Call()).bucket.key
        for worker, (bound, *_) in (
            (shadowed, shadowed.task_limits.shadows(task)),
            (enforced, enforced.task_limits.limits(task)),
        )
    ]
    assert keys == ["limitkit:{api}:s1", "limitkit:{api}:g1"]


def test_a_slot_of_a_request_that_ended_before_it_was_counted_is_given_back(worker):
    for number in range(3):
        worker.come("report")
        worker.shadow._sweep(worker.shadow._due)  # Celery knows it no more
        worker.shadow._tokens.flush()
        worker.shadow.work(worker.shadow._due)
        worker.shadow._sweep(worker.shadow._swept)
        assert worker.shadow._swept == float("inf")
        assert worker.shadow._tokens.leases.running() == {}
        worker.shadow._tokens.flush()
        count = worker.shadow_count("task=report")
        assert (count.came, count.delayed) == (number + 1, 0)
