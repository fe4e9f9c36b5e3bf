"""Finds queues that tasks are sent to and that no worker consumes from."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from limitkit.config.wording import count, quote
from limitkit.control.status.drift import few
from limitkit.control.workers import UnreachableError, connection
from limitkit.doctor.bounded import TooLateError, within
from limitkit.doctor.finding import found

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from limitkit.config.load import Config
    from limitkit.doctor.finding import Finding, Sheet

NOT_CONSUMED: Final = "LK160"
_LONGEST: Final = 6.0
"""Seconds for counting what waits in the queues that nobody consumes from."""
_COUNTED: Final = 50
"""Queues that are counted, at most."""


def look_at_queues(sheet: Sheet, config: Config, app: Any, consumed: Mapping[str, list[str]] | None) -> None:
    """Note which queues nobody consumes from; ``consumed`` are the queues of each worker that has answered."""
    named = _named(config, app)
    if consumed is None:
        sheet.unknown(
            "workers", "queues", f"{count(len(named), 'queue')} named here; who consumes from them is not known"
        )
        return
    taken = {queue for queues in consumed.values() for queue in queues}
    alone = {queue: where for queue, where in named.items() if queue not in taken}
    waiting: Mapping[str, int] = {}
    with suppress(UnreachableError, TooLateError):  # what waits there is only not said then
        waiting = within(_LONGEST, lambda: _lengths(app, list(alone)[:_COUNTED])) if alone else {}
    seen = f"{count(len(named), 'queue')} named here; workers consume from {few(sorted(taken)) or 'none'}"
    sheet.add("workers", "queues", seen, *_alone(alone, waiting))


def _alone(alone: Mapping[str, str], waiting: Mapping[str, int]) -> Iterator[Finding]:
    for queue, where in sorted(alone.items()):
        number = waiting.get(queue, 0)
        then = "what is sent or comes back to it never starts"
        if number:
            then = f"{count(number, 'message')} there, which never {'start' if number > 1 else 'starts'}"
        fact = f"no worker that answered consumes from the queue {quote(queue)} ({where})"
        remedy = f"start a worker with -Q {queue}, or take the queue out"
        yield found(NOT_CONSUMED, "error" if number else "warning", fact, then, remedy)


def _named(config: Config, app: Any) -> dict[str, str]:
    """Return the queues that the app and the file name, each with where it is named first."""
    conf = app.conf
    found_here: dict[str, str] = {}
    for queue in conf.task_queues or ():
        name = getattr(queue, "name", queue)
        found_here.setdefault(str(name), "task_queues")
    for name in _routes(conf.task_routes):
        found_here.setdefault(name, "task_routes")
    for task in app.tasks.values():
        name = getattr(task, "queue", None)
        if isinstance(name, str):
            found_here.setdefault(name, f"the queue of {task.name}")
    for name in config.rules.queues:
        if not name.startswith("celery."):
            found_here.setdefault(name, "[queues] of the file")
    if not conf.task_queues:
        found_here.setdefault(str(conf.task_default_queue), "task_default_queue")
    return found_here


def _routes(routes: Any) -> Iterator[str]:
    """Go through the queues of ``task_routes``; what a function would answer is not known."""
    every = routes if isinstance(routes, (list, tuple)) else [routes] if routes else []
    for table in every:
        pairs: Iterable[Any] = (
            table.items() if isinstance(table, dict) else table if isinstance(table, (list, tuple)) else ()
        )
        for pair in pairs:
            route = pair[1] if isinstance(pair, (list, tuple)) and len(pair) == 2 else None  # noqa: PLR2004 (name, route)
            queue = route.get("queue") if isinstance(route, dict) else route
            name = getattr(queue, "name", queue)
            if isinstance(name, str):
                yield name


def _lengths(app: Any, queues: list[str]) -> dict[str, int]:
    """Count what waits in queues; one that does not exist, or can't be counted, is missing."""
    counted: dict[str, int] = {}
    with connection(app) as lent:
        for queue in queues:
            number = _length(lent, queue)
            if number is not None:
                counted[queue] = number
    return counted


def _length(lent: Any, queue: str) -> int | None:
    try:
        with lent.channel() as channel:  # a queue that is not there closes it
            return int(channel.queue_declare(queue=queue, passive=True).message_count)
    except (*lent.channel_errors, AttributeError, TypeError, KeyError):
        return None
