"""Limits on how many tasks run at once, by the stamps of each task's first and last line."""

import statistics
from dataclasses import dataclass
from itertools import pairwise

from support.flood import flood
from support.measure import most_at_once
from support.pools import PREFORK, Pool
from support.scene import Scene, config

APP = "support.kinds_app"
FOUR = Pool("prefork", (), 4)


def slots(task, most, more=""):
    """Return the TOML of a task's own concurrency limit."""
    return f'[tasks.{task}]\nstrategy = "concurrency"\nmax_running = {most}\n{more}\n'


def spans(shop, task, *, ends=None):
    """Return when each run of a task began and ended; ``ends`` says when those did that could not write it."""
    said = {(end.id, end.retries): end.at for end in shop.ends(task)}
    return [(start.at, said.get((start.id, start.retries)) or ends(start)) for start in shop.starts(task)]


@dataclass(frozen=True)
class Running:
    at_once: int
    """The most that ran at once."""
    efficiency: float
    """The time that all of them need in so many rows, over the time from the first start to the last end."""
    others_span: float
    """From the first to the last start of the tasks without a limit."""
    others_done: float
    """Part of the limited tasks that had started when the last of those did."""
    store_calls_per_start: float
    sent_back: int
    lost: int
    twice: int


def running(count=400, seconds=0.05, most=4, others=500, *, pool=FOUR):
    """Drain so many tasks of which only some may run at once, with others that have no limit between them."""
    longer, shorter = max(count, others), min(count, others)
    names = ("report", "free") if count >= others else ("free", "report")
    mixed = []
    for number in range(longer):
        mixed.append(names[0])
        if number * shorter // longer != (number + 1) * shorter // longer:
            mixed.append(names[1])
    arguments = {"report": (seconds,), "free": ()}
    with Scene(config(slots("report", most)), pool=pool, module=APP, own_store=True) as scene:
        scene.start_workers()
        flood(scene, [(task, arguments[task]) for task in mixed])
        scene.wait_for({"report": count, "free": others}, 60 + 4 * count * seconds / most)
        scene.wait(lambda: len(scene.shop.ends()) >= count)
        ran, free = spans(scene.shop, "report"), scene.shop.times("free")
        whole = max(end for _, end in ran) - min(begun for begun, _ in ran) if ran else 0.0
        return Running(
            at_once=most_at_once(ran),
            efficiency=count * seconds / most / whole if ran else 1.0,
            others_span=free[-1] - free[0] if free else 0.0,
            others_done=sum(begun < free[-1] for begun, _ in ran) / count if free and ran else 0.0,
            store_calls_per_start=scene.store_calls() / count if count else 0.0,
            sent_back=scene.sent_back(),
            **scene.tally(),
        )


@dataclass(frozen=True)
class OneByOne:
    at_once: int
    median_gap: float
    """Seconds from an end to the next start."""
    p99_gap: float
    lost: int
    twice: int


def one_by_one(count=200, seconds=0.1, *, pool=PREFORK):
    """Let two workers run tasks of which one may run at a time."""
    with Scene(config(slots("report", 1)), pool=pool, module=APP) as scene:
        scene.start_workers()
        scene.send([("report", (seconds,))] * count)
        scene.wait_for({"report": count}, 60 + 4 * count * seconds)
        scene.wait(lambda: len(scene.shop.ends()) >= count)
        ran = sorted(spans(scene.shop, "report"))
        gaps = [later[0] - earlier[1] for earlier, later in pairwise(ran)]
        return OneByOne(
            at_once=most_at_once(ran),
            median_gap=statistics.median(gaps),
            p99_gap=statistics.quantiles(gaps, n=100, method="inclusive")[98],
            **scene.tally(),
        )
