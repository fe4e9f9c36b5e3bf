"""All workers are told to stop in the middle of a drain: nothing that has started may come back, nothing be lost."""

import random
import time
from dataclasses import dataclass, replace

from support.measure import excess
from support.pools import PREFORK
from support.scene import Scene, config, limit
from support.workers import PATIENCE

_LOOK = 0.01
_BUSY = 0.6
"""The part of the pools' places that tasks are in, so that some run whenever it is."""


@dataclass(frozen=True)
class Stops:
    given_back: int
    """Messages that started and are in the broker all the same, so that they would start again."""
    stranded: int
    """Messages that nobody has acknowledged or given back, so that they wait for the visibility timeout."""
    lost: int
    """Messages that neither started nor are in the broker."""
    twice: int
    """Starts beyond one of each message."""
    longest_stop: float
    """Seconds from SIGTERM to the end of a worker."""
    excess: float
    least_started: float
    """The part of the messages that had started at the end: the least of all trials."""
    most_started: float


def stops(trials=20, count=900, rate=300, burst=5, *, pool=PREFORK, workers=2, within=1.5):
    """Stop all workers at a moment of chance ``within`` so many seconds of the first start, again and again."""
    pool = replace(pool, workers=workers)
    messages = [("paid", (_BUSY * pool.places / rate,))] * count
    found = [_stop(messages, rate, burst, pool, random.uniform(0, within)) for _ in range(trials)]
    return Stops(
        **{name: sum(each[name] for each in found) for name in ("given_back", "stranded", "lost", "twice")},
        **{name: max(each[name] for each in found) for name in ("longest_stop", "excess")},
        least_started=min(each["started"] for each in found),
        most_started=max(each["started"] for each in found),
    )


def _stop(messages, rate, burst, pool, after):
    with Scene(config(limit("paid", f"{rate}/s", burst=burst)), pool=pool) as scene:
        scene.shop.warm = True
        scene.send(messages)
        scene.start_workers()
        scene.wait_for({"paid": 1})
        until = scene.last_at + after
        scene.wait(lambda: time.monotonic() >= until)
        longest = _ends([worker.process for worker in scene.shop.workers])
        starts, started = scene.shop.starts(), scene.started()
        waiting, unacknowledged = scene.waiting(), scene.broker.unacknowledged()
        return {
            "given_back": len(started & (waiting | unacknowledged)),
            "stranded": len(unacknowledged),
            "lost": len(scene.sent.keys() - started - waiting - unacknowledged),
            "twice": len(starts) - len(started),
            "longest_stop": longest,
            "excess": excess([start.at for start in starts], rate),
            "started": len(started) / len(messages),
        }


def _ends(processes):
    """Tell all to stop, and return how long the last one took; one that takes too long is killed."""
    told = time.monotonic()
    for process in processes:
        process.terminate()
    while any(process.poll() is None for process in processes):
        if time.monotonic() > told + PATIENCE:
            for process in processes:
                process.kill()
                process.wait(10)
            return float("inf")
        time.sleep(_LOOK)
    return time.monotonic() - told
