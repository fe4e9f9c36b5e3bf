"""A stage for one measurement: servers and workers of its own, what was sent, and what started when."""

import contextlib
import subprocess
import tempfile
import time
from collections import Counter

import redis

from support.brokers import make_broker
from support.pools import PREFORK
from support.servers import RedisServer
from support.workers import PATIENCE, Shop

POLL = 0.05
"""Seconds between two looks at the log of starts."""


class Scene:
    """The shop on a broker of its own; with ``own_store``, the buckets are on another Redis, to count calls of it.

    ``broker`` is one that ``make_broker`` knows; beside any but ``redis`` there is such a store in any case. The log of
    starts is read piece by piece, since parsing all of it again and again would slow what is measured.
    """

    def __init__(
        self,
        toml="version = 1\n",
        *,
        pool=PREFORK,
        broker="redis",
        own_store=False,
        module="support.shop",
        env=None,
        **conf,
    ):
        self._toml = toml
        self.pool = pool
        self._broker = broker
        self._own_store = own_store or broker != "redis"
        self._options = {"module": module, "env": env, **conf}
        self.sent = {}
        """When each message was sent, by its id."""
        self.counts = Counter()
        """Starts so far, by task."""
        self.labels = Counter()
        """Starts so far, by label."""
        self.last_at = float("-inf")
        self._read = 0

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            self.broker = self.store = stack.enter_context(make_broker(self._broker, folder))
            toml = self._toml
            if self._own_store:
                self.store = stack.enter_context(RedisServer(folder))
                toml = f'{toml}\n[store]\nurl = "{self.store.url}"\n'
            options = self._options | self.broker.conf
            self.shop = stack.enter_context(Shop(folder, self.broker.url, toml, **options))
            stack.callback(self.stop_workers)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self._stack.close()

    def start_workers(self):
        """Start as many workers as the pool's description says."""
        return self.shop.start_workers(self.pool.workers, *self.pool.options, concurrency=self.pool.concurrency)

    def send(self, batches, **options):
        """Send (task, args) pairs on one connection, and keep when; returns their ids."""
        ids = []
        with self.shop.app.producer_or_acquire() as producer:
            for name, args in batches:
                at = time.monotonic()
                id_ = self.shop.app.send_task(name, args, producer=producer, **options).id
                self.sent[id_] = at
                ids.append(id_)
        return ids

    def wait(self, done, timeout=PATIENCE, *, give_up=False):
        """Wait until ``done()`` holds, which may look at ``counts``, ``labels`` and ``last_at``; says whether it does.

        Raises AssertionError with the ends of the workers' logs, unless it may ``give_up``.
        """
        deadline = time.monotonic() + timeout
        while True:
            self._follow()
            if done():
                return True
            if time.monotonic() > deadline:
                break
            time.sleep(POLL)
        if give_up:
            return False
        raise AssertionError(f"waited {timeout} s; starts: {dict(self.counts)}\n{self.shop.tails()}")

    def wait_for(self, counts, timeout=PATIENCE, *, give_up=False):
        """Wait until each of these tasks has started so often."""
        return self.wait(
            lambda: all(self.counts[task] >= count for task, count in counts.items()), timeout, give_up=give_up
        )

    def _follow(self):
        with self.shop.log.open("rb") as log:
            log.seek(self._read)
            piece = log.read()
        whole = piece[: piece.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.decode().splitlines():
            at, task, _, _, _, label = line.split(" ", 5)
            self.counts[task] += 1
            self.labels[label] += 1
            self.last_at = max(self.last_at, float(at))

    def stop_workers(self):
        """Stop all workers at once, in good order: they return what they hold."""
        running = [worker.process for worker in self.shop.workers if worker.process.poll() is None]
        for process in running:
            process.terminate()
        for process in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE)

    def tally(self):
        """Stop the workers; count messages that neither started nor are queued or parked, and starts beyond one each.

        A message that has started and is queued again would start once more, and counts so.
        """
        self.stop_workers()
        queued, started = self.waiting(), self.started()
        again = len(self.shop.starts()) - len(started)
        return {"lost": len(self.sent.keys() - queued - started), "twice": again + len(queued & started)}

    def started(self):
        """Return the ids of the messages that have started."""
        return {start.id for start in self.shop.starts()}

    def waiting(self):
        """Return the ids of the messages that are queued or parked."""
        return self.broker.waiting()

    def sent_back(self):
        """How many messages came to the broker's queues beside those that were sent from here.

        Look while the workers run: one that stops returns what it holds.
        """
        return self.broker.arrived() - len(self.sent)

    def store_calls(self):
        """How often the store's script was called."""
        with redis.Redis(port=self.store.port) as client:
            stats = client.info("commandstats")
        return sum(stats.get(f"cmdstat_{command}", {}).get("calls", 0) for command in ("evalsha", "eval"))

    def queued(self):
        """How many messages no worker has fetched yet."""
        return self.broker.queued()


def limit(task, rate, *, strategy="token_bucket", burst=1, key=None):
    """Return the TOML of one task's own limit."""
    lines = [f"[tasks.{task}]", f'strategy = "{strategy}"', f'rate = "{rate}"', f"burst = {burst}"]
    if key:
        lines.append(f'key = "{key}"')
    return "\n".join([*lines, "\n"])


def config(*parts):
    """Return the TOML of a whole file."""
    return "\n".join(["version = 1\n", *parts])
