"""The commands of Celery's remote control that a worker answers; imported only in workers.

``celery -A proj inspect limitkit_status`` and its like work, too.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from celery.worker.control import control_command, inspect_command
from celery.worker.request import Request

from limitkit.buckets.override import read
from limitkit.waiting.message_copy import note_of
from limitkit.worker.installation import installation_of
from limitkit.worker.pool.call_of import call_of
from limitkit.worker.pool.limits_of import limits_of
from limitkit.worker.recording.switch import switch
from limitkit.worker.status_report import report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from limitkit.worker.installation import Installation

_NOT_HERE = {"error": "limitkit is not in force in this worker"}


def _installed(state: Any) -> Installation | None:
    found = installation_of(state.app)
    return found if found is not None and found.refresh is not None else None


@inspect_command()  # type: ignore[untyped-decorator] # Celery has no types
def limitkit_status(state: Any, asks: bool = False, **_: Any) -> dict[str, Any]:  # noqa: FBT001, FBT002 (by its name)
    """Return which limits are in force, and what is held for them."""
    here = _installed(state)
    if here is None or here.refresh is None or here.task_limits is None or here.listeners is None:
        return _NOT_HERE
    return report(here.refresh, here.task_limits, here.pacer, here.listeners.recent, dict(state.app.tasks), asks=asks)


@inspect_command(args=[("task_id", str)], signature="<task id>")  # type: ignore[untyped-decorator] # likewise
def limitkit_why(state: Any, task_id: str = "", **_: Any) -> dict[str, Any]:
    """Say for which limit a task is held, and when it starts; which limits have sent it back; or why else it waits."""
    here = _installed(state)
    if here is None:
        return _NOT_HERE
    found = here.pacer.view.find(task_id) if here.pacer is not None else None
    if found is not None:
        return found._asdict()
    return _sent_back(state, here, task_id) or _kept_by_celery(state, task_id)


def _kept(state: Any, task_id: str) -> Any:
    """Find the request of a task that Celery keeps until its ETA; None when there is none.

    Celery forgets the id of a request as soon as one of that id ends, and the one that was sent back has ended. So this
    looks where Celery's own ``inspect scheduled`` looks.
    """
    scheduled = (waiting.entry.args for waiting in state.consumer.timer.schedule.queue)
    kept = (args[0] for args in scheduled if args and isinstance(args[0], Request))
    return next((request for request in kept if request.id == task_id), None)


def _sent_back(state: Any, here: Installation, task_id: str) -> dict[str, Any]:
    """Report a task that Celery keeps until an ETA that limitkit has set, not its sender."""
    request, task_limits = _kept(state, task_id), here.task_limits
    note = note_of(request.message) if request is not None else None
    if note is None or note.eta == "" or request.eta is None or task_limits is None:
        return {}
    seconds = request.eta.timestamp() - time.time()
    bound = [limit for limit in limits_of(task_limits, request) if here.pacer is not None or not limit.local]
    if seconds <= 0 or not bound:
        return {}
    buckets = [task_limits.ask(limit, request.task, call_of(request)).bucket.key for limit in bound]
    return {"task": request.name, "buckets": buckets, "again_in": seconds}


def _kept_by_celery(state: Any, task_id: str) -> dict[str, Any]:
    """Report a task that Celery keeps, not limitkit: until its sender's ETA, or for Celery's own rate limit."""
    request = _kept(state, task_id)
    if request is not None and request.eta is not None:
        return {"task": request.name, "due_in": max(0.0, request.eta.timestamp() - time.time())}
    for bucket in filter(None, tuple(state.consumer.task_buckets.values())):
        for limited, _tokens in tuple(bucket.contents):
            if limited.id == task_id:
                return {"task": limited.name, "rate_limit": str(limited.task.rate_limit)}
    return {}


@control_command()  # type: ignore[untyped-decorator] # likewise
def limitkit_reload(state: Any, **_: Any) -> dict[str, Any]:
    """Load the config file as it is now, and return its digest, or what is wrong with it."""
    here = _installed(state)
    if here is None or here.refresh is None:
        return _NOT_HERE
    refused = here.refresh.reload_now()
    if refused:
        lines = [str(problem) for problem in here.refresh.reload.problems]
        same_lines = refused.split("\n") == lines  # false where a path has a line break in it
        return {"error": refused, **({} if same_lines or not lines else {"lines": lines})}
    config = here.refresh.reload.config
    left_out = here.left_out(config)
    return {"ok": config.digest, **({"left_out": left_out} if left_out else {})}


@control_command()  # type: ignore[untyped-decorator] # likewise
def limitkit_look(state: Any, **_: Any) -> dict[str, Any]:
    """Read the overrides in the store at once."""
    here = _installed(state)
    if here is None or here.refresh is None:
        return _NOT_HERE
    here.refresh.look_now()
    return {"ok": "looked"}


@control_command()  # type: ignore[untyped-decorator] # likewise
def limitkit_override(
    state: Any, name: str = "", text: str = "", seconds: float | None = None, **_: Any
) -> dict[str, Any]:
    """Put an override in force in this worker only."""
    here = _installed(state)
    if here is None or here.refresh is None:
        return _NOT_HERE
    override = read(name, text, None)
    if override is None:
        return {"error": f"{name!r} is no override that this version of limitkit knows"}
    here.refresh.override_here(override, seconds)
    return {"ok": name}


@control_command()  # type: ignore[untyped-decorator] # likewise
def limitkit_forget(state: Any, names: Sequence[str] = (), **_: Any) -> dict[str, Any]:
    """Drop the overrides of these names that are in force in this worker only."""
    here = _installed(state)
    if here is None or here.refresh is None:
        return _NOT_HERE
    here.refresh.forget_here(names)
    return {"ok": len(names)}


@control_command()  # type: ignore[untyped-decorator] # likewise
def limitkit_refill(state: Any, key: str = "", **words: Any) -> dict[str, Any]:
    """Fill a bucket of this worker's own again, or look again at what was filled in the store."""
    here = _installed(state)
    if here is None or here.pacer is None:
        return _NOT_HERE
    here.pacer.refill(key, partitions=bool(words.get("partitions")))
    return {"ok": key}


@control_command()  # type: ignore[untyped-decorator] # likewise
def limitkit_record(state: Any, name: str = "", secret: str = "", seconds: float = 0.0, **_: Any) -> dict[str, Any]:
    """Record what comes, starts and ends for so many seconds, unless this is sent again; 0 seconds end it."""
    here = _installed(state)
    if here is None or here.task_limits is None:
        return _NOT_HERE
    up = time.monotonic() - here.ready_at if here.ready_at is not None else 0.0
    return switch(state.consumer, here.task_limits, name=name, secret=bytes.fromhex(secret), seconds=seconds, up=up)
