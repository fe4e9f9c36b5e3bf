"""Finds where the workers differ from the file: each difference with a fact, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from limitkit.buckets.named_partition import digest_of_form
from limitkit.buckets.token_bucket import MICROSECONDS
from limitkit.config.model.units import interval_text
from limitkit.config.wording import count, one_line, span
from limitkit.control.declarations import declared_for
from limitkit.control.status.rate_text import moment, rated, until, whose
from limitkit.control.worker_answers import is_local

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from limitkit.buckets.override import Override
    from limitkit.config.declared import Limit
    from limitkit.control.bucket_state import BucketState
    from limitkit.control.current import Current
    from limitkit.control.status.snapshot import Row, Snapshot

_WITHOUT_STORE = {"allow": "limit nothing", "hold": "let no task start", "divide": "are divided by the workers"}
_DIGITS = 12
_NAMED = 3
"""The most names that are written out in a list."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """One difference from the file."""

    kind: str
    """One of ``broken file``, ``override``, ``pause``, ``feedback``, ``stricter file``, ``other rate``, ``dialled``,
    ``cap``, ``mode``, ``other file``, ``refused file``, ``unguarded``, ``unpaced``, ``store``, ``not installed``."""
    limit: str
    """Empty when it concerns a worker as a whole."""
    worker: str
    """Empty when it concerns all workers."""
    fact: str
    hint: str

    @property
    def subject(self) -> str:
        """The limit, the worker, or both."""
        return " in ".join(part for part in (self.limit, self.worker) if part)


def of_limits(snapshot: Snapshot) -> Iterator[Deviation]:
    """Find the limits whose rate differs from the file."""
    for over in snapshot.overrides:
        row = snapshot.row_of(over)
        if row is not None:
            yield _of_override(row.current.limit, over, snapshot.now)
    for row in snapshot.rows:
        yield from _of_row(row)


def lost(snapshot: Snapshot) -> Iterator[Deviation]:
    """Find overrides for limits that are not in the file."""
    for over in snapshot.overrides:
        if snapshot.row_of(over) is not None:
            continue
        set_ = "a pause" if over.kind == "pause" else over.terms
        what = f"{set_} was set, {one_line(over.who_and_why())}".rstrip(", ")
        hint = f"limitkit restore {one_line(whose(over.target))}"
        yield Deviation("override", str(over.target), "", f"{what}, and the file has no such limit in force", hint)


def of_workers(snapshot: Snapshot) -> Iterator[Deviation]:
    """Find the workers that do not use this file, or do not keep all of its limits."""
    for worker, report in sorted((snapshot.workers or {}).items()):
        if "digest" not in report:
            fact = str(report.get("error", "it answers as another version of limitkit"))
            yield Deviation("not installed", "", worker, one_line(fact), "call limitkit.install(app) in its app")
            continue
        if snapshot.problems:
            fact = f"uses {report['path']} ({report['digest']}), since {moment(report['since'])}"
            its_own = report["path"] == snapshot.path or report["refused"]
            hint = "fix the file" if its_own else "give all workers the same file"
            yield Deviation("other file", "", worker, fact, hint)
        elif report["digest"] != snapshot.digest and not _is_mode_alone(snapshot, report):
            path = f"{report['path']} ({report['digest']}), since {moment(report['since'])}"
            fact = f"uses another file, {path}: {_differing(snapshot, report)}"
            hint = "give all workers the same file; until then the stricter rate of each shared limit holds"
            yield Deviation("other file", "", worker, fact, hint)
        if report["refused"] and not snapshot.problems:
            fact = f"has refused its changed file, and keeps the one before: {one_line(report['refused'])}"
            yield Deviation("refused file", "", worker, fact, "fix the file")
        yield from _kept_otherwise(snapshot, worker, report)
        if report["unguarded"]:
            names = few(report["unguarded"])
            fact = f"has pool processes from before {names} had limits; these starts are paced, but not guarded"
            yield Deviation("unguarded", "", worker, fact, "restart it, or its pool: celery control pool_restart")
        for task, seconds in sorted(report.get("caps", {}).items()):
            fact = f"starts {task} at {_per(seconds)} at most, which control.rate_limit has set"
            yield Deviation("cap", "", worker, fact, f"celery control rate_limit {task} 0")


def bypasses(snapshot: Snapshot) -> Iterator[Deviation]:
    """Find what may bypass limits in a worker. It is only a risk, so it is no difference from the file."""
    for worker, report in sorted((snapshot.workers or {}).items()):
        for fact, hint in report.get("passing", ()):
            yield Deviation("passing", "", worker, one_line(fact), one_line(hint))


def _kept_otherwise(snapshot: Snapshot, worker: str, report: Mapping[str, Any]) -> Iterator[Deviation]:
    """Find why a worker does not keep its limits as its file says."""
    limits = [limit for limit in report["limits"].values() if limit["mode"] == "enforce"]
    if report["mode"] != snapshot.mode and (report["digest"] == snapshot.digest or _is_mode_alone(snapshot, report)):
        does = {"off": "keeps no limit", "shadow": "counts for its limits, and delays nothing"}
        fact = f'{does.get(report["mode"], "keeps its limits")}, since LIMITKIT_MODE is "{report["mode"]}" there'
        yield Deviation("mode", "", worker, fact, "unset it there, and restart the worker")
    if report.get("store"):
        meanwhile = {_WITHOUT_STORE[limit["on_error"]] for limit in limits if limit.get("on_error")}
        then = f"; until it answers, shared limits {' or '.join(sorted(meanwhile))}" if meanwhile else ""
        fact = f"can't ask the store ({one_line(report['store'])}){then}"
        yield Deviation("store", "", worker, fact, "start the store, or fix its address: [store] url")
    static = sorted(limit["limit"] for limit in limits if is_local(limit))
    if static and not report["paced"]:
        fact = f"has no pacer, so {few(static)} {'is' if len(static) == 1 else 'are'} not kept there"
        yield Deviation("unpaced", "", worker, fact, "use the prefork pool, and Redis or RabbitMQ")


def _is_mode_alone(snapshot: Snapshot, report: Mapping[str, Any]) -> bool:
    """Whether only LIMITKIT_MODE, which is a part of the digest, makes the digest differ."""
    same = report["path"] == snapshot.path and not _others(snapshot, report)
    return bool(same and not snapshot.problems and report["mode"] != snapshot.mode_here)


def in_general(snapshot: Snapshot) -> Iterator[Deviation]:
    """Say that the file can't be used, or the store can't be asked from here."""
    if snapshot.problems:
        fact = f"can't be used as it is now ({count(len(snapshot.problems), 'problem')})"
        hint = f"workers go on with what they have: limitkit validate {snapshot.path}"
        yield Deviation("broken file", snapshot.path, "", fact, hint)
    if snapshot.gone:
        fact = f"can't be asked from here ({snapshot.gone}); what is set at run time is what workers know of it"
        yield Deviation("store", "the store", "", fact, "start it, or fix its address: [store] url")


def reasons(row: Row, snapshot: Snapshot) -> Iterator[str]:
    """Say in a few words why a limit's rate differs from the file."""
    current = row.current
    if row.foreign and not snapshot.problems:
        yield f"of {row.foreign} alone"
    yield from why(current, snapshot.now)
    if row.set_apart:
        yield f"set for single ones: {few([_apart(each) for each in row.set_apart])}"
    yield from refusals(row.bucket_state, [part.bucket_state for part in row.parts.values()])
    gone = [worker for worker, lost in row.lost.items() if lost]
    if gone:
        where = "" if row.is_lost else f" in {few(sorted(gone))}"
        yield f'the store can\'t be asked{where}: on_error = "{current.limit.on_error}"'
    if current.limit.mode == "shadow":
        counted = f"{row.shadowed} of {row.seen} would have waited"
        yield f"shadow: {counted if row.is_watched else 'nothing is counted without a pacer'}"
    elif current.limit.mode == "off":
        yield 'mode = "off"'
    for seconds in sorted({*row.dialled.values()}):
        yield f"{_per(seconds)} set by control.rate_limit in {few(_with(row.dialled, seconds))}"
    others = row.apart | row.elsewhere
    for rate in sorted({*others.values()}):
        yield f"{rate} in {few(_with(others, rate))}"


def _apart(over: Override) -> str:
    """Write what was set for a partition; one that is not known in clear by the first digits of its digest."""
    return f"{one_line(over.target.shown) or over.target.partition[:_DIGITS]} {over.terms}"


def why(current: Current, now: float) -> Iterator[str]:
    """Say who has set the override of a limit, and until when."""
    if current.override is not None:
        over = current.override
        by = f" {one_line(over.who_and_why())}" if over.who_and_why() else ""
        what = "paused" if over.kind == "pause" else "set"
        which = f" for {over.target.name}" if over.target != current.target else ""
        yield f"{what}{which}{by}, until {until(over, now)}"
    elif current.source == "stricter file":
        yield "another file is stricter"
    elif current.source == "schedule":
        yield f"schedule until {moment(current.until).removesuffix(':00')}" if current.until else "schedule"
    elif current.source == "partition":
        yield "declared for this partition"


def why_of_part(row: Row, form: str, now: float) -> str:
    """Say why a partition has terms of its own; ``form`` is the partition as it stands in its bucket's key."""
    digest = digest_of_form(form)
    posted = {each.kind: each for each in row.set_apart if digest in each.target.digests}
    over = posted.get("pause") or posted.get("rate")
    if over is not None:
        by = f" {one_line(over.who_and_why())}" if over.who_and_why() else ""
        return f"{'paused' if over.kind == 'pause' else 'set'}{by}, until {until(over, now)}"
    return "declared for it" if row.part(form).bucket_state.terms.source == "partition" else ""


def refusals(bucket_state: BucketState, parts: Collection[BucketState] = ()) -> Iterator[str]:
    """Say how the other side's refusals affect a limit, or how many of its partitions."""
    if bucket_state.slowed or bucket_state.refused_for:
        yield refusal(bucket_state)
        return
    paused = sum(bool(each.refused_for) for each in parts)
    slowed = sum(each.slowed and not each.refused_for for each in parts)
    for number, what in ((paused, "paused"), (slowed, "slowed down")):
        if number:
            yield f"{number} of its partitions {'is' if number == 1 else 'are'} {what}: the other side has refused"


def refusal(bucket_state: BucketState) -> str:
    """Say how the other side's refusals affect a bucket, and for how long."""
    now = bucket_state.now
    if bucket_state.refused_for:
        end = f"until {moment(now + bucket_state.refused_for)}, in {span(bucket_state.refused_for)}"
        then = f", then {bucket_state.rate}" if bucket_state.slowed else ""
        return f"paused{then}: the other side has refused, {end}"
    if bucket_state.ceiling_until is not None:
        end = f"until {moment(bucket_state.ceiling_until)}, in {span(bucket_state.ceiling_until - now)}"
        return f"{bucket_state.rate} is the most that the other side is asked for after a refusal, {end}"
    return f"slowed down to {bucket_state.rate}: the other side has refused"


def few(names: list[str]) -> str:
    """Name the first ones, and count the others."""
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _of_override(limit: Limit, over: Override, now: float) -> Deviation:
    by = f" {one_line(over.who_and_why())}" if over.who_and_why() else ""
    end = f"until {until(over, now)}"
    target, name = str(over.target), one_line(whose(over.target))
    if over.kind == "pause":
        return Deviation("pause", target, "", f"paused{by}, {end}", f"limitkit resume {name}")
    if over.kind == "weight":
        fact = f"{over.terms} was set{by}, {end}"
        return Deviation("override", target, "", fact, f"limitkit restore {over.target.name}")
    limit = declared_for(limit, over.target.partition)
    most = over.max_running or over.burst or (limit.most if limit.strategy != "window" else 1)
    fact = f"{rated(over.terms, most, limit.strategy)} was set{by}, {end}, over {limit.text}"
    hint = f"limitkit restore {name}" + (f", or promote {name}" if not over.target.partition else "")
    return Deviation("override", target, "", fact, hint)


def _of_row(row: Row) -> Iterator[Deviation]:
    current = row.current
    name, declared = str(current.target), current.limit.text
    for fact in refusals(row.bucket_state, [part.bucket_state for part in row.parts.values()]):
        hint = f"this ends by itself, or with limitkit reset {current.target.name}"
        yield Deviation("feedback", name, "", f"{fact}, over {declared}", hint)
    if current.source == "stricter file":
        fact = f"{current.text} holds, which another worker's file says, over {declared}"
        yield Deviation("stricter file", name, "", fact, "give all workers the same file")
    for worker, seconds in sorted(row.dialled.items()):
        fact = f"{_per(seconds)} holds, which control.rate_limit has set, over {declared}"
        yield Deviation("dialled", name, worker, fact, f"celery control rate_limit {current.target.name} 0")
    for worker, rate in sorted(row.apart.items()):
        fact = f"{rate} holds there, and {current.text} elsewhere"
        # A static limit may have been set in one worker. A shared one has not: that worker has yet to follow.
        own = current.limit.local
        hint = f"limitkit restore {current.target.name}" if own else "it follows within a second: look again"
        yield Deviation("other rate", name, worker, fact, hint)


def _differing(snapshot: Snapshot, report: Mapping[str, Any]) -> str:
    """Say which limits of this worker's tasks the two files declare differently."""
    names = _others(snapshot, report)
    if not names:
        return "no limit of its tasks differs"
    return f"{few(sorted(names))} {'differ' if len(names) > 1 else 'differs'}"


def _others(snapshot: Snapshot, report: Mapping[str, Any]) -> list[str]:
    ours = {row.tag: row.current.limit for row in snapshot.rows if not row.foreign}
    theirs = report["limits"]
    return [
        theirs[tag]["limit"]
        for tag in theirs
        if tag not in ours
        or (ours[tag].rate_text, ours[tag].most, ours[tag].strategy)
        != (theirs[tag]["declared"], theirs[tag]["declared_burst"], theirs[tag]["strategy"])
    ]


def _per(seconds: float) -> str:
    return interval_text(round(seconds * MICROSECONDS))


def _with(by_worker: Mapping[str, Any], value: object) -> list[str]:
    return sorted(worker for worker, each in by_worker.items() if each == value)
