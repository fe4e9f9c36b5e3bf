"""Looks at everything, one thing after the other: what can't be reached is a finding, and the others are looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from limitkit.doctor.broker import look_at_broker
from limitkit.doctor.finding import Sheet, of_problem
from limitkit.doctor.queues import look_at_queues
from limitkit.doctor.settings import look_at_app, look_at_file
from limitkit.doctor.store import look_at_store
from limitkit.doctor.versions import look_at_versions
from limitkit.doctor.workers import look_at_workers

if TYPE_CHECKING:
    from limitkit.config.load import Config
    from limitkit.errors import ConfigError


def examine(app: Any, config: Config, *, patience: float = 2.0) -> Sheet:
    """Look at the app and all that it needs for this config; ``patience`` are the seconds for workers' answers.

    It changes nothing: what it writes are made-up keys that no limit has, and it removes them. Nothing that is outside
    can keep it waiting for more than some seconds, and nothing is raised for what is wrong there.
    """
    sheet = Sheet()
    look_at_file(sheet, config, app)
    look_at_app(sheet, config, app)
    look_at_broker(sheet, config, app)
    servers = look_at_store(sheet, config, app)
    ahead = servers[0].ahead if servers else None
    if any(check.subject == "broker" and each.unreached for check in sheet.checks for each in check.findings):
        sheet.unknown("workers", "answers", "the broker can't be reached, so no worker can be asked")
    else:
        look_at_queues(sheet, config, app, look_at_workers(sheet, config, app, patience, ahead))
    look_at_versions(sheet)
    sheet.settle(config.severities)
    return sheet


def without_config(error: ConfigError) -> Sheet:
    """Note what is wrong with a file that can't be used, and what is installed; the rest depends on the file."""
    sheet = Sheet()
    noted = [of_problem(problem) for problem in error.problems]
    sheet.add("config", "the file", f"{error.problems[0].path} can't be used", *noted)
    sheet.unknown("app", "all else", "it depends on the file, so fix that first")
    look_at_versions(sheet)
    return sheet
