"""Costs of a take from limits of other kinds than token buckets, and the size of a full window in Redis."""

import contextlib
import random
import tempfile
from functools import partial
from itertools import count

import redis
from support.servers import RedisServer

from benchmarks.micro import _CALLS, _seconds
from limitkit.buckets.decision import Bucket, GiveBack, Slots, Take, Window
from limitkit.buckets.window import is_exact
from limitkit.stores.redis import RedisStore

DAY_US = 86_400_000_000
NUMBER = 10_000
_MOST = 1_000_000
"""Of limits that never refuse."""


def _window(key, number, period_us):
    return Window(key, period_us // number, number, period_us=period_us, exact=is_exact(number))


@contextlib.contextmanager
def _store():
    with (
        tempfile.TemporaryDirectory() as folder,
        RedisServer(folder) as server,
        contextlib.closing(RedisStore(server.url, 0.25)) as store,
    ):
        yield server, store


def takes(pairs=10, calls=2000):
    """Time takes that succeed, from each kind of bucket in turns; returns each kind's time over a token bucket's."""
    with _store() as (_, store):
        asked = {
            "bucket": Bucket("limitkit:{bench}:g1", 10, _MOST),
            "window": _window("limitkit:{bench}:w1", _MOST, DAY_US),
            "exact": _window("limitkit:{bench}:x1", 200, 1_000_000),
            "costs": Bucket("limitkit:{costs}:g1", 10, _MOST, metered=True),
        }
        ways = {name: partial(store.take, [Take((bucket,), costs=(1,))]) for name, bucket in asked.items()}
        ways["bucket"] = partial(store.take, [Take((asked["bucket"],))])
        slots, numbers = Slots("limitkit:{bench}:r1", 1000, 4), count()

        def take_and_free():
            member = f"1-{next(numbers)}"
            store.take([Take((slots,), member=member)])
            store.take([], [GiveBack(slots, 0, 0, member)])

        ways["slots"] = take_and_free
        for way in ways.values():
            _seconds(way, 200)
        measured = []
        for _ in range(pairs):
            spent = dict.fromkeys(ways, 0.0)
            for _ in range(0, calls, _CALLS):
                for name, way in ways.items():
                    spent[name] += _seconds(way, _CALLS)
            bare = spent["bucket"]
            ratios = {name: seconds / bare for name, seconds in spent.items() if name != "bucket"}
            measured.append({**ratios, "micros": 1e6 * bare / calls})
    return measured


def window_size(seed=1):
    """Return the most bytes that a window of 10,000 in a day has in Redis, when it is full of starts at any times."""
    rng, most = random.Random(seed), 0
    with _store() as (server, store), redis.Redis(port=server.port) as client:
        window = _window("limitkit:{bench}:w1", NUMBER, DAY_US)
        seconds, micros = client.time()
        begin = 1_000_000 * seconds + micros
        for number, at in enumerate(sorted(rng.randrange(DAY_US) for _ in range(NUMBER))):
            store.take([Take((window,), costs=(1,))], now_us=begin + at)
            if number % 100 == 0:
                most = max(most, client.memory_usage(window.key) or 0)
    return most
