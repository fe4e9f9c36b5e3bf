"""Real Celery workers for tests and benchmarks, as processes of their own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from celery import signals
from kombu.asynchronous import hub

from support.sizes import sized
from support.warm import WarmProcess

ROOT = Path(__file__).parent.parent.parent
FOREIGN = {"foreign-threads": "support.foreign_pools:Threads", "foreign-solo": "support.foreign_pools:Solo"}
"""Pools without a pacer."""
ALONE = "foreign-threads" if hasattr(hub, "_Waker") else "foreign-solo"
"""One of them. Older kombu lets what its threads report wait for its event loop, up to ten seconds."""


POOL = os.environ.get("LIMITKIT_POOL", "prefork")
"""The pool of the workers that show what Celery promises; ``make pools`` tries them in each."""
PATIENCE = sized(60.0, 300.0)
"""Seconds that a test waits for what has to come: no machine is so slow, and what is wrong is told soon enough."""
_sent = {}
"""When each message was first sent from this process, by its id."""


@signals.before_task_publish.connect
def _note(headers, body, **_):
    _sent.setdefault(headers.get("id") or body["id"], time.monotonic())


def wait_until(true, timeout=PATIENCE):
    """Wait until ``true()`` is; returns what it was. What takes much to look at is looked at less often."""
    deadline, began = time.monotonic() + timeout, time.thread_time()
    while not (found := true()):
        assert time.monotonic() < deadline, f"waited {timeout} s"
        time.sleep(max(0.02, 3 * (time.thread_time() - began)))
        began = time.thread_time()
    return found


def patient(toml):
    """Have a config wait longer for its store, unless it says for how long: on a busy machine an answer may be late."""
    if "timeout =" in toml:
        return toml
    table = '[store]\ntimeout = "10s"\n'
    return toml.replace("[store]\n", table) if "[store]\n" in toml else f"{toml}\n{table}"


@dataclass(frozen=True)
class Start:
    at: float
    task: str
    id: str
    worker: str
    retries: int
    label: str

    @property
    def sent(self):
        """When its message was sent, if it was from this process."""
        return _sent.get(self.id)


class Shop:
    """The test app with its config, its workers and the log of its starts."""

    heartbeats = False
    """Whether workers tell that they are there, by events of Celery."""
    warm = False
    """Whether workers are copies of a process that has imported Celery; what measures more closely has others."""

    def __init__(self, folder, broker_url, toml="version = 1\n", *, module="support.shop", env=None, **conf):
        self.folder = Path(folder)
        self.module = module
        self.log = self.folder / "starts.log"
        self.log.touch()
        config = self.folder / "ratelimits.toml"
        config.write_text(patient(toml))
        self.env = {
            **os.environ,
            "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}",
            "BROKER_URL": broker_url,
            "START_LOG": str(self.log),
            "LIMITKIT_CONFIG": str(config),
            "CELERY_CONF": json.dumps(conf),
            **(env or {}),
        }
        self.broker_url = broker_url
        self.workers = []
        self._app = None

    @property
    def app(self):
        """A sender of the same app, in this process."""
        if self._app is None:
            from celery import Celery

            self._app = Celery(
                "sender", broker=self.broker_url, backend=self.env.get("RESULT_URL"), set_as_current=False
            )
            self._app.conf.update(json.loads(self.env["CELERY_CONF"]))
            # A result that dies after its backend must not wait for it.
            retry = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}
            self._app.conf.result_backend_transport_options = {"retry_policy": retry}
        return self._app

    def send(self, name, *args, **options):
        return self.app.send_task(name, args, **options)

    def send_many(self, batches):
        """Send (name, args) pairs fast, on one connection."""
        with self.app.producer_or_acquire() as producer:
            return [self.app.send_task(name, args, producer=producer).id for name, args in batches]

    def start_worker(self, *options, concurrency=2, name=None, wait=True, env=None):
        name, env = name or f"w{len(self.workers) + 1}", dict(env or {})
        if foreign := [each for each in options if each in FOREIGN]:
            env["CELERY_CUSTOM_WORKER_POOL"] = FOREIGN[foreign[0]]
            options = ["custom" if each in FOREIGN else each for each in options]
        command = [sys.executable, "-m", "celery", "-A", self.module, "worker", "-n", f"{name}@test", "-l", "INFO"]
        quiet = ["--without-gossip", "--without-mingle", *([] if self.heartbeats else ["--without-heartbeat"])]
        command += ["-c", str(concurrency), *quiet, *options]
        log = self.folder / f"{name}-{len(self.workers)}.log"
        warm = self.warm and not _needs_its_own(options, env)
        worker = Worker(command, {**self.env, **env}, log, warm=warm)
        self.workers.append(worker)
        if wait:
            worker.wait_ready()
        return worker

    def start_workers(self, count, *options, **kwargs):
        workers = [self.start_worker(*options, wait=False, **kwargs) for _ in range(count)]
        for worker in workers:
            worker.wait_ready()
        return workers

    def starts(self, task=None):
        return self._stamps(self.log, task)

    def ends(self, task=None):
        """All ends of tasks that write theirs."""
        log = Path(f"{self.log}.ends")
        return self._stamps(log, task) if log.exists() else []

    def _stamps(self, log, task):
        found = []
        text = log.read_text()
        for line in text[: text.rfind("\n") + 1].splitlines():  # the last one may be half written
            at, name, id_, worker, retries, *label = line.split(" ", 5)
            if task is None or name == task:
                found.append(Start(float(at), name, id_, worker, int(retries), label[0] if label else ""))
        return sorted(found, key=lambda start: start.at)

    def times(self, task):
        return [start.at for start in self.starts(task)]

    def by_label(self, task):
        grouped = defaultdict(list)
        for start in self.starts(task):
            grouped[start.label].append(start.at)
        return grouped

    def wait_for(self, count, task=None, timeout=PATIENCE):
        """Wait until so many starts are in the log; returns them."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            starts = self.starts(task)
            if len(starts) >= count:
                return starts
            time.sleep(0.05)
        raise AssertionError(f"{len(self.starts(task))} of {count} starts in {timeout} s\n{self.tails()}")

    def wait_for_each(self, results, timeout=PATIENCE):
        """Wait until each of these messages has started; returns their (first) starts, in this order."""
        ids = [getattr(result, "id", result) for result in results]
        deadline = time.monotonic() + timeout
        while True:
            first = {start.id: start for start in reversed(self.starts())}
            if first.keys() >= set(ids):
                return [first[id_] for id_ in ids]
            if time.monotonic() > deadline:
                missing = [id_ for id_ in ids if id_ not in first]
                raise AssertionError(f"not started in {timeout} s: {missing}\n{self.tails()}")
            time.sleep(0.02)

    def wait_for_each_once(self, results):
        """Wait until each of these messages has started, and see that none did twice; returns their starts."""
        starts = self.wait_for_each(results)
        assert all(len(self.starts_of(result)) == 1 for result in results)
        return starts

    def inspect(self, what, worker="w1@test"):
        """Ask a worker about itself, as ``celery inspect`` does."""
        asking = self.app.control.inspect([worker], timeout=5, limit=1)
        return wait_until(getattr(asking, what))[worker]

    def starts_of(self, result):
        """All starts of one message: several when it was retried."""
        return [start for start in self.starts() if start.id == getattr(result, "id", result)]

    def tails(self):
        return "\n".join(f"--- {worker.log.name}\n{worker.output()[-3000:]}" for worker in self.workers)

    def __enter__(self):
        return self

    def terminate(self):
        """Ask all workers to stop, at once."""
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.process.terminate()

    def __exit__(self, *_):
        self.terminate()
        for worker in self.workers:
            worker.wait_stopped()
        if self._app is not None:
            if "RESULT_URL" in self.env:  # gone when some of the results die, which may be in the midst of another test
                self._app.backend.remove_pending_result = lambda result: result
            self._app.close()


def _needs_its_own(options, env):
    """Whether a worker can't be a copy: gevent, Python and Celery see to some things before anything is imported."""
    return "gevent" in options or any(name.startswith(("PYTHON", "CELERY")) for name in env)


def _fresh(command, env, log):
    with log.open("wb") as out:
        return subprocess.Popen(command, env=env, stdout=out, stderr=out, cwd=log.parent)


class Worker:
    def __init__(self, command, env, log, *, warm=False):
        self.log = log
        log.touch()
        self.process = (WarmProcess if warm else _fresh)(command, env, log)

    def output(self):
        return self.log.read_text(errors="replace")

    def wait_ready(self, timeout=PATIENCE):
        self.wait_for_output(" ready.", timeout)

    def wait_for_output(self, text, timeout=PATIENCE):
        deadline = time.monotonic() + timeout
        while text not in self.output():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"no {text!r} in {timeout} s:\n{self.output()[-4000:]}")
            time.sleep(0.05)

    def stop(self, how=signal.SIGTERM, timeout=PATIENCE):
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.wait_stopped(timeout)

    def wait_stopped(self, timeout=20.0):
        """Wait for the end of a worker that was asked to stop; kill it when it takes too long."""
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        return self.process.returncode
