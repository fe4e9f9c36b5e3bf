"""One run of the demo: a Redis, two workers, a few hundred tasks under each limit, and the list of their starts."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from limitkit.config.load import PORT_VARIABLE, load
from limitkit.demo import app as demo
from limitkit.demo.embedded_redis import EmbeddedRedis, end
from limitkit.demo.figures import Start, Tally
from limitkit.demo.stopping import Stopping

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WORKERS: Final = 2
PROCESSES: Final = 2
"""Pool processes of each worker."""
MESSAGES: Final = {
    "shop.call_external_api": (150, "https://api.example/{}", 150),
    "shop.send_push_notification": (220, "user-{}", 220),
    "shop.send_marketing_email": (100, "user-{}", 100),
    "shop.charge_customer": (300, "customer-{}", 300),
    "shop.user_api_request": (400, "user-{}", 8),
    "shop.update_search_index": (400, "product-{}", 400),
}
"""For each task: how many messages, its argument, and how many different arguments there are."""
LONGEST: Final = 26.0
"""Seconds after the workers are ready; a task that has not started by then counts as lost."""
WAVE: Final = 16.0
"""With ``--serve``, all messages are sent again after so many seconds."""
_READY_WITHIN: Final = 60.0
_STOP_WITHIN: Final = 3.0
_LOOK_EVERY: Final = 0.1
_SEND_AT_ONCE: Final = 100


class WorkersFailedError(Exception):
    """A worker did not become ready, or ended before its time; the text holds the end of its log."""


class Run:
    """A run of the demo. Made by ``started()``, which also cleans up after it."""

    def __init__(self, folder: Path, url: str, check: Callable[[], None] = lambda: None) -> None:
        """``check`` is called a few times a second; it raises to end the run."""
        self.url = url
        self._check = check
        self.tallies: dict[str, Tally] = {}
        self._of_task: dict[str, Tally] = {}
        self.on_start: Callable[[Tally, Start], None] = lambda *_: None
        """Is called with each start, and with the tally that it counts for."""
        self.metrics_ports = ""
        """The ports on which the workers show their metrics; a range, or empty."""
        self._folder = folder
        self._starts = folder / "starts"
        self._starts.touch()
        self._read = 0
        self._ready = 0
        self._workers: list[subprocess.Popen[bytes]] = []
        self._unsent = _interleaved()
        rules = load(demo.CONFIG).rules
        for task in MESSAGES:
            rule = rules.for_task(task)
            limit = rule.limits[0] if rule else None
            name = limit.name if limit else task
            self._of_task[task] = self.tallies.setdefault(name, Tally(name, limit))

    @property
    def tasks(self) -> int:
        """How many tasks it sends in all."""
        return sum(count for count, *_ in MESSAGES.values())

    def buckets(self, tally: Tally) -> int:
        """Return how many buckets a limit has here, each of which allows its rate."""
        users = MESSAGES["shop.user_api_request"][2]
        return {"static": WORKERS, "per_user": users}.get(tally.limit.strategy, 1) if tally.limit else 0

    def start_workers(self) -> None:
        """Start the workers; returns when all are ready. Raises WorkersFailedError."""
        variables = {demo.REDIS_VARIABLE: self.url, demo.STARTS_VARIABLE: str(self._starts)}
        variables["TMPDIR"] = str(self._folder)  # so that what a killed worker leaves there is removed, too
        if self.metrics_ports:
            variables[PORT_VARIABLE] = self.metrics_ports
        for number in range(1, WORKERS + 1):
            command = [sys.executable, "-m", "celery", "-A", "limitkit.demo.app", "worker"]
            command += ["-n", f"worker{number}@demo", "-c", str(PROCESSES), "-l", "WARNING"]
            command += ["--without-mingle", "--without-gossip"]
            with (self._folder / f"worker{number}.log").open("wb") as log:
                worker = subprocess.Popen(  # noqa: S603 (the command is ours)
                    command,
                    cwd=self._folder,  # python -m imports from there first, and so not the user's own modules
                    env={**os.environ, **variables},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # Ctrl-C is for the demo: it stops the workers itself
                )
            self._workers.append(worker)
        deadline = time.monotonic() + _READY_WITHIN
        while self._ready < WORKERS:
            if time.monotonic() > deadline:
                raise WorkersFailedError(f"the workers are not ready after {_READY_WITHIN:g} s\n{self._last_words()}")
            self._pause()

    def watch(self) -> Iterator[None]:
        """Send the tasks and follow their starts, a tenth of a second at a time, until all have started or time is up.

        Raises WorkersFailedError when a worker ends meanwhile.
        """
        deadline = time.monotonic() + LONGEST
        yield from self._send()
        while any(tally.waiting for tally in self.tallies.values()) and time.monotonic() < deadline:
            self._pause()
            yield

    def keep_on(self) -> Iterator[None]:
        """Send the same tasks again and again, and follow their starts, a tenth of a second at a time, for ever.

        Raises WorkersFailedError when a worker ends meanwhile.
        """
        while True:
            again = time.monotonic() + WAVE
            yield from self._send()
            while time.monotonic() < again:
                self._pause()
                yield
            self._unsent = _interleaved()

    def _send(self) -> Iterator[None]:
        with demo.sender(self.url) as sender, sender.producer_pool.acquire(block=True) as producer:
            while self._unsent:
                for task, argument in self._unsent[-_SEND_AT_ONCE:]:
                    sender.send_task(task, (argument,), producer=producer)
                    self._of_task[task].sent += 1
                del self._unsent[-_SEND_AT_ONCE:]
                self._check()
                self._look()
                yield

    def stop(self) -> None:
        """Stop the workers, and read the last of their starts."""
        workers, self._workers = self._workers, []
        end(workers, _STOP_WITHIN)
        self._look()

    def _pause(self) -> None:
        time.sleep(_LOOK_EVERY)
        self._check()
        self._look()

    def _look(self) -> None:
        """Read the starts that are new."""
        with self._starts.open("rb") as file:
            file.seek(self._read)
            text = file.read()
        lines = text[: text.rfind(b"\n") + 1]
        self._read += len(lines)
        for line in lines.decode().splitlines():
            at, name, number, worker, partition = line.split(" ", 4)
            if name == demo.READY:
                self._ready += 1
            else:
                start = Start(float(at), name, number, worker, partition)
                self._of_task[name].add(start)
                self.on_start(self._of_task[name], start)
        if any(worker.poll() is not None for worker in self._workers):
            raise WorkersFailedError(f"a worker ended before its time\n{self._last_words()}")

    def _last_words(self) -> str:
        logs = sorted(self._folder.glob("worker*.log"))
        return "\n".join(f"--- {log.stem}\n{log.read_text(errors='replace')[-2000:].strip()}" for log in logs)


@contextlib.contextmanager
def started() -> Iterator[Run]:
    """Make a run with a Redis of its own; afterwards nothing of it is left, however it ends.

    Raises NoServerError when there is no redis-server, and StoppedError where a signal is to end it.
    """
    with (
        Stopping() as stopping,
        tempfile.TemporaryDirectory(prefix="limitkit-demo-", ignore_cleanup_errors=True) as folder,
        EmbeddedRedis(folder) as redis,
        _environment(),
    ):
        run = Run(Path(folder), redis.url, stopping.check)
        try:
            stopping.check()
            yield run
        finally:
            with contextlib.suppress(WorkersFailedError):
                run.stop()


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    """Remove the settings of the user's own app from the environment: the demo must not reach that app's broker."""
    before = dict(os.environ)
    for name in before:
        if name.startswith(("CELERY_", "LIMITKIT_")):
            del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(before)


def _interleaved() -> list[tuple[str, str]]:
    """Mix all messages evenly, so that each kind waits among all the others."""
    messages = [
        ((number + 0.5) / count, task, argument.format(number % different))
        for task, (count, argument, different) in MESSAGES.items()
        for number in range(count)
    ]
    return [(task, argument) for _, task, argument in sorted(messages, reverse=True)]
