"""Whatever comes in whatever order: each request starts once or never may, and the pacer leaves nothing behind.

Random lives of a worker, on a virtual clock: arrivals, revokes, other workers that take tokens, a store that goes and
comes back, rates that are looked at again, connections that are lost. The pacer, its lanes, Celery's semaphore and
kombu's prefetch count are the real ones; the pool, the broker and the event loop are played.
"""

from __future__ import annotations

import heapq
import itertools
import random
import sys
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import ClassVar

import pytest
from celery.worker import state
from kombu.asynchronous.semaphore import LaxBoundedSemaphore
from kombu.common import QoS

from limitkit.buckets import ticket
from limitkit.buckets.decision import Bucket, Refusal, Take
from limitkit.config.declared import Feedback
from limitkit.errors import StoreError
from limitkit.stores import memory, outage
from limitkit.stores.memory import MemoryStore
from limitkit.stores.worker_count import WorkerCount
from limitkit.waiting.room import MOST_ORDERS, ORDER, ORDERS_A_SECOND, Brought
from limitkit.worker.pacing import admission, hand_over, pacer, pacing_events, revoked
from limitkit.worker.pacing.hold_bounds import HoldBounds
from limitkit.worker.pacing.pacer import Pacer
from limitkit.worker.pacing.parking import Parking
from limitkit.worker.pacing.prefetch_window import PrefetchWindow
from limitkit.worker.pacing.rate_limit_command import RateLimitCommand
from limitkit.worker.pool import processes, request_order

SECOND = 1_000_000
SEEDS = 25
PER_SEED = 12


class SpinError(BaseException):
    """The pacer goes round and round; not an Exception, which it would survive."""


class Queues(dict):
    consume_from: ClassVar = {}


class Clock:
    def __init__(self):
        self.now, self.looks = 1000.0, 0

    def monotonic(self):
        self.looks += 1
        if self.looks > 20_000:
            raise SpinError("within one event")
        self.now += 1e-6
        return self.now

    def time(self):
        return 1.8e9 + self.monotonic()

    def monotonic_ns(self):
        return round(self.monotonic() * 1e9)


class Request:
    """A message as the worker's main process sees it."""

    def __init__(self, id_, task, priority=0):
        self.id, self.task, self.args, self.kwargs, self.expires = id_, task, (), {}, None
        self.priority, self.came = priority, 0.0
        channel = SimpleNamespace(priority=int, _get_message_priority=lambda message: message["properties"]["priority"])
        self.message = SimpleNamespace(
            headers={},
            properties={"priority": priority},
            channel=channel,
            body=b"[]",
            content_type="application/json",
            content_encoding="utf-8",
            delivery_info={"exchange": "", "routing_key": "celery"},
        )
        self.request_dict = {}
        self.gone = self.broken = self.away = False
        self.acknowledged = self.handed_over = self.parks = 0

    def revoked(self):
        if self.id in state.revoked and not self.gone:
            if self.broken:
                raise ConnectionError("the result backend is gone")
            self.gone = True
            self.acknowledge()
        return self.gone

    def acknowledge(self):
        self.acknowledged += 1

    def on_accepted(self, _pid, _time_accepted):
        self.acknowledge()


class Store(MemoryStore):
    """The store of all workers, a little away; it can be gone."""

    def __init__(self, clock):
        super().__init__()
        self.clock, self.gone, self.was_gone, self.open_at = clock, False, False, 0.0

    def take(self, takes, give_backs=(), **options):
        if self.clock.now < self.open_at:
            raise StoreError("gone a moment ago")
        if self.gone:
            self.was_gone = True
            self.clock.now += 0.25
            self.open_at = self.clock.now + 1.0
            raise StoreError("gone")
        self.clock.now += 0.0003
        decisions = super().take(takes, give_backs, **options)
        self.clock.now += 0.0003
        return decisions


class Room:
    """A waiting room with a broker behind it, which fails now and then."""

    kind, most, every, steered = "played", 16, 0.0, True

    def __init__(self, clock, deliver):
        self.clock, self.deliver = clock, deliver
        self.parked, self.due, self.parks, self.gone = {}, {}, 0, False

    def park(self, leavers):
        if self.gone:
            raise ConnectionError("the broker is gone")
        for leaver in leavers:
            request = leaver.request
            assert not request.handed_over
            self.parks += 1
            request.parks += 1
            request.away = True
            order = request.priority * MOST_ORDERS + int(self.clock.time() * ORDERS_A_SECOND) + self.parks
            request.message.properties.setdefault(ORDER, order)
            self.parked.setdefault(leaver.bucket.key, []).append((request.message.properties[ORDER], leaver))
            self.due.setdefault(leaver.bucket.key, self.clock.now + max(0.0, leaver.turn))

    def bring(self, steering):
        if self.gone:
            raise ConnectionError("the broker is gone")
        now, lead, places = self.clock.now, steering.lead, steering.places
        assert places > 0
        for key, (_, seconds) in steering.full.items():
            if key in self.due and seconds >= 0:
                self.due[key] = max(self.due[key], now + lead + seconds)
        for key, (_, wanted) in steering.hungry.items():
            places -= self.take_out(key, min(wanted, places))
        for key in [
            key for key, due in self.due.items() if due <= now + lead and steering.full.get(key, (0, 0))[1] >= 0
        ]:
            interval = self.parked[key][0][1].bucket.interval_us / SECOND
            wanted = int(min(now + lead - self.due[key], lead) / interval) + 1
            due, taken = self.due[key], self.take_out(key, min(wanted, places))
            places -= taken
            if key in self.due and taken:
                self.due[key] = max(due, now) + interval * taken
        again = min(self.due.values(), default=now + lead + 2) - lead - now
        left = {key: len(those) for key, those in self.parked.items()}
        return Brought(max(0.1, min(2.0, again)), left, empty=not self.due)

    def take_out(self, key, wanted):
        those = sorted(self.parked.get(key, ()), key=lambda each: each[0])
        for _, leaver in those[:wanted]:
            leaver.request.away = False
            self.deliver(leaver.request)
        self.parked[key] = those[wanted:]
        if not self.parked[key]:
            del self.parked[key]
            self.due.pop(key, None)
        return len(those[:wanted])

    def close(self):
        """Stay."""


class Worker:
    """One worker with its event loop and pool."""

    def __init__(self, patch, *, size, prefetch, grows):
        self.clock = Clock()
        self.events, self.numbers = [], itertools.count()
        self.size, self.prefetch, self.exact = size, prefetch, True
        self.seconds = self.latency = lambda _: 0.001
        self.limits, self.patience, self.running, self.errors = {}, {}, [], []
        self.passed_over = []
        self.store = Store(self.clock)
        for module in (pacer, request_order, processes, memory, outage, pacing_events, admission):
            patch.setattr(module, "time", self.clock)
        for module in (pacer, hand_over, processes, outage, revoked):
            patch.setattr(module, "logger", self._log(), raising=False)
        patch.setattr(state, "revoked", set())
        patch.setattr(pacer.state, "revoked", state.revoked)
        self.semaphore = LaxBoundedSemaphore(size)
        conf = SimpleNamespace(broker_transport_options={})
        amqp = SimpleNamespace(queues=Queues())
        self.consumer = SimpleNamespace(
            app=SimpleNamespace(conf=conf, amqp=amqp),
            bucket_for_task=None,
            connection=SimpleNamespace(transport=SimpleNamespace(driver_type="redis")),
            controller=SimpleNamespace(semaphore=self.semaphore, _process_task=self._process),
            on_task_request=lambda request: self.semaphore.acquire(self._process, request),
            qos=None,
            reset_rate_limits=lambda: None,
            timer=SimpleNamespace(call_at=self._call_at),
        )
        self._connect()
        self.task_limits = task_limits = SimpleNamespace(
            store=self.store,
            worker_count=self._headcount(2),
            outage=outage.Outage(),
            on_errors=(),
            rules=SimpleNamespace(store=SimpleNamespace(timeout=0.25)),
            limits=lambda task: self.limits[task.name],
            shadows=lambda _: (),
            patience=lambda task: self.patience.get(task.name),
            bucket=lambda bound, *_: bound.bucket,
        )
        self.room = Room(self.clock, self._deliver)
        settings = SimpleNamespace(hold=2.0, per_limit=None, per_worker=None)
        window = PrefetchWindow(self.consumer)
        self.parking = Parking(self.consumer, lambda: self.room, HoldBounds(lambda: settings, lambda: prefetch), window)
        self.pacer = Pacer(
            self.consumer, task_limits, self.parking, window, RateLimitCommand(self.consumer, task_limits)
        )
        self.pacer._window._grows = grows
        start = self.pacer._admission.on_start
        self.pacer._admission.on_start = lambda admitted: (self._judge(admitted), start(admitted))

    def _log(self):
        return SimpleNamespace(
            exception=lambda *_: self.errors.append(sys.exc_info()[1]),
            **dict.fromkeys(("warning", "info", "debug"), lambda *_, **__: None),
        )

    def _headcount(self, workers):
        worker_count = WorkerCount("played")
        counting, pool = SimpleNamespace(note=lambda *_: workers), SimpleNamespace(uses_semaphore=False)
        timer = SimpleNamespace(call_repeatedly=lambda *_: None)
        worker_count.start(counting, SimpleNamespace(pool=pool, pool_cls=pool), timer)
        return worker_count

    def _connect(self):
        self.consumer.qos = QoS(lambda **_: None, self.prefetch)

    def _call_at(self, at, call):
        entry = SimpleNamespace(live=True)
        entry.cancel = lambda: setattr(entry, "live", False)
        self.at(at, lambda: entry.live and call())
        return entry

    def at(self, when, call):
        heapq.heappush(self.events, (when, next(self.numbers), call))

    def run(self, until):
        at_once = 0
        while self.events and self.events[0][0] <= until:
            when, _, call = heapq.heappop(self.events)
            at_once = 0 if when > self.clock.now else at_once + 1
            if at_once > 3000:
                raise SpinError("in the event loop")
            self.clock.now = max(self.clock.now, when)
            self.clock.looks = 0
            call()
        self.clock.now = until

    def send(self, request):
        state.reserved_requests.add(request)
        request.came = self.clock.now
        self.pacer(request)

    def _deliver(self, request):
        self.at(self.clock.now + 0.002, lambda: self.send(request))

    def _process(self, request):
        if request.revoked():
            self.semaphore.release()
            return
        request.handed_over += 1
        request.at = self.clock.now
        self.running.append(request)
        if self.exact and len(self.running) > self.size:
            raise SpinError("more in the pool than it has processes")
        self.at(self.clock.now + self.latency(request), lambda: self._accept(request))

    def _judge(self, admitted):
        """Note who has a better right to a process that goes to a request, could start as well, and has none then."""
        order, now = admitted.held.order, self.clock.now
        if self.store.gone or self.task_limits.outage.recent:
            return
        better = [held for held in self.pacer._lanes.held if held.order < order and self._may_start(held, now)]
        rivals = [args[0] for _, args, _ in self.semaphore._waiting if isinstance(args[0], Request)]
        rivals = [each for each in rivals if (each.priority, each.came) < order[:2] and each.id not in state.revoked]
        self.at(now, lambda: self._look_after(order, better, rivals))

    def _look_after(self, order, better, rivals):
        if self.semaphore.value:
            return  # there is one for everybody
        self.passed_over += [(order, held.order) for held in better if held in self.pacer._lanes.held]
        self.passed_over += [(order, (each.priority, each.came)) for each in rivals if not each.handed_over]

    def _may_start(self, held, now):
        return held.request.id not in state.revoked and all(self._has_token(lane, held, now) for lane in held.lanes)

    def _has_token(self, lane, held, now):
        """Whether a bucket has had a token for a moment, on which nobody has a better claim."""
        now -= 0.002
        if lane.mover is not None and lane.mover < held:
            return False
        if (lane.bucket.feedback is not None or self.store.was_gone) and lane.next_token(now):
            return False  # as was heard last: its rate is on its way back, or it was this worker's share
        if lane.slots:
            return lane.slots[0].at <= now <= lane.slots[0].until - lane.margin
        store = self.pacer._tokens.own if lane.local else self.store
        return not MemoryStore.take(store, [Take((lane.bucket,), 0)], now_us=int(now * 1e6))[0].retry_after

    def _accept(self, request):
        request.on_accepted(1, self.clock.now)
        self.at(self.clock.now + self.seconds(request), lambda: self._end(request))

    def _end(self, request):
        self.running.remove(request)
        state.requests.pop(request.id, None)
        state.reserved_requests.discard(request)
        self.semaphore.release()

    def lose_connection(self):
        """What Celery does then; the broker delivers again what was not acknowledged."""
        self.exact = False  # the semaphore forgets what is in the pool
        again = [*[held.request for held in self.pacer._lanes.held], *self.parking.leaving]
        again += [args[0] for _, args, _ in self.semaphore._waiting if isinstance(args[0], Request)]
        self.semaphore.clear()
        self.pacer.forget()
        self._connect()
        self.at(self.clock.now + 0.1, self.pacer.pump)  # as of a new connection
        for request in again:
            self.at(self.clock.now + 0.1, partial(self.send, request))

    def left(self):
        lane_timer, procs = self.pacer._lane_timer, self.pacer._processes
        return {
            "held": len(self.pacer._lanes.held),
            "lanes": len(self.pacer._lanes),
            "line": len(lane_timer.line),
            "heap": len(lane_timer._heap),
            "processes": (procs.free, procs._kept, procs._claims),
            "semaphore": (self.semaphore.value, len(self.semaphore._waiting)),
            "window": self.consumer.qos.value,
        }

    def nothing_left(self):
        return {
            "held": 0,
            "lanes": 0,
            "line": 0,
            "heap": 0,
            "processes": (0, 0, 0),
            "semaphore": (self.size, 0),
            "window": self.prefetch,
        }


def bound(key, interval_us, burst=1, *, local=False, on_error="allow"):
    bucket = Bucket(key, interval_us, burst, on_error == "divide" and not local)
    limit = SimpleNamespace(on_error=on_error, name=key)
    return SimpleNamespace(bucket=bucket, local=local, limit=limit)


@pytest.fixture
def make_worker(monkeypatch):
    def make(*, size=2, prefetch=8, grows=True):
        return Worker(monkeypatch, size=size, prefetch=prefetch, grows=grows)

    return make


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
    """Have some buckets give way; returns what the other side says to them, as calls of the store."""
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
    worker.run(began + span + (400 if other is None else 3000))  # what gave way comes back slowly
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


@pytest.mark.parametrize(
    "others", [[], [50_000], [200_000]], ids=["alone", "behind a faster one", "before a slower one"]
)
def test_a_lane_goes_by_the_rate_that_a_refusal_has_left(make_worker, others):
    worker = make_worker()
    limits = [bound("yielding", 100_000), *[bound("other", interval) for interval in others]]
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
    limits = [bound("yielding", 50_000), *[bound("other", interval) for interval in others]]
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


def test_requests_that_have_each_others_token_in_view_go_on(make_worker):
    for seed in range(40):
        rnd = random.Random(seed)
        worker = make_worker(size=2)
        limits = [bound(f"L{n}", interval) for n, interval in enumerate([10_000, 50_000, 100_000, 300_000])]
        tasks = [SimpleNamespace(name=f"t{n}", rate_limit=None) for n in range(4)]
        for task in tasks:
            worker.limits[task.name] = tuple(rnd.sample(limits, 3))
        requests = [Request(f"r{n}", rnd.choice(tasks)) for n in range(30)]
        for request in requests:
            worker.at(worker.clock.now + rnd.uniform(0, 0.5), partial(worker.send, request))
        worker.run(worker.clock.now + 60)
        assert all(request.handed_over == 1 for request in requests)
        assert worker.left() == worker.nothing_left()


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


def test_one_that_cannot_be_revoked_does_not_stop_the_others(make_worker):
    worker = make_worker()
    slow, other = (SimpleNamespace(name=name, rate_limit=None) for name in ("slow", "other"))
    worker.limits = {"slow": (bound("slow", 5 * SECOND),), "other": (bound("other", 500_000),)}
    stuck = Request("stuck", slow)
    stuck.broken = True
    others = [Request(f"r{n}", other) for n in range(20)]
    for request in (Request("first", slow), stuck, *others):
        worker.send(request)
    state.revoked.add("stuck")
    worker.run(worker.clock.now + 15)
    assert all(request.handed_over == 1 for request in others)
    assert not stuck.handed_over


def test_a_static_lane_without_a_token_when_the_store_goes(make_worker):
    worker = make_worker()
    static, shared, free = (SimpleNamespace(name=name, rate_limit=None) for name in ("static", "shared", "free"))
    worker.limits = {"free": (), "static": (bound("static", 60 * SECOND, local=True),)}
    worker.limits["shared"] = (bound("shared", SECOND),)
    worker.seconds = lambda _: 0.02
    worker.send(Request("s1", static))
    worker.run(worker.clock.now + 1)
    requests = [Request("f1", free), Request("f2", free), Request("s2", static), Request("p1", shared)]
    for request in requests:
        worker.send(request)
    worker.store.gone = True
    worker.run(worker.clock.now + 5)
    assert [request.handed_over for request in requests] == [1, 1, 0, 1]
    worker.run(worker.clock.now + 60)
    assert requests[2].handed_over == 1


@pytest.mark.parametrize("workers", [2, 0])
def test_without_the_store_each_limit_has_its_own_word(make_worker, workers):
    """One worker of two; one that has never seen the store does not know its share, and holds."""
    worker = make_worker(size=4, prefetch=32)
    worker.task_limits.worker_count = worker._headcount(workers)
    names = ("allows", "holds", "divides", "mixed", "static")
    tasks = {name: SimpleNamespace(name=name, rate_limit=None) for name in names}
    held, divided = (bound(f"{on_error}s", 100_000, 4, on_error=on_error) for on_error in ("hold", "divide"))
    static = bound("static", 200_000, local=True)
    allowed = bound("holds", 100_000, 4)  # the same bucket, in a task that says something else
    worker.limits = {"allows": (allowed,), "holds": (held,), "divides": (divided,), "static": (divided, static)}
    worker.limits["mixed"] = (bound("other", 100_000), held)
    worker.store.gone = True
    requests = {name: [Request(f"{name} {n}", task) for n in range(15)] for name, task in tasks.items()}
    for request in (request for name in ("holds", "mixed", "allows", "divides") for request in requests[name]):
        worker.send(request)
    worker.run(worker.clock.now + 2.02)  # half of a burst of 4, and 5/s
    started = {name: sum(each.handed_over for each in those) for name, those in requests.items()}
    assert started.pop("divides") in ({11, 12} if workers else {0})  # to ask the store takes a quarter of a second
    assert started == {"allows": 15, "holds": 0, "mixed": 0, "static": 0}
    shown = [each.request_dict["properties"][ticket.KEY] for each in requests["divides"] if each.handed_over]
    assert {each.until for each in shown} <= {float("inf")}  # the guard has no store to ask, either
    worker.run(worker.clock.now + 1)
    for request in requests["static"]:
        worker.send(request)
    worker.run(worker.clock.now + 2.02)  # 5/s are its own limit and the share of the other; the static one has no burst
    assert sum(each.handed_over for each in requests["static"]) in (range(8, 12) if workers else {0})
    worker.store.gone = False
    worker.run(worker.clock.now + 20)
    assert all(each.handed_over == 1 for those in requests.values() for each in those)
    assert not worker.errors
    assert worker.left() == worker.nothing_left()


def test_while_others_may_not_know_that_the_store_is_back_a_worker_keeps_to_its_share(make_worker):
    worker = make_worker(size=4, prefetch=32)
    task = SimpleNamespace(name="divides", rate_limit=None)
    worker.limits = {"divides": (bound("divides", 50_000, on_error="divide"),)}
    worker.store.gone = True
    requests = [Request(f"r{n}", task) for n in range(100)]
    for request in requests:
        worker.send(request)
    worker.run(worker.clock.now + 3)
    worker.store.gone = False
    worker.run(worker.clock.now + 1)  # by then it has seen it
    starts = []
    for _ in range(6):
        before = sum(each.handed_over for each in requests)
        worker.run(worker.clock.now + 0.5)
        starts.append(sum(each.handed_over for each in requests) - before)
    assert starts[0] in (4, 5, 6)  # half of 20/s
    assert starts[5] in (9, 10, 11)


def test_a_share_that_starts_late_is_counted_late(make_worker):
    """After the starts of a pool that stalled the next one has a gap before it, as if they had been in time."""
    worker = make_worker(size=4)
    task = SimpleNamespace(name="divides", rate_limit=None)
    worker.limits = {"divides": (bound("divides", 50_000, on_error="divide"),)}
    worker.store.gone = True
    requests, accepted = [Request(f"r{n}", task) for n in range(12)], []
    for number, request in enumerate(requests):
        worker.at(worker.clock.now + number * 0.1, partial(worker.send, request))
        request.on_accepted = lambda _, at, accept=request.on_accepted: (accepted.append(at), accept(_, at))
    began = worker.clock.now
    worker.latency = lambda _: max(0.001, began + 0.7 - worker.clock.now) if worker.clock.now > began + 0.15 else 0.001
    worker.run(began + 5)
    late = [at for at in accepted if at > began + 0.69]
    assert len(accepted) == 12
    assert late[4] - late[3] > 0.05


def test_what_goes_back_does_not_hold_up_what_is_behind(make_worker):
    """300 of a task at 1/m, of which 15 may be held, and 100 unlimited ones behind, through a window of 8."""
    worker = make_worker(size=4)
    slow, free = (SimpleNamespace(name=name, rate_limit=None) for name in ("slow", "free"))
    worker.limits = {"slow": (bound("slow", 60 * SECOND),), "free": ()}
    queue = [Request(f"s{n}", slow) for n in range(300)]
    queue += [Request(f"f{n}", free) for n in range(100)]
    behind, unacknowledged, began = queue[300:], [], worker.clock.now

    def deliver():
        unacknowledged[:] = [each for each in unacknowledged if not (each.acknowledged or each.away)]
        while queue and len(unacknowledged) < worker.consumer.qos.value:
            unacknowledged.append(queue.pop(0))
            worker.send(unacknowledged[-1])
        worker.at(worker.clock.now + 0.001, deliver)

    worker.at(began, deliver)
    worker.run(began + 6)
    assert all(request.handed_over == 1 for request in behind)


def test_what_was_dropped_is_forgotten_before_it_would_be_due(make_worker):
    worker = make_worker(grows=False)
    slow, lively = (SimpleNamespace(name=name, rate_limit=None) for name in ("slow", "lively"))
    worker.limits = {"slow": (bound("slow", 3600 * SECOND),), "lively": (bound("lively", 400_000),)}
    for n in range(2000):
        worker.at(worker.clock.now + n * 0.05, partial(worker.send, Request(f"s{n}", slow)))
    for n in range(240):
        worker.at(worker.clock.now + n * 0.42, partial(worker.send, Request(f"l{n}", lively)))
    worker.run(worker.clock.now + 100)
    assert worker.room.parks > 1500
    assert len(worker.pacer._lane_timer._heap) < 600
    assert len(worker.pacer._lane_timer._heap) < 600


def test_a_dial_reaches_what_waits_already(make_worker):
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


def test_the_first_of_a_very_slow_limit_starts_at_once(make_worker):
    """Even where the broker lets a worker hold a request for a much shorter time than the limit's token takes."""
    worker = make_worker()
    worker.parking.bounds.longest = 0.75
    task = SimpleNamespace(name="rare", rate_limit=None)
    worker.limits = {"rare": (bound("rare", 3600 * SECOND),)}
    requests = [Request(f"r{n}", task) for n in range(3)]
    for request in requests:
        worker.send(request)
    worker.run(worker.clock.now + 60)
    assert [request.handed_over for request in requests] == [1, 0, 0]
    # What the worker can't hold is parked until it is due, not again and again.
    assert sum(request.parks for request in requests) <= 4
    assert not worker.errors


def test_those_that_wait_long_leave_places_to_others(make_worker):
    worker = make_worker()
    worker.parking.bounds._settings().per_worker = 4
    rare, lively = (SimpleNamespace(name=name, rate_limit=None) for name in ("rare", "lively"))
    worker.limits = {"rare": (bound("rare", 3600 * SECOND),), "lively": (bound("lively", 100_000),)}
    requests = [Request(f"r{n}", rare) for n in range(6)] + [Request(f"l{n}", lively) for n in range(40)]
    for request in requests:
        worker.send(request)
    worker.run(worker.clock.now + 20)
    assert all(request.handed_over for request in requests[6:])
    assert max(request.parks for request in requests) <= 2


def test_a_broker_that_can_not_park_does_not_fill_a_worker(make_worker):
    worker = make_worker()
    worker.parking.bounds._settings().per_worker = 10
    slow = SimpleNamespace(name="slow", rate_limit=None)
    worker.limits = {"slow": (bound("slow", SECOND),)}
    worker.room.gone = True
    for n in range(500):
        worker.at(worker.clock.now + n * 0.001, partial(worker.send, Request(f"r{n}", slow)))
    worker.run(worker.clock.now + 5)
    assert worker.consumer.qos.value <= worker.prefetch + 10 + 10
    worker.room.gone = False
    worker.run(worker.clock.now + 600)
    assert worker.left() == worker.nothing_left()
