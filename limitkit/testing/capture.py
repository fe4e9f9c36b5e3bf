"""Catches what apps send, in place of the broker."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from celery import Celery
from celery.result import AsyncResult
from celery.utils.time import maybe_make_aware
from kombu.utils.uuid import uuid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ROUTING: Final = ("queue", "exchange", "routing_key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caught:
    """A message that an app would have sent."""

    app: Any
    task: str
    args: Any
    kwargs: Any
    after: float
    """Seconds from now at which it may start at the earliest: its countdown or ETA."""
    queue: str
    headers: Any
    priority: int


@contextmanager
def captured(take: Callable[[Caught], None]) -> Iterator[None]:
    """Pass all messages that any app of this process sends to ``take``; none reaches a broker or a result backend.

    It stands in place of ``Celery.send_task``, through which ``delay``, ``apply_async`` and signatures go as well.
    """

    def send_task(app: Any, name: str, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
        merged = {**_own_options(app.tasks.get(name)), **options}
        take(
            Caught(
                app=app,
                task=name,
                args=args or (),
                kwargs=kwargs or {},
                after=_seconds_to_wait(app, options.get("countdown"), options.get("eta")),
                queue=_routed(app, name, merged, args, kwargs),
                headers=merged.get("headers") or {},
                priority=int(merged.get("priority") or 0),
            )
        )
        return (options.get("result_cls") or app.AsyncResult)(options.get("task_id") or uuid())

    def then(result: Any, callback: Any, on_error: Any = None, **_: Any) -> Any:
        """Wait for no result: a group would subscribe to those of its tasks."""
        return result.on_ready.then(callback, on_error)

    with patch.object(Celery, "send_task", send_task), patch.object(AsyncResult, "then", then):
        yield


def queue_of(app: Any, task: str) -> str:
    """Return the name of the queue to which an app routes a task that it sends."""
    return _routed(app, task, _own_options(app.tasks.get(task)), (), {})


def _own_options(task: Any) -> dict[str, Any]:
    """Return the options that a task has of its own, such as its queue."""
    options = task._get_exec_options() if task is not None else None  # noqa: SLF001 (as Celery's send_task does)
    return {name: value for name, value in (options or {}).items() if value is not None}


def _routed(app: Any, task: str, options: dict[str, Any], args: Any, kwargs: Any) -> str:
    given = {name: options[name] for name in _ROUTING if options.get(name)}
    routed = app.amqp.router.route(given, options.get("route_name") or task, args, kwargs, app.tasks.get(task))
    queue = routed.get("queue")
    return str(getattr(queue, "name", queue) or routed.get("routing_key") or app.conf.task_default_queue)


def _seconds_to_wait(app: Any, countdown: Any, eta: Any) -> float:
    if eta is not None:
        when = datetime.fromisoformat(eta) if isinstance(eta, str) else eta
        return max(0.0, float((maybe_make_aware(when, app.timezone) - app.now()).total_seconds()))
    return max(0.0, float(countdown or 0.0))
