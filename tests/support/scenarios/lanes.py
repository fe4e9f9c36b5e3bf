"""What waits in a lane: messages that will never start, and many lanes that come due at one instant."""

import contextlib
import subprocess
import sys
import time
from dataclasses import dataclass
from inspect import signature
from pathlib import Path

import redis

import limitkit
from limitkit.buckets.call import Call
from limitkit.buckets.decision import Bucket, Take
from limitkit.buckets.partition import Resolver, bucket_key
from limitkit.stores.redis import RedisStore
from support.scene import Scene, config, limit
from support.servers import free_port
from support.workers import patient

_CHUNK = 1000


@dataclass(frozen=True)
class Dead:
    late: float
    """Start of the last message, behind its slot."""
    started: int
    """Starts of messages that were revoked or had expired."""
    twice: int


def dead(count=10_000, per_minute=1, *, revoked=True, expired=False, expires=3.0):
    """Let one start, then send many that are revoked or expire while they wait, then one more."""
    interval = 60 / per_minute
    with Scene(config(limit("paid", f"{per_minute}/m"))) as scene:
        scene.shop.start_workers(2)
        first = scene.send([("paid", ())])[0]
        scene.wait_for({"paid": 1})
        if expired:
            scene.send([("paid", ())] * count, expires=expires)
        if revoked:
            ids = scene.send([("paid", ())] * count)
            for at in range(0, count, _CHUNK):
                scene.shop.app.control.revoke(ids[at : at + _CHUNK])
        last = scene.send([("paid", ())])[0]
        scene.wait(lambda: any(start.id == last for start in scene.shop.starts()), 30 + 4 * interval)
        starts = {start.id: start.at for start in scene.shop.starts()}
        return Dead(
            late=starts[last] - starts[first] - interval,
            started=len(starts.keys() - {first, last}),
            twice=scene.tally()["twice"],
        )


@dataclass(frozen=True)
class DueAtOnce:
    throughput: float
    """Starts a second, limited ones too, from the first to the last start of the tasks without a limit."""
    last_late: float
    """Start of the last lane's request, behind the instant at which all came due."""
    early: int
    """Starts before that instant."""
    lost: int
    twice: int


def due_at_once(lanes=1000, others=3500, *, delay=0.002, lead=6.0, head_start=1.0):
    """Let so many users' lanes come due at one instant, while tasks without a limit flow; the store is not near."""
    with Scene() as scene, SlowLink(scene.broker.port, delay) as link:
        toml = config(
            f'[store]\nurl = "redis://127.0.0.1:{link.port}/1"\n',
            limit("user", "6/m", strategy="per_user", key="user_id"),
        )
        path = scene.shop.folder / "ratelimits.toml"
        path.write_text(patient(toml))
        scene.shop.start_workers(2)
        users = [f"u{number}" for number in range(lanes)]
        due = _take_all(path, f"redis://127.0.0.1:{scene.broker.port}/1", users, lead) if lanes else 0.0
        scene.send([("user", (user,)) for user in users])
        scene.wait(lambda: scene.queued() == 0)
        if lanes:
            assert time.monotonic() < due - 0.2, "the messages came too late to wait; give them a longer lead"
            time.sleep(max(0.0, due - head_start - time.monotonic()))  # an appointment, there is nothing to wait for
        scene.send([("free", ())] * others)
        scene.wait_for({"user": lanes, "free": others}, 60 + (lanes + others) / 100)
        free = scene.shop.times("free")
        limited = scene.shop.times("user")
        during = [start for start in scene.shop.starts() if not free or free[0] <= start.at <= free[-1]]
        return DueAtOnce(
            throughput=len(during) / (during[-1].at - during[0].at),
            last_late=limited[-1] - due if lanes else 0.0,
            early=sum(at < due - 0.001 for at in limited),
            **scene.tally(),
        )


def _take_all(path, url, users, lead):
    """Leave each user's bucket as if it had been taken from so long ago that it is due in ``lead`` seconds."""
    rules = limitkit.load(path).rules
    declared = rules.for_task("user").limits[0]
    resolve = Resolver(signature(lambda user_id: user_id), declared.key)
    interval = declared.rate.interval_us
    takes = []
    for user in users:
        key = bucket_key(rules.store.prefix, declared, resolve(Call((user,))))
        takes.append(Take((Bucket(key, interval, declared.burst),)))
    with contextlib.closing(RedisStore(url, 5.0)) as store, redis.Redis.from_url(url) as client:
        seconds, micros = client.time()
        due = time.monotonic() + lead
        then = seconds * 1_000_000 + micros + round(lead * 1_000_000) - interval
        decisions = store.take(takes, now_us=then)
    assert all(decision.slots == (0.0,) for decision in decisions)
    return due


class SlowLink:
    """A way to a server on which each answer takes longer, as a process of its own: it must not slow who measures."""

    def __init__(self, target, delay):
        self.port = free_port()
        self._command = [sys.executable, "-m", "support.slow_link", str(self.port), str(target), str(delay)]

    def __enter__(self):
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
        )
        assert self._process.stdout.readline() == "ready\n"
        return self

    def kill(self):
        self._process.kill()

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(10)
        self._process.stdout.close()
