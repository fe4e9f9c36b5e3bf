"""Records what happens in running workers: turns it on there, receives what they note, and writes a trace.

Workers record only as long as they are told to go on, every few seconds. So nothing has to be undone in them when this
process is killed.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from kombu.messaging import Consumer

from limitkit.control.targets import target_of
from limitkit.control.workers import UnreachableError, ask, connection
from limitkit.errors import LimitkitError
from limitkit.trial.recording.heard import HeardWorkers
from limitkit.trial.recording.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from limitkit.config.rules import Rules
    from limitkit.trial.recording.trace_file import TraceFile

_COMMAND: Final = "limitkit_record"
_EVENT: Final = "limitkit-record"
_SENT: Final = "task-sent"
_ONLINE: Final = "worker-online"
_KEYS: Final = ("limitkit.#", "task.sent", "worker.online")
"""Of the events that are received."""
_ON: Final = 20.0
"""Seconds for which a worker records, unless it is told again."""
_AGAIN: Final = 2.0
_GREETED: Final = 2.0
"""Seconds in which a worker that comes up is told at each step: it says so before it listens to commands."""
_PATIENCE: Final = 2.0
"""Seconds in which workers answer at the beginning, and in which they send the rest at the end."""
_STEP: Final = 0.2
_QUICK: Final = 0.05
"""Seconds of a step while a worker comes up."""
_HOLD: Final = 0.5
"""Seconds that what workers tell waits for the event of its sending, which may come a moment later."""
_FLUSH: Final = 1.0
FULL: Final = "the file is full"
LOST: Final = "the broker was lost"
STOPPED: Final = "it was stopped"


class NothingRecordedError(LimitkitError):
    """No worker records; the text says why, and what to do."""


@dataclass
class Progress:
    """How far a recording is, and how it ended."""

    recorder: Recorder
    seconds: float = 0.0
    """Since it began."""
    workers: HeardWorkers = field(default_factory=HeardWorkers)
    refused: dict[str, str] = field(default_factory=dict)
    """The workers that don't record, and why."""
    lost: int = 0
    """Events that have not come, of up to 300 entries each, and entries that workers could not keep."""
    why: str = ""
    """Why it ended early; empty when it did not."""

    @property
    def lacks(self) -> str:
        """What the trace lacks of what happened until it ended; empty when that is nothing."""
        return "; ".join([*self.workers.lacks, *([_LOST_SOME] if self.lost else [])])


def record(
    app: Any,
    rules: Rules,
    file: TraceFile,
    seconds: float,
    *,
    stopped: Callable[[], bool],
    report: Callable[[Progress], None],
) -> Progress:
    """Record until the time is over, the file is full, or ``stopped()``; ``report`` is called about once a second.

    Raises UnreachableError when the broker can't be reached, NothingRecordedError when no worker records, and
    UnwritableError when the file can't be written.
    """
    session = _Session(app, file, secrets.token_hex(8), secrets.token_hex(32))
    try:
        with connection(app) as lent:
            session.begin(lent, rules, seconds)
            session.go_on(seconds, stopped, report)
            session.end()
    except UnreachableError:
        if not session.begun:
            raise
        session.progress.why = LOST
    session.write_end()
    return session.progress


class _Session:
    """One recording."""

    def __init__(self, app: Any, file: TraceFile, name: str, secret: str) -> None:
        self._app, self._file, self._name, self._secret = app, file, name, secret
        self._lent: Any = None
        self._numbers: dict[str, int] = {}
        """The number of each worker's last event."""
        self._dropped: dict[str, int] = {}
        self._held: deque[tuple[float, list[Any]]] = deque()
        self._ended: set[str] = set()
        self._coming: dict[str, float] = {}
        """The workers that are to be told that they record, and until when."""
        self._waits_since = self._since = time.monotonic()
        self.begun = False
        self.progress = Progress(Recorder(file, time.time()))

    def begin(self, lent: Any, rules: Rules, seconds: float) -> None:
        """Turn it on in all workers, and write the first line."""
        self._lent = lent
        channel = lent.channel()
        receivers = [self._app.events.Receiver(channel, routing_key=each) for each in _KEYS]
        queues, accept = [each.queue for each in receivers], receivers[0].accept
        consumer: Any = Consumer(channel, queues, no_ack=True, callbacks=[self._receive], accept=accept)  # type: ignore[no-untyped-call] # kombu has no types
        consumer.consume()
        self._drain()  # only now does kombu ask Redis for these events
        self._since, self.progress.recorder.began = time.monotonic(), time.time()
        answers = self._ask()
        self.progress.refused = {name: each["error"] for name, each in sorted(answers.items()) if "error" in each}
        for name, each in sorted(answers.items()):
            if "error" not in each:
                self.progress.workers.answered(name, each)
        if not self.progress.workers:
            raise NothingRecordedError(_nothing(self.progress.refused))
        self._file.begin(
            {
                "began": round(self.progress.recorder.began, 6),
                "seconds": seconds,
                "workers": self.progress.workers.facts,
                "tasks": dict(_limits_of(self._app.tasks, rules)),
            }
        )
        self.begun = True

    def _ask(self) -> Mapping[str, dict[str, Any]]:
        """Turn it on; what workers tell is received meanwhile, since their clocks are read from when it comes."""
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(ask, self._app, _COMMAND, patience=_PATIENCE, **self._words(_ON))
            while not asked.done():
                self._drain()
            return asked.result()

    def go_on(self, seconds: float, stopped: Callable[[], bool], report: Callable[[Progress], None]) -> None:
        """Receive and write, until it is to end."""
        again, flush, greet = time.monotonic() + _AGAIN, 0.0, 0.0
        while not stopped():
            self._drain()
            now = time.monotonic()
            self.progress.seconds = now - self._since
            if self.progress.seconds >= seconds:
                return
            if self.progress.recorder.is_full:
                self.progress.why = FULL
                return
            self._settle(now)
            self._coming = {name: until for name, until in self._coming.items() if until > now}
            if self._coming and now >= greet:
                greet = now + _QUICK
                self._tell(_ON, sorted(self._coming))
            if now >= again:
                again = now + _AGAIN
                self._tell(_ON)
            if now >= flush:
                flush = now + _FLUSH
                self._file.flush()
                report(self.progress)
        self.progress.why = STOPPED

    def end(self) -> None:
        """Turn it off in all workers, and receive the rest."""
        self._tell(0.0)
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until and not self._ended >= self.progress.workers.names():
            self._drain()

    def write_end(self) -> None:
        """Write what waits, and the last line."""
        recorder, progress = self.progress.recorder, self.progress
        progress.lost += sum(self._dropped.values())
        self._settle(float("inf"))
        recorder.write_rest()
        self._file.end(
            {
                "ended": round(progress.seconds, 6),
                "complete": not progress.why and not progress.lacks,
                "why": "; ".join(each for each in (progress.why, progress.lacks) if each),
                "messages": recorder.messages,
                "started": recorder.started,
                "sent": recorder.by_sending,
                "earlier": recorder.earlier,
                "not_received": recorder.not_received,
                "lost": progress.lost,
                "refused": recorder.refused,
                "workers": progress.workers.stays,
                "unrecorded": progress.workers.unrecorded,
                "clocks": progress.workers.clocks_apart,
            }
        )

    def _words(self, seconds: float) -> dict[str, Any]:
        return {"name": self._name, "secret": self._secret, "seconds": seconds}

    def _tell(self, seconds: float, to: list[str] | None = None) -> None:
        self._app.control.broadcast(_COMMAND, arguments=self._words(seconds), destination=to, connection=self._lent)

    def _drain(self) -> None:
        self._waits_since = time.monotonic()
        with contextlib.suppress(TimeoutError):
            self._lent.drain_events(timeout=_QUICK if self._coming else _STEP)

    def _settle(self, now: float) -> None:
        """Take in what has come before, once what belongs to it may have come, too."""
        while self._held and self._held[0][0] <= now:
            for entry in self._held.popleft()[1]:
                self.progress.recorder.take_in(entry)

    def _receive(self, body: Any, _message: Any) -> None:
        for event in body if isinstance(body, list) else (body,):
            if not isinstance(event, dict):
                continue
            if event.get("type") == _SENT:
                self.progress.recorder.sent(event)
            elif event.get("type") == _ONLINE:
                self._coming[str(event.get("hostname"))] = time.monotonic() + _GREETED
            elif event.get("type") == _EVENT and event.get("recording") == self._name:
                self._take_in(event)

    def _take_in(self, event: dict[str, Any]) -> None:
        """Take in an event of a worker; what is missing before it is counted."""
        name, number, dropped = str(event.get("hostname")), event.get("number"), event.get("dropped")
        if not isinstance(number, int) or not isinstance(dropped, int) or not isinstance(event.get("entries"), list):
            self.progress.recorder.refused += 1
            return
        moment = time.monotonic()
        now = moment - self._since
        if isinstance(event.get("hello"), dict):
            self._coming.pop(name, None)
            self.progress.workers.hello(name, event["hello"], now)
        else:
            self.progress.lost += max(0, number - self._numbers.get(name, 0) - 1)
        self._numbers[name] = number
        self._dropped[name] = max(self._dropped.get(name, 0), dropped)
        at = event.get("timestamp")
        behind = time.time() - at if isinstance(at, (int, float)) else None
        self.progress.workers.heard(name, now, behind, waited=moment - self._waits_since)
        self._held.append((moment + _HOLD, event["entries"]))
        if event.get("last"):
            self._ended.add(name)


_LOST_SOME: Final = "some of what workers have sent has not come"


def _nothing(refused: Mapping[str, str]) -> str:
    if not refused:
        return "no worker answered, so there is nothing to record; start one"
    name, why = next(iter(refused.items()))
    return f"{name} can't record: {why}; end that recording, or wait {_ON:g} s after it was killed"


def _limits_of(tasks: Iterable[str], rules: Rules) -> Iterable[tuple[str, list[str]]]:
    """Name the limits of each task, as ``limitkit status`` does."""
    for name in sorted(tasks):
        rule = rules.for_task(name)
        if rule is not None and not name.startswith("celery."):
            yield name, [str(target_of(limit, rule.pattern)) for limit in rule.limits]
