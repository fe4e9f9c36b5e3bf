"""One limit and a backlog of its tasks: how close to the declared rate, and what it costs others."""

import signal
from dataclasses import dataclass
from itertools import pairwise

from support.measure import efficiency, excess
from support.pools import PREFORK
from support.scene import Scene, config, limit


@dataclass(frozen=True)
class ParkedBacklog:
    efficiency: float
    excess: float
    lost: int
    twice: int
    sent_back: int
    store_calls_per_start: float
    others_span: float
    """From the first to the last start of the tasks without a limit."""
    others_done: float
    """Part of the limited tasks that had started when the last of those did."""
    retries: int
    """The most retries that a start had spent."""


def backlog(
    count=500,
    rate=50,
    burst=10,
    others=1000,
    *,
    pool=PREFORK,
    broker="redis",
    workers_first=False,
    own_store=False,
    timeout=None,
):
    """Drain so many limited tasks, with others that have no limit behind them in the same queue."""
    messages = [("paid", ())] * count + [("free", ())] * others
    limits = config(limit("paid", f"{rate}/s", burst=burst))
    with Scene(limits, pool=pool, broker=broker, own_store=own_store) as scene:
        if workers_first:
            scene.start_workers()
        scene.send(messages)
        if not workers_first:
            scene.start_workers()
        scene.wait_for({"paid": count, "free": others}, timeout or 30 + 2 * count / rate)
        paid, free = scene.shop.times("paid"), scene.shop.times("free")
        return ParkedBacklog(
            efficiency=efficiency(paid, rate, burst) if paid else 1.0,
            excess=excess(paid, rate) if paid else 0.0,
            sent_back=scene.sent_back(),
            store_calls_per_start=scene.store_calls() / count if count else 0.0,
            others_span=free[-1] - free[0] if free else 0.0,
            others_done=sum(at < free[-1] for at in paid) / count if free and paid else 0.0,
            retries=max(start.retries for start in scene.shop.starts()),
            **scene.tally(),
        )


def capacity(count=6000, *, limitkit=True, workers_first=False):
    """Return how many tasks without a limit two workers start in a second, once both have begun."""
    env = {"WITH_LIMITKIT": str(int(limitkit))}
    with Scene(config(limit("paid", "50/s")), env=env) as scene:
        if workers_first:
            scene.shop.start_workers(2)
        scene.send([("free", ())] * count)
        if not workers_first:
            scene.shop.start_workers(2)
        scene.wait_for({"free": count}, 60 + count / 100)
        times = scene.shop.times("free")[count // 3 :]
        return (len(times) - 1) / (times[-1] - times[0])


@dataclass(frozen=True)
class Restarts:
    efficiency: float
    excess: float
    lost: int
    twice: int
    restarts: int
    starts: int
    longest_gap: float
    """Between two starts, over the time that a token takes: 2 where a whole slot was lost."""


def restarts(workers=4, per_minute=6, rounds=5, more=2):
    """Restart one worker after the other, while a backlog waits for its limit; a round restarts each once."""
    rate = per_minute / 60
    with Scene(config(limit("paid", f"{per_minute}/m"))) as scene:
        running = scene.shop.start_workers(workers)
        scene.send([("paid", ())] * int(min(90, 40 + 10 * workers * rounds * rate)))
        scene.wait_for({"paid": 1})
        for _ in range(rounds):
            for number, worker in enumerate(running):
                worker.stop(signal.SIGTERM)
                running[number] = scene.shop.start_worker()
        scene.wait(lambda: True)
        # The next slot but one is the first that is wholly after the last restart.
        scene.wait_for({"paid": scene.counts["paid"] + more}, 30 + 3 / rate)
        times = scene.shop.times("paid")
        return Restarts(
            efficiency=efficiency(times, rate, 1),
            excess=excess(times, rate),
            restarts=workers * rounds,
            starts=len(times),
            longest_gap=rate * max(later - earlier for earlier, later in pairwise(times)),
            **scene.tally(),
        )
