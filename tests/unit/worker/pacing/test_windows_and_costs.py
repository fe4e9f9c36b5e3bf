"""Windows and costs in one worker: what they allow is used, and no more."""

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest
from support.virtual_worker import Request

from limitkit.buckets.decision import Bucket, Window
from limitkit.buckets.ticket import KEY
from limitkit.control.in_force import Terms
from limitkit.control.task_limits import Ask

SECOND = 1_000_000


def bound(bucket, cost=1):
    limit = SimpleNamespace(on_error="hold", name=bucket.key, settle=None)
    return SimpleNamespace(bucket=bucket, local=False, limit=limit, cost=cost)


def send_all(worker, bounds, count, every=0.002):
    worker.task_limits.ask = lambda bound, *_: Ask(bound.bucket, bound.local, bound.cost, limit=bound.limit)
    requests = []
    began = worker.clock.now
    for number in range(count):
        task = SimpleNamespace(name=f"task{number % len(bounds)}")
        worker.limits[task.name] = bounds[number % len(bounds)]
        requests.append(Request(f"r{number}", task))
        worker.at(began + number * every, partial(worker.send, requests[-1]))
    return requests


def densest(times, seconds):
    """The most of these that are within any stretch of time."""
    times = sorted(times)
    return max(sum(1 for other in times[at:] if other < time + seconds) for at, time in enumerate(times))


@pytest.mark.parametrize("exact", [True, False])
def test_a_window_is_used_up_and_no_stretch_of_its_time_has_more(make_worker, exact):
    most, seconds = 20, 2.0
    window = Window("limitkit:{calls}:w1", 100_000, most, period_us=2_020_000, exact=exact, late_us=20_000)
    worker = make_worker(size=4, prefetch=16)
    worker.seconds = lambda _: 0.01
    requests = send_all(worker, [(bound(window),)], 300)
    worker.run(worker.clock.now + 60)
    assert not worker.errors
    times = [request.at for request in requests]
    assert all(request.handed_over == 1 for request in requests)
    assert densest(times, seconds) == most
    ideal = (300 / most - 1) * seconds
    assert max(times) - min(times) <= ideal / (0.97 if exact else 0.95)


def test_a_window_s_ticket_is_stale_when_the_answer_was_late(make_worker):
    window = Window("limitkit:{calls}:w1", 100_000, 20, period_us=2_020_000, exact=True, late_us=20_000)
    worker = make_worker(size=4, prefetch=16)
    take = worker.store.take

    def take_slowly(*args, **options):
        decisions = take(*args, **options)
        worker.clock.now += 0.1
        return decisions

    worker.store.take = take_slowly
    (request,) = send_all(worker, [(bound(window),)], 1)
    worker.run(worker.clock.now + 1)
    assert not worker.errors
    ticket = request.request_dict["properties"][KEY]
    assert ticket.until < request.at
    assert [gift.bucket for gift in ticket.undo] == [window], "the guard counts it again, at its start"


def test_tokens_are_used_up_whatever_each_start_costs(make_worker):
    bucket = Bucket("limitkit:{tokens}:g1", 1_000, 2_000, metered=True)  # 60,000 a minute
    worker = make_worker(size=4, prefetch=16)
    worker.seconds = lambda _: 0.01
    costs = [50, 500, 1_500, 100]
    requests = send_all(worker, [(bound(bucket, cost),) for cost in costs], 80)
    worker.run(worker.clock.now + 120)
    assert not worker.errors
    times = sorted(request.at for request in requests)
    tokens = sum(costs) * 20
    assert all(request.handed_over == 1 for request in requests)
    assert (tokens - 2_000) / 1_000 <= times[-1] - times[0] + 1.5
    assert times[-1] - times[0] <= tokens / 1_000 / 0.95


def test_what_one_limit_refuses_spends_nothing_of_the_others(make_worker):
    calls = Bucket("limitkit:{calls}:g1", 100_000, 1)
    window = Window("limitkit:{day}:w1", 1_000_000, 10, period_us=10_100_000, exact=True, late_us=100_000)
    worker = make_worker(size=4, prefetch=16)
    worker.seconds = lambda _: 0.01
    requests = send_all(worker, [(bound(replace(calls)), bound(window)), (bound(calls),)], 60)
    worker.run(worker.clock.now + 60)
    assert not worker.errors
    mine = [request.at for request in requests if request.task.name == "task0"]
    free = [request.at for request in requests if request.task.name == "task1"]
    assert densest(mine, 10.0) == 10
    assert max(free) - min(free) <= 60 * 0.1 / 0.9, "it has all that the window refuses to the others"


def test_what_is_parked_until_a_window_ends_comes_back_when_its_number_grows(make_worker):
    """Its wait is until the oldest start leaves the window, and does not shrink with the mean interval."""
    day = 86_400 * SECOND
    window = Window("limitkit:{day}:w1", day // 2, 2, period_us=day, exact=True)
    worker = make_worker()
    worker.parking.bounds.longest = 0.75
    requests = send_all(worker, [(bound(window),)], 8)
    worker.run(worker.clock.now + 60)
    assert sum(request.handed_over for request in requests) == 2
    assert len(worker.room.parked[window.key]) == 6
    more = replace(window, interval_us=day // 6, burst=6)
    worker.limits["task0"] = (bound(more),)
    worker.pacer.retime({window.key: Terms(more.interval_us, more.burst)}, {})
    worker.pacer.reconsider()
    worker.run(worker.clock.now + 60)
    assert sum(request.handed_over for request in requests) == 6
    assert not worker.errors


@pytest.mark.parametrize("partitions", [False, True])
def test_what_is_parked_until_a_window_ends_comes_back_when_it_is_reset(make_worker, partitions):
    day = 86_400 * SECOND
    digest = ":" + "0" * 32 if partitions else ""
    window = Window(f"limitkit:{{day}}:w1{digest}", day // 2, 2, period_us=day, exact=True)
    worker = make_worker()
    worker.parking.bounds.longest = 0.75
    requests = send_all(worker, [(bound(window),)], 8)
    worker.run(worker.clock.now + 60)
    assert sum(request.handed_over for request in requests) == 2
    for started in (4, 6):
        assert worker.store.refill("limitkit:{day}:w1", partitions=partitions) == 1
        worker.pacer.refill("limitkit:{day}:w1", partitions=partitions)
        worker.run(worker.clock.now + 5)
        assert sum(request.handed_over for request in requests) == started
    worker.pacer.refill("limitkit:{other}:w1", partitions=partitions)
    worker.run(worker.clock.now + 5)
    assert sum(request.handed_over for request in requests) == 6
    assert not worker.errors


def test_what_waits_for_many_tokens_does_not_keep_others_from_a_limit_they_share(make_worker):
    """By the token, the limit with costs is the faster one; by the start it is the slower."""
    calls = Bucket("limitkit:{calls}:g1", 100_000, 1)
    tokens = Bucket("limitkit:{tokens}:g1", 1_000, 2_000, metered=True)
    worker = make_worker(size=4, prefetch=16)
    worker.seconds = lambda _: 0.01
    requests = send_all(worker, [(bound(replace(calls)), bound(tokens, 500)), (bound(calls),)], 40)
    worker.run(worker.clock.now + 60)
    assert not worker.errors
    mine, free = ([each.at for each in requests if each.task.name == name] for name in ("task0", "task1"))
    assert max(mine) - min(mine) >= (20 * 500 - 2_000) / 1_000 - 0.1
    assert max(free) - min(free) <= 40 * 0.1 / 0.9, "it has all that is left by the others, who start twice a second"


def test_those_that_wait_for_tokens_leave_what_is_parked_for_the_limit_they_share_to_others(make_worker):
    calls = Bucket("limitkit:{calls}:g1", 100_000, 1)
    tokens = Bucket("limitkit:{tokens}:g1", 1_000, 2_000, metered=True)
    worker = make_worker(size=4, prefetch=16)
    worker.seconds = lambda _: 0.01
    mine = send_all(worker, [(bound(replace(calls)), bound(tokens, 500))], 60)
    free = [Request(f"free{number}", SimpleNamespace(name="free")) for number in range(200)]
    worker.limits["free"] = (bound(calls),)
    for number, request in enumerate(free):
        worker.at(worker.clock.now + 0.2 + number * 0.002, partial(worker.send, request))
    worker.run(worker.clock.now + 80)
    assert not worker.errors
    assert all(request.handed_over == 1 for request in [*mine, *free])
    assert worker.room.parks > 100
    times = sorted(each.at for each in [*mine, *free])
    until = max(each.at for each in free)
    assert sum(at <= until for at in times) >= (until - times[0]) * 10 * 0.9


@pytest.mark.parametrize("turn", ["", "acme"])
@pytest.mark.parametrize("rate", [10, 1])
def test_a_bucket_that_is_full_is_not_kept_waiting_by_a_cost_above_its_burst(make_worker, turn, rate):
    bucket = Bucket("limitkit:{tokens}:g1", SECOND // rate, 20, metered=True)
    worker = make_worker(size=4, prefetch=16)
    worker.seconds = lambda _: 0.01
    costs = [15, 15, 15, 500, 1]
    requests = send_all(worker, [(bound(bucket, cost),) for cost in costs], len(costs))
    ask = worker.task_limits.ask
    worker.task_limits.ask = lambda *given: ask(*given)._replace(turn=turn)
    began = worker.clock.now
    worker.run(began + 700)
    assert not worker.errors
    dear = next(request for request in requests if request.task.name == "task3")
    cheap = next(request for request in requests if request.task.name == "task4")
    assert dear.at - began <= (45 + 2) / rate + 1.5, "it starts once the bucket is full"
    assert cheap.at - began <= (545 - 20 + 1 + 2) / rate + 3, "and the next once its debt is paid"
