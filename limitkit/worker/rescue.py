"""Has workers return each other's messages over Redis when one of them is killed, not after the visibility timeout.

A thread notes once a second that this worker is alive, also while a task occupies a solo pool, or a worker that stops
waits for its pool; it watches the others, too. A worker that could not note itself for some seconds may have been
declared dead. So before it begins anything it asks. If it was, or can't ask, it treats the connection to its broker as
lost: what it has not begun goes back to its queues, unless others have it already.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import threading
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from celery.concurrency.solo import TaskPool as SoloPool

from limitkit.events.repeated import Repeated
from limitkit.waiting.deliveries import Deliveries, Watch, new_worker, tag

if TYPE_CHECKING:
    from collections.abc import Callable

    from limitkit.control.task_limits import TaskLimits
    from limitkit.waiting.deliveries import Silent
    from limitkit.worker.pool.entry import PoolEntry
    from limitkit.worker.reconnect import Unacked

logger = logging.getLogger("limitkit")

_EVERY: Final = 1.0
"""Seconds between two notes."""
_VALID: Final = 8.0
"""Seconds for which a note allows to begin tasks. A worker without notes is declared dead after some 15 s."""
_OWN_CLASSES: Final = "kombu.transport.redis"
"""Other packages' transports may keep what is unacknowledged in another way."""


def _clock() -> float:
    """Return seconds that also count while the machine sleeps, where the system has such a clock."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class _Life:
    """What a worker is by one id, until it is declared dead."""

    def __init__(self, name: str) -> None:
        self.worker = new_worker(name)
        self.noted = float("-inf")
        """When it last noted itself, just before that call."""
        self.gone = False


class Rescue:
    """What a worker does for others that were killed, and lest it begin what it has lost to others itself."""

    def __init__(self, consumer: Any, task_limits: TaskLimits) -> None:
        self._consumer = consumer
        self._task_limits = task_limits
        self._unacked: Unacked | None = None
        self._deliveries: Deliveries | None = None
        self._life: _Life | None = None
        self._numbers = itertools.count(1)
        self._watch = Watch()
        self._connection: Any = None
        self._lost = False
        """Whether this connection counts as lost."""
        self._timer: Any = None
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()
        self._refused = ""
        self._pool_blocks = isinstance(consumer.pool, SoloPool)
        """Whether Celery's event loop, which acknowledges what begins, stands still while a task runs."""
        self._connection_errors: tuple[type[Exception], ...] = ()

    def enter_by(self, entry: PoolEntry | None) -> PoolEntry | None:
        """Have each start, limited or not, ask first; returns the way into the pool that does, in place of this one."""
        if entry is not None and entry.frees_unused:
            entry = replace(entry, process=partial(self._begin, entry.process))
            self._consumer.on_task_request = entry.through
            return entry
        worker = self._consumer.controller
        process = worker._process_task  # noqa: SLF001 (Celery's own way)
        worker._process_task = partial(self._begin, process)  # noqa: SLF001
        if self._consumer.on_task_request == process:
            self._consumer.on_task_request = worker._process_task  # noqa: SLF001
        return entry

    # -- the connection -----------------------------------------------------------------------------------------------

    def connected(self, unacked: Unacked) -> None:
        """Note this worker, before it receives anything. Raises what says that the connection is lost."""
        self._unacked, self._lost = unacked, False
        self._connection = self._consumer.connection
        self._connection_errors = self._consumer.connection.connection_errors
        channel = self._consumer.connection.default_channel
        rules = self._task_limits.rules
        before, self._deliveries = self._deliveries, None
        if before is not None:
            before.close()
        unacked.new_tag = None
        tables = rules.exact or rules.patterns or rules.queues or rules.queue_patterns
        wanted = self._life is not None or (rules.waiting.rescue and bool(tables))
        if not wanted or not unacked.lasts or not _is_kombus_own(channel):
            self._life = None
            return
        life = self._life
        deliveries = Deliveries(channel, rules.store.prefix)
        try:
            if life is None or life.gone or not self._note(deliveries, life):
                life = _Life(self._consumer.hostname)
                self._note(deliveries, life, begins=True)
        except self._connection_errors:
            raise
        except Exception as error:  # noqa: BLE001 (its user may not write there, or the server knows no scripts)
            if self._life is not None and not self._life.gone:  # it could once, and tries again each second
                self._go_on(self._life, deliveries)
                return
            logger.warning(
                "What a killed worker holds comes back only after the visibility timeout, since Redis refuses to note"
                " which workers are alive: %s",
                error,
            )
            self._life = None
            return
        self._go_on(life, deliveries)

    def _go_on(self, life: _Life, deliveries: Deliveries) -> None:
        """Be noted by this id on this connection."""
        assert self._unacked is not None  # noqa: S101 (connected gave it)
        self._life, self._deliveries = life, deliveries
        self._unacked.new_tag = self._new_tag
        self._timer = Repeated(self._consumer.timer, _EVERY, self._look)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="limitkit-rescue", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Look no more whether this connection counts as lost: it ends. Notes go on: the pool may still work."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def shutdown(self) -> None:
        """End the notes, and remove the last one if nothing is left here: then nobody needs to look for it."""
        self._ended.set()
        deliveries, life, unacked = self._deliveries, self._life, self._unacked
        if deliveries is None or life is None or unacked is None:
            return
        if self._thread is not None:
            self._thread.join(_EVERY)  # else its last note might come after that
        with contextlib.suppress(Exception):  # without a connection the note stays, and others remove it
            if unacked.is_empty:
                deliveries.forget(life.worker)
        deliveries.close()

    def _new_tag(self) -> str:
        assert self._life is not None  # noqa: S101 (connected gave it)
        return tag(self._life.worker, next(self._numbers))

    # -- beginning tasks ----------------------------------------------------------------------------------------------

    def _begin(self, process: Callable[[Any], None], request: Any) -> None:
        """Have the pool begin a request, unless others may have it; then its place is freed with the connection."""
        if self._life is not None and not self._may_begin(self._life):
            return
        if self._pool_blocks and hasattr(request, "_on_ack"):
            request._on_ack = request.message.ack_log_error  # noqa: SLF001 (else it would wait for the task's end)
        process(request)

    def _may_begin(self, life: _Life) -> bool:
        if self._lost or life.gone:
            return False
        if _clock() - life.noted < _VALID:
            return True
        return self._ask(life)

    def _ask(self, life: _Life) -> bool:
        """Ask whether this worker was declared dead."""
        deliveries = self._deliveries
        if deliveries is None:
            self._lost = True
            return False
        try:
            if self._note(deliveries, life):
                return True
        except self._connection_errors as error:
            logger.warning("Nothing more begins on this connection: Redis does not answer (%s).", error)
        except Exception:  # noqa: BLE001 (it is full, or read only: then others can't declare it dead either)
            with contextlib.suppress(Exception):
                if deliveries.is_alive(life.worker):
                    return True
        self._lost = True
        return False

    def _look(self) -> None:
        """End the connection if it counts as lost. Celery then does what it does when it really is."""
        connection, life = self._consumer.connection, self._life
        if connection is None or connection is not self._connection:
            return
        if not self._lost and (life is None or not life.gone):
            return
        self._lost = True
        if self._consumer.hub is not None:
            _lose()
        else:  # where Celery has no event loop, it only logs what a timer raises
            connection.drain_events = _lose

    # -- the thread ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._ended.wait(_EVERY):
            deliveries, life = self._deliveries, self._life
            if deliveries is None or life is None or life.gone:
                continue
            try:
                self._round(deliveries, life)
                self._refused = ""
            except Exception as error:  # noqa: BLE001 (the next one may succeed)
                self._report(error)

    def _report(self, error: Exception) -> None:
        """Log an error, once until it is another one."""
        if str(error) != self._refused:
            self._refused = str(error)
            level = logging.DEBUG if isinstance(error, self._connection_errors) else logging.WARNING
            logger.log(level, "This worker could not note that it is alive, or return a dead one's messages: %s", error)

    def _note(self, deliveries: Deliveries, life: _Life, *, begins: bool = False) -> list[Silent] | bool:
        """Note this worker; returns those that are not seen, or True; False when it was declared dead itself."""
        at = _clock()
        silent = deliveries.note(life.worker, begins=begins)
        if silent is None:
            if not life.gone:
                life.gone = True
                if not self._ended.is_set():
                    logger.warning(
                        "This worker was not seen for so long that others have got its messages; it begins anew."
                    )
            return False
        life.noted = at
        return silent or True

    def _round(self, deliveries: Deliveries, life: _Life) -> None:
        silent = self._note(deliveries, life)
        if silent is False:
            return
        others = silent if isinstance(silent, list) else []
        for one in self._watch.overdue(others, time.monotonic()):
            seconds = deliveries.declare_dead(one)
            if seconds is not None:
                self._give_back(deliveries, life, one.worker, seconds)

    def _give_back(self, deliveries: Deliveries, life: _Life, worker: str, seconds: float) -> None:
        """Return what a dead worker had to its queues, and note this one meanwhile."""
        tags: list[str] = []
        for some in deliveries.tags(worker):
            tags += some
            self._note_if_due(deliveries, life)
        returned = 0
        for count in deliveries.give_back(worker, tags):
            returned += count
            self._note_if_due(deliveries, life)
        deliveries.forget(worker)
        if returned:
            logger.info(
                "%d messages that %s held are back in their queues: it has not been seen for %.0f s.",
                returned,
                worker.partition(" ")[2],
                seconds,
            )

    def _note_if_due(self, deliveries: Deliveries, life: _Life) -> None:
        if _clock() - life.noted >= _EVERY:
            self._note(deliveries, life)


def _is_kombus_own(channel: Any) -> bool:
    return type(channel).__module__ == _OWN_CLASSES


def _lose(**_: Any) -> None:
    raise ConnectionError("others may have this worker's messages")
