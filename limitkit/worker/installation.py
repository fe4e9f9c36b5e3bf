"""limitkit as it is installed for an app: its config, its guards, and what a worker of that app needs to start."""

from __future__ import annotations

import logging
import sys
import weakref
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from limitkit.control.task_limits import TaskLimits, declared
from limitkit.errors import ConfigError
from limitkit.worker.guard import Guard
from limitkit.worker.log_filter import escape_records, problem_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from limitkit.config.load import Config
    from limitkit.control.refresh import Refresh
    from limitkit.errors import Problem, StoreError
    from limitkit.worker.listeners import Listeners, Metrics
    from limitkit.worker.pacer_door import PacerDoor
    from limitkit.worker.pacing.pacer import Pacer

logger = logging.getLogger("limitkit")
escape_records()  # as early as possible, so that nothing from outside gets into the log unescaped

_COMMANDS: Final = ("celery", "limitkit")
INSTALLED: Final[weakref.WeakKeyDictionary[Any, Installation]] = weakref.WeakKeyDictionary()
"""By app."""


def installation_of(app: Any) -> Installation | None:
    """Return what is installed for an app."""
    return INSTALLED.get(app)


@contextmanager
def suspended() -> Iterator[None]:
    """Let no limit of any app hold in this process meanwhile, also of apps that are installed meanwhile.

    A worker that starts meanwhile asks no store, and has no limits as long as it runs.
    """
    Installation.suspensions += 1
    _follow_suspensions()
    try:
        yield
    finally:
        Installation.suspensions -= 1
        _follow_suspensions()


def _follow_suspensions() -> None:
    for each in list(INSTALLED.values()):
        if each.task_limits is not None:
            each.task_limits.suspend(on=Installation.suspensions > 0)
            each.sweep()  # tasks that were registered meanwhile have no guard yet


class Installation:
    """limitkit as it is installed for one app."""

    suspensions: ClassVar[int] = 0
    """How many ``suspended`` last at the moment."""

    def __init__(
        self, app: Any, source: str | Config | None, metrics: Callable[[Any, TaskLimits, Refresh], Metrics | None]
    ) -> None:
        self._app = weakref.ref(app)
        self.source = source
        self._metrics = metrics
        self.config: Config | None = None
        self.task_limits: TaskLimits | None = None
        self.error: ConfigError | None = None
        self.is_worker = False
        self.unlimited = False
        """Whether its worker has no limits, since it was started while all were suspended."""
        self.refresh: Refresh | None = None
        """Set in a worker."""
        self.listeners: Listeners | None = None
        """Set in a worker."""
        self.pacer: Pacer | PacerDoor | None = None
        """Set in a worker whose pool can be paced."""
        self.ready_at: float | None = None
        """When its worker first took messages, in seconds of ``time.monotonic()``."""
        self.trouble: StoreError | None = None
        """Why the store could not be asked when this worker started; logged once there is a log."""
        self._complained = False
        self.guard = Guard(app, lambda: None if self.unlimited else self.task_limits)

    @property
    def app(self) -> Any:
        """The app; it lives longer than whatever calls this."""
        return self._app()

    def described(self) -> str:
        """Name the config as it was given."""
        if self.source is None:
            return "that is found by itself"
        return self.source if isinstance(self.source, str) else self.source.path

    def path(self) -> str:
        """Find the file that a worker started here uses. Raises ConfigError when there is none."""
        from limitkit.config.load import locate  # noqa: PLC0415 (as below)

        return locate(self.source) if self.source is None or isinstance(self.source, str) else self.source.path

    def read(self) -> None:
        """Read the file, once. An error is kept: a worker refuses to start by it, other processes log it."""
        if self.config is not None or self.error is not None:
            return
        if self.source is not None and not isinstance(self.source, str):
            self.config = self.source
            return
        from limitkit.config import load  # noqa: PLC0415 (imports parsers and models, which take time)

        try:
            self.config = load.load(load.locate(self.source))
        except ConfigError as error:
            self.error = error

    def usable(self) -> Config:
        """Return the config. Raises ConfigError when it can't be used."""
        self.read()
        if self.config is None:
            raise self.error or AssertionError
        return self.config

    def on_configure(self, **_: Any) -> None:
        """Have a purge of a queue also purge what is parked of it."""
        from limitkit.waiting.purge import purge_parked_too  # noqa: PLC0415 (imports what workers need)

        purge_parked_too(self.app, lambda: self.usable().rules.store.prefix)

    def on_finalize(self, **_: Any) -> None:
        """Read the file and put the guard around the tasks that have limits."""
        self.read()
        if self.config is None:
            if not _is_command():
                self.complain()
            return
        if self.task_limits is not None:
            return
        self.task_limits = TaskLimits(self.config.rules, None)
        self.sweep()
        self.task_limits.suspend(on=self.suspensions > 0)
        # Tasks that are registered later (late imports, shared_task) are annotated as they are bound.
        # It must be the first: Celery asks annotations in order, and stops at the first that answers.
        self.app.annotations = (_Annotation(self), *self.app.annotations)

    def complain(self) -> None:
        """Log, once, that the file can't be used; a worker refuses to start instead."""
        if self.error is not None and not self._complained and not self.is_worker:
            self._complained = True
            logger.error("The limits of this app's tasks can't be read, so its workers won't start: %s", self.error)

    def sweep(self) -> None:
        """Put the guard around each task that has limits and none yet."""
        if self.task_limits is not None:
            for task in list(self.app.tasks.values()):
                if self.task_limits.may_limit(task):
                    self.guard.wrap(task)

    def start_worker(self, worker: Any) -> None:
        """Check all that a worker needs, and refuse to start without it. Raises SystemExit."""
        self.unlimited = self.suspensions > 0
        if self.unlimited:
            return
        from limitkit.control.refresh import Refresh  # noqa: PLC0415
        from limitkit.stores.choice import open_store  # noqa: PLC0415
        from limitkit.worker.bypasses import pool_of, tracer_of  # noqa: PLC0415 (only workers need it)
        from limitkit.worker.listeners import Listeners  # noqa: PLC0415
        from limitkit.worker.startup_checks import needs_store, refusals  # noqa: PLC0415
        from limitkit.worker.startup_store_check import ask_once, unusable  # noqa: PLC0415

        self.app.finalize()
        if self.error is not None:
            _refuse(problem_lines(self.error))
        assert self.config is not None and self.task_limits is not None  # noqa: S101, PT018 (finalize sets one or the other)
        self.sweep()
        problems = refusals(self.config, worker)
        if problems:
            _refuse(problem_lines(ConfigError(problems)))
        strange_pool = pool_of(worker.pool_cls) is not None
        if strange_pool or tracer_of() is not None:
            self.guard.look_elsewhere(strange_pool=strange_pool)
        store = self.task_limits.store = open_store(self.app, self.config.rules.store, self.task_limits.clock)
        if self.task_limits.store is not None and self.task_limits.on_errors:
            self.trouble = ask_once(
                self.task_limits.store, self.task_limits.rules.store.prefix, declared(self.task_limits.rules)
            )
            if self.trouble is not None and self.trouble.remedy:
                _refuse(problem_lines(ConfigError([unusable(self.config, self.trouble)])))

        def judge(config: Config) -> list[Problem]:
            return refusals(config, worker) or ([] if store is not None else needs_store(config))

        self.refresh = Refresh(self.config, self.task_limits, self.app.tasks.values, judge, self._go_by)
        self.listeners = Listeners(self.app, self.task_limits, self.refresh, self._metrics)

    def _go_by(self, config: Config) -> None:
        """Put another config in force."""
        assert self.config is not None and self.task_limits is not None  # noqa: S101, PT018 (there was one before)
        for table in self.left_out(config):
            logger.warning(
                "[%s] in %s has changed since this worker started, and the worker still uses the one before; restart "
                "it to use the new one.",
                table,
                config.path,
            )
        self.config = config
        self.task_limits.use(config.rules)
        self.sweep()

    def left_out(self, config: Config) -> list[str]:
        """Name the tables of a changed file that take effect only when a worker starts."""
        assert self.task_limits is not None and self.listeners is not None  # noqa: S101, PT018 (start_worker sets both)
        return [
            name
            for name, there, here in (
                ("store", config.rules.store, self.task_limits.rules.store),
                ("metrics", config.rules.metrics, self.listeners.settings),
            )
            if there != here
        ]


class _Annotation:
    """An object for ``task_annotations``: Celery asks it about each task that is bound."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    def annotate(self, task: Any) -> None:
        """Guard a late task; annotates nothing. Celery passes its class, and has registered the instance by now."""
        installation = self._installation
        registered = installation.app.tasks.get(task.name)
        # A class may be registered under other names than its own.
        late = [registered] if type(registered) is task else list(installation.app.tasks.values())
        for each in late:
            if type(each) is task and installation.task_limits is not None and installation.task_limits.may_limit(each):
                installation.guard.wrap(each)


def _refuse(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201 (a worker's log is not set up yet)
    raise SystemExit(1)


def _is_command() -> bool:
    """Whether this is ``celery …`` or ``limitkit …``: these commands report the error themselves."""
    program = Path(sys.argv[0] if sys.argv else "")
    return program.name in _COMMANDS or (program.name == "__main__.py" and program.parent.name in _COMMANDS)
