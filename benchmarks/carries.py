"""Measures what one Redis carries, for docs/scale.md: ``PYTHONPATH=.:tests python -m benchmarks.carries [PART…]``.

Clients are processes of their own. Redis works on one core, so what it carries is also reckoned from the processor time
that it needed, where the clients could not keep it busy.
"""

import contextlib
import itertools
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

import redis
from support.flood import flood
from support.scenarios.users import BOTH
from support.scene import Scene, config, limit
from support.servers import RedisServer

from limitkit.buckets.decision import Bucket, Take
from limitkit.stores.redis import RedisStore
from limitkit.stores.take_script import question

SECONDS = 5.0
CLIENTS = 3
MANY = 100_000


@contextlib.contextmanager
def _server():
    with (
        tempfile.TemporaryDirectory() as folder,
        RedisServer(folder) as server,
        redis.Redis(port=server.port) as client,
    ):
        yield server, client


def bucket(number, rate=1_000_000, name="bench"):
    """Return one of a per_user limit's buckets, with a key as long as limitkit's are."""
    return Bucket(f"limitkit:{{{name}}}:g1:{number:032x}", 1_000_000 // rate, 100)


def one_bucket(_):
    """Take from the same bucket each time."""
    return itertools.repeat([Take((bucket(0),))])


def many_buckets(client):
    """Take from one of 100,000 buckets each time."""
    return ([Take((bucket(number * 7919 % MANY),))] for number in itertools.count(client * 1000))


def grouped(size):
    def takes(client):
        return (
            [Take(tuple(bucket(number * 7919 % MANY, name=f"b{each}") for each in range(size)))]
            for number in itertools.count(client * 1000)
        )

    return takes


def row_of_slots(_):
    """Reserve 16 slots of one bucket in a call, as a worker does for a fast limit."""
    return itertools.repeat([Take((bucket(0),), 16, 16, 1.0)])


def many_lanes(client):
    """Take from 32 buckets in one call, as a worker does when many lanes are due."""
    return (
        [Take((bucket((number + each) * 7919 % MANY),)) for each in range(32)]
        for number in itertools.count(client * 1000, 32)
    )


WORKS = {
    "one bucket": (one_bucket, 1),
    "100,000 buckets": (many_buckets, 1),
    "groups of 2": (grouped(2), 1),
    "groups of 4": (grouped(4), 1),
    "one bucket, 16 slots a call": (row_of_slots, 16),
    "32 buckets a call": (many_lanes, 32),
}


def _store_client(url, work, number, found):
    makes, _ = WORKS[work]
    with contextlib.closing(RedisStore(url, 5.0)) as store:
        asks = makes(number)
        store.take(next(asks))
        calls, end = 0, time.monotonic() + SECONDS
        while time.monotonic() < end:
            store.take(next(asks))
            calls += 1
    found.put(calls)


def _pipelined_client(url, work, number, found, size=50):
    """Ask without waiting for each answer, so that the server, and not this client, is what is measured."""
    makes, _ = WORKS[work]
    with contextlib.closing(RedisStore(url, 5.0)) as store, redis.Redis.from_url(url) as client:
        asks = makes(number)
        store.take(next(asks))
        sha = store._scripts["take"].sha  # noqa: SLF001
        batch = []
        for _ in range(size):
            keys, args = question(next(asks), (), None, time.time_ns() // 1000)
            batch.append(("EVALSHA", sha, len(keys), *keys, *args))
        packed = client.connection_pool.get_connection()
        command = packed.pack_commands(batch)
        calls, end = 0, time.monotonic() + SECONDS
        while time.monotonic() < end:
            packed.send_packed_command(command)
            for _ in range(size):
                packed.read_response()
            calls += size
        client.connection_pool.release(packed)
    found.put(calls)


def _processor_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _run(server, client, work, clients):
    """Return calls a second, and the seconds of Redis's core that a call needs."""
    found = multiprocessing.Queue()
    workers = [
        multiprocessing.Process(target=client, args=(server.url, work, number, found)) for number in range(clients)
    ]
    before, begun = _processor_seconds(server.process.pid), time.monotonic()
    for worker in workers:
        worker.start()
    calls = sum(found.get() for _ in workers)
    for worker in workers:
        worker.join()
    spent = _processor_seconds(server.process.pid) - before
    return calls / SECONDS, spent / calls, spent / (time.monotonic() - begun)


def takes():
    """Measure what a take costs the server, and how many a client makes."""
    print("| takes | one client, calls/s | Redis's core, us a call | so starts/s of a whole core |")
    print("| --- | --- | --- | --- |")
    for work, (_, starts) in WORKS.items():
        with _server() as (server, _):
            alone, _, _ = _run(server, _store_client, work, 1)
            _, cost, _ = _run(server, _pipelined_client, work, CLIENTS)
            print(f"| {work} | {alone:,.0f} | {1e6 * cost:.1f} | {starts / cost:,.0f} |", flush=True)


def bytes_of_buckets():
    """Measure what a bucket takes in memory."""
    with _server() as (server, client):
        before = client.info("memory")["used_memory"]
        with contextlib.closing(RedisStore(server.url, 5.0)) as store:
            for at in range(0, MANY, 100):
                keys = [f"limitkit:{{bench}}:g1:{number:032x}" for number in range(at, at + 100)]
                store.take([Take((Bucket(key, 3_600_000_000, 1),)) for key in keys])
        used = client.memory_usage(keys[0])
        each = (client.info("memory")["used_memory"] - before) / MANY
        print(f"bucket: MEMORY USAGE {used} bytes; {each:.0f} bytes of {MANY:,} with the tables of keys and expiries")


def bytes_of_parked(count=20_000):
    """Measure what a parked task takes in memory, beside one in its queue."""
    with Scene(config(limit("paid", "1/s"))) as scene, redis.Redis(port=scene.broker.port) as client:
        scene.shop.start_workers(2)
        before = client.info("memory")["used_memory"]
        flood(scene, [("paid", ())] * count)
        queued = (client.info("memory")["used_memory"] - before) / count
        scene.wait(lambda: client.hlen("limitkit:waiting:messages") > 0.99 * count, 30 + count / 100)
        parked = (client.info("memory")["used_memory"] - before) / count
        names = [name.decode() for name in client.scan_iter("limitkit:waiting:*")]
        print(f"{count:,} messages: {queued:.0f} bytes each in the queue, {parked:.0f} parked")
        for name in sorted(names):
            print(f"  {name}: {client.memory_usage(name, samples=0) / count:.0f}")


def wire():
    """Measure what a call costs in bytes, both ways, as the server counts them."""
    print("| call | bytes to Redis | bytes back |")
    print("| --- | --- | --- |")
    shared = Bucket("limitkit:{stripe_api}:g1", 10_000, 1_000_000)
    with _server() as (server, client), contextlib.closing(RedisStore(server.url, 5.0)) as store:
        for name, asks in {
            "`token_bucket`, one start": [Take((shared,))],
            "`token_bucket`, 16 slots reserved": [Take((shared,), 16, 0, 1.0)],
            "`per_user`, one start": [Take((bucket(1),))],
            "two limits, one start": [Take((bucket(1), shared))],
            "`per_user`, 32 users in one call": [Take((bucket(number),)) for number in range(32)],
        }.items():
            store.take(asks)
            got, gave = _traffic(client, lambda asks=asks: store.take(asks))
            print(f"| {name} | {got:.0f} | {gave:.0f} |")


def _traffic(client, call, times=200):
    def counted():
        stats = client.info("stats")
        return stats["total_net_input_bytes"], stats["total_net_output_bytes"]

    first = counted()
    second = counted()  # what counting itself takes
    for _ in range(times):
        call()
    last = counted()
    return tuple((c - b - (b - a)) / times for a, b, c in zip(first, second, last, strict=True))


KINDS = {
    "`token_bucket`, 50/s": (limit("paid", "50/s"), [("paid", ())] * 300),
    "`token_bucket`, 200/s burst 20": (limit("paid", "200/s", burst=20), [("paid", ())] * 1200),
    "`per_user`, 2/s each of 20 users": (
        limit("user", "2/s", strategy="per_user", key="user_id"),
        [("user", (f"u{number}",)) for number in range(20)] * 12,
    ),
    "`per_user`, 12/m, the first start of each of 2,000 users": (
        limit("user", "12/m", strategy="per_user", key="user_id"),
        [("user", (f"u{number}",)) for number in range(2000)],
    ),
    "both: 30/s shared, and 1/s each of 60 users": (
        BOTH,
        [("user", (f"u{number}",)) for number in range(60)] * 4,
    ),
}


def round_trips():
    """Measure how often two workers ask the store for a start, while a backlog waits for it."""
    print("| limits | calls a start |")
    print("| --- | --- |")
    for name, (toml, messages) in KINDS.items():
        with Scene(config(toml), own_store=True) as scene:
            scene.shop.start_workers(2)
            flood(scene, messages)
            scene.wait_for(Counter(task for task, _ in messages), 120)
            print(f"| {name} | {scene.store_calls() / len(messages):.2f} |", flush=True)


def scripts(count=3000, rate=200):
    """Measure how long Redis works on each of the scripts while a backlog is parked and drained."""
    with Scene(config(limit("paid", f"{rate}/s", burst=20))) as scene, redis.Redis(port=scene.broker.port) as client:
        scene.shop.start_workers(2)
        client.config_set("slowlog-max-len", 100 * count)
        client.config_set("slowlog-log-slower-than", 0)
        flood(scene, [("paid", ())] * count)
        scene.wait_for({"paid": count}, 30 + 3 * count / rate)
        calls = defaultdict(list)
        for entry in client.slowlog_get(100 * count):
            words = entry["command"].split(b" ")
            if words[0] == b"EVALSHA":
                # The keys tell the scripts apart: a bucket, kombu's unacknowledged messages, or the room's.
                name = {b"unacked_index": "park", b"limitkit:waiting:messages": "bring"}.get(words[3], "take")
                calls[name].append(entry["duration"])
        for name, micros in sorted(calls.items()):
            each = statistics.quantiles(micros, n=20)
            print(f"{name}: {len(micros):,} calls, median {each[9]:.0f} us, 95 % within {each[18]:.0f} us")


def newcomers(seconds=60, each=1000, at_once=25):
    """Let 1,000 users a second come that were never seen before, each 1/s burst 1; say what Redis keeps."""
    with _server() as (server, client), contextlib.closing(RedisStore(server.url, 5.0)) as store:
        store.take([Take((bucket(0),))])
        _keeps(client, "before")
        begun, late = time.monotonic(), 0.0
        for number in range(0, seconds * each, at_once):
            at = begun + number / each
            time.sleep(max(0.0, at - time.monotonic()))
            late = max(late, time.monotonic() - at)
            keys = [f"limitkit:{{new}}:g1:{user:032x}" for user in range(number, number + at_once)]
            decisions = store.take([Take((Bucket(key, 1_000_000, 1),)) for key in keys])
            assert all(decision.slots for decision in decisions)
            if (number + at_once) % (10 * each) == 0:
                _keeps(client, f"after {(number + at_once) / each:.0f} s")
        print(f"the latest call: {1000 * late:.0f} ms late")
        end = time.monotonic() + 10
        while client.dbsize() and time.monotonic() < end:
            time.sleep(0.1)
        _keeps(client, f"{time.monotonic() - begun - seconds:.1f} s later")


def _keeps(client, when):
    memory = client.info("memory")
    used, resident = memory["used_memory"] / 1e6, memory["used_memory_rss"] / 1e6
    print(f"{when}: {used:.2f} MB, resident {resident:.1f} MB, {client.dbsize()} keys", flush=True)


PARTS = {
    part.__name__: part for part in (takes, wire, round_trips, scripts, bytes_of_buckets, bytes_of_parked, newcomers)
}

if __name__ == "__main__":
    for name in sys.argv[1:] or PARTS:
        print(f"\n{name}: {PARTS[name].__doc__}", flush=True)
        PARTS[name]()
