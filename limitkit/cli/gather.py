"""Gathers what is known of the limits now: by the file, the store, the workers, and the waiting room."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from limitkit.bucket import MICROSECONDS
from limitkit.cli.managed import rated, reported
from limitkit.cli.survey import Part, Row, Survey
from limitkit.current import current_of
from limitkit.decision import Bucket, Take
from limitkit.fleet import ask
from limitkit.override import Target
from limitkit.partition import bucket_key, limit_tag, parts_of
from limitkit.targets import all_of
from limitkit.waiting import kinds
from limitkit.waiting.census import Census, broker

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from limitkit.current import Current
    from limitkit.declared import Limit
    from limitkit.inforce import InForce
    from limitkit.manager import RateLimitManager


def gather(manager: RateLimitManager, *, patience: float = 1.0) -> Survey:
    """Ask the store, the workers, and the waiting room; workers have ``patience`` seconds to answer.

    Raises StoreError, UnreachableError, or UnusableBrokerError, when one of them can't be asked.
    """
    app, config = manager.app, manager.config
    workers = ask(app, "limitkit_status", patience=patience) if app is not None else None
    in_force = manager.in_force()
    overridden = {each.target.name for each in in_force.overrides if "*" not in each.target.name}
    tasks = {*(app.tasks if app is not None else ()), *overridden}
    rows = {row.tag: row for row in _rows(manager, in_force, sorted(tasks))}
    _peek(manager, rows.values(), in_force.now)
    for worker, report in (workers or {}).items():
        _add_worker(rows, worker, report, same_file=report.get("digest") == config.digest)
    room = _add_parked(app, config.rules.store.prefix, rows) if app is not None else None
    return Survey(config.path, config.digest, in_force.now, list(rows.values()), in_force.overrides, workers, room)


def _limits(manager: RateLimitManager, tasks: list[str]) -> Iterator[tuple[Target, Limit, Target]]:
    """Go through the limits of the file; those of a pattern once for each of its tasks, if any is known."""
    rules = manager.config.rules
    for target, limit in all_of(rules):
        matched = []
        if target.section == "tasks" and "*" in target.name:
            rule_of = ((name, rules.for_task(name)) for name in tasks)
            matched = [name for name, rule in rule_of if rule is not None and rule.pattern == target.name]
        for name in matched or [target.name]:
            yield Target(target.section, name), replace(limit, name=name) if limit.own else limit, target


def _row(in_force: InForce, target: Target, limit: Limit, entry: Target) -> Row:
    pattern = entry.name
    terms, rate = in_force.terms(limit, pattern), in_force.override("rate", limit, pattern)
    interval, depth = terms.interval_us, terms.burst
    if terms.source == "pause":
        interval = rate.rate.interval_us if rate is not None and rate.rate is not None else limit.rate.interval_us
        depth = rate.burst or limit.burst if rate is not None else limit.burst
    current = current_of(in_force, target, limit, pattern)
    return Row(current, entry, interval / MICROSECONDS, depth, limit_tag(limit.name, own=limit.own))


def _rows(manager: RateLimitManager, in_force: InForce, tasks: list[str]) -> Iterator[Row]:
    return (_row(in_force, *each) for each in _limits(manager, tasks))


def _peek(manager: RateLimitManager, rows: Iterable[Row], now: float) -> None:
    """Look how many tokens are in the buckets that all workers share; ``now`` is the store's time."""
    shared = [row for row in rows if _is_shared(row.current)]
    if manager.store is None or not shared:
        return
    now_us = round(now * MICROSECONDS)
    prefix = manager.config.rules.store.prefix
    intervals = [round(row.interval * MICROSECONDS) for row in shared]
    buckets = [
        Bucket(bucket_key(prefix, row.current.limit, None), each, row.depth, feedback=row.current.limit.feedback)
        for row, each in zip(shared, intervals, strict=True)
    ]
    decisions = manager.store.take([Take((bucket,), count=0) for bucket in buckets], now_us=now_us)
    for row, declared, decision in zip(shared, intervals, decisions, strict=True):
        interval = decision.intervals[0] if decision.intervals else declared
        row.tokens = max(0.0, row.depth - (decision.marks[0] - now_us) / interval)
        row.slowed = interval / MICROSECONDS if interval != declared else None


def _is_shared(current: Current) -> bool:
    """Whether a limit has one bucket for all workers; one in shadow runs ahead of it."""
    limit = current.limit
    return limit.strategy == "token_bucket" and limit.mode != "shadow" and "*" not in current.target.name


def _add_worker(rows: Mapping[str, Row], worker: str, report: Mapping[str, Any], *, same_file: bool) -> None:
    for tag, limit in report.get("limits", {}).items():
        row = rows.get(tag)
        if row is None:
            continue
        row.held += limit["held"]
        row.started += limit["started"] or 0
        row.oldest = max(row.oldest, limit["oldest"])
        for digest, held in limit["partitions"]:
            row.parts.setdefault(digest, Part()).held += held
        if limit.get("shadow"):
            row.shadowed += limit["shadow"]["delayed"]
            row.seen += limit["shadow"]["came"]
        if limit["dialled"]:
            row.dialled[worker] = limit["dialled"]
        here = rated(row.current.rate, row.current.burst)
        if same_file and (limit["interval"], limit["burst"]) != (row.interval, row.depth) and reported(limit) != here:
            row.apart[worker] = reported(limit)


def _add_parked(app: Any, prefix: str, rows: Mapping[str, Row]) -> str:
    """Count what is parked, where that can be counted; returns what the waiting room is called."""
    kind = kinds.kind_of(app)
    if kind == kinds.REDIS:
        with broker(app) as channel:
            for pile in Census(channel, prefix).piles():
                tag, digest = parts_of(pile.bucket) or (pile.bucket, None)
                row = rows.get(tag)
                if row is None:
                    continue
                row.parked += pile.count
                row.oldest = max(row.oldest, pile.age)
                if digest is not None:
                    part = row.parts.setdefault(digest, Part())
                    part.parked += pile.count
                    part.oldest = max(part.oldest, pile.age)
    return kind
