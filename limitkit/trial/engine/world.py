"""All that is played together: clock, broker, store, workers, and the fate of each message."""

from __future__ import annotations

import itertools
import json
import threading
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, Final

from celery.exceptions import Retry

from limitkit.buckets.call import Call
from limitkit.config.load import Config
from limitkit.config.rules import matches
from limitkit.config.source import toml
from limitkit.control.task_limits import TaskLimits
from limitkit.errors import RateLimitExceeded
from limitkit.stores.circuit_breaker import CircuitBreaker
from limitkit.trial.engine.broker import Broker
from limitkit.trial.engine.faults import Faults
from limitkit.trial.engine.messages import PlayedSendBack, message_text
from limitkit.trial.engine.played_parts import TRIP, Surroundings
from limitkit.trial.engine.pool import run_guarded
from limitkit.trial.engine.redis_server import RedisServer
from limitkit.trial.engine.shared_store import SharedStore
from limitkit.trial.engine.tasks import PlayedTasks
from limitkit.trial.engine.timeline import BEGINS, Clock, ServerClock, Timeline
from limitkit.trial.engine.worker import Worker
from limitkit.trial.outcome import Outcome, Run, WorkerUse
from limitkit.worker.guard import Guard
from limitkit.worker.pool.guarded import is_guarded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from limitkit.config.rules import Rules
    from limitkit.control.task_limits import BoundLimit
    from limitkit.trial.engine.messages import Request
    from limitkit.trial.outcome import Progress
    from limitkit.trial.scenario import Arrival, Scenario
    from limitkit.waiting.delivery import Delivery

_A_DAY: Final = 86_400.0
_Asked = tuple[tuple[str, ...], tuple[str, ...], tuple[int, ...]]


class World:
    """One play."""

    def __init__(self, rules: Rules, scenario: Scenario, seed: int, app: Any) -> None:
        self.rules, self._scenario = rules, scenario
        self.config = Config(rules.path, rules, toml.Document(rules.path, "", {}))
        self.clock = Clock(scenario.begins)
        self.timeline = Timeline(self.clock, scenario.workers)
        server_clock = ServerClock(self.clock)
        self.server = RedisServer(server_clock.time)
        self.broker = Broker(self.server)
        self._shared = SharedStore(self.clock, server_clock, TRIP, lambda: len(self._alive()))
        self.store = CircuitBreaker(self._shared, self.clock)
        self._random = Random(seed)  # noqa: S311 (no secret)
        self._tasks = PlayedTasks(app, self._began)
        self.app = self._tasks.app
        self._here = threading.local()
        self._guard = Guard(self.app, lambda: self._here.limits, self.clock, PlayedSendBack(self.app, self._sent_back))
        self._names = itertools.count()
        self._on_the_way: list[str] = []  # messages that are being sent back
        self._observer = TaskLimits(rules, self.store, self.clock, self.new_name)
        self._seconds: dict[str, float] = {}
        self._same: dict[tuple[str, str], _Asked] = {}
        """What all messages of a task and a queue ask for, where that does not depend on their arguments."""
        self._around = Surroundings(
            self.config,
            self.clock,
            self.timeline,
            self.server,
            self.broker,
            self.store,
            self.app,
            self.new_name,
            self._jitter,
            self._run,
            self._ended,
            self._dropped,
            self._parked,
            self._worker_left,
        )
        self.workers: dict[str, Worker] = {}
        self.outcome = Outcome([])
        self._faults: Faults = Faults(self._around, self.workers, self._shared, self.outcome)
        self._arrivals: Iterator[Arrival] = iter(scenario.arrivals)
        self._unfinished = 0
        """Messages that were sent and have not ended."""
        self._all_sent = False
        self._started = 0
        """Messages that have started."""

    # -- the play -----------------------------------------------------------------------------------------------------

    def play(self, progress: Progress | None = None) -> Outcome:
        """Play it to its end; ``progress`` is told now and then how far it is."""
        for number in range(self._scenario.workers):
            self._start_worker(f"worker-{number + 1}")
        for fault in self._scenario.faults:
            self.timeline.at(BEGINS + fault.at, self._faults.happen, fault)
        self.clock.now = BEGINS
        self._send_next()
        until = self._scenario.until
        if until is None:
            until = _A_DAY * 400
        self.timeline.run(BEGINS + until, self._is_over, None if progress is None else partial(self._tell, progress))
        return self._concluded()

    def _tell(self, progress: Progress) -> None:
        progress(self.clock.now - BEGINS, self._started, len(self.outcome.runs))

    def _start_worker(self, name: str) -> None:
        use = WorkerUse(name)
        self.outcome.workers.append(use)
        self.clock.now = BEGINS
        prefetch = self._scenario.processes * self._scenario.prefetch_multiplier
        self.workers[name] = worker = Worker(self._around, use, self._scenario.processes, prefetch)
        self.timeline.at(BEGINS, worker.after, actor=worker)

    def _is_over(self) -> bool:
        return self._all_sent and not self._unfinished

    def _alive(self) -> list[Worker]:
        return [each for each in self.workers.values() if not each.gone]

    # -- messages -----------------------------------------------------------------------------------------------------

    def _send_next(self) -> None:
        """Send what is due now, and be called for the next."""
        for arrival in self._arrivals:
            at = BEGINS + arrival.at
            if at > self.clock.now:
                self.timeline.at(at, self._send_and_next, arrival)
                return
            self._send(arrival)
        self._all_sent = True
        if self._scenario.until is None:
            self.timeline.at(self.clock.now + _A_DAY, self._give_up)

    def _send_and_next(self, arrival: Arrival) -> None:
        self._send(arrival)
        self._send_next()

    def _send(self, arrival: Arrival) -> None:
        task = self._tasks.get(arrival.task)
        number = len(self.outcome.runs)
        run = Run(number, arrival.task, arrival.at, arrival.queue)
        limits = self._observer.limits(task, arrival.queue if self._observer.has_queues else None)
        if limits:
            if not is_guarded(task):
                self._guard.wrap(task)
                for worker in self._alive():
                    self.timeline.at(self.clock.now, worker.know, task, actor=worker)
            run.limits, run.buckets, run.costs = self._asked(limits, task, arrival, number)
        if arrival.seconds is not None:
            self._seconds[str(number)] = arrival.seconds
        self.outcome.runs.append(run)
        self._unfinished += 1
        self.broker.send(message_text(arrival, number), arrival.queue, arrival.priority)

    def _asked(self, limits: tuple[BoundLimit, ...], task: Any, arrival: Arrival, number: int) -> _Asked:
        """Return the names of a message's limits, the keys of its buckets, and what it costs of each."""
        found = self._same.get((task.name, arrival.queue))
        if found is None:
            call = Call(arrival.args, dict(arrival.kwargs), {**arrival.headers, "task": task.name, "id": str(number)})
            asks = [self._observer.ask(each, task, call) for each in limits]
            names, keys = tuple(each.limit.name for each in limits), tuple(ask.bucket.key for ask in asks)
            found = names, keys, tuple(ask.cost for ask in asks)
            if all(each.bucket is not None and each.costs is None for each in limits):
                self._same[task.name, arrival.queue] = found
        return found

    def _run_of(self, request_id: str) -> Run:
        return self.outcome.runs[int(request_id)]

    # -- what workers call --------------------------------------------------------------------------------------------

    def _run(self, worker: Worker, request: Request) -> float | None:
        """Run a task's code in the pool of a worker; returns for how many seconds it runs, None if not at all."""
        self._here.limits = worker.task_limits
        run, before = self._run_of(request.id), len(self._run_of(request.id).starts)
        error = run_guarded(request)
        if isinstance(error, Retry):
            return None
        if isinstance(error, RateLimitExceeded):
            self._finish(run, "failed")
            return None
        if len(run.starts) > before:
            run.workers.append(worker.name)
            worker.use.starts += 1
        return self._seconds_of(run)

    def _began(self, request_id: str) -> None:
        run = self._run_of(request_id)
        self._started += not run.starts
        run.starts.append(self.clock.now - BEGINS)
        run.fate = "started"

    def _ended(self, request: Request) -> None:
        """Note that a task has ended."""
        run = self._run_of(request.id)
        if run.starts:
            self._finish(run, "started")

    def _dropped(self, request: Request) -> None:
        """Note that a message was dropped."""
        self._finish(self._run_of(request.id), "dropped")

    def _parked(self, was_empty: bool) -> None:  # noqa: FBT001 (a callback)
        """Note how many messages are parked, and have all workers look if there were none before."""
        for each in self._alive() if was_empty else ():
            each.look_at_room()
        self.outcome.most_parked = max(self.outcome.most_parked, self.broker.parked())

    def new_name(self) -> str:
        """Return a name that nobody else has: 16 digits, as a random one has."""
        return f"{next(self._names):016x}"

    def _worker_left(self) -> None:
        self._faults.left()

    def _jitter(self, seconds: float) -> float:
        """Return between half of that time and half as much again."""
        return seconds * (0.5 + self._random.random())

    def _finish(self, run: Run, fate: Any) -> None:
        run.fate = fate
        if run.ended is None:
            run.ended = self.clock.now - BEGINS
            self._unfinished -= 1

    def _seconds_of(self, run: Run) -> float:
        given = self._seconds.get(str(run.number))
        if given is not None:
            return given
        found = self._seconds.get(run.task)
        if found is None:
            table = self._scenario.task_seconds
            matching = (seconds for pattern, seconds in table.items() if matches(pattern, run.task))
            found = self._seconds[run.task] = table.get(run.task, next(matching, 0.0))
        return found

    def _sent_back(self, text: str, delivery: Delivery, wait: float) -> None:
        self.outcome.sent_back += 1
        priority = int(delivery.properties.get("priority") or 0)
        self._on_the_way.append(text)
        self.timeline.at(self.clock.now + wait, self._arrives, text, delivery.queue, priority)

    def _arrives(self, text: str, queue: str, priority: int) -> None:
        self._on_the_way.remove(text)
        self.broker.send(text, queue, priority)

    # -- the end ------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """End what still sleeps."""
        for worker in self.workers.values():
            worker.pool.close()

    def _give_up(self) -> None:
        self._unfinished = 0

    def _concluded(self) -> Outcome:
        outcome = self.outcome
        here = self._somewhere()
        for run in outcome.runs:
            if run.fate == "waiting" and run.number not in here:
                run.fate = "lost"
        outcome.complete = all(run.ended is not None for run in outcome.runs)
        outcome.ended = self.clock.now - BEGINS
        outcome.store_calls, outcome.room_calls = self._shared.calls, self.server.calls
        return outcome

    def _somewhere(self) -> set[int]:
        """Return the numbers of the messages that are in a queue, in the waiting room, or with a worker.

        Those too that a process has acknowledged and not begun yet: it waits for a token, or sends them back.
        """
        found = {_number(text) for text in [*self.broker.texts(), *self._on_the_way]}
        for worker in self.workers.values():
            found.update(map(int, worker.unacked))
            found.update(int(request.id) for request in worker.pool.given if not worker.gone)
        return found


def _number(text: str) -> int:
    """Return the number of a message, given as it is in the broker."""
    return int(json.loads(text)["headers"]["id"])
