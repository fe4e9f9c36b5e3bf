"""A worker on a virtual clock: its pacer and lanes, Celery's semaphore and kombu's prefetch count are the real ones.

The pool, the broker, the waiting room and the event loop are played. ``bound`` makes a limit as the pacer has it.
"""

from __future__ import annotations

import itertools
import json
import sys
from functools import partial
from types import SimpleNamespace
from typing import ClassVar

from celery.worker import state
from kombu import Connection
from kombu.asynchronous.semaphore import LaxBoundedSemaphore
from kombu.common import QoS

from limitkit.buckets.decision import Bucket, Take
from limitkit.buckets.slots import new_member
from limitkit.control.task_limits import Ask
from limitkit.errors import StoreError
from limitkit.stores import outage
from limitkit.stores.memory import MemoryStore
from limitkit.stores.worker_count import WorkerCount
from limitkit.trial.engine.timeline import BEGINS, Actor, Clock, SpinError, Timeline
from limitkit.waiting.room import MOST_ORDERS, ORDER, ORDERS_A_SECOND, Brought
from limitkit.worker.pacing import hand_over, pacer
from limitkit.worker.pacing.hold_bounds import HoldBounds
from limitkit.worker.pacing.pacer import Pacer
from limitkit.worker.pacing.parking import Parking
from limitkit.worker.pacing.prefetch_window import PrefetchWindow
from limitkit.worker.pacing.rate_limit_command import RateLimitCommand
from limitkit.worker.pool import processes, revoked
from limitkit.worker.pool.entry import PoolEntry
from limitkit.worker.pool.loops import HubLoop

SECOND = 1_000_000


class Queues(dict):
    consume_from: ClassVar = {}


def virtual_clock():
    """The trial room's clock; nobody may sleep on a worker's loop."""

    def asleep(seconds):
        raise SpinError(f"the event loop sleeps for {seconds} s")

    clock = Clock(1.8e9 + BEGINS)
    clock.sleeper = asleep
    return clock


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
        self.on_end = lambda: None

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
        super().__init__(clock)
        self.clock, self.gone, self.was_gone, self.open_at = clock, False, False, 0.0

    def take(self, takes, give_backs=(), **options):
        if self.clock.now < self.open_at:
            raise StoreError("gone a moment ago")
        if self.gone:
            self.was_gone = True
            self.clock.now += 0.25
            self.open_at = self.clock.now + 1.0
            raise StoreError("gone")
        if any(ask.horizon < 0 for ask in takes):
            raise SpinError("a take for slots in the past")
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
            turn = self.clock.now + max(0.0, leaver.turn)
            self.due[leaver.bucket.key] = min(turn, self.due.get(leaver.bucket.key, turn))

    def bring(self, steering):
        json.dumps([steering.hungry, steering.full], allow_nan=False)
        assert all(type(number) is int for _, number in steering.hungry.values()), "a script can't count with others"
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

    def retime(self, intervals, weights=None):  # noqa: ARG002 (as real rooms)
        """Leave what is parked when it is due: other rates are for real rooms."""
        return iter(())

    def close(self):
        """Stay."""


class Worker:
    """One worker with its event loop and pool."""

    def __init__(self, patch, *, size, prefetch, grows):
        self.clock = virtual_clock()
        self.timeline, self.actor, self.numbers = Timeline(self.clock), Actor(), itertools.count()
        self.size, self.prefetch, self.grows, self.exact = size, prefetch, grows, True
        self.seconds = self.latency = lambda _: 0.001
        self.limits, self.patience, self.running, self.errors = {}, {}, [], []
        self.passed_over = []
        self.store = Store(self.clock)
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
            connection=SimpleNamespace(
                transport=Connection("redis://").transport,
                default_channel=SimpleNamespace(visibility_timeout=3600),
            ),
            controller=SimpleNamespace(semaphore=self.semaphore, _process_task=self._process),
            on_task_request=lambda request: self.semaphore.acquire(self._process, request),
            qos=None,
            reset_rate_limits=lambda: None,
            timer=SimpleNamespace(call_at=self._call_at),
        )
        self._connect()
        self.task_limits = task_limits = SimpleNamespace(
            store=self.store,
            clock=self.clock,
            new_name=self._new_name,
            new_member=lambda: new_member(self.clock.time(), self._new_name),
            worker_count=self._headcount(2),
            outage=outage.Outage(self.clock),
            on_errors=(),
            rules=SimpleNamespace(store=SimpleNamespace(timeout=0.25, prefix="limitkit")),
            limits=lambda task, *_: self.limits[task.name],
            shadows=lambda _: (),
            has_queues=False,
            has_shadows=False,
            patience=lambda task, *_: self.patience.get(task.name),
            ask=lambda bound, *_: Ask(bound.bucket, bound.local),
        )
        self.room = Room(self.clock, self._deliver)
        settings = SimpleNamespace(hold=2.0, per_limit=None, per_worker=None)
        window = PrefetchWindow(self.consumer)
        self.parking = Parking(
            self.consumer, lambda: self.room, HoldBounds(lambda: settings, lambda: prefetch), window, self.clock
        )
        entry = PoolEntry("played", HubLoop(self.consumer.timer), self.semaphore, self._hand_over, None, self._watch)
        command_rates = RateLimitCommand(self.consumer, task_limits)
        self.pacer = Pacer(self.consumer, entry, task_limits, self.parking, command_rates)
        leases = self.pacer._tokens.leases
        leases.on_sooner = lambda: self.at(leases.due, self._renew)
        start = self.pacer._admission.on_start
        self.pacer._admission.on_start = lambda admitted: (self._judge(admitted), start(admitted))

    def _new_name(self):
        return f"{next(self.numbers):016x}"

    def _renew(self):
        leases = self.pacer._tokens.leases
        if self.clock.now >= leases.due:
            leases.renew()
        if leases:
            self.at(leases.due, self._renew)

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
        if not self.grows:  # as at worker_eta_task_limit
            self.consumer.qos.increment_eventually = lambda: self.prefetch

    def _call_at(self, at, call):
        entry = SimpleNamespace(live=True)
        entry.cancel = lambda: setattr(entry, "live", False)
        self.at(at, lambda: entry.live and call())
        return entry

    def at(self, when, call):
        self.timeline.at(when, call, actor=self.actor)

    def run(self, until):
        self.actor.busy_until = self.clock.now
        self.timeline.run(until, lambda: False)

    def send(self, request):
        state.reserved_requests.add(request)
        request.came = self.clock.now
        self.pacer(request)

    def _deliver(self, request):
        self.at(self.clock.now + 0.002, lambda: self.send(request))

    def _watch(self, request, on_end):
        if request in self.running:
            request.on_end = on_end
        else:
            on_end()

    def _hand_over(self, request):
        try:
            self._process(request)
        except Exception:
            self.semaphore.release()
            raise

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
        request.on_end()
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
