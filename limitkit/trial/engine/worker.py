"""A worker that is played: its pacer, lanes, waiting room and overrides are the real ones, on a virtual clock."""

from __future__ import annotations

import json
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import kombu
from celery.worker import state
from kombu.asynchronous.semaphore import LaxBoundedSemaphore
from kombu.common import QoS

from limitkit.control.refresh import Refresh
from limitkit.control.task_limits import TaskLimits
from limitkit.trial.engine.broker import Channel
from limitkit.trial.engine.messages import Message, Request
from limitkit.trial.engine.played_parts import PlayedLoop, PlayedRoom, PlayedTimer
from limitkit.trial.engine.pool import Pool
from limitkit.trial.engine.timeline import Actor
from limitkit.worker.pacing.hold_bounds import HoldBounds
from limitkit.worker.pacing.pacer import Pacer
from limitkit.worker.pacing.parking import Parking
from limitkit.worker.pacing.prefetch_window import PrefetchWindow
from limitkit.worker.pacing.rate_limit_command import RateLimitCommand
from limitkit.worker.pool.entry import PoolEntry

if TYPE_CHECKING:
    from limitkit.trial.engine.played_parts import Surroundings
    from limitkit.trial.engine.timeline import Event
    from limitkit.trial.outcome import WorkerUse

FETCH: Final = 0.0005
"""Seconds from a message's being popped to its being in the worker."""
RECEIVE: Final = 0.0002
"""Seconds that a worker's main process needs for one message, without what it asks of others.

So a worker starts some 1,400 tasks a second that have no limit, and 760 that have one. Measured were 880 to 1,000 that
do nothing, without limits, on two cores which producers and Redis needed too.
"""
_RECONNECT: Final = 1.0
"""Seconds from a lost connection to the next one."""
_IDLE: Final = 2.0
"""Seconds until a worker looks again at a waiting room that was empty."""
_JUST_AFTER: Final = 0.001
_TRANSPORT: Final[Any] = kombu.Connection("redis://").transport  # type: ignore[attr-defined, no-untyped-call] # kombu has no types


class Worker(Actor):
    """One worker: its main process, and its pool."""

    def __init__(self, around: Surroundings, use: WorkerUse, processes: int, prefetch: int) -> None:
        super().__init__()
        rules = around.config.rules
        self.name, self.use = use.name, use
        self._around, self._timeline = around, around.timeline
        self._fetching: tuple[str, str, str] | None = None
        self._waits, self._is_open, self._tags = False, True, 0
        self._prefetch = prefetch
        self._turning: Event | None = None
        """The next time at which a schedule says something else."""
        self.task_limits = TaskLimits(rules, around.store, around.clock, around.new_name)
        semaphore = LaxBoundedSemaphore(processes)
        self.pool = Pool(around.timeline, self, semaphore, processes, around.jitter)
        self.pool.run, self.pool.ended = partial(around.run, self), around.ended
        self._channel = Channel(around.broker)
        self._consumer = consumer = SimpleNamespace(
            app=around.app,
            bucket_for_task=None,
            connection=SimpleNamespace(transport=_TRANSPORT, default_channel=self._channel),
            controller=SimpleNamespace(semaphore=semaphore, _process_task=self.pool.process),
            hub=True,
            initial_prefetch_count=prefetch,
            on_task_request=lambda request: semaphore.acquire(self.pool.process, request),
            pool=None,
            qos=None,
            timer=PlayedTimer(around.timeline, self),
        )
        self._semaphore = semaphore
        self._new_window()
        loop: Any = PlayedLoop(around.timeline, self)
        in_pool: Any = None
        entry = PoolEntry("prefork", loop, semaphore, self.pool.process, in_pool, self.pool.watch)
        bounds = HoldBounds(lambda: self.task_limits.rules.waiting, lambda: prefetch)
        prefix = rules.store.prefix
        self._parking = parking = Parking(
            consumer,
            lambda: PlayedRoom(around, prefix, lambda: self._channel),
            bounds,
            PrefetchWindow(consumer),
            around.clock,
        )
        self.pacer = Pacer(consumer, entry, self.task_limits, parking, RateLimitCommand(consumer, self.task_limits))
        self._leases = self.pacer.leases
        self._leases.on_sooner = self._renew_later
        self._renewal: Event | None = None
        self._connecting: Event | None = None
        self.cycle: list[str] = []
        counted: Any = SimpleNamespace(pool=None, pool_cls=SimpleNamespace(uses_semaphore=False))
        self.task_limits.worker_count.start(around.store, counted, consumer.timer)
        self.refresh = Refresh(around.config, self.task_limits, around.app.tasks.values, lambda _: (), lambda _: None)
        self.refresh.start(consumer, self.pacer)
        self._watch_schedules()
        self.pacer.connected()

    # -- messages -----------------------------------------------------------------------------------------------------

    def after(self) -> None:
        """Fetch what the window has room for, as Celery's loop does after each round."""
        if self.gone:
            return
        qos = self._consumer.qos
        if qos.prev != qos.value:
            qos.update()
        if not self._waits and self._is_open and self._fetching is None and self._channel.can_consume:
            self._waits = True
            self._around.broker.wait(self)

    def fetched(self, text: str, name: str, queue: str) -> None:
        """Take a message that was popped from a list."""
        self._waits, self._fetching = False, (text, name, queue)
        self._timeline.at(
            self._timeline.clock.now + self._around.jitter(FETCH), self._received, self._channel, actor=self
        )

    def _received(self, channel: Channel) -> None:
        if self._fetching is None or channel is not self._channel:
            return
        (text, _, queue), self._fetching = self._fetching, None
        self._tags += 1
        message = Message(text, channel, f"{self.name}.{self._tags}", queue)
        channel.delivered(message, queue)
        self._timeline.clock.now += RECEIVE
        request = Request(message, self._around.app.tasks[message.headers["task"]], self._around.dropped)
        state.reserved_requests.add(request)
        self.pacer(request)
        self.use.most_held = max(channel.held, self.use.most_held)

    def look_at_room(self) -> None:
        """Look at the waiting room again within two seconds: something is parked in it now."""
        self._timeline.at(self._timeline.clock.now + self._around.jitter(_IDLE / 1.5), self._look_at_room, actor=self)

    def _look_at_room(self) -> None:
        self._parking.look_again()
        self.pacer.pump()

    # -- what is in force ---------------------------------------------------------------------------------------------

    def look_at_overrides(self) -> None:
        """Look at what was set at run time, as a worker does once a second."""
        self.refresh.look_now()
        self._watch_schedules()

    def know(self, task: Any) -> None:
        """Look after the schedules of a task that was not sent before; a real worker knows all tasks as it starts."""
        self.task_limits.terms((task,))
        self._watch_schedules()

    def _watch_schedules(self) -> None:
        if self._turning is not None:
            self._turning.cancel()
        left = self.task_limits.in_force.turns_in()
        if left < float("inf"):
            self._turning = self._timeline.at(self._timeline.clock.now + left + _JUST_AFTER, self._turn, actor=self)

    def _turn(self) -> None:
        self.refresh.turn()
        self._watch_schedules()

    # -- faults -------------------------------------------------------------------------------------------------------

    def kill(self) -> None:
        """End at once; what it held is delivered again when others have noticed."""
        self._leave()
        self.gone = True

    def stop(self) -> None:
        """Start nothing more, give back what the pool does not have, and end when that has."""
        if self._connecting is not None:
            self._connecting.cancel()
        self._leave()
        self.pacer.close()
        self._semaphore.clear()  # as Celery does when a consumer closes: who waits for a process is given back
        self._give_back()
        self.pacer.forget()
        self._timeline.at(self._timeline.clock.now + 0.1, self._end, actor=self)

    def _end(self) -> None:
        if len(self.pool):
            self._timeline.at(self._timeline.clock.now + 0.1, self._end, actor=self)
            return
        self.pacer.shutdown()
        self.gone = True
        self._around.left()

    def disconnect(self) -> None:
        """Lose the connection to the broker, as Celery takes it, and connect again."""
        if not self._is_open:
            return
        self._leave()
        self.pacer.close()
        self._semaphore.clear()
        self.pacer.forget()
        self._connecting = self._timeline.at(self._timeline.clock.now + _RECONNECT, self._connect, actor=self)

    def _connect(self) -> None:
        self._give_back()
        self._channel = self._consumer.connection.default_channel = Channel(self._around.broker)
        self._is_open = True
        self._new_window()
        self.pacer.connected()

    def give_back_all(self) -> None:
        """Return all that is not acknowledged: others have noticed that this worker is dead."""
        self._channel.give_back(reversed(list(self._channel.unacked)))
        self._around.broker.serve()

    @property
    def unacked(self) -> list[str]:
        """The ids of what it was delivered and has not acknowledged, or is about to be delivered."""
        coming = [] if self._fetching is None else [json.loads(self._fetching[0])["headers"]["id"]]
        return coming + [message.headers["id"] for message, _ in self._channel.unacked.values()]

    def _leave(self) -> None:
        self._is_open = self._waits = False
        self._around.broker.leave(self)
        if self._fetching is not None:
            text, name, _ = self._fetching
            self._fetching = None
            self._around.broker.commands.rpush(name, text)

    def _give_back(self) -> None:
        """Return what was delivered, but for what the pool has; that is acknowledged when it begins."""
        given = {request.message.delivery_tag for request in self.pool.given}
        self._channel.give_back([tag for tag in reversed(list(self._channel.unacked)) if tag not in given])
        self._around.broker.serve()

    def _new_window(self) -> None:
        def set_window(prefetch_count: int) -> None:
            self._channel.qos.prefetch_count = prefetch_count

        self._consumer.qos = QoS(set_window, self._prefetch)  # type: ignore[no-untyped-call] # kombu has no types
        self._consumer.qos.update()

    # -- leases -------------------------------------------------------------------------------------------------------

    def _renew_later(self) -> None:
        if self._renewal is not None:
            self._renewal.cancel()
        self._renewal = self._timeline.at(self._leases.due, self._renew, actor=self)

    def _renew(self) -> None:
        self._leases.renew()
        self._renew_later()
