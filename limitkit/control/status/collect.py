"""Collects the state of the limits now, from the file, the store, the workers, and the waiting room."""

from __future__ import annotations

import time
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from limitkit.buckets.adaptive_rate import Adapted, shifted
from limitkit.buckets.named_partition import digest_of_form
from limitkit.buckets.override import Target, read
from limitkit.buckets.partition import bucket_key, key_of, limit_tag, parts_of
from limitkit.buckets.token_bucket import MICROSECONDS
from limitkit.config.declared import Feedback, Limit
from limitkit.config.model.units import interval_text, parse_rate
from limitkit.config.wording import one_line
from limitkit.control.bucket_state import adapted, state_of
from limitkit.control.current import current_of
from limitkit.control.in_force import InForce
from limitkit.control.status.rate_text import reported
from limitkit.control.status.snapshot import Row, Snapshot
from limitkit.control.status.usages import add_usages
from limitkit.control.targets import all_of
from limitkit.control.worker_answers import is_local
from limitkit.control.workers import NoRemoteControlError, ask
from limitkit.errors import StoreError
from limitkit.waiting import room_names
from limitkit.waiting.drain_time import pace_of
from limitkit.waiting.parked_messages import ParkedMessages, broker

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from limitkit.control.manager import RateLimitManager
    from limitkit.control.status.snapshot import Part

_MOST_PARTS: Final = 100
"""The most partitions of one limit that the store is asked about."""


def collect(manager: RateLimitManager, *, patience: float = 1.0) -> Snapshot:
    """Ask the store, the workers, and the waiting room; workers have ``patience`` seconds to answer.

    If the store can't be asked, the overrides are what workers know of them. Raises StoreError when no worker answers
    either, and UnreachableError or UnusableBrokerError when the broker can't be asked.
    """
    app, config = manager.app, manager.config
    workers, unasked, gone = None, "", ""
    if app is not None:
        try:
            workers = ask(app, "limitkit_status", patience=patience)
        except NoRemoteControlError as error:
            unasked = one_line(str(error))
    try:
        in_force = manager.in_force()
    except StoreError as error:
        if not workers:
            raise
        gone, in_force = one_line(str(error)), as_workers_know(workers.values())
    overridden = {each.target.name for each in in_force.overrides if "*" not in each.target.name}
    tasks = {*(app.tasks if app is not None else ()), *overridden}
    found = list(_limits(manager, sorted(tasks)))
    prefix = config.rules.store.prefix
    in_memory = adapted_in_memory(workers or {}, in_force.now)
    own = [_key(prefix, each) for each in found if _has_feedback(each[1]) and each[1].key is None]
    known = in_memory if in_memory or gone else adapted(manager.store, own)
    rows = {row.tag: row for row in (row_of(in_force, each, known.get(_key(prefix, each))) for each in found)}
    for worker, report in (workers or {}).items():
        add_foreign(rows, in_force, report)
        add_worker(rows, worker, report, same_file=report.get("digest") == config.digest)
    room = add_parked(app, prefix, rows) if app is not None else None
    _add_feedback(manager, rows.values(), in_memory, asks=not gone)
    if not gone:
        add_usages(manager.store, prefix, rows.values(), in_force.now)
    mode = config.file_mode
    every = list(rows.values())
    snapshot = Snapshot(config.path, config.digest, in_force.now, mode, every, in_force.overrides, workers, room, gone)
    return replace(snapshot, mode_here=config.rules.mode, unasked=unasked)


def as_workers_know(reports: Iterable[Mapping[str, Any]]) -> InForce:
    """Return the overrides as the worker that knows most of them reports them."""
    reported_overrides = max((report.get("overrides", ()) for report in reports), key=len)
    in_force = InForce()
    in_force.use(filter(None, (read(name, text, until) for name, text, until in reported_overrides)), time.time())
    return in_force


def adapted_in_memory(workers: Mapping[str, Mapping[str, Any]], now: float) -> dict[str, Adapted]:
    """Return the adapted rates that workers keep in their own memory, by bucket, for the clock here."""
    now_us = round(now * MICROSECONDS)
    reports = [each for report in workers.values() for each in report.get("learnt", {}).items()]
    return {key: shifted(Adapted(*numbers), now_us) for key, numbers in reports}


def _has_feedback(limit: Limit) -> bool:
    return limit.feedback is not None and limit.mode == "enforce"


def _limits(manager: RateLimitManager, tasks: list[str]) -> Iterator[tuple[Target, Limit, Target]]:
    """Go through the limits of the file, also those that are off; those of a pattern once for each known task."""
    rules = manager.config.rules
    for target, limit in all_of(rules, off=True):
        matched = []
        if target.section == "tasks" and "*" in target.name:
            rule_of = ((name, rules.for_task(name)) for name in tasks)
            matched = [name for name, rule in rule_of if rule is not None and rule.pattern == target.name]
        for name in matched or [target.name]:
            yield Target(target.section, name), replace(limit, name=name) if limit.own else limit, target


def row_of(in_force: InForce, found: tuple[Target, Limit, Target], known: Adapted | None) -> Row:
    """Make a row of a limit: what is in force, the target of its overrides, and the entry that declares it."""
    target, limit, entry = found
    now = state_of(in_force, limit, entry.name, known)
    row = Row(current_of(in_force, target, limit, entry.name), entry, now, limit_tag(limit.name, own=limit.own))
    row.state_of_part = lambda form: state_of(in_force, limit, entry.name, partition=digest_of_form(form))
    row.set_apart += [
        each for each in in_force.overrides if each.target.partition and each.target.whole in (target, entry)
    ]
    return row


def _key(prefix: str, found: tuple[Target, Limit, Target]) -> str:
    return bucket_key(prefix, found[1], None)


def _add_feedback(
    manager: RateLimitManager, rows: Iterable[Row], in_memory: Mapping[str, Adapted], *, asks: bool
) -> None:
    """Add the adapted rates of the partitions with the most waiting tasks."""
    prefix = manager.config.rules.store.prefix
    wanted: dict[str, Part] = {}
    for row in rows:
        if _has_feedback(row.current.limit):
            parts = sorted(row.parts.items(), key=lambda pair: -pair[1].waiting)[:_MOST_PARTS]
            key = bucket_key(prefix, row.current.limit, None)
            digests = (each.removeprefix(f"{key}:") for each in in_memory if each.startswith(f"{key}:"))
            parts += [(digest, row.part(digest)) for digest in digests]
            wanted |= {f"{key}:{digest}": part for digest, part in parts}
    found = in_memory or (adapted(manager.store, wanted) if asks else {})
    for key in wanted.keys() & found.keys():
        wanted[key].bucket_state = replace(wanted[key].bucket_state, adapted=found[key])


def add_foreign(
    rows: dict[str, Row],
    in_force: InForce,
    report: Mapping[str, Any],
    known: Mapping[str, Adapted] = MappingProxyType({}),
) -> None:
    """Add the limits that only a worker's own file declares."""
    for tag, limit in report.get("limits", {}).items():
        if tag in rows:
            continue
        section, _, name = limit["limit"].partition(".")
        target = Target("tasks" if section == "tasks" else "limits", name)
        declared = Limit(
            name,
            target.section == "tasks",
            limit["strategy"],
            None if limit["strategy"] == "concurrency" else parse_rate(limit["declared"], calendar=True),
            limit["declared_burst"],
            None,
            limit["mode"],
            report["path"],
            0,
            limit["on_error"] or "allow",
            feedback=Feedback(name, ()) if limit["feedback"] else None,
            max_running=limit["declared_burst"] if limit["strategy"] == "concurrency" else 0,
            scope="worker" if limit["strategy"] == "concurrency" and is_local(limit) else "all",
        )
        entry = Target("tasks", limit["pattern"]) if declared.own else target
        key = key_of(report["prefix"], tag, *filter(None, [limit.get("version")]))
        rows[tag] = row_of(in_force, (target, declared, entry), known.get(key))
        rows[tag].key = key
        rows[tag].foreign = f"{report['path']} ({report['digest']})"


def add_worker(rows: Mapping[str, Row], worker: str, report: Mapping[str, Any], *, same_file: bool) -> None:
    """Add what a worker reports of its limits."""
    for tag, limit in report.get("limits", {}).items():
        row = rows.get(tag)
        if row is None:
            continue
        row.paced[worker] = bool(report.get("paced"))
        row.held += limit["held"]
        row.running += limit.get("running", 0)
        if limit["started"] is not None:
            row.started = (row.started or 0) + limit["started"]
        row.oldest = max(row.oldest, limit["oldest"])
        _add_parts(row, limit)
        if limit.get("shadow"):
            row.shadowed += limit["shadow"]["delayed"]
            row.seen += limit["shadow"]["came"]
        if limit["dialled"]:
            row.dialled[worker] = limit["dialled"]
        if limit.get("on_error") and limit["mode"] == "enforce":
            row.lost[worker] = bool(report.get("store"))
        if report.get("paced") and is_local(limit):
            _add_kept(row, worker, limit)
        if limit["mode"] == "enforce":
            _compare(row, worker, limit, same_file=same_file)


def _add_parts(row: Row, limit: Mapping[str, Any]) -> None:
    for form, held in limit["partitions"]:
        row.part(form).held += held
    for form, running in limit.get("running_partitions", ()):
        row.part(form).running += running


def _compare(row: Row, worker: str, limit: Mapping[str, Any], *, same_file: bool) -> None:
    """Note what is in force in a worker, if it differs from what is in force here."""
    here, bucket = row.current.text, row.bucket_state.bucket
    burst = 0 if row.current.source == "pause" else bucket.burst
    if (limit["interval"], limit["burst"]) == (bucket.interval_us / MICROSECONDS, burst) or reported(limit) == here:
        return
    if same_file:
        row.apart[worker] = reported(limit)
    elif is_local(limit):  # for a shared limit, the stricter rate holds for all
        row.elsewhere[worker] = reported(limit)


def _add_kept(row: Row, worker: str, limit: Mapping[str, Any]) -> None:
    """Note what is in force in a worker for a limit that each worker has for itself."""
    if limit["strategy"] == "static":
        row.paces[worker] = pace_of(limit)
    rate = limit["declared"]
    if limit["source"] != "file":
        slots = limit["strategy"] == "concurrency"
        rate = f"{limit['burst']} at once" if slots else interval_text(round(limit["interval"] * MICROSECONDS))
    row.kept[worker] = (rate if limit["burst"] else "paused", limit["burst"], limit["source"])
    if limit["dialled"] and limit["burst"]:
        rate = interval_text(round(limit["dialled"] * MICROSECONDS))
        row.kept[worker] = (rate, limit["burst"], "control")


def add_parked(app: Any, prefix: str, rows: Mapping[str, Row]) -> str:
    """Count the parked tasks, if the waiting room can count them; returns the name of the waiting room."""
    kind = room_names.kind_of(app)
    if kind == room_names.REDIS:
        with broker(app) as channel:
            for pile in ParkedMessages(channel, prefix).piles():
                tag, digest = parts_of(pile.bucket) or (pile.bucket, None)
                row = rows.get(tag)
                if row is None:
                    continue
                row.parked += pile.count
                row.oldest = max(row.oldest, pile.age)
                if digest is not None:
                    part = row.part(digest)
                    part.parked += pile.count
                    part.oldest = max(part.oldest, pile.age)
    return kind
