"""``limitkit why``: what a task waits for."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from limitkit.buckets.named_partition import digest_of_form
from limitkit.buckets.override import Target
from limitkit.buckets.partition import parts_of
from limitkit.buckets.token_bucket import MICROSECONDS
from limitkit.cli.manager_command import managed
from limitkit.cli.options import common, examples, tasks_of
from limitkit.cli.output import say
from limitkit.cli.why_words import starts_when, turn_of, waits_for
from limitkit.config.model.units import interval_text
from limitkit.config.wording import one_line, quote, span
from limitkit.control.bucket_state import adapted, state_of
from limitkit.control.current import current_of
from limitkit.control.status.drift import refusals, why
from limitkit.control.status.rate_text import until
from limitkit.control.usage import Usage, usages
from limitkit.errors import StoreError
from limitkit.stores.memory import MemoryStore
from limitkit.waiting import room_names
from limitkit.waiting.bucket_owners import Owners

if TYPE_CHECKING:
    from collections.abc import Mapping

    from limitkit.control.bucket_state import BucketState
    from limitkit.control.manager import RateLimitManager
    from limitkit.waiting.find_queued import Queued
    from limitkit.waiting.parked_messages import Found

_NOT_OURS = "it does not wait because of limitkit"
_RETRY = "The result backend says RETRY: it starts again, and where it is meanwhile is not known."


@click.command(
    "why",
    short_help="Show what a task waits for, and when it starts.",
    epilog=examples(
        "limitkit why 7fa93e91-e52c-4253-a0cd-e1f70cecc5da -A shop",
    ),
)
@click.argument("task_id")
@common
@click.pass_context
def command(ctx: click.Context, task_id: str, *, app: str | None, config: str | None) -> None:
    """Show for which limit the task with this id waits, at which place, and when it will start; or where else it is.

    Workers are asked first, then the waiting room, the result backend, and the queues, where the broker is a Redis.

    Exit status: 0 something is known of it, 1 nothing is, or the file has problems, 2 the store or the broker can't be
    asked.
    """
    with managed(ctx, app, config, needs_app=True) as manager:
        kind = room_names.kind_of(manager.app)
        lines = _in_workers(manager, task_id) or _elsewhere(manager, kind, task_id)
        for line in lines:
            say(one_line(line))
        if not lines:
            fact = f"nothing is known of a task with the id {quote(task_id)}"
            hint = "check the id; or the task is done, and its result is not kept"
            if kind != room_names.REDIS:
                hint += f"; or it is in its queue, or parked in {kind}, which can't be looked through"
            say(f"limitkit: {fact}; {hint}", err=True)
        ctx.exit(0 if lines else 1)


def _in_workers(manager: RateLimitManager, task_id: str) -> list[str]:
    from limitkit.control.workers import NoRemoteControlError, ask  # noqa: PLC0415 (imports kombu)

    try:
        answers = ask(manager.app, "limitkit_why", task_id=task_id)
    except NoRemoteControlError as error:
        say(f"limitkit: {one_line(str(error))}; so it is not known whether one has this task", err=True)
        return []
    for worker, answer in answers.items():
        lines = _waits(manager, worker, answer)
        if lines:
            return lines
    if not answers:
        return []
    for worker, answer in ask(manager.app, "query_task", to=sorted(answers), ids=[task_id]).items():
        state, info = answer.get(task_id, (None, {}))
        if state == "active":
            return [f"{info['name']} runs in {worker}: {_NOT_OURS}."]
        if state is not None:
            return [f"{info['name']} is in {worker}, and starts when a process of its pool is free: {_NOT_OURS}."]
    return []


def _elsewhere(manager: RateLimitManager, kind: str, task_id: str) -> list[str]:
    if kind != room_names.REDIS:
        return _result(manager.app, task_id)
    from limitkit.waiting import find_queued  # noqa: PLC0415 (imports redis)
    from limitkit.waiting.parked_messages import ParkedMessages, broker  # noqa: PLC0415 (likewise)

    app = manager.app
    with broker(app) as channel:
        found = ParkedMessages(channel, manager.config.rules.store.prefix).find(task_id)
        if found is not None:
            return _parked(manager, found)
        names = [name for name, queue in app.amqp.queues.items() if getattr(queue.exchange, "type", "") != "fanout"]
        # A start that was sent back is a retry, too, as far as the backend knows.
        known = _result(app, task_id)
        return known if known and _RETRY not in known else _queued(find_queued.find(channel, names, task_id)) or known


class _What(NamedTuple):
    """What a task waits for."""

    named: str
    """A limit, with what is in force for it and why."""
    stands: BucketState | None = None
    """The state of its bucket; None where that is not known."""
    paused: str = ""
    """Says that it does not start, while an override pauses it."""
    usage: Usage | None = None
    """What is used of its bucket; None where that is not known."""

    def waits(self, cost: int = 0) -> str:
        """Say what it waits for, and how much of that there is; ``cost`` is what it takes, if that is known."""
        if self.stands is None or self.paused:
            return f"waits for {self.named}"
        return waits_for(self.named, self.stands, self.usage, cost)

    def starts(self, place: int, seconds: float, about: str = "") -> str:
        """Say when the one at this place starts; without refusals it would be in so many seconds."""
        if self.paused:
            return self.paused
        stands = self.stands
        if stands is None or (stands.is_foreseen and not (stands.refused_for or stands.slowed or stands.limit.resets)):
            return f"starts in {about}{span(seconds)}"
        return starts_when(stands, self.usage, place, seconds)


def _waits(manager: RateLimitManager, worker: str, answer: Mapping[str, Any]) -> list[str]:
    if "bucket" in answer:
        return _held(manager, worker, answer)
    if "again_in" in answer:
        return _sent_back(manager, worker, answer)
    return [_kept_by_celery(worker, answer)] if answer.keys() & {"due_in", "rate_limit"} else []


def _held(manager: RateLimitManager, worker: str, answer: Mapping[str, Any]) -> list[str]:
    what = _what(manager, answer["bucket"], worker, answer)
    waits = what.waits(answer.get("cost", 1))
    lines = [f"{answer['task']} {waits}, held in {worker} for {span(answer['held'])}."]
    place = f"It is number {answer['place']} of those that {worker} holds for it"
    lines.append(f"{place}, and {what.starts(answer['place'], max(0.0, answer['starts_in']))}.")
    if answer.get("turn") and what.stands is not None and what.stands.limit.fair_by is not None:
        lines.append(turn_of(what.stands.limit, answer["turn"], answer["weight"], answer["weights"], worker))
    return lines


def _sent_back(manager: RateLimitManager, worker: str, answer: Mapping[str, Any]) -> list[str]:
    """Report a task that waits with an ETA: where no pacer holds it, or its broker has no other room."""
    named = " and ".join(_what(manager, bucket).named for bucket in answer["buckets"])
    lines = [f"{answer['task']} waits for {named}, sent back to its queue with an ETA."]
    return [*lines, f"{worker} has fetched it again, and looks whether it may start in {span(answer['again_in'])}."]


def _kept_by_celery(worker: str, answer: Mapping[str, Any]) -> str:
    native = "rate_limit" in answer
    rate = f", held by Celery's own rate_limit, {answer['rate_limit']}" if native else ""
    eta = "" if native else f", which keeps it until its ETA, in {span(answer['due_in'])}"
    return f"{answer['task']} is in {worker}{rate or eta}: {_NOT_OURS}."


def _parked(manager: RateLimitManager, found: Found) -> list[str]:
    what = _what(manager, found.pile.bucket)
    task = found.message["headers"].get("task") or "The task"
    lines = [f"{task} {what.waits()}, parked in {room_names.REDIS} for {span(found.age)}."]
    turns = what.stands.limit.fair_by if what.stands is not None else None
    place = f"It is number {found.place} of {found.pile.count} that are parked for it in {found.pile.queue}"
    place += f", where the values of {turns} take turns" if turns is not None else ""
    return [*lines, f"{place}, and {what.starts(found.place, found.due, 'about ')}."]


def _what(
    manager: RateLimitManager, bucket: str, worker: str = "", answer: Mapping[str, Any] = MappingProxyType({})
) -> _What:
    """Describe the limit of a bucket; ``answer`` is what a worker reports about it."""
    here = interval_text(round(answer["interval"] * MICROSECONDS)) if "interval" in answer else ""
    if here and parts_of(bucket) is None:
        return _What(f"the {here} that control.rate_limit has set for it there")
    rules = manager.config.rules
    owner = Owners(rules, tasks_of(manager.app)).of(bucket)
    target = Target("tasks" if owner.own else "limits", owner.name)
    if owner.limit is None:
        return _What(str(target))
    pattern = getattr(rules.for_task(owner.name), "pattern", "") if owner.own else ""
    try:
        in_force = manager.in_force()
        by_feedback = adapted(manager.store, [bucket] if owner.limit.feedback is not None else [])
    except StoreError as error:
        return _What(f"{target} (the store can't be asked what is in force: {error})")
    form = (parts_of(bucket) or ("", None))[1]
    partition = digest_of_form(form) if form is not None else None
    current = current_of(in_force, target, owner.limit, pattern, partition)
    stands = state_of(in_force, owner.limit, pattern, by_feedback.get(bucket), partition)
    if stands.pause is not None:
        signed = stands.pause.who_and_why()
        end = f"does not start while that is paused, until {until(stands.pause, in_force.now)}"
        return _What(f"{target} (paused{' ' + signed if signed else ''})", stands, end)
    reasons = [*why(current, in_force.now), *refusals(stands)]
    if owner.in_each_worker and here and answer["interval"] != stands.interval:
        reasons.append(f"{here} in {worker}")
    shown = [] if stands.refused_for or stands.slowed else [current.text]
    return _What(f"{target} ({'; '.join((*shown, *reasons))})", stands, usage=_usage(manager, bucket, stands, answer))


def _usage(manager: RateLimitManager, bucket: str, stands: BucketState, answer: Mapping[str, Any]) -> Usage | None:
    """Look what is used of a bucket of a kind of which more is said than its rate."""
    limit = stands.limit
    if limit.strategy == "concurrency" and (limit.local or isinstance(manager.store, MemoryStore)):
        return Usage(stands.burst, running=answer["running"]) if "running" in answer else None
    if manager.store is None or (limit.strategy not in ("window", "concurrency") and not limit.metered):
        return None
    try:
        return usages(manager.store, [replace(stands.bucket, key=bucket)], stands.now)[0]
    except StoreError:
        return None  # a moment ago it could be asked


def _result(app: Any, task_id: str) -> list[str]:
    """Ask the result backend, if there is one."""
    if not app.conf.result_backend:
        return []
    result = app.AsyncResult(task_id)
    try:
        state = str(result.state)
    except Exception as error:  # noqa: BLE001 - each backend has its own, and it is only one source of several
        say(f"limitkit: the result backend can't be asked: {one_line(str(error))}", err=True)
        return []
    if state == "RETRY":
        return [_RETRY]
    return [] if state == "PENDING" else [f"The result backend says {state}: {_NOT_OURS}."]


def _queued(found: Queued | None) -> list[str]:
    if found is None:
        return []
    if not found.queue:
        eta = f" until its ETA, {found.eta}" if found.eta else ""
        return [f"A worker has fetched {found.task}, and keeps it{eta}, or is gone: {_NOT_OURS}."]
    return [f"{found.task} is in its queue, {found.queue}, number {found.place}: no worker has fetched it yet."]
