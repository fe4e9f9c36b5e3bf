"""Where ``status``, ``top`` and ``drift`` get their snapshots, also when the file can't be used."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from limitkit.cli.config_in_use import usable_config
from limitkit.cli.manager_command import managed, reported_errors
from limitkit.cli.options import app_given
from limitkit.cli.output import Unusable, show_problems
from limitkit.config.wording import quote, suggest
from limitkit.control.targets import find
from limitkit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import click

    from limitkit.control.manager import RateLimitManager
    from limitkit.control.status.snapshot import Snapshot


class StatusSource:
    """Takes snapshots of what the file says, and of what runs."""

    exit_status = 0
    """The least exit status of the command."""

    def __init__(self, manager: RateLimitManager) -> None:
        self._manager = manager

    def snapshot(self, patience: float = 1.0) -> Snapshot:
        """Ask the store, the broker and the workers."""
        from limitkit.control.status.collect import collect  # noqa: PLC0415 (imports kombu)

        return collect(self._manager, patience=patience)

    def only(self, snapshot: Snapshot, name: str) -> Snapshot:
        """Keep one limit, or those of one pattern. Raises OverrideError when there is none of this name."""
        tasks = self._manager.app.tasks if self._manager.app is not None else ()
        return snapshot.only(find(self._manager.config.rules, name, tasks)[0])


class WithoutFile(StatusSource):
    """Takes snapshots only of what runs, since the file can't be used."""

    def __init__(self, app: Any, error: ConfigError) -> None:
        self._app = app
        self._error = error
        self.exit_status = 2 if error.unreadable else 1

    def snapshot(self, patience: float = 1.0) -> Snapshot:
        """Ask the workers."""
        from limitkit.control.status.without_file import running  # noqa: PLC0415 (imports kombu)

        return running(self._app, self._error.problems, patience=patience)

    def only(self, snapshot: Snapshot, name: str) -> Snapshot:
        """Keep one limit, or those of one pattern. Exits with status 2 when no worker has one of this name."""
        rows = [row for row in snapshot.rows if name in (row.current.target.name, row.entry.name)]
        if not rows:
            known = sorted({row.current.target.name for row in snapshot.rows})
            hint = suggest(name, known) or "fix the file first"
            raise Unusable(f"no worker has said that it has a limit {quote(name)}; {hint}")
        return replace(snapshot, rows=rows)


@contextmanager
def status_source(
    ctx: click.Context, app: str | None, config: str | None, *, needs_app: bool = False
) -> Iterator[StatusSource]:
    """Lend a source of snapshots. Problems of the file are shown first; without an app the command ends there."""
    found = app_given(ctx, app)
    try:
        if found is not None:
            usable_config(found, config)
    except ConfigError as error:
        show_problems(error.problems, err=True)
        with reported_errors():
            yield WithoutFile(found, error)
    else:
        with managed(ctx, app, config, needs_app=needs_app) as manager:
            yield StatusSource(manager)
