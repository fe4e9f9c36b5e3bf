"""Slots of a concurrency limit whose tasks, processes and workers end in every way, or are frozen."""

import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from dataclasses import dataclass

import redis

from support.measure import most_at_once
from support.pools import PREFORK, Pool
from support.scenarios.running import APP, FOUR, slots, spans
from support.scene import Scene, config
from support.workers import wait_until

LEASE = 5.0
_SHORT = 0.05
_HARD = 0.5
"""Seconds of the hard time limit."""
_SOFT = 0.4
WAYS = ("returns", "raises", "retries", "rejects", "ignores", "exits", "killed", "soft", "hard", "revoked")
_EARLY = 0.1
"""Seconds by which a process may be gone before what is sure to be its end: limits count from before the first line."""


class Leases:
    """Looks at the live leases of a task's limit all the time, as the server's clock says."""

    def __init__(self, port, task):
        self._port = port
        self.key = f"limitkit:{{task={task}}}:r1"
        self.most = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self):
        self._client = redis.Redis(port=self._port)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        self._client.close()

    def live(self):
        """How many leases have not ended."""
        with self._client.pipeline() as at_once:
            seconds, micros = self._client.time()
            at_once.zcount(self.key, f"({seconds * 1_000_000 + micros}", "+inf")
            return at_once.execute()[0]

    def left(self):
        """How many are noted, whether they have ended or not."""
        return self._client.zcard(self.key)

    def _look(self):
        while not self._stop.wait(0.01):
            self.most = max(self.most, self.live())


@dataclass(frozen=True)
class Back:
    seconds: float
    """From the end of two tasks (or one) until as many others had begun in their place."""
    live: int
    """The most live leases at any time."""
    at_once: int
    """The most that ran at once, where what was frozen or killed counts until then."""
    left: int
    """Leases that were left when all was done."""
    lost: int
    early: int = 0
    """Others that began before that end."""


def _children(pid):
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(child) for child in found.stdout.split()]


def _tree(worker):
    return [worker.process.pid, *_children(worker.process.pid)]


def _send(pids, number):
    for pid in pids:
        os.kill(pid, number)


def killed_worker(how=signal.SIGKILL, *, lease=LEASE, frozen=0.0):
    """Kill, or freeze, a worker that runs two of four tasks; six more wait in another one.

    One that is ``frozen`` for so long goes on then; its tasks have lost their slots.
    """
    limits = config(slots("report", 4, f'lease = "{lease:g}s"'))
    with Scene(limits, pool=PREFORK, module=APP) as scene, Leases(scene.store.port, "report") as leases:
        over = scene.shop.folder / "over"
        victim = scene.shop.start_worker("-Q", "victim", concurrency=2)
        first = scene.send([("report", (_SHORT, "", str(over)))] * 2, queue="victim")
        scene.wait_for({"report": 2})
        scene.shop.start_worker("-Q", "celery", concurrency=4)
        scene.send([("report", (_SHORT, "", str(over)))] * 2)
        scene.wait_for({"report": 4})
        scene.send([("report", (_SHORT,))] * 6)
        renewed = time.monotonic() + 1.5 * lease
        scene.wait(lambda: time.monotonic() > renewed, 2 * lease + 30)
        _send(_tree(victim), how)
        at = time.monotonic()
        scene.wait_for({"report": 10}, 60 + 4 * lease)
        if frozen:
            wait_until(lambda: time.monotonic() >= at + frozen, frozen + 10)
            _send(_tree(victim), signal.SIGCONT)
        else:
            victim.wait_stopped()
        over.touch()
        scene.wait(lambda: len(scene.shop.ends("report")) >= (10 if frozen else 8))
        wait_until(lambda: leases.live() == 0)
        starts = scene.shop.starts("report")
        ran = zip(spans(scene.shop, "report", ends=lambda _: at), starts, strict=True)
        return Back(
            seconds=starts[5].at - at,
            # Those of the worker that is gone count until then.
            at_once=most_at_once([(begun, at if start.id in first else end) for (begun, end), start in ran]),
            live=leases.most,
            left=leases.live(),
            early=sum(start.at < at for start in starts[4:]),
            lost=len(scene.sent.keys() - scene.started()),
        )


def ended(how, *, lease=60.0):
    """End a task, of which one may run at a time, in one of the ways; another waits. The lease says nothing then."""
    limits = config(slots("varied", 1, f'lease = "{lease:g}s"'))
    with Scene(limits, pool=Pool("prefork", (), 2), module=APP) as scene, Leases(scene.store.port, "varied") as leases:
        scene.start_workers()
        (first,) = scene.send([("varied", (how, _SHORT))], **_options(how))
        scene.wait_for({"varied": 1})
        (second,) = scene.send([("varied", ("returns", _SHORT))])
        if how == "revoked":
            time.sleep(0.5)
            revoked = time.monotonic()
            scene.shop.app.control.revoke(first, terminate=True, signal="SIGKILL")
        by_id = {}

        def both():
            by_id.clear()
            for start in scene.shop.starts("varied"):
                by_id.setdefault(start.id, []).append(start)
            return second in by_id and len(by_id[first]) >= (2 if how == "retries" else 1)

        scene.wait(both, lease)
        wait_until(lambda: leases.live() == 0, lease / 2)
        begun = by_id[first][0].at
        said = {(end.id, end.retries): end.at for end in scene.shop.ends("varied")}
        end = said.get((first, 0)) or (revoked if how == "revoked" else begun + _HARD)
        following = min(start.at for starts in by_id.values() for start in starts if start.at > begun)
        return Back(
            seconds=following - end,
            live=leases.most,
            at_once=2 if following < end - _EARLY else 1,
            left=leases.left(),
            lost=len(scene.sent.keys() - scene.started()),
        )


def _options(how):
    if how == "hard":
        return {"time_limit": _HARD}
    if how == "soft":
        return {"soft_time_limit": _SOFT}
    return {}


@dataclass(frozen=True)
class Ends:
    at_once: int
    live: int
    left: int
    """Leases that were left when all had ended."""
    drained: float
    """Seconds from the last start until no lease was left."""
    lost: int
    span: float


def ends(count=1000, most=4, *, seed=1, ways=WAYS, pool=FOUR, lease=60.0):
    """Let so many tasks end in every way at random, in two workers; none may keep its slot."""
    rng = random.Random(seed)
    limits = config(slots("varied", most, f'lease = "{lease:g}s"'))
    with Scene(limits, pool=pool, module=APP) as scene, Leases(scene.store.port, "varied") as leases:
        scene.start_workers()
        hows = [rng.choice(ways) for _ in range(count)]
        for how in hows:
            scene.send([("varied", (how, _SHORT))], **_options(how))
        revoked = {}

        def done():
            starts = scene.shop.starts("varied")
            for start in starts:
                if start.label == "revoked" and start.id not in revoked:
                    revoked[start.id] = time.monotonic()
                    scene.shop.app.control.revoke(start.id, terminate=True, signal="SIGKILL")
            begun = Counter(start.id for start in starts)
            return len(begun) >= count and sum(begun.values()) >= count + hows.count("retries")

        scene.wait(done, 60 + count)
        wait_until(lambda: leases.left() == 0, lease / 2)
        drained = time.monotonic() - scene.last_at

        def stopped(start):
            return revoked[start.id] if start.label == "revoked" else start.at + _HARD - _EARLY

        ran = spans(scene.shop, "varied", ends=stopped)
        return Ends(
            at_once=most_at_once(ran),
            live=leases.most,
            left=leases.left(),
            drained=drained,
            lost=len(scene.sent.keys() - scene.started()),
            span=scene.last_at - min(begun for begun, _ in ran),
        )
