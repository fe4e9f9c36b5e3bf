"""The pacer sits where Celery's consumer hands requests to the pool, and lets each through when its slot comes.

It runs in the worker's main process, on one loop (``worker.pool.loops``). A request over its limit waits in a lane,
unacknowledged, and the prefetch window grows by one so that others pass it. ``limitkit.worker.guard`` decides last.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from celery import signals
from celery.worker import state

from limitkit.buckets import ticket
from limitkit.events.last_minute import Recent
from limitkit.waiting.delivery import attach
from limitkit.waiting.message_copy import NOTE, came_back
from limitkit.waiting.origin_queue import parkable_queue
from limitkit.worker.pacing.admission import Admission
from limitkit.worker.pacing.hand_over import Ends, HandOver
from limitkit.worker.pacing.held_requests import HeldRequests
from limitkit.worker.pacing.lane import NEVER, Held
from limitkit.worker.pacing.lane_timer import LaneTimer
from limitkit.worker.pacing.lanes import Lanes
from limitkit.worker.pacing.max_wait import MaxWait
from limitkit.worker.pacing.pacing_events import PacingEvents
from limitkit.worker.pacing.prefetch_widening import PrefetchWidening
from limitkit.worker.pacing.shadow import Shadow
from limitkit.worker.pacing.tokens import Tokens
from limitkit.worker.pool.call_of import call_of, call_of_context
from limitkit.worker.pool.guarded import is_guarded
from limitkit.worker.pool.limits_of import limits_of, limits_of_context
from limitkit.worker.pool.processes import Processes
from limitkit.worker.pool.request_order import Arrivals
from limitkit.worker.pool.revoked import revoked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from limitkit.control.in_force import Terms
    from limitkit.control.task_limits import BoundLimit, TaskLimits
    from limitkit.worker.pacing import taking
    from limitkit.worker.pacing.lane import Lane
    from limitkit.worker.pacing.parking import Parking
    from limitkit.worker.pacing.rate_limit_command import RateLimitCommand
    from limitkit.worker.pool.entry import PoolEntry
    from limitkit.worker.pool.request_order import RequestOrder

logger = logging.getLogger("limitkit")

_PAUSE: Final = 1.0
"""Seconds until what is held is looked at again, when something has failed."""
_SWEEP_EVERY: Final = 1.0


class Pacer:
    """Hands a request to the pool when all of its limits admit it and a pool process is free.

    A process first, the tokens second: tokens taken for a busy pool would be stale at the start. All state is
    touched on that loop only.
    """

    def __init__(
        self, consumer: Any, entry: PoolEntry, task_limits: TaskLimits, parking: Parking, rates: RateLimitCommand
    ) -> None:
        self._task_limits, self._command_rates = task_limits, rates
        self._clock = clock = task_limits.clock
        self._consumer, self._entry, self._through = consumer, entry, consumer.on_task_request
        self._parking, self._window = parking, parking.window
        self._tokens = Tokens(task_limits)
        self._lane_timer = LaneTimer(entry.loop, self.pump)
        self._arrivals = Arrivals(lambda: consumer.connection, clock)
        self._processes = Processes(entry.semaphore, self.pump, self._arrivals, clock)
        self._lanes = Lanes(self._lane_timer, self._processes, self._tokens, self._window, parking.usual)
        self._ends = Ends(self._lanes, self._tokens, self.pump)
        self._tokens.on_wake = lambda key: entry.loop.post(self._ends.woken, key)
        self._hand_over = HandOver(consumer, entry, self._tokens, self._ends)
        self._emit = PacingEvents(consumer.app, task_limits)
        self._max_wait = MaxWait(task_limits, self._through, self._lanes.drop, self._emit)
        self._widening = PrefetchWidening(self._window)
        self._lanes.on_leave = self._left
        self._parking.on_parked = self._emit.parked
        self._admission = Admission(consumer.controller, self._lane_timer, self._processes, self._tokens, self._lanes)
        self._admission.on_start, self._admission.on_refused = self._start, self._emit.throttled
        self._shadow = Shadow(task_limits, self._tokens)
        self.shutdown, self.leases = self._tokens.close, self._tokens.leases
        self.view = HeldRequests(self._lanes, parking, self._emit, rates, self._shadow, self._tokens)
        self.recent = Recent()
        """Starts of the last minute, by the limits' tags in the buckets' keys."""
        self._is_closed, self._pumping, self._now, self._swept = False, False, 0.0, 0.0
        signals.task_revoked.connect(self._on_revoked)

    # -- requests -------------------------------------------------------------------------------------------------

    def __call__(self, request: Any) -> None:
        """Take in a request; it starts now or waits. Replaces ``consumer.on_task_request``: each request crosses it."""
        if self._is_closed:  # the broker delivers again what is not acknowledged
            state.requests.pop(request.id, None)
            return
        if self._task_limits.has_shadows and self._shadow.came(request):
            self._lane_timer.set_timer(self._due)
        if NOTE in request.message.headers:
            came_back(request.request_dict)
        of = self._task_limits  # every message comes here: one call less without queues
        limits = limits_of(of, request) if of.has_queues else of.limits(request.task)
        if not limits:
            self._pass(request)
            return
        state.reserved_requests.discard(request)
        try:
            held = self._hold(request, limits, self._arrivals(request.message), self._clock.monotonic())
        except Exception:
            logger.exception("%s can't be paced; the guard limits it in the pool.", request)
            state.task_reserved(request)
            attach(request, parkable_queue(self._consumer.app, request.message))
            self._through(request)
            return
        self.pump(came=True)
        if held in self._lanes.held:
            self._emit.came(held, self._now)
        self._let_go()

    def _pass(self, request: Any) -> None:
        """Let a request without limits through; if its task has a guard, a ticket says that it needs none."""
        if is_guarded(request.task):
            ticket.attach(request, ticket.free(request.id))
        goes_before = self._processes.meet(request)
        self._through(request)
        if goes_before:
            self.pump()

    def _hold(
        self,
        request: Any,
        limits: tuple[BoundLimit, ...],
        order: RequestOrder,
        since: float,
        *,
        before: Held | None = None,
    ) -> Held:
        """Hold a request; ``before`` is what it was held as before its limits changed."""
        asks = self._command_rates.asks(request.task, limits, call_of(request))
        lanes = tuple(self._lanes.lane(ask.bucket, local=ask.local) for ask in asks)
        held = Held(order, request, lanes, since, asks=tuple(asks))
        held.throttled = before is not None and before.throttled
        self._lanes.add(held)
        now = self._clock.monotonic()
        if self._max_wait.watch(held, self._parking.ahead(held, now), now):
            return held
        if before is None:
            elsewhere = self._parking.leads_elsewhere(held, len(self._lanes.held), now)
            if elsewhere is not None and self._max_wait.too_far(held, elsewhere, now):
                return held
            if elsewhere is not None:
                self._emit.throttled(held, elsewhere, self._parking.turn(held, elsewhere, now), held_here=False)
                self._leave(held, elsewhere)
                return held
        self._widening.join(held)
        self._lanes.enter(held)
        return held

    def _left(self, held: Held) -> None:
        self._max_wait.forget(held)
        self._widening.leave(held)

    def _leave(self, held: Held, lane: Lane | None = None) -> None:
        """Let a request leave for the waiting room: it waits longest for that lane's bucket."""
        held_here, lane = lane is None, lane or held.slowest(self._clock.monotonic())
        self._lanes.drop(held)
        self._parking.add(held, lane, self._clock.monotonic(), held_here=held_here)

    def _let_go(self) -> None:
        """Park requests that take places in a window that can't grow, and won't start soon."""
        for held in self._widening.overflow(self._lanes.held, self._now):
            if self._parking.may_leave(held):
                self._leave(held)

    def _on_revoked(self, sender: Any, request: Any, **_: Any) -> None:
        """Have another parked request come back for one that was revoked or has expired: its turn is free."""
        self._entry.loop.post(self._is_dead, sender, request)

    def _is_dead(self, sender: Any, request: Any) -> None:
        limits = limits_of_context(self._task_limits, sender, request)
        if limits:
            asks = self._command_rates.asks(sender, limits, call_of_context(request))
            self._parking.is_dead(request.properties or {}, [ask.bucket for ask in asks])

    def _start(self, admitted: taking.Admitted) -> None:
        self._emit.admitted(admitted.held)
        now = self._clock.monotonic()
        for lane in admitted.held.lanes:
            self.recent.count(lane.tag, now)
        self._lanes.leave(admitted.held)
        self._parking.started(admitted.held.lanes, now)
        self._processes.use()
        self._hand_over(admitted)

    # -- the pump -------------------------------------------------------------------------------------------------

    def pump(self, *, came: bool = False) -> None:
        """Do all that is due: let requests start, ask the store, set the timer. Never raises."""
        self._lane_timer.pressing = True
        if self._pumping or self._is_closed:
            return
        self._pumping = True
        try:
            while self._lane_timer.pressing:
                self._lane_timer.pressing = False
                # If only a request came and nothing else happened, the next start is decided once a process is free.
                self._step(admits=not (came and self._admission.can_wait))
                came = False
                if not self._lane_timer.pressing:
                    self._processes.release()  # the next in the semaphore's line may be this pacer: then pump again
        except Exception:
            logger.exception("The pacer failed; what it holds is looked at again in a second.")
            self._lanes.start_over(self._clock.monotonic() + _PAUSE)
            self._processes.release()
        finally:
            self._pumping = False
            self._lane_timer.set_timer(self._due)

    @property
    def _due(self) -> float:
        """When there is something to do apart from the lanes."""
        sweep = self._swept + _SWEEP_EVERY if self._lanes.held else NEVER
        return min(sweep, self._parking.due, self._max_wait.due, self._shadow.due)

    def _step(self, *, admits: bool) -> None:
        self._now = now = self._clock.monotonic()
        self._lane_timer.call_up(now)
        if now - self._swept >= _SWEEP_EVERY:
            self._swept = now
            self._sweep(now)
        self._parking.work(self._lanes.by_key, len(self._lanes.held), now)
        self._max_wait.look(now)
        self._shadow.work(now)
        if admits:
            self._admission.take(now)
        self._widening.look(self._processes.coming_in(now), now)

    def _sweep(self, now: float) -> None:
        """Drop what was revoked or has expired, and park what was held as long as it may be."""
        self._emit.look(self._lanes.held, now)
        for held in self._parking.outstaying(self._lanes.held, now):
            self._leave(held)
        for held in revoked(self._lanes.held):
            self._lanes.drop(held)

    # -- connections and rates ------------------------------------------------------------------------------------

    def close(self) -> None:
        """Start nothing more on this connection: what has not started goes back to the broker."""
        self._is_closed = self._ends.is_closed = True

    def connected(self) -> None:
        """Find out what the broker of a new connection can do."""
        self._is_closed = self._ends.is_closed = False
        self._window.connected()
        self._parking.connected()
        self.pump()

    def reconsider(self) -> None:
        """Put all that waits for a changed limit into its lanes again."""
        changed = [held for held in self._lanes.held if not self._is_closed and self._is_changed(held)]
        for held in changed:
            self._lanes.drop(held)
        for held in changed:
            if limits := limits_of(self._task_limits, held.request):
                self._hold(held.request, limits, held.order, held.since, before=held)
            else:
                state.task_reserved(held.request)
                self._pass(held.request)
        self.pump()

    def retime(self, terms: Mapping[str, Terms], weights: Mapping[str, Mapping[str, float]]) -> None:
        """Have what is parked come back at other rates, given by the limits' tags in the buckets' keys."""
        self._parking.retime(terms, weights)

    def refill(self, key: str, *, partitions: bool) -> None:
        """Fill a bucket of this worker's own, or all partitions; of the store's, see that they are full again."""
        self._lanes.refill(key, partitions=partitions)
        self._parking.refilled(key, partitions=partitions)
        self.pump()

    def _is_changed(self, held: Held) -> bool:
        limits = limits_of(self._task_limits, held.request)
        return held.asks != tuple(self._command_rates.asks(held.request.task, limits, call_of(held.request)))

    def forget(self) -> None:
        """Forget what was held: the connection is gone, and the broker delivers it again."""
        for held in self._lanes.held:
            state.requests.pop(held.request.id, None)
        self._widening.clear()
        self._lanes.forget()
        self._processes.forget()
        self._parking.forget()
        self._max_wait.clear()
        self._tokens.flush()
        self._lane_timer.set_timer(NEVER)
