"""While all pool processes are busy, a request that comes costs little; who gets the next process is decided then."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.virtual_worker import SECOND, Request, bound

import limitkit

USERS = 400


@pytest.fixture
def worker(make_worker):
    """A worker with a pool of two that runs each task for a millisecond, and what is counted of it."""
    worker = make_worker()
    worker.latency = lambda _: 0.0005
    worker.asked = worker.rounds = 0
    take, turn = worker.store.take, worker.pacer._admission.take

    def counted_take(takes, give_backs=(), **options):
        worker.asked += 1
        return take(takes, give_backs, **options)

    def counted_turn(now):
        worker.rounds += 1
        turn(now)

    worker.store.take, worker.pacer._admission.take = counted_take, counted_turn
    return worker


def consume(worker, queue):
    """Let the worker fetch from a queue as its prefetch window allows."""
    fetched = []

    def fetch():
        fetched[:] = [each for each in fetched if not (each.acknowledged or each.away)]
        while queue and len(fetched) < worker.consumer.qos.value:
            fetched.append(queue.pop(0))
            worker.send(fetched[-1])
        worker.at(worker.clock.now + 0.0005, fetch)

    worker.at(worker.clock.now, fetch)


def request(worker, name, interval_us=5 * SECOND, priority=0):
    task = SimpleNamespace(name=name, rate_limit=None)
    worker.limits[name] = (bound(name, interval_us),) if interval_us else ()
    return Request(name, task, priority)


def test_one_call_of_the_store_serves_all_users_that_are_at_hand(worker):
    requests = [request(worker, f"user{number}") for number in range(USERS)]
    consume(worker, list(requests))
    worker.run(worker.clock.now + 2)
    assert all(each.handed_over == 1 for each in requests)
    assert worker.asked <= USERS / 4, "it asked for those who came last, though nobody was to start without a token"
    assert worker.rounds <= 1.5 * USERS, "it went through the lanes for each request that came, though none could start"


def busy(worker, *before):
    """Keep both processes busy for a minute, with those in line for them, and two more, which are returned."""
    worker.seconds = lambda _: 60
    requests = [request(worker, name) for name in ("runs first", "runs second", "waits first", "waits second")]
    for each in (*requests[:2], *before, *requests[2:]):
        worker.send(each)
    worker.run(worker.clock.now + 0.5)
    return requests[2:]


def end_one(worker):
    worker._end(worker.running[0])
    worker.run(worker.clock.now + 0.01)


def test_the_window_grows_at_once_for_one_that_comes_while_the_pool_is_busy(worker):
    busy(worker)
    rounds, window = worker.rounds, worker.consumer.qos.value
    slow = request(worker, "slow", 3600 * SECOND)
    worker.pacer._lanes.lane(worker.limits["slow"][0].bucket, local=False).note_wait(3600.0, worker.clock.now)
    worker.send(slow)
    assert (worker.rounds, worker.consumer.qos.value) == (rounds, window + 1)


def test_one_that_may_not_be_held_is_parked_at_once_while_the_pool_is_busy(worker):
    busy(worker)
    worker.parking.bounds._settings().per_limit = 1
    slow = [request(worker, "slow") for _ in range(2)]
    for each in slow:
        worker.send(each)
    worker.run(worker.clock.now + 0.1)
    assert [each.parks for each in slow] == [0, 1]


def test_one_that_comes_with_a_higher_priority_has_the_next_process(worker):
    waiting = busy(worker)
    urgent, rounds = request(worker, "urgent", priority=-1), worker.rounds
    worker.send(urgent)
    assert worker.rounds == rounds
    end_one(worker)
    assert [each.handed_over for each in (urgent, *waiting)] == [1, 0, 0]


def test_one_that_comes_before_a_request_without_limits_goes_before_it(worker):
    free = request(worker, "free", interval_us=0)
    waiting = busy(worker, free)
    urgent = request(worker, "urgent", priority=-1)
    worker.send(urgent)
    end_one(worker)
    assert (urgent.handed_over, free.handed_over) == (1, 0)
    end_one(worker)
    assert [each.handed_over for each in (free, *waiting)] == [1, 0, 0]


def test_one_that_comes_with_a_higher_priority_has_a_process_that_is_kept_for_another(worker):
    worker.seconds = lambda _: 60
    kept, other = [request(worker, "kept", SECOND) for _ in range(2)], request(worker, "other")
    for each in (kept[0], other, kept[1]):
        worker.send(each)
    worker.run(worker.clock.now + 0.05)
    for each in (request(worker, "waits first"), request(worker, "waits second")):
        worker.send(each)
    worker.run(worker.clock.now + 0.65)
    end_one(worker)
    assert (worker.pacer._processes._kept, worker.pacer._processes._claims) == (1, 2)
    urgent = request(worker, "urgent", priority=-1)
    worker.send(urgent)
    assert urgent.handed_over == 1


def test_the_autoscaler_sees_at_once_who_comes(worker):
    looks = []
    worker.consumer.controller.autoscaler = SimpleNamespace(processes=2, maybe_scale=lambda: looks.append(1))
    busy(worker)
    before = len(looks)
    worker.send(request(worker, "comes"))
    assert len(looks) > before


def calls_of(do):
    """Count the calls of limitkit's functions meanwhile, without those that play the pool."""
    package, count, before = str(Path(limitkit.__file__).parent), 0, sys.getprofile()
    played = str(Path(package, "trial"))

    def seen(frame, event, _):
        nonlocal count
        file = frame.f_code.co_filename
        count += event == "call" and file.startswith(package) and not file.startswith(played)

    sys.setprofile(seen)
    try:
        do()
    finally:
        sys.setprofile(before)
    return count


def test_a_request_without_limits_costs_few_calls(worker):
    idle, first, *others = [request(worker, f"free{number}", interval_us=0) for number in range(52)]
    worker.send(first)
    assert calls_of(lambda: worker.pacer(idle)) <= 4
    assert worker.semaphore.value == 0
    assert calls_of(lambda: [worker.pacer(each) for each in others]) <= 6 * 50, "its place is found before it is needed"
    worker.run(worker.clock.now + 1)
    assert all(each.handed_over == 1 for each in others)


def test_a_request_without_limits_goes_before_a_claim_of_lower_priority_at_once(worker):
    busy(worker)
    free = request(worker, "free", interval_us=0, priority=-1)
    worker.send(free)
    assert worker.semaphore._waiting[0][1][0] is free
