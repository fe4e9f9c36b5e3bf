"""Whatever comes in whatever order: each request starts once or never may, and the pacer leaves nothing behind.

Random lives of a worker, on a virtual clock: arrivals, revokes, other workers that take tokens, a store that goes and
comes back, rates that are looked at again, connections that are lost.
"""

from __future__ import annotations

import random
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest
from celery.worker import state
from support.sizes import examples
from support.virtual_worker import Request, bound

from limitkit.buckets.decision import Refusal, Take
from limitkit.config.declared import Feedback
from limitkit.stores.memory import MemoryStore

SECOND = 1_000_000
SEEDS = examples(25)
PER_SEED = 12


def some_limits(rnd):
    interval, burst = [2000, 10_000, 50_000, 100_000, 300_000, SECOND], [1, 1, 2, 5]
    kinds = [rnd.choice(["allow", "hold", "divide"])] * 3 + ["allow", "hold", "divide"]
    return [
        bound(
            f"L{n}",
            rnd.choice(interval),
            rnd.choice(burst),
            local=rnd.random() < 0.25,
            on_error=rnd.choice(kinds),
        )
        for n in range(rnd.randint(1, 6))
    ]


def some_requests(worker, limits, rnd):
    tasks = [SimpleNamespace(name=f"t{n}", rate_limit=None) for n in range(rnd.randint(1, 6))]
    lasts = {task.name: rnd.choice([0.001, 0.02, 0.2, 1.0]) for task in tasks}
    for task in tasks:
        worker.limits[task.name] = tuple(rnd.sample(limits, min(rnd.choice([0, 1, 1, 2, 3, 4]), len(limits))))
    latency = rnd.choice([0.0005, 0.002])
    worker.seconds = lambda request: rnd.uniform(0.5, 1.5) * lasts[request.task.name]
    worker.latency = lambda _: rnd.uniform(0.2, 1.0) * latency
    priorities = rnd.choice([[0], [0, 3, 6, 9]])
    return [Request(f"r{n}", rnd.choice(tasks), rnd.choice(priorities)) for n in range(rnd.randint(5, 70))]


def refuse(limits, other):
    """Have some buckets back off; returns what the other side says to them, as calls of the store."""
    told = Feedback("played", ("a.B",), other.choice(["slow", "pause"]), other.choice([0.9, 0.5]))
    chosen = [limit for limit in limits if not limit.local and other.random() < 0.7]
    for limit in chosen:
        limit.bucket = replace(limit.bucket, feedback=told)
    each = [Refusal(limit.bucket, other.uniform(0, 0.5), other.choice([None, 0.5, 3.0])) for limit in chosen * 4]
    return [partial(MemoryStore.back_off, refusal=refusal) for refusal in each]


def life(worker, rnd, other=None):
    """Play a random life; returns its requests, the limits that must have been kept, and whether the store was gone."""
    limits = some_limits(rnd)
    refusals = refuse(limits, other) if other is not None else []
    requests = some_requests(worker, limits, rnd)
    began, span, kept = worker.clock.now, rnd.choice([0.0, 0.1, 2.0, 10.0]), limits
    calls, gone = [], None
    for request in requests:
        worker.at(began + rnd.uniform(0, span), partial(worker.send, request))
    if rnd.random() < 0.4:
        calls += [partial(state.revoked.add, each.id) for each in rnd.sample(requests, len(requests) // 4)]
    if rnd.random() < 0.3:
        calls += [worker.pacer.reconsider] * rnd.randint(1, 4)
    if rnd.random() < 0.5:  # other workers
        takes = [
            Take((limit.bucket,), rnd.choice([1, 3]), 1, rnd.choice([0, 1])) for limit in limits if not limit.local
        ]
        calls += [partial(MemoryStore.take, worker.store, [take]) for take in takes * 20]
    if rnd.random() < 0.3:
        gone, kept = began + rnd.uniform(0, span + 2), [each for each in limits if each.limit.on_error != "allow"]
        worker.at(gone, partial(vars(worker.store).update, gone=True))
        worker.at(gone + rnd.choice([0.1, 1.5, 4]), partial(vars(worker.store).update, gone=False))
    if rnd.random() < 0.2:
        calls, kept = [*calls, worker.lose_connection], []
    for call in calls:
        worker.at(began + rnd.uniform(0, span + 3), call)
    for call in refusals:
        worker.at(began + other.uniform(0, span + 3), partial(call, worker.store))
    worker.run(began + span + (400 if other is None else 3000))  # what has backed off comes back slowly
    return requests, kept, gone is not None


def excess(times, limit):
    """The most by which the hand-overs of any window go over what the limit promises."""
    rate = SECOND / limit.bucket.interval_us
    worst = 0.0
    for first, start in enumerate(times):
        for count, end in enumerate(times[first:], 1):
            worst = max(worst, count - limit.bucket.burst - rate * (end - start + 0.05) - 1)
    return worst


@pytest.mark.parametrize("refusing", [False, True])
@pytest.mark.parametrize("seed", [*range(SEEDS), 224, 1554, 2312, 2555])
def test_each_starts_once_and_nothing_is_left(make_worker, seed, refusing):
    rnd, other = random.Random(seed), random.Random(seed + 1) if refusing else None
    for _ in range(PER_SEED):
        worker = make_worker(size=rnd.choice([1, 1, 2, 4]), prefetch=rnd.choice([4, 16]))
        requests, limits, gone = life(worker, rnd, other)
        assert not worker.errors
        assert not worker.room.parked
        assert [request.handed_over for request in requests] == [0 if request.gone else 1 for request in requests]
        assert all(request.acknowledged == 1 for request in requests)
        assert worker.left() == worker.nothing_left()
        assert worker.passed_over == []
        for limit in limits:
            times = [each.at for each in requests if each.handed_over and limit in worker.limits[each.task.name]]
            # This worker's half of a bucket is one more while the store is gone, and the store's fills up meanwhile.
            assert excess(sorted(times), limit) <= (gone and max(1, limit.bucket.burst // 2))
