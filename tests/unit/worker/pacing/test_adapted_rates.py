"""What waits for a limit that has backed off, or pauses: it follows the rate of now, and costs little meanwhile."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest
from support.virtual_worker import Request, bound

from limitkit.buckets.decision import Refusal
from limitkit.config.declared import Feedback
from limitkit.stores.memory import MemoryStore


@pytest.mark.parametrize(
    "others", [[], [50_000], [200_000]], ids=["alone", "behind a faster one", "before a slower one"]
)
def test_a_lane_goes_by_the_rate_that_a_refusal_has_left(make_worker, others):
    worker = make_worker()
    limits = [bound("adaptive", 100_000), *[bound("other", interval) for interval in others]]
    api = limits[0].bucket = replace(limits[0].bucket, feedback=Feedback("played", ("a.B",), factor=0.5))
    worker.limits["t"] = tuple(limits)
    for n in range(40):
        worker.send(Request(f"r{n}", SimpleNamespace(name="t", rate_limit=None)))
    worker.run(worker.clock.now + 0.5)
    MemoryStore.back_off(worker.store, Refusal(api, 0.0))
    worker.run(worker.clock.now + 0.9)
    lane = worker.pacer._lanes.by_key[api.key]
    assert (lane.interval_us, lane.bucket) == (200_000, api)


@pytest.mark.parametrize("action", ["slow", "pause"])
@pytest.mark.parametrize("days", [0.005, 20])
@pytest.mark.parametrize("others", [[], [10_000]], ids=["alone", "beside another"])
def test_a_long_pause_costs_little_and_is_over_soon_after_somebody_has_ended_it(make_worker, action, days, others):
    worker, day = make_worker(), 86_400
    worker.parking.bounds.longest = 900.0  # as long as Redis lets a worker hold one
    limits = [bound("adaptive", 50_000), *[bound("other", interval) for interval in others]]
    told = Feedback("played", ("a.B",), action, max_pause=31.0 * day)
    api = limits[0].bucket = replace(limits[0].bucket, feedback=told)
    worker.limits["t"] = tuple(limits)
    MemoryStore.back_off(worker.store, Refusal(api, 0.0, days * day))
    requests = [Request(f"r{n}", SimpleNamespace(name="t", rate_limit=None)) for n in range(200)]
    for n, request in enumerate(requests):
        worker.at(worker.clock.now + n / 10, partial(worker.send, request))
    minutes = 6 if days < 1 else 20  # they are held up to 15
    worker.run(worker.clock.now + 60 * minutes)
    assert not any(request.handed_over for request in requests)
    assert worker.room.parks < len(requests) + 10 * minutes, "who was parked stays where he is"
    assert max(worker.room.due.values()) < worker.clock.now + 65, "a worker that starts only now is told of them, too"
    worker.store.refill(api.key, partitions=False)
    worker.run(worker.clock.now + 90)
    assert [request.handed_over for request in requests] == [1] * len(requests)
    assert worker.left() == worker.nothing_left()
