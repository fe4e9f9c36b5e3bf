"""Limits in shadow: what would have had to wait is counted, as if all before had waited, and nothing else is."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from limitkit.config.load import judge
from limitkit.config.source.toml import parse
from limitkit.control.task_limits import Live
from limitkit.errors import StoreError
from limitkit.stores.memory import MemoryStore
from limitkit.waiting.room import ORDER
from limitkit.worker.pacing.shadow import Shadow

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

[tasks.own]
strategy = "static"
rate = "1/m"
mode = "shadow"

[tasks.free]
limits = []
"""


class Worker:
    def __init__(self, store):
        self.live = Live(judge(parse(FILE, "f.toml")).rules, store)
        self.shadow = Shadow(self.live, MemoryStore())

    def come(self, name, count=1, **properties):
        task = SimpleNamespace(name=name, run=lambda tenant=None: tenant)
        message = SimpleNamespace(properties=properties, headers={})
        request = SimpleNamespace(task=task, args=(), kwargs={}, message=message)
        return [self.shadow.came(request) for _ in range(count)]

    def shade(self, tag):
        return self.shadow.shades.get(tag)


@pytest.fixture
def worker():
    return Worker(MemoryStore())


def test_each_waits_as_long_as_if_all_before_it_had(worker):
    assert worker.come("paid", 5) == [True] + [False] * 4, "one call serves all"
    assert worker.shade("api") is None
    worker.shadow.work(worker.shadow.due)
    shade = worker.shade("api")
    assert (shade.came, shade.delayed) == (5, 3)  # the burst is 2
    assert shade.longest == pytest.approx(3 * 360, abs=1)
    assert shade.seconds == pytest.approx((1 + 2 + 3) * 360, abs=3)
    assert worker.shadow.due == float("inf")


def test_limits_in_force_are_none_of_its_business(worker):
    worker.come("paid")
    worker.come("free")
    worker.shadow.work(worker.shadow.due)
    assert set(worker.shadow.shades) == {"api"}
    assert [
        bound.limit.name for bound in worker.live.limits(SimpleNamespace(name="paid", run=lambda tenant: tenant))
    ] == ["tenant"]


def test_a_static_one_counts_in_its_worker(worker):
    assert worker.come("own", 3) == [False] * 3, "it asks no store"
    assert (worker.shade("task=own").came, worker.shade("task=own").delayed) == (3, 2)


def test_what_comes_back_from_the_waiting_room_has_been_counted(worker):
    assert worker.come("paid", **{ORDER: "1"}) == [False]


def test_a_store_that_is_gone_costs_the_count_alone(worker):
    def gone(*_):
        raise StoreError("gone")

    worker.live.store = SimpleNamespace(take=gone)
    worker.come("paid", 2000)
    assert len(worker.shadow._gathered) == 1024
    while worker.shadow.due != float("inf"):
        worker.shadow.work(worker.shadow.due)
    assert worker.shade("api") is None


def test_its_buckets_are_not_those_of_the_limit_in_force():
    store = MemoryStore()
    shadowed, enforced = Worker(store), Worker(store)
    enforced.live.use(judge(parse(FILE.replace('mode = "shadow"', ""), "f.toml")).rules)
    task = SimpleNamespace(name="paid", run=lambda tenant=None: tenant)
    keys = [
        worker.live.bucket(bound, task, (), {}).key
        for worker, (bound, *_) in ((shadowed, shadowed.live.shadows(task)), (enforced, enforced.live.limits(task)))
    ]
    assert keys == ["limitkit:{api}:s1", "limitkit:{api}:g1"]
