"""Wires limitkit to a Celery app, by Celery's own signals and bootsteps."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from celery import signals

from limitkit.control.app_config import must_be_config, note_installed, real_app
from limitkit.name_clash import clash
from limitkit.worker.consumer_step import BypassStep, PacerStep
from limitkit.worker.installation import INSTALLED, Installation

if TYPE_CHECKING:
    from limitkit.config.load import Config
    from limitkit.control.refresh import Refresh
    from limitkit.control.task_limits import TaskLimits
    from limitkit.metrics.worker_metrics import WorkerMetrics

logger = logging.getLogger("limitkit")


def install(app: Any, config: str | os.PathLike[str] | Config | None = None) -> None:
    """Let the tasks of a Celery app start at the rates that its file declares.

    ``config`` is a path, what ``limitkit.load(path)`` returned, or None for ``LIMITKIT_CONFIG``, else
    ``ratelimits.toml`` in the working folder or the nearest folder above. The file is read when the app finalizes,
    not before. If it has errors, a worker refuses to start; other processes log one error and go on.

    To install the same config twice changes nothing. Raises ValueError when another config is installed for this app,
    and TypeError when ``app`` is no Celery app, or ``config`` no config.
    """
    app = real_app(app, "limitkit.install")
    must_be_config(config, "limitkit.install")
    wanted = os.fspath(config) if isinstance(config, (str, os.PathLike)) else config
    existing = INSTALLED.get(app)
    if existing is not None:
        if existing.source != wanted:
            raise ValueError(
                f"limitkit is installed for {app!r} with the config {existing.described()} already; "
                "install it once, with one config"
            )
        return
    name_clash = clash()
    if name_clash is not None:
        logger.warning("%s", name_clash)
    installation = INSTALLED[app] = Installation(app, wanted, _metrics_of)
    note_installed(app, installation.usable)
    app.steps["consumer"].update((PacerStep, BypassStep))
    if app.configured:
        installation.on_configure()
    else:
        app.on_after_configure.connect(installation.on_configure, weak=False)
    if app.finalized:
        installation.on_finalize()
    else:
        app.on_after_finalize.connect(installation.on_finalize, weak=False)
    signals.celeryd_init.connect(_on_celeryd_init, weak=False, dispatch_uid="limitkit.celeryd_init")
    signals.worker_init.connect(_on_worker_init, weak=False, dispatch_uid="limitkit.worker_init")
    signals.before_task_publish.connect(_on_publish, weak=False, dispatch_uid="limitkit.before_task_publish")


def _on_publish(**_: Any) -> None:
    """Log one error in a process that only sends tasks, when the config can't be read."""
    signals.before_task_publish.disconnect(dispatch_uid="limitkit.before_task_publish")
    for installation in list(INSTALLED.values()):
        if not installation.is_worker:
            installation.read()
            installation.complain()


def _on_celeryd_init(instance: Any = None, **_: Any) -> None:
    installation = INSTALLED.get(getattr(instance, "app", None))
    if installation is not None:
        installation.is_worker = True


def _on_worker_init(sender: Any = None, **_: Any) -> None:
    installation = INSTALLED.get(sender.app)
    if installation is not None:
        from limitkit.worker import remote_control  # noqa: F401, PLC0415 (registers limitkit's remote control commands)

        installation.start_worker(sender)


def _metrics_of(app: Any, task_limits: TaskLimits, refresh: Refresh) -> WorkerMetrics | None:
    """Make the metrics of a worker, if the file or the app asks for them."""
    from limitkit.metrics.registry import registered  # noqa: PLC0415 (only workers need it)

    if not task_limits.rules.metrics.wanted and not registered():
        return None
    from limitkit.metrics.worker_metrics import WorkerMetrics  # noqa: PLC0415 (only where metrics are wanted)

    return WorkerMetrics(app, task_limits, refresh)
