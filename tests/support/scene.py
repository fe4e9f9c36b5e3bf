"""A stage for one measurement: servers and workers of its own, what was sent, and what started when."""

import contextlib
import json
import subprocess
import tempfile
import time
from collections import Counter

import redis

from support.servers import RedisServer
from support.workers import PATIENCE, Shop

POLL = 0.05
"""Seconds between two looks at the log of starts."""


class Scene:
    """The shop on a Redis of its own; with ``own_store``, the buckets are on another one, so that calls can be counted.

    The log of starts is read piece by piece, since parsing all of it again and again would slow what is measured.
    """

    def __init__(self, toml="version = 1\n", *, own_store=False, module="support.shop", env=None, **conf):
        self._toml = toml
        self._own_store = own_store
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
        self._folder = tempfile.TemporaryDirectory()
        self.broker = RedisServer(self._folder.name).start()
        self.store = RedisServer(self._folder.name).start() if self._own_store else self.broker
        toml = self._toml
        if self._own_store:
            toml = f'{toml}\n[store]\nurl = "{self.store.url}"\n'
        self.shop = Shop(self._folder.name, self.broker.url, toml, **self._options)
        return self

    def __exit__(self, *_):
        self.stop_workers()
        self.shop.__exit__()
        self.store.stop()
        self.broker.stop()
        self._folder.cleanup()

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
        with redis.Redis(port=self.broker.port) as client:
            parked = [kept.split(b"\n", 1)[1] for kept in client.hvals("limitkit:waiting:messages")]
            messages = client.lrange("celery", 0, -1) + parked
        return {json.loads(message)["headers"]["id"] for message in messages}

    def sent_back(self):
        """How many messages came to the broker's queues beside those that were sent from here.

        Look while the workers run: one that stops returns what it holds.
        """
        return self._calls(self.broker, "lpush") - len(self.sent)

    def store_calls(self):
        """How often the store's script was called."""
        return self._calls(self.store, "evalsha", "eval")

    def queued(self):
        """How many messages no worker has fetched yet."""
        with redis.Redis(port=self.broker.port) as client:
            return client.llen("celery")

    def _calls(self, server, *commands):
        with redis.Redis(port=server.port) as client:
            stats = client.info("commandstats")
        return sum(stats.get(f"cmdstat_{command}", {}).get("calls", 0) for command in commands)


def limit(task, rate, *, strategy="token_bucket", burst=1, key=None):
    """Return the TOML of one task's own limit."""
    lines = [f"[tasks.{task}]", f'strategy = "{strategy}"', f'rate = "{rate}"', f"burst = {burst}"]
    if key:
        lines.append(f'key = "{key}"')
    return "\n".join([*lines, "\n"])


def config(*parts):
    """Return the TOML of a whole file."""
    return "\n".join(["version = 1\n", *parts])
