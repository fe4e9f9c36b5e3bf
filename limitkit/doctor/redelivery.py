"""Compares what waits unacknowledged with the time after which the broker delivers it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from limitkit.config.lints.declared_terms import hides
from limitkit.config.model.units import duration_text
from limitkit.config.wording import dotted, quote
from limitkit.control.task_limits import declared
from limitkit.doctor.finding import found
from limitkit.waiting import room_names
from limitkit.waiting.choose_room import CONSUMER_TIMEOUT, SHARE
from limitkit.waiting.redelivery import redelivery
from limitkit.worker.pacing.hold_bounds import SPARE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from limitkit.config.load import Config
    from limitkit.doctor.finding import Finding, Sheet

SHORT_HOLD: Final = "LK141"
SHORT_FOR_RETRIES: Final = "LK142"
SHORT_FOR_TASKS: Final = "LK143"


def look_at_redelivery(sheet: Sheet, config: Config, app: Any, kind: str, channel: Any) -> None:
    """Note after which time an unacknowledged message comes again, and what waits longer than that.

    ``channel`` is one of kombu's, to the app's broker; None where it can't be reached, and then settings alone count.
    """
    setting, seconds = _setting(app, kind, channel)
    if seconds is None:
        sheet.add("broker", "redelivery", "only when the connection to a worker is lost")
        return
    tasks = {name: task for name, task in sorted(app.tasks.items()) if not name.startswith("celery.")}
    noted = [*_hold(config, setting, seconds), *_retries(tasks, setting, seconds), *_tasks(tasks, setting, seconds)]
    held = min(config.rules.waiting.hold, seconds / SHARE / SPARE)
    longest = _longest_wait(config)
    beyond = f"; a wait of {duration_text(longest[1])} ({longest[0]}) is parked" if longest is not None else ""
    seen = f"{setting} {duration_text(seconds)}; a worker holds what starts within {duration_text(held)}{beyond}"
    sheet.add("broker", "redelivery", seen, *noted)


def _setting(app: Any, kind: str, channel: Any) -> tuple[str, float | None]:
    options = app.conf.broker_transport_options or {}
    if kind == room_names.RABBITMQ:
        return "RabbitMQ's consumer_timeout", float(options.get("consumer_timeout", CONSUMER_TIMEOUT))
    known = [*redelivery(channel)] if channel is not None else []
    if not known and options.get("visibility_timeout"):
        known = [float(options["visibility_timeout"])]
    return "visibility_timeout", min(known, default=None)


def _hold(config: Config, setting: str, seconds: float) -> Iterator[Finding]:
    """Judge ``waiting.hold``: a worker never holds a message for longer than a part of that time."""
    wanted, may = config.rules.waiting.hold, seconds / SHARE / SPARE
    if may >= wanted:
        return
    fact = f"{setting} is {duration_text(seconds)}, and a worker holds no message for longer than a part of it"
    then = (
        f"tasks are parked unless they start within {duration_text(may)}, in place of waiting.hold = "
        f"{duration_text(wanted)}, and what a worker holds that stands still for so long starts twice"
    )
    yield found(SHORT_HOLD, "warning", fact, then, f"set it to at least {duration_text(wanted * SHARE * SPARE)}")


def _retries(tasks: dict[str, Any], setting: str, seconds: float) -> Iterator[Finding]:
    delays = {name: float(getattr(task, "default_retry_delay", 0) or 0) for name, task in tasks.items()}
    late = [name for name, delay in delays.items() if delay > seconds]
    if late:
        worst = max(late, key=lambda name: delays[name])
        fact = (
            f"{setting} is {duration_text(seconds)}, less than the retry delay of {quote(worst)} "
            f"({duration_text(delays[worst])}), and Celery holds a retry, as all with an ETA, in a worker"
        )
        then = "the broker delivers it again meanwhile, and it starts several times"
        remedy = f"set it above the longest ETA, countdown and retry delay: more than {duration_text(delays[worst])}"
        yield found(SHORT_FOR_RETRIES, "warning", fact, then, remedy)


def _tasks(tasks: dict[str, Any], setting: str, seconds: float) -> Iterator[Finding]:
    """Judge tasks with late acknowledgement: their message is unacknowledged while they run."""
    for name, task in tasks.items():
        most = getattr(task, "time_limit", None) or getattr(task.app.conf, "task_time_limit", None)
        if getattr(task, "acks_late", False) and most and float(most) > seconds:
            fact = f"{quote(name)} has acks_late and may run for {duration_text(float(most))}, longer than {setting}"
            then = f"after {duration_text(seconds)} the broker delivers it again, and it runs twice at once"
            remedy = f"set {setting} to more than {duration_text(float(most))}, or a shorter time_limit"
            yield found(SHORT_FOR_TASKS, "error", fact, then, remedy)


def _longest_wait(config: Config) -> tuple[str, float] | None:
    """Return the limit with the longest time between two starts, if it is longer than a worker holds anything.

    One whose numbers come from variables is left out: no figure made of them is shown.
    """
    rules = config.rules
    every = {("limits", name): limit for name, limit in rules.named.items()}
    every |= {("tasks", limit.name): limit for limit in declared(rules) if limit.own}
    waits = {
        path: limit.interval_us / 1e6
        for path, limit in every.items()
        if limit.rate is not None and limit.mode != "off" and not hides(config, path)
    }
    path = max(waits, key=lambda each: waits[each], default=None)
    return (dotted(path), waits[path]) if path is not None and waits[path] > rules.waiting.hold else None
