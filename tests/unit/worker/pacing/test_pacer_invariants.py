"""Whatever comes in whatever order: each message starts once or never may, and the pacer leaves nothing behind.

Random lives of one or two workers in the trial room: arrivals, revokes, others that take tokens, a store that goes and
comes back, limits that are looked at again, answers that say "slow down", connections that are lost.
"""

from __future__ import annotations

import logging
import random
from functools import partial

import pytest
from celery.worker import state
from support.fair_processes import FairProcesses
from support.played import rules_of
from support.sizes import examples

from limitkit.buckets.call import Call
from limitkit.buckets.decision import Refusal, Take
from limitkit.stores.memory import MemoryStore
from limitkit.trial.engine.pool import BEGINS_AFTER
from limitkit.trial.engine.timeline import BEGINS
from limitkit.trial.engine.world import World
from limitkit.trial.scenario import Arrival, Disconnect, Revoke, Scenario, StoreAway

SEEDS = examples(25)
PER_SEED = 8
RATES = {"500/s": 500, "100/s": 100, "20/s": 20, "10/s": 10, "200/m": 200 / 60, "1/s": 1}


class Life:
    """One random life."""

    def __init__(self, rnd, other):
        self.rnd, self.other = rnd, other
        self.limits = {f"l{n}": self.some_limit() for n in range(rnd.randint(1, 6))}
        self.tasks = {f"t{n}": self.some_limits() for n in range(rnd.randint(1, 6))}
        self.span = rnd.choice([0.0, 0.1, 2.0, 10.0])
        self.faults, self.kept = [], dict(self.limits)
        arrivals = self.some_arrivals()
        self.revoked = set(rnd.sample(range(len(arrivals)), len(arrivals) // 4)) if rnd.random() < 0.4 else set()
        self.faults += [Revoke(at=self.some_time(), number=number) for number in sorted(self.revoked)]
        self.gone = rnd.random() < 0.3
        if self.gone:
            away = StoreAway(at=rnd.uniform(0, self.span + 2), seconds=rnd.choice([0.1, 1.5, 4]))
            self.faults.append(away)
            self.kept = {name: each for name, each in self.limits.items() if each["on_error"] != "allow"}
        workers = rnd.choice([1, 1, 2])
        if rnd.random() < 0.2:
            self.faults.append(Disconnect(at=self.some_time(), worker="worker-1"))
            self.kept = {}
        self.processes = rnd.choice([1, 1, 2, 4])
        self.scenario = Scenario(
            arrivals=arrivals,
            workers=workers,
            processes=self.processes,
            prefetch_multiplier=rnd.choice([1, 4]),
            faults=tuple(self.faults),
        )
        self.world = World(rules_of(self.toml()), self.scenario, rnd.randrange(1000), None)
        self.fair = []

    def some_limit(self):
        rnd = self.rnd
        return {
            "rate": rnd.choice(list(RATES)),
            "burst": rnd.choice([1, 1, 2, 5]),
            "strategy": "static" if rnd.random() < 0.25 else "token_bucket",
            "on_error": rnd.choice(["allow", "hold", "divide"]),
        }

    def some_limits(self):
        return self.rnd.sample(list(self.limits), min(self.rnd.choice([0, 1, 1, 2, 3, 4]), len(self.limits)))

    def some_time(self):
        return self.rnd.uniform(0, self.span + 3)

    def some_arrivals(self):
        rnd, priorities = self.rnd, self.rnd.choice([[0], [0, 3, 6, 9]])
        lasts = {task: rnd.choice([0.001, 0.02, 0.2, 1.0]) for task in self.tasks}
        arrivals = []
        for _ in range(rnd.randint(5, 70)):
            task = rnd.choice(list(self.tasks))
            seconds = rnd.uniform(0.5, 1.5) * lasts[task]
            arrivals.append(Arrival(rnd.uniform(0, self.span), task, priority=rnd.choice(priorities), seconds=seconds))
        return sorted(arrivals, key=lambda arrival: arrival.at)

    def toml(self):
        lines = []
        for name, limit in self.limits.items():
            shared = limit["strategy"] != "static"
            lines += [f"[limits.{name}]"]
            lines += [f"{key} = {each!r}" for key, each in limit.items() if shared or key != "on_error"]
            if self.other is not None and shared and self.other.random() < 0.7:
                limit["told"] = self.other.choice(["slow", "pause"])
                lines.append(f'feedback = {{ on = ["a.B"], action = "{limit["told"]}" }}')
        for task, names in self.tasks.items():
            lines += [f"[tasks.{task}]", f"limits = {names}"]
        return "\n".join(lines).replace("'", '"')

    # -- the play -----------------------------------------------------------------------------------------------------

    def play(self):
        world, rnd = self.world, self.rnd
        latency = rnd.choice([BEGINS_AFTER / 2, BEGINS_AFTER * 2])
        start_worker = world._start_worker

        def started(name):
            start_worker(name)
            worker = world.workers[name]
            worker.pool.begins_after = lambda _: rnd.uniform(0.2, 1.0) * latency
            self.fair.append(FairProcesses(world, worker))

        world._start_worker = started
        if rnd.random() < 0.3:
            for _ in range(rnd.randint(1, 4)):
                self.at(self.some_time(), self.reconsider)
        if rnd.random() < 0.5:
            others = [(name, rnd.choice([1, 3]), rnd.choice([0, 1])) for name in self.limits]
            for name, count, horizon in others * 20:
                self.at(self.some_time(), partial(self.take, name, count, horizon))
        if self.other is not None:
            told = [name for name, limit in self.limits.items() if "told" in limit]
            for name in told * 4:
                after, late = self.other.choice([None, 0.5, 3.0]), self.other.uniform(0, 0.5)
                self.at(self.other.uniform(0, self.span + 3), partial(self.refuse, name, late, after))
        try:
            self.outcome = world.play()
            world.timeline.run(world.clock.now + 100.0, lambda: False)  # what it has left to do
        finally:
            for number in self.revoked:
                state.revoked.discard(str(number))
        return self.outcome

    def at(self, when, call):
        self.world.timeline.at(BEGINS + when, call)

    def reconsider(self):
        """Have a worker look at the limits of all that it holds again."""
        self.world.workers["worker-1"].pacer.reconsider()

    def take(self, name, count, horizon):
        """Take tokens as another worker does."""
        bucket = self.bucket(name)
        if bucket is not None:
            MemoryStore.take(self.world._shared, [Take((bucket,), count, 1, horizon)])

    def refuse(self, name, late, after):
        """Have the other side say "slow down"."""
        bucket = self.bucket(name)
        if bucket is not None:
            MemoryStore.back_off(self.world._shared, Refusal(bucket, late, after))

    def bucket(self, name):
        """The bucket of a limit of all workers, once one of its tasks was sent."""
        observer, call = self.world._observer, Call((), {}, {})
        for task in self.world._tasks._guarded.values():
            for bound in observer.limits(task, None):
                if bound.limit.name == name and not bound.local:
                    return observer.ask(bound, task, call).bucket
        return None

    # -- what must hold -----------------------------------------------------------------------------------------------

    def left(self):
        return [left(worker) for worker in self.world.workers.values()]

    def nothing_left(self):
        return [nothing_left(self.processes, worker._prefetch) for worker in self.world.workers.values()]

    def excess(self, name):
        """The most by which the starts of any window go over what a limit promises."""
        limit = self.limits[name]
        rate, burst = RATES[limit["rate"]], limit["burst"]
        worst = 0.0
        for times in self.starts(name):
            for first, start in enumerate(times):
                for count, end in enumerate(times[first:], 1):
                    worst = max(worst, count - burst - rate * (end - start + 0.05) - 1)
        return worst

    def starts(self, name):
        """The starts that each bucket of a limit counts: a static one is each worker's own."""
        runs = [run for run in self.outcome.runs if run.starts and name in self.tasks[run.task]]
        if self.limits[name]["strategy"] != "static":
            return [sorted(run.starts[0] for run in runs)]
        return [sorted(run.starts[0] for run in runs if run.workers[0] == worker) for worker in self.world.workers]


def left(worker):
    pacer = worker.pacer
    lane_timer, processes, semaphore = pacer._lane_timer, pacer._processes, worker._semaphore
    return {
        "held": len(pacer._lanes.held),
        "lanes": len(pacer._lanes),
        "line": len(lane_timer.line),
        "heap": len(lane_timer._heap),
        "processes": (processes.free, processes._kept, processes._claims),
        "semaphore": (semaphore.value, len(semaphore._waiting)),
        "window": worker._consumer.qos.value,
        "unacknowledged": worker.unacked,
        "pool": len(worker.pool),
    }


def nothing_left(size, prefetch):
    return {
        "held": 0,
        "lanes": 0,
        "line": 0,
        "heap": 0,
        "processes": (0, 0, 0),
        "semaphore": (size, 0),
        "window": prefetch,
        "unacknowledged": [],
        "pool": 0,
    }


@pytest.mark.parametrize("refusing", [False, True])
@pytest.mark.parametrize("seed", range(SEEDS))
def test_each_starts_once_and_nothing_is_left(seed, refusing, caplog):
    rnd, other = random.Random(seed), random.Random(seed + 1) if refusing else None
    for _ in range(PER_SEED):
        life = Life(rnd, other)
        outcome = life.play()
        assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
        assert not life.world.broker.parked()
        assert not life.world.broker.texts()
        for run in outcome.runs:
            assert run.fate == ("started" if run.starts else "dropped")
            assert len(run.starts) == 1 or (run.number in life.revoked and not run.starts)
        assert life.left() == life.nothing_left()
        assert [passed for fair in life.fair for passed in fair.passed_over] == []
        for name, limit in life.kept.items():
            # A worker's share of a bucket is one more while the store is gone, and the store's fills up meanwhile.
            more = max(life.scenario.workers, limit["burst"]) if life.gone else 0
            assert life.excess(name) <= more, name
