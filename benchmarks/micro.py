"""Costs that need no worker: one take, and the import."""

import contextlib
import itertools
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from itertools import cycle, islice

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from support.servers import RedisServer
from support.workers import ROOT

from limitkit.buckets.decision import Bucket, Slots, Take, Window
from limitkit.config.declared import Resets
from limitkit.stores.redis import RedisStore

_CALLS = 50
"""Calls of the one before it is the other's turn: what else the machine does should meet both alike."""


def _seconds(call, count):
    before = time.perf_counter()
    for _ in range(count):
        call()
    return time.perf_counter() - before


def take_against_evalsha(pairs=10, calls=3000):
    """Time takes that succeed against a script that does nothing, in turns; returns seconds a call of both."""
    with tempfile.TemporaryDirectory() as folder, RedisServer(folder) as server:
        client = redis.Redis.from_url(
            server.url, socket_timeout=0.25, socket_connect_timeout=0.25, retry=Retry(NoBackoff(), 0)
        )
        with client, contextlib.closing(RedisStore(server.url, 0.25)) as store:
            bare = client.register_script("return 1")
            ask = [Take((Bucket("limitkit:{bench}:1", 10, 1_000_000),))]
            assert store.take(ask)[0].slots == (0.0,)
            _seconds(bare, 500), _seconds(lambda: store.take(ask), 500)
            measured = []
            for _ in range(pairs):
                seconds = [0.0, 0.0]
                for _ in range(0, calls, _CALLS):
                    seconds[0] += _seconds(lambda: store.take(ask), _CALLS)
                    seconds[1] += _seconds(bare, _CALLS)
                measured.append(tuple(each / calls for each in seconds))
    return measured


def kinds_against_bucket(pairs=10, calls=1000):
    """Time takes of each kind of limit that succeed, in turns; returns seconds a call by kind, and bytes of a window.

    ``window`` has a state of 60 parts, ``exact`` keeps the time of each start, ``refused`` is a window that is full.
    """
    second, many = 1_000_000, itertools.count()
    day = {"period_us": 86_400 * second}
    asks = {
        "bucket": lambda: Take((Bucket("limitkit:{bench}:g1", 10, 1_000_000),)),
        "metered": lambda: Take((Bucket("limitkit:{bench}:g1:m", 10, 1_000_000, metered=True),), costs=(3,)),
        "window": lambda: Take((Window("limitkit:{bench}:w1", 864, 100_000_000, **day),)),
        "refused": lambda: Take((Window("limitkit:{bench}:w1:full", 8_640_000, 10_000, **day),)),
        "exact": lambda: Take((Window("limitkit:{bench}:x1", 5, 200, period_us=1000, exact=True),)),
        "resets": lambda: Take((Window("limitkit:{bench}:c1", 864, 100_000_000, resets=Resets("00:00", "d")),)),
        "slots": lambda: Take((Slots("limitkit:{bench}:r1", 1000, 100_000),), member=str(next(many))),
    }
    with (
        tempfile.TemporaryDirectory() as folder,
        RedisServer(folder) as server,
        contextlib.closing(RedisStore(server.url, 0.25)) as store,
        redis.Redis.from_url(server.url) as client,
    ):
        now = time.time_ns() // 1000
        for name in ("window", "refused"):
            for ago in range(61, 0, -1):
                part = replace(asks[name](), costs=(164,))
                store.take([part], now_us=now - ago * 1440 * second)
        size = client.memory_usage("limitkit:{bench}:w1:full")
        measured = []
        for _ in range(pairs):
            seconds = dict.fromkeys(asks, 0.0)
            for _ in range(0, calls, _CALLS):
                for name, ask in asks.items():
                    seconds[name] += _seconds(lambda ask=ask: store.take([ask()]), _CALLS)
            measured.append({name: each / calls for name, each in seconds.items()})
    return measured, size


def import_cost(pairs=10):
    """Time ``import celery`` and then ``import limitkit``, each in a fresh process, in turns; returns pairs."""
    measured = {"import celery": [], "import celery, limitkit": []}
    for code in islice(cycle(measured), 2 + 2 * pairs):
        before = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
        measured[code].append(time.perf_counter() - before)
    # The first pair warms the file cache.
    return list(zip(*(seconds[1:] for seconds in reversed(measured.values())), strict=True))


def untouched(names=("free", "user")):
    """Say which of these tasks without a limit have a ``run`` of their own once limitkit is installed."""
    code = (
        "import sys, celery, limitkit\n"
        "app = celery.Celery('x', broker='redis://127.0.0.1:1/0', set_as_current=False)\n"
        "def nothing(): pass\n"
        f"tasks = [app.task(name=name)(nothing) for name in {(*names, 'paid')!r}]\n"
        "limitkit.install(app, sys.argv[1])\n"
        "app.finalize()\n"
        "print(*(name for name, task in app.tasks.items() if 'run' in vars(task)))\n"
    )
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as toml:
        toml.write('version = 1\n[tasks.paid]\nstrategy = "token_bucket"\nrate = "1/s"\n')
        toml.flush()
        result = subprocess.run(
            [sys.executable, "-c", code, toml.name], check=True, cwd=ROOT, capture_output=True, text=True
        )
    touched = result.stdout.split()
    assert "paid" in touched, "the guard is not where this looks for it"
    return [name for name in touched if name in names]


def median_with_interval(values):
    """Return the median and the second lowest and second highest: of ten, they hold the true median with 98 %."""
    values = sorted(values)
    trim = 1 if len(values) >= 8 else 0
    return statistics.median(values), values[trim], values[-1 - trim]
