"""Who gets a process of the pool where there are too few: by priority, then by arrival, if it may start."""

from __future__ import annotations

import random
from dataclasses import replace
from types import SimpleNamespace

import pytest
from support.virtual_worker import Request, bound

from limitkit.worker.pacing import hand_over

SECOND = 1_000_000


def busy_with(worker, requests, seconds=0.01):
    """Send these while the only process is busy; returns them in the order in which they start."""
    worker.limits.setdefault("first", ())
    worker.seconds = lambda request: 1.0 if request.task.name == "first" else seconds
    worker.send(Request("first", SimpleNamespace(name="first")))
    for request in requests:
        worker.send(request)
    worker.run(worker.clock.now + 60)
    assert all(request.handed_over == 1 for request in requests)
    assert worker.left() == worker.nothing_left()
    return sorted(requests, key=lambda request: request.at)


@pytest.mark.parametrize("limits", [(1, 1, 1), (1, 1, 0), (2, 1, 0), (2, 2, 1)])
@pytest.mark.parametrize("size", [1, 3])
def test_a_scarce_process_goes_by_arrival_whatever_the_limits(make_worker, limits, size):
    """Three tasks with so many limits each, all of which admit all."""
    worker = make_worker(size=1, prefetch=64)
    shared = bound("shared", 1000, 1000)
    for n, count in enumerate(limits):
        worker.limits[f"t{n}"] = (bound(f"own{n}", 1000, 1000), shared)[:count]
    tasks = [SimpleNamespace(name=f"t{n}", rate_limit=None) for n in range(3)]
    rnd = random.Random(size)
    requests = [Request(f"r{n}", rnd.choice(tasks)) for n in range(40)]
    assert busy_with(worker, requests) == requests


def test_a_scarce_process_goes_to_the_better_priority_first_even_past_requests_without_limits(make_worker):
    worker = make_worker(size=1, prefetch=64)
    worker.limits = {"a": (bound("A", 1000, 1000),), "b": (bound("B", 1000, 1000),), "free": ()}
    kinds = ["free9", "a9", "b9", "a6", "free6", "b3", "a0", "free0", "b0", "a9", "free9"]
    requests = [Request(kind, SimpleNamespace(name=kind[:-1]), int(kind[-1])) for kind in kinds]
    started = [request.id for request in busy_with(worker, requests)]
    # Those without limits stay in their own order. Nobody with a limit goes before one who has a better right.
    assert started == ["a0", "free9", "free6", "free0", "b0", "b3", "a6", "a9", "b9", "a9", "free9"]


@pytest.mark.parametrize("seconds", [0.02, 0.3])
def test_who_has_a_token_by_the_time_that_a_process_comes_is_not_passed_over(make_worker, seconds):
    """When he gets in line for it, it is 2 ms away."""
    worker = make_worker(size=1, prefetch=64)
    worker.limits = {"often": (bound("often", 2000),), "free": ()}
    often, free = (SimpleNamespace(name=name) for name in ("often", "free"))
    requests = [Request(f"r{n}", often if n < 20 else free) for n in range(30)]
    assert busy_with(worker, requests, seconds) == requests


def test_who_has_no_token_yet_does_not_hold_up_who_has(make_worker):
    worker = make_worker(size=1, prefetch=64)
    worker.limits = {"rare": (bound("rare", 2 * SECOND),), "often": (bound("often", 1000, 1000),), "free": ()}
    rare = [Request(f"rare{n}", SimpleNamespace(name="rare")) for n in range(3)]
    others = [Request(f"r{n}", SimpleNamespace(name=("often", "free")[n % 2])) for n in range(40)]
    started = busy_with(worker, [*rare, *others])
    assert started[0] is rare[0]
    assert [each for each in started if each not in rare] == others
    assert max(each.at for each in others) < rare[2].at


@pytest.mark.parametrize("of", ["long", "soon"])
def test_a_kept_process_goes_to_who_has_a_better_right_and_may_start(make_worker, of):
    """A process is kept for the next token of a limit; who comes meanwhile with a better right has it."""
    worker = make_worker(size=1, prefetch=64)
    worker.limits = {"long": (), "rare": (bound("rare", 700_000),), "soon": (bound("soon", 1000),)}
    worker.seconds = lambda request: 2.0 if request.task.name == "long" else 0.001
    long, rare = (SimpleNamespace(name=name) for name in ("long", "rare"))
    for n in range(3):
        worker.send(Request(f"long{n}", long, 5))
    for n in range(6):
        worker.send(Request(f"rare{n}", rare, 5))
    kept, began = worker.pacer._processes, worker.clock.now
    while not kept._kept:
        worker.run(worker.clock.now + 0.01)
        assert worker.clock.now < began + 30
    urgent = Request("urgent", SimpleNamespace(name=of), 0)
    worker.send(urgent)
    assert urgent.handed_over
    assert not kept._kept
    worker.run(worker.clock.now + 60)
    assert worker.left() == worker.nothing_left()


def test_processes_that_are_kept_at_once_use_up_no_more_patience_than_there_is(make_worker):
    """Each of several limits may have one kept in the same moment."""
    worker, rnd = make_worker(size=2, prefetch=64), random.Random(0)
    worker.limits = {"free": ()} | {f"t{n}": (bound(f"b{n}", 700_000 + n * 100_000),) for n in range(3)}
    worker.seconds = lambda request: rnd.uniform(0.1, 0.3) if request.task.name == "free" else 0.01
    spent = 0.0
    for n in range(60):
        for name in ["free"] * rnd.randint(1, 4) + [f"t{rnd.randrange(3)}" for _ in range(rnd.randint(1, 4))]:
            worker.send(Request(f"{name} {n}", SimpleNamespace(name=name)))
        worker.run(worker.clock.now + 0.3)
        spent = min(spent, worker.pacer._processes._patience)
    assert spent < 0, "no two were kept at once"
    assert not worker.errors


def test_who_can_be_judged_only_after_the_one_before_is_not_passed_over(make_worker):
    """Two processes, and all come forward at once: the second of a limit whose first has another limit, too."""
    worker = make_worker(size=2)
    one, two, other = (bound(name, 1000, 100, on_error="hold") for name in ("one", "two", "other"))
    two.bucket = replace(two.bucket, interval_us=5000)
    worker.limits = {"both": (one, two), "one": (one,), "other": (other,)}
    worker.seconds = lambda _: 0.5
    worker.store.gone = True
    requests = [Request(name, SimpleNamespace(name=name)) for name in ("both", "one", "other")]
    for request in requests:
        worker.send(request)
    worker.store.gone = False
    worker.pacer._lanes.start_over(worker.clock.now + 2)  # the store is asked again by then
    worker.pacer.pump()
    worker.run(worker.clock.now + 10)
    assert sorted(requests, key=lambda request: request.at) == requests
    assert requests[2].at > requests[1].at + 0.4


def test_many_lanes_in_line_for_one_process(make_worker):
    worker = make_worker(size=1)
    slow = bound("slow", SECOND)
    worker.limits["long"] = ()
    worker.seconds = lambda request: 5.0 if request.task.name == "long" else 0.001
    worker.send(Request("long", SimpleNamespace(name="long")))
    requests = [Request(f"r{n}", SimpleNamespace(name=f"t{n}")) for n in range(400)]
    for n, request in enumerate(requests):
        worker.limits[f"t{n}"] = (bound(f"user{n}", 20_000), slow)
        worker.send(request)
    worker.run(worker.clock.now + 420)
    assert not worker.errors
    assert all(request.handed_over == 1 for request in requests)
    assert worker.left() == worker.nothing_left()


def test_a_hand_over_that_raises_gives_its_process_back(make_worker, monkeypatch):
    worker = make_worker(size=1)
    task = SimpleNamespace(name="shared", rate_limit=None)
    worker.limits = {"shared": (bound("shared", 100_000),)}
    odd, fine = Request("odd", task), Request("fine", task)
    monkeypatch.setattr(hand_over.ticket, "attach", lambda request, _: 1 / 0 if request is odd else None)
    worker.send(odd)
    worker.send(fine)
    worker.run(worker.clock.now + 2)
    assert (odd.handed_over, fine.handed_over) == (0, 1)
    assert worker.semaphore.value == 1
