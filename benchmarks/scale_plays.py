"""Plays 10, 100 and 1,000 workers on the virtual clock, and counts for itself what came of it.

The engine is limitkit/trial. What it says of starts is judged here from the times of starts alone, and its calls of
the store are noted one by one, so that a real Redis can be asked the same.
"""

import resource
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import accumulate
from math import ceil

import limitkit.trial.engine.world
from limitkit.buckets.decision import Slots
from limitkit.config.load import judge
from limitkit.config.source import toml
from limitkit.trial.engine.shared_store import SharedStore
from limitkit.trial.play import play
from limitkit.trial.scenario import Arrival, Scenario

PROCESSES = 8
WORKERS = (10, 100, 1000)
RATE = 10_000
USERS = 10_000
MOST_RUNNING = 500
CALL, KINDS, BUCKET, SLOT = 15e-6, 45e-6, 15e-6, 0.8e-6
"""Seconds that one core of Redis needs for a call, for one about slots of a concurrency limit besides, for each bucket
in it, and for each token: fitted to what `scale_redis` measures."""
_BIN = 0.001


@dataclass(frozen=True)
class Work:
    """What is played with each number of workers."""

    says: str
    limit: str
    """The task's table."""
    seconds: float
    """Of the virtual clock: the play ends then, while there is a backlog."""
    messages: int
    every: float = 0.0
    """Seconds between two messages; 0: all at once."""
    runs: tuple[float, float] = (0.0, 0.0)
    """The shortest and the longest task, in seconds; those between are equally frequent."""
    users: int = 0
    prefetch: int = 4
    """Messages that a worker fetches for each process."""
    rounds: bool = False
    """Whether each user's messages come together, one user after the other in the first second."""

    def arrivals(self):
        """Return its messages."""
        shortest, longest = self.runs
        found = []
        for number in range(self.messages):
            kwargs = {"user": number % self.users} if self.users else {}
            at = (number % self.users) / self.users if self.rounds else number * self.every
            seconds = shortest + (longest - shortest) * (number * 7919 % 1000) / 999
            found.append(Arrival(at, "t", (), kwargs, seconds=seconds))
        return sorted(found, key=lambda arrival: arrival.at)


_ONE = f'strategy = "token_bucket"\nrate = "{RATE}/s"'
_SLOTS = f'strategy = "concurrency"\nmax_running = {MOST_RUNNING}'
WORKS = {
    "one": Work("one limit of 10,000/s, a backlog", _ONE, 2.0, 30_000),
    "steady": Work("the same, 9,000 messages a second", _ONE, 2.0, 18_000, 1 / 9000),
    "users": Work(
        "10,000 users at 1/s each, a backlog of each",
        'strategy = "per_user"\nkey = "user"\nrate = "1/s"',
        2.0,
        30_000,
        users=USERS,
        rounds=True,
    ),
    "long": Work("`max_running = 500`, tasks of 0.5 to 1.5 s", _SLOTS, 5.0, 4_000, runs=(0.5, 1.5)),
    "short": Work("`max_running = 500`, tasks of 50 to 150 ms", _SLOTS, 1.5, 9_000, runs=(0.05, 0.15)),
    "slow": Work("one limit of 50/s, a backlog", 'strategy = "token_bucket"\nrate = "50/s"', 5.0, 5_000),
    "parked": Work(
        "the same, prefetch 1",
        'strategy = "token_bucket"\nrate = "50/s"',
        5.0,
        6_000,
        prefetch=1,
    ),
}


class NotedStore(SharedStore):
    """Notes its calls. With ``core`` it answers one call at a time, as a Redis does, that needs some time for each."""

    core = False
    noted: list
    """The time of each call of ``take``, what it took, and what it gave back."""
    others: list
    """The times of the other calls."""

    def __init__(self, *args):
        super().__init__(*args)
        self.noted, self.others, self.wakes, self._bins = [], [], 0, defaultdict(float)
        type(self).last = self

    def take(self, takes, give_backs=(), *, now_us=None):
        """Note it, and wait for the core."""
        at, clock = self._trip_clock.now, self._trip_clock
        self.noted.append((at, tuple(takes), tuple(give_backs)))
        if self.core:
            clock.now += self._queue(at, _needs(takes, give_backs))
        return super().take(takes, give_backs, now_us=now_us)

    def renew(self, leases, *, now_us=None):
        """Note it."""
        self.others.append(self._trip_clock.now)
        return super().renew(leases, now_us=now_us)

    def note(self, key, name, *, now_us=None):
        """Note it."""
        self.others.append(self._trip_clock.now)
        return super().note(key, name, now_us=now_us)

    def run(self, script, keys, args):
        """Note it."""
        self.others.append(self._trip_clock.now)
        return super().run(script, keys, args)

    def _woken(self, bucket, now):
        found = super()._woken(bucket, now)
        self.wakes += len(found)
        return found

    def _queue(self, at, needs):
        """Return how long a call that comes then waits and works.

        Each millisecond has as much work as fits: actors' times don't come in order, so one end of a queue won't do.
        """
        place = int(at / _BIN)
        while self._bins[place] + needs > _BIN:
            place += 1
        self._bins[place] += needs
        return max(0.0, place * _BIN - at) + needs


def _needs(takes, give_backs):
    """Return the seconds of Redis's core that a call needs."""
    buckets = [bucket for ask in takes for bucket in ask.buckets] + [gift.bucket for gift in give_backs]
    kinds = KINDS if any(isinstance(bucket, Slots) for bucket in buckets) else 0.0
    return CALL + kinds + BUCKET * len(buckets) + SLOT * sum(ask.count for ask in takes)


def play_one(key, workers, *, core=False):
    """Play a work, and return its figures, with the calls of the store under ``noted``."""
    work = WORKS[key]
    text = f'version = 1\n[store]\nurl = "redis://store"\n[tasks.t]\n{work.limit}\n'
    rules = judge(toml.parse(text, "scale.toml")).rules
    limitkit.trial.engine.world.SharedStore = NotedStore
    NotedStore.core = core
    begun = time.process_time()
    scenario = Scenario(
        arrivals=work.arrivals(),
        workers=workers,
        processes=PROCESSES,
        prefetch_multiplier=work.prefetch,
        until=work.seconds,
    )
    outcome = play(rules, scenario)
    spent = time.process_time() - begun
    store = NotedStore.last
    _check(outcome)
    return {
        "work": key,
        "workers": workers,
        "core": core,
        "cpu": spent,
        "resident": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        **_starts(work, workers, outcome),
        **_calls(store, work.seconds, workers),
        "held": max(use.most_held for use in outcome.workers),
        "parked": outcome.most_parked,
        "room": outcome.room_calls,
        "sent_back": outcome.sent_back,
        "warnings": outcome.warnings,
    }, store


def _check(outcome):
    """Compare what the engine counts with the starts themselves."""
    starts = Counter(worker for run in outcome.runs for worker in run.workers)
    assert all(use.starts == starts[use.name] for use in outcome.workers)
    assert sum(starts.values()) == sum(len(run.starts) for run in outcome.runs)
    assert not any(run.fate == "lost" or len(run.starts) > 1 for run in outcome.runs)
    assert all(run.starts[0] >= run.sent for run in outcome.runs if run.starts)


def _starts(work, workers, outcome):
    runs = [run for run in outcome.runs if run.starts]
    begun = sorted(run.starts[0] for run in runs)
    shares = Counter(run.workers[0] for run in runs)
    mean = len(runs) / workers
    waits = sorted(run.starts[0] - run.sent for run in runs)
    found = {
        "starts": len(runs),
        "least": min(shares[use.name] for use in outcome.workers) / mean,
        "most": max(shares.values()) / mean,
        "p50": waits[ceil(0.5 * len(waits)) - 1],
        "p95": waits[ceil(0.95 * len(waits)) - 1],
        "longest": waits[-1],
    }
    if work.limit == _SLOTS:
        ends = [(run.starts[0], run.ended if run.ended is not None else work.seconds) for run in runs]
        most = min(MOST_RUNNING, workers * PROCESSES)
        found["running"] = most_at_once(ends)
        found["efficiency"] = sum(end - start for start, end in ends) / (most * work.seconds)
        return found
    rate = 1.0 if work.users else float(work.limit.split('"')[3][:-2])
    buckets = defaultdict(list)
    for run in runs:
        buckets[run.buckets[0]].append(run.starts[0])
    first = {}
    sent = Counter()
    for run in outcome.runs:
        first.setdefault(run.buckets[0], run.sent)
        sent[run.buckets[0]] += 1
    # A start at the very end is not asked for: a task needs 2 ms from the queue to its first line.
    allowed = sum(min(sent[each], int(1 + rate * (work.seconds - 0.002 - at))) for each, at in first.items())
    found["excess"] = max(excess(sorted(times), rate) for times in buckets.values())
    found["allowed_excess"] = 1 + rate * 0.05 + 1
    found["efficiency"] = len(begun) / allowed
    return found


def excess(times, rate):
    """Return the most by which the starts of any window, ends included, are more than rate x its length."""
    least, most = 0.0, 0.0
    for number, at in enumerate(times):
        least = min(least, number - rate * (at - times[0]))
        most = max(most, number + 1 - rate * (at - times[0]) - least)
    return most


def most_at_once(spans):
    """Return how many of these spans of time, begin and end, are under way at once at most."""
    changes = sorted([(begin, 1) for begin, _ in spans] + [(end, -1) for _, end in spans])
    return max(accumulate(step for _, step in changes), default=0)


def _calls(store, seconds, workers):
    begins = limitkit.trial.engine.world.BEGINS
    times = [at for at, _, _ in store.noted] + store.others
    assert len(times) == store.calls
    at_start = sum(at <= begins for at in times)
    bins = Counter(int((at - begins) * 10) for at, _, _ in store.noted if at > begins)
    return {
        "calls": (store.calls - at_start) / seconds,
        "calls_each": (store.calls - at_start) / seconds / workers,
        "peak": 10 * max(bins.values(), default=0),
        "reckoned": sum(_needs(takes, gifts) for at, takes, gifts in store.noted) / seconds,
        "wakes": store.wakes / seconds,
    }
