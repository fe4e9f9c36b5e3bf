"""Wires limitkit to a Celery app, by Celery's own signals and bootsteps."""

from __future__ import annotations

import logging
import os
import sys
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from celery import bootsteps, signals

from limitkit.errors import ConfigError
from limitkit.guard import Guard
from limitkit.live import Live

if TYPE_CHECKING:
    from limitkit.config import Config
    from limitkit.reconnect import Unacked
    from limitkit.upkeep import Upkeep

logger = logging.getLogger("limitkit")

_COMMANDS: Final = ("celery", "limitkit")
_installed: weakref.WeakKeyDictionary[Any, Installation] = weakref.WeakKeyDictionary()


def install(app: Any, config: str | os.PathLike[str] | Config | None = None) -> None:
    """Let the tasks of a Celery app start at the rates that its file declares.

    ``config`` is a path, what ``limitkit.load(path)`` returned, or None for ``LIMITKIT_CONFIG``, else
    ``ratelimits.toml`` in the working folder or the nearest folder above. The file is read when the app finalizes,
    not before; what is wrong with it makes a worker refuse to start, and is logged once as an error elsewhere.

    To install the same twice changes nothing. Raises ValueError when another config is installed for this app.
    """
    wanted = os.fspath(config) if isinstance(config, (str, os.PathLike)) else config
    before = _installed.get(app)
    if before is not None:
        if before.source != wanted:
            raise ValueError(
                f"limitkit is installed for {app!r} with the config {before.described()} already; "
                "install it once, with one config"
            )
        return
    installation = _installed[app] = Installation(app, wanted)
    app.steps["consumer"].add(PacerStep)
    if app.finalized:
        installation.on_finalize()
    else:
        app.on_after_finalize.connect(installation.on_finalize, weak=False)
    signals.celeryd_init.connect(_on_celeryd_init, weak=False, dispatch_uid="limitkit.celeryd_init")
    signals.worker_init.connect(_on_worker_init, weak=False, dispatch_uid="limitkit.worker_init")
    signals.before_task_publish.connect(_on_publish, weak=False, dispatch_uid="limitkit.before_task_publish")


def installation_of(app: Any) -> Installation | None:
    """Return what is installed for an app."""
    return _installed.get(app)


class Installation:
    """limitkit as it is installed for one app."""

    def __init__(self, app: Any, source: str | Config | None) -> None:
        self._app = weakref.ref(app)
        self.source = source
        self.config: Config | None = None
        self.live: Live | None = None
        self.error: ConfigError | None = None
        self.is_worker = False
        self.upkeep: Upkeep | None = None
        """Set in a worker."""
        self._complained = False
        self.guard = Guard(app, lambda: self.live)

    @property
    def app(self) -> Any:
        """The app; it outlives what asks for it."""
        return self._app()

    def described(self) -> str:
        """Name the config as it was given."""
        if self.source is None:
            return "that is found by itself"
        return self.source if isinstance(self.source, str) else self.source.path

    def read(self) -> None:
        """Read the file, once. An error waits for whoever must act."""
        if self.config is not None or self.error is not None:
            return
        if self.source is not None and not isinstance(self.source, str):
            self.config = self.source
            return
        from limitkit import config  # noqa: PLC0415 (the parsers and models: not before they are needed)

        try:
            self.config = config.load(config.locate(self.source))
        except ConfigError as error:
            self.error = error

    def on_finalize(self, **_: Any) -> None:
        """Read the file and put the guard around the tasks that have limits."""
        self.read()
        if self.config is None:
            if not _is_command():
                self.complain()
            return
        if self.live is not None:
            return
        self.live = Live(self.config.rules, None)
        self.sweep()
        # Tasks that are registered later (late imports, shared_task) are annotated as they are bound.
        # The first: of a row of annotations Celery asks only up to the first that answers.
        self.app.annotations = (_Annotation(self), *self.app.annotations)

    def complain(self) -> None:
        """Log, once, that the file can't be used; a worker refuses to start instead."""
        if self.error is not None and not self._complained and not self.is_worker:
            self._complained = True
            logger.error("The limits of this app's tasks can't be read, so its workers won't start: %s", self.error)

    def sweep(self) -> None:
        """Put the guard around each task that has limits and none yet."""
        if self.live is not None:
            for task in list(self.app.tasks.values()):
                if self.live.limits(task):
                    self.guard.wrap(task)

    def start_worker(self, worker: Any) -> None:
        """Check all that a worker needs, and refuse to start without it. Raises SystemExit."""
        from limitkit.refusal import refusals  # noqa: PLC0415 (of use to workers alone)
        from limitkit.storechoice import open_store  # noqa: PLC0415
        from limitkit.upkeep import Upkeep  # noqa: PLC0415

        self.app.finalize()
        if self.error is not None:
            _refuse(str(self.error))
        assert self.config is not None and self.live is not None  # noqa: S101, PT018 (finalize sets one or the other)
        self.sweep()
        problems = refusals(self.config, worker)
        if problems:
            _refuse("\n".join(map(str, problems)))
        self.live.store = open_store(self.app, self.config.rules.store)
        self.upkeep = Upkeep(
            self.config, self.live, self.app.tasks.values, lambda config: refusals(config, worker), self._go_by
        )

    def _go_by(self, config: Config) -> None:
        """Put another config in force."""
        assert self.config is not None and self.live is not None  # noqa: S101, PT018 (there was one before)
        if config.rules.store != self.config.rules.store:
            logger.warning(
                "[store] is another one in %s than when this worker started, which goes by the one before; restart it "
                "to use the new one.",
                config.path,
            )
        self.config = config
        self.live.use(config.rules)
        self.sweep()


class _Annotation:
    """What ``task_annotations`` takes: an object that is asked about each task that is bound."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    def annotate(self, task: Any) -> None:
        """Guard a late task; annotates nothing. Celery passes its class, and has registered the instance by now."""
        installation = self._installation
        registered = installation.app.tasks.get(task.name)
        # A class may be registered under other names than its own.
        late = [registered] if type(registered) is task else list(installation.app.tasks.values())
        for each in late:
            if type(each) is task and installation.live is not None and installation.live.limits(each):
                installation.guard.wrap(each)


class PacerStep(bootsteps.StartStopStep):  # type: ignore[misc] # Celery has no types
    """Puts the pacer where the consumer hands requests over, and has it forget them when the connection goes."""

    requires = ("celery.worker.consumer.connection:Connection",)

    def __init__(self, consumer: Any, **kwargs: Any) -> None:
        super().__init__(consumer, **kwargs)
        self.pacer = None
        self._live: Live | None = None
        self._upkeep: Upkeep | None = None
        self.unacked: Unacked | None = None
        installation = _installed.get(consumer.app)
        if installation is None or installation.config is None or installation.live is None:
            return
        from limitkit.refusal import warn  # noqa: PLC0415 (of use to workers alone)
        from limitkit.waiting.kinds import kind_of, parked_where  # noqa: PLC0415

        self._live, self._upkeep = installation.live, installation.upkeep
        paced = paces(consumer.controller)
        warn(installation.config, consumer.controller, installation.live.store, paced=paced)
        if not paced:
            return
        logger.info("%s", parked_where(kind_of(consumer.app), installation.live.rules.waiting))
        from limitkit.dials import Dials  # noqa: PLC0415
        from limitkit.pacer import Pacer  # noqa: PLC0415
        from limitkit.waiting.bounds import Bounds  # noqa: PLC0415
        from limitkit.waiting.parking import Parking  # noqa: PLC0415
        from limitkit.waiting.rooms import open_room  # noqa: PLC0415
        from limitkit.window import Window  # noqa: PLC0415

        live = installation.live
        dials, window = Dials(consumer, live), Window(consumer)
        bounds = Bounds(lambda: live.rules.waiting, lambda: consumer.initial_prefetch_count)
        parking = Parking(consumer, lambda: open_room(consumer, live.rules.store.prefix), bounds, window)
        self.pacer = Pacer(consumer, live, parking, window, dials)
        consumer.on_task_request = self.pacer
        dials.take_over(self.pacer)

    def start(self, consumer: Any) -> None:
        """Give the broker what the last connection has left, learn what it can do, and count the workers if need be."""
        if consumer.connection.transport.driver_type == "redis":
            from limitkit.reconnect import Unacked  # noqa: PLC0415 (of use with this broker alone)

            self.unacked = self.unacked or Unacked(consumer, pool_queues=not paces(consumer.controller))
            self.unacked.connected()
        if self.pacer is not None:
            self.pacer.connected()
        if self._live is not None and self._live.store is not None and "divide" in self._live.on_errors:
            self._live.headcount.start(self._live.store, consumer.controller, consumer.timer)
        if self._upkeep is not None:
            self._upkeep.start(consumer.timer, self.pacer)

    def stop(self, consumer: Any) -> None:  # noqa: ARG002 (Celery passes it)
        """Forget what is held: it is the broker's again."""
        if self._upkeep is not None:
            self._upkeep.stop()
        if self.unacked is not None:
            self.unacked.receive_last()
        if self.pacer is not None:
            self.pacer.forget()
        if self.unacked is not None:
            self.unacked.give_back()
        if self._live is not None:
            self._live.headcount.stop()


def paces(worker: Any) -> bool:
    """Whether this worker's pool has processes whose turn can be waited for (prefork)."""
    return bool(getattr(worker, "semaphore", None) and worker.pool_putlocks and worker.pool_cls.uses_semaphore)


def _refuse(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201 (a worker's log is not set up yet)
    raise SystemExit(1)


def _is_command() -> bool:
    """Whether this is ``celery …`` or ``limitkit …``, which say by themselves what is wrong."""
    program = Path(sys.argv[0] if sys.argv else "")
    return program.name in _COMMANDS or (program.name == "__main__.py" and program.parent.name in _COMMANDS)


def _on_publish(**_: Any) -> None:
    """See to it that a process that only sends tasks says so, once, when their limits can't be read."""
    signals.before_task_publish.disconnect(dispatch_uid="limitkit.before_task_publish")
    for installation in list(_installed.values()):
        if not installation.is_worker:
            installation.read()
            installation.complain()


def _on_celeryd_init(instance: Any = None, **_: Any) -> None:
    installation = _installed.get(getattr(instance, "app", None))
    if installation is not None:
        installation.is_worker = True


def _on_worker_init(sender: Any = None, **_: Any) -> None:
    installation = _installed.get(sender.app)
    if installation is not None:
        installation.start_worker(sender)
