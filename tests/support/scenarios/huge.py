"""Backlogs that no worker can hold: what they cost the workers, the tasks behind them, and the broker's Redis."""

import subprocess
import time
from dataclasses import dataclass

import redis

from support.flood import flood
from support.measure import efficiency, excess
from support.monitor import Monitor
from support.scene import Scene, config, limit

_LOOK_EVERY = 1.0


@dataclass(frozen=True)
class Huge:
    growth: float
    """MB by which the main process of a worker grew at most, over what it had when it was ready."""
    held: int
    """Messages that all workers held at most, at any look."""
    others_span: float
    """Seconds from the arrival of the messages to the last start of the tasks without a limit."""
    others_done: float
    """Part of the limited tasks that had started by then."""
    efficiency: float
    excess: float
    lost: int
    twice: int


def huge(count=100_000, rate=200, burst=20, others=1000, *, watched=20_000):
    """Let workers meet so many limited tasks at once, with others behind them; the first ``watched`` starts count."""
    watched = min(watched, count)
    with Scene(config(limit("paid", f"{rate}/s", burst=burst))) as scene, redis.Redis(port=scene.broker.port) as client:
        workers = scene.shop.start_workers(2)
        before = [_memory(worker) for worker in workers]
        growth, held = [0.0], [0]
        flooded = flood(scene, [("paid", ())] * count + [("free", ())] * others)
        looked = flooded

        def done():
            nonlocal looked
            if time.monotonic() - looked >= _LOOK_EVERY:
                looked = time.monotonic()
                growth.extend(_memory(worker) - had for worker, had in zip(workers, before, strict=True))
                held.append(client.hlen("unacked"))
            return scene.counts["paid"] >= watched and scene.counts["free"] >= others

        scene.wait(done, 60 + (count + others) / 200 + 3 * watched / rate)
        paid, free = scene.shop.times("paid"), scene.shop.times("free")
        return Huge(
            growth=max(growth),
            held=max(held),
            others_span=free[-1] - flooded,
            others_done=sum(at < free[-1] for at in paid) / count,
            efficiency=efficiency(paid[:watched], rate, burst),
            excess=excess(paid[:watched], rate),
            **scene.tally(),
        )


def unlimited(count):
    """Return in how many seconds such workers start so many tasks without a limit."""
    with Scene(config(limit("paid", "50/s"))) as scene:
        scene.shop.start_workers(2)
        flooded = flood(scene, [("free", ())] * count)
        scene.wait_for({"free": count}, 60 + count / 100)
        return scene.last_at - flooded


def _memory(worker):
    """Return the resident memory of a worker's main process, in MB."""
    found = subprocess.run(["ps", "-o", "rss=", "-p", str(worker.process.pid)], capture_output=True, check=True)
    return int(found.stdout) / 1024


@dataclass(frozen=True)
class Joins:
    share: float
    """Starts of the worker that joined, over all from when it was ready on."""
    efficiency: float
    excess: float
    lost: int
    twice: int


def joins(count=1500, rate=100, burst=10, *, before=300, strategy="token_bucket"):
    """Let a second worker join when the first one has started so many of a backlog."""
    with Scene(config(limit("paid", f"{rate}/s", burst=burst, strategy=strategy))) as scene:
        scene.shop.start_worker()
        flood(scene, [("paid", ())] * count)
        scene.wait_for({"paid": before})
        scene.shop.start_worker(name="joiner")
        ready = time.monotonic()
        scene.wait_for({"paid": count}, 30 + 2 * count / rate)
        starts = scene.shop.starts("paid")
        follow = [start for start in starts if start.at > ready]
        times = [start.at for start in starts]
        return Joins(
            share=sum(start.worker.startswith("joiner") for start in follow) / len(follow),
            efficiency=efficiency(times, rate, burst),
            excess=excess(times, rate),
            **scene.tally(),
        )


@dataclass(frozen=True)
class Parks:
    per_task: float
    """Times that a message is parked, over tasks."""
    commands: float
    """What clients ask of the broker's Redis beyond what as many tasks without a limit need, over parks."""
    in_all: float
    """All that clients ask, over parks."""
    inside: float
    """What scripts ask inside Redis, over parks."""
    efficiency: float
    excess: float
    lost: int
    twice: int


def parks(count=3000, rate=200, burst=20):
    """Drain a backlog most of which is parked, on a Redis that is broker and store, and count its commands."""
    with Scene(config(limit("paid", f"{rate}/s", burst=burst))) as scene:
        scene.shop.start_workers(2)
        plain, limited = (_drain(scene, task, count, 30 + 3 * count / rate) for task in ("free", "paid"))
        parked = limited.count(lambda asked: asked[:2] == ("HSET", "limitkit:waiting:messages"))
        asked = limited.count(_by_client)
        times = scene.shop.times("paid")
        return Parks(
            per_task=parked / count,
            commands=(asked - plain.count(_by_client)) / parked,
            in_all=asked / parked,
            inside=limited.count(lambda asked: asked.inside) / parked,
            efficiency=efficiency(times, rate, burst),
            excess=excess(times, rate),
            **scene.tally(),
        )


def _drain(scene, task, count, timeout):
    """Count what it takes, from the moment at which the messages are there."""
    with Monitor(scene.broker.port, since="RENAMENX") as monitor:
        flood(scene, [(task, ())] * count)
        scene.wait_for({task: count}, timeout)
    return monitor


def _by_client(asked):
    return not asked.inside
