"""New users come without end: what Redis, the asking process and a worker keep of them.

``PYTHONPATH=tests python -m benchmarks.new_users [SECONDS]``: a thousand users a second straight at each store, then
three hundred a second through a worker. Memory must be flat after the first seconds.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
import time
from pathlib import Path

import redis
from support.servers import RedisServer
from support.workers import Shop

from limitkit.buckets.decision import Bucket, Take
from limitkit.stores.memory import MemoryStore
from limitkit.stores.redis import RedisStore

AT_STORE, AT_WORKER = 1000, 300
SLICE = 0.02
TOML = """version = 1

[tasks.user]
strategy = "per_user"
rate = "5/s"
key = "user_id"
"""


def resident(pid: int | str = "self") -> float:
    """Memory of a process, in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def every_slice(seconds, per_second, send, show):
    """Send so many a second, in slices, and show where it stands each tenth of the time."""
    start, number, shown = time.monotonic(), 0, 0
    while (now := time.monotonic() - start) < seconds:
        count = int(now * per_second) - number
        if count:
            send(range(number, number + count))
            number += count
        if now >= shown * seconds / 10:
            shown += 1
            print(f"{now:6.1f} s {number:8,} users  {show()}")
        time.sleep(SLICE)


def takes(users):
    return [Take((Bucket(f"users:{{user}}:g1:{user:032x}", 200_000, 1),)) for user in users]


def at_redis(server, seconds):
    store = RedisStore(server.url, 1.0)
    with redis.Redis(port=server.port) as client:

        def show():
            info = client.info("memory")["used_memory"] / 1e6
            return f"{client.dbsize():6,} keys, Redis {info:.2f} MB, this process {resident():.1f} MB"

        every_slice(seconds, AT_STORE, lambda users: store.take(takes(users)), show)
        time.sleep(2)
        print(f"  2 s later: {show()}")
    store.close()


def at_memory(seconds):
    store = MemoryStore()
    every_slice(
        seconds,
        AT_STORE,
        lambda users: store.take(takes(users)),
        lambda: f"{len(store._tats):6,} buckets, this process {resident():.1f} MB",  # noqa: SLF001
    )


def at_worker(server, folder, seconds):
    with Shop(folder, server.url, TOML) as shop, redis.Redis(port=server.port) as client:
        worker = shop.start_worker(concurrency=2)
        ids = itertools.count()

        def send(users):
            shop.send_many([("user", (f"user {next(ids)}",)) for _ in users])

        def show():
            queue = client.llen("celery")
            return f"{client.dbsize():6,} keys, {queue} in queue, worker {resident(worker.process.pid):.1f} MB"

        every_slice(seconds, AT_WORKER, send, show)


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    with tempfile.TemporaryDirectory() as folder, RedisServer(folder) as server:
        print("Redis store")
        at_redis(server, seconds)
        print("Memory store")
        at_memory(seconds)
        print("Worker")
        at_worker(server, folder, seconds)


if __name__ == "__main__":
    main()
