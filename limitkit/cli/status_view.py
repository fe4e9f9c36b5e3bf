"""What ``status`` and ``top`` show of the limits, and the same for programs."""

from __future__ import annotations

from dataclasses import asdict
from math import inf
from typing import TYPE_CHECKING, Any, Final

from limitkit.buckets.partition import shown
from limitkit.buckets.token_bucket import MICROSECONDS
from limitkit.cli.table_width import fitted, wrapped
from limitkit.config.model.units import interval_text
from limitkit.config.wording import count, span
from limitkit.control.status.drift import bypasses, few, in_general, lost, of_workers, reasons, why_of_part
from limitkit.control.status.rate_text import rated
from limitkit.control.status.usages import busiest
from limitkit.waiting import room_names

if TYPE_CHECKING:
    from limitkit.buckets.override import Override
    from limitkit.control.status.snapshot import Part, Row, Snapshot
    from limitkit.control.usage import Usage

_TOKENS: Final = "tokens"
_USED: Final = "used"
"""The heading in place of tokens where not only tokens are shown."""
_HEADINGS: Final = ("limit", "declared", "in force", _TOKENS, "held", "parked", "last minute", "oldest", "drained in")
_WHY: Final = "why"
_FIRST: Final = (
    "limit",
    "in force",
    "drained in",
    "held",
    "parked",
    _WHY,
    "last minute",
    _USED,
    "declared",
    _TOKENS,
    "oldest",
)
"""The same by importance; where a terminal is narrow, the last ones are left out first."""
_NUMBERS: Final = (_TOKENS, "held", "parked", "last minute")
_MANY: Final = 20
"""Idle limits are shown, too, if there are at most so many limits; and at most so many partitions."""
NOT_SHOWN: Final = (
    "So it is not shown which workers run, with which file, what they hold and have started, and what was set in "
    "single workers alone."
)
_DIGITS: Final = 8
"""Of a partition's hash."""


def head(snapshot: Snapshot) -> list[str]:
    """Say which workers answered, and what differs from the file in a whole worker."""
    who = "only the store was asked, because no app was named"
    if snapshot.unasked:
        who = f"only the store was asked, since {snapshot.unasked}"
    if snapshot.workers is not None:
        names = sorted(snapshot.workers)
        who = f"{count(len(names), 'worker')} answered: {few(names)}" if names else "no worker answered"
    lines = [f"{snapshot.path}{f' ({snapshot.digest})' if snapshot.digest else ''}; {who}."]
    if snapshot.unasked:
        lines.append(NOT_SHOWN)
    lines += [
        f"{each.subject}: {each.fact}; {each.hint}."
        for each in (*in_general(snapshot), *of_workers(snapshot), *bypasses(snapshot), *lost(snapshot))
    ]
    if snapshot.room is not None and snapshot.room != room_names.REDIS:
        lines.append(f"Tasks that can't start soon are parked in {snapshot.room}. {room_names.to_look(snapshot.room)}")
    return lines


def limits(snapshot: Snapshot, *, every: bool, width: int | None = None) -> list[str]:
    """Show the limits, the busy ones first; if there are many, idle ones are only counted.

    ``width`` is that of the terminal, if there is one.
    """
    busy = sorted((row for row in snapshot.rows if row.is_busy), key=lambda row: -row.waiting)
    idle = [row for row in snapshot.rows if not row.is_busy]
    folded = not every and len(snapshot.rows) > _MANY
    cells = [_cells(row, snapshot) for row in (busy if folded else busy + idle)]
    used = _USED if any(_is_no_number(row) for row in snapshot.rows) else _TOKENS
    headings = [used if heading == _TOKENS else heading for heading in (*_HEADINGS, _WHY)]
    lines = fitted(headings, cells, width=width, first=_FIRST, numbers=_NUMBERS, below=_WHY)
    if folded:
        left = f"{count(len(idle), 'limit')} with nothing going on, as declared; --all shows them."
        lines += wrapped(f"And {left}" if busy else left, width)
    return lines or ["There is no limit." if snapshot.problems else "The file has no limit."]


def partitions(row: Row, snapshot: Snapshot, width: int | None = None) -> list[str]:
    """Show the partitions of a limit with the most waiting tasks."""
    parts = busiest(row)
    if not parts:
        return []
    otherwise = any(_stands_apart(part, row) for _, part in parts)
    cells = [
        (
            shown(form, _DIGITS) or '""',
            *_counted(part, snapshot, row, otherwise=otherwise),
            why_of_part(row, form, snapshot.now),
        )
        for form, part in parts
    ]
    used = _USED if _is_no_number(row) or any(part.usage and part.usage.debt for _, part in parts) else _TOKENS
    headings = ("partition", used, *_PART, _WHY)
    drawn = fitted(headings, cells, width=width, first=("partition", *_FIRST), numbers=_NUMBERS, below=_WHY)
    lines = ["", *wrapped(f"Busiest partitions of {row.current.target}:", width), "", *drawn]
    rest = len(row.parts) - len(parts)
    return [*lines, f"And {rest} more."] if rest else lines


_PART: Final = ("held", "parked", "oldest", "in force", "drained in")


def _cells(row: Row, snapshot: Snapshot) -> tuple[str, ...]:
    current, asked, counted = row.current, snapshot.workers is not None, snapshot.room == room_names.REDIS
    rate, burst, _ = row.in_force
    return (
        str(current.target),
        current.limit.text,
        rated(rate, burst, current.limit.strategy),
        _used(row),
        str(row.held) if asked and row.is_watched else "-",
        str(row.parked) if counted else "-",
        str(row.started or 0) if asked and row.bucket_state.keeps else "-",
        span(row.oldest) if row.waiting else "-",
        drained(row.drained_in, foreseen=row.bucket_state.is_foreseen) if row.waiting else "-",
        "; ".join(reasons(row, snapshot)),
    )


def _is_no_number(row: Row) -> bool:
    """Whether more is said of a limit's bucket than a number of tokens."""
    return row.current.limit.strategy in ("window", "concurrency") or bool(row.usage and row.usage.debt)


def _used(row: Row) -> str:
    """Say what is used of a limit: of one with several buckets, how many of its tasks run."""
    if row.usage is not None:
        return row.usage.text()
    return f"{row.running:,} run" if row.current.limit.strategy == "concurrency" and row.paced else "-"


def drained(seconds: float | None, *, foreseen: bool = True) -> str:
    """Write in how many seconds all that waits has started; where that can't be foreseen, it is a guess."""
    if seconds is None:
        return "not known"
    if seconds == inf:
        return "not while paused"
    return span(seconds) if foreseen else f"about {span(seconds)}"


def _stands_apart(part: Part, row: Row) -> bool:
    state, whole = part.bucket_state, row.bucket_state
    return state.slowed or bool(state.refused_for) or (state.bucket, state.pause) != (whole.bucket, whole.pause)


def _counted(part: Part, snapshot: Snapshot, row: Row, *, otherwise: bool) -> tuple[str, ...]:
    bucket_state, strategy = part.bucket_state, row.current.limit.strategy
    rate = "paused" if bucket_state.paused_for else rated(bucket_state.rate, bucket_state.burst, strategy)
    return (
        _used_of(part),
        str(part.held),
        str(part.parked) if snapshot.room == room_names.REDIS else "-",
        span(part.oldest) if part.parked else "-",
        rate if otherwise else "-",
        drained(part.drained_in) if part.drained_in not in (None, inf) else "-",
    )


def _used_of(part: Part) -> str:
    if part.usage is not None:
        return part.usage.text()
    return f"{part.running:,} run" if part.running else "-"


def as_values(snapshot: Snapshot) -> dict[str, Any]:
    """Return the snapshot as plain values, for JSON; what is not known is None."""
    workers = snapshot.workers
    return {
        "version": 1,
        "path": snapshot.path,
        "digest": snapshot.digest or None,
        **({"problems": [asdict(each) for each in snapshot.problems]} if snapshot.problems else {}),
        "room": snapshot.room,
        "store_error": snapshot.gone or None,
        "workers_error": snapshot.unasked or None,
        "workers": None if workers is None else [_worker(name, workers[name]) for name in sorted(workers)],
        "limits": [_limit(row, snapshot) for row in snapshot.rows],
        "undeclared": [override(each) for each in snapshot.overrides if snapshot.row_of(each) is None],
    }


def _worker(name: str, report: Any) -> dict[str, Any]:
    keys = ("path", "digest", "since", "refused", "mode", "paced", "unguarded", "passing", "caps", "store", "error")
    return {"name": name, **{key: report.get(key) for key in keys}}


def _limit(row: Row, snapshot: Snapshot) -> dict[str, Any]:
    current, asked, counted = row.current, snapshot.workers is not None, snapshot.room == room_names.REDIS
    rate, burst, source = row.in_force
    refused, ends = row.bucket_state.refused_for, row.drained_in
    parts = [_part(digest, part, counted=counted) for digest, part in busiest(row)]
    return {
        "limit": str(current.target),
        "entry": str(row.entry),
        "strategy": current.limit.strategy,
        "declared": {"rate": current.limit.rate_text, "burst": current.limit.most},
        "in_force": {"rate": rate, "burst": burst, "source": source},
        "why": list(reasons(row, snapshot)),
        "override": override(current.override) if current.override is not None else None,
        **({"set_apart": [override(each) for each in row.set_apart]} if row.set_apart else {}),
        "mode": current.limit.mode,
        "shadow": {"came": row.seen, "delayed": row.shadowed} if current.limit.mode == "shadow" else None,
        "slowed": row.bucket_state.rate if row.bucket_state.slowed else None,
        "paused_by_feedback_until": round(snapshot.now + refused, 3) if refused else None,
        "dialled": {worker: interval_text(round(each * MICROSECONDS)) for worker, each in sorted(row.dialled.items())},
        "apart": dict(sorted(row.apart.items())),
        "tokens": round(row.tokens, 3) if row.tokens is not None else None,
        **_usage(row.usage, row.running if current.limit.strategy == "concurrency" else None),
        "held": row.held if asked and row.is_watched else None,
        "parked": row.parked if counted else None,
        "started_last_minute": row.started or 0 if asked and row.bucket_state.keeps else None,
        "oldest_seconds": round(row.oldest, 3) if asked else None,
        "drain_seconds": round(ends, 3) if asked and ends is not None and ends < inf else None,
        "partitions": parts,
    }


def _usage(usage: Usage | None, running: int | None = None) -> dict[str, Any]:
    """Return what is used of a bucket as plain values; what its kind does not have, or is not known, is None."""
    if usage is None:
        return {"counted": None, "resets_at": None, "running": running, "oldest_running_seconds": None}
    oldest = round(usage.oldest, 3) if usage.oldest is not None else None
    return {
        "counted": usage.counted,
        "resets_at": usage.resets_at,
        "running": usage.running,
        "oldest_running_seconds": oldest,
    }


def _part(digest: str, part: Part, *, counted: bool) -> dict[str, Any]:
    bucket_state, ends = part.bucket_state, part.drained_in
    rate = "paused" if bucket_state.paused_for else bucket_state.rate
    waiting = {"held": part.held, "parked": part.parked if counted else None}
    seconds = round(ends, 3) if ends is not None and ends < inf else None
    used = _usage(part.usage, part.running or None)
    tokens = round(part.usage.tokens, 3) if part.usage is not None and part.usage.tokens is not None else None
    source = bucket_state.terms.source
    shown = {"partition": digest, **waiting, "in_force": rate, "drain_seconds": seconds}
    return {**shown, "burst": bucket_state.burst, "source": source, "tokens": tokens, **used}


def override(over: Override) -> dict[str, Any]:
    """Return an override as plain values; times are seconds since 1970."""
    rate = over.rate.text if over.rate is not None else None
    who = {"by": over.by, "reason": over.reason, "at": round(over.at, 3), "until": over.until}
    more = {"partition": over.target.shown or over.target.partition or None, "max_running": over.max_running}
    said = {name: value for name, value in {**more, "weight": over.weight}.items() if value is not None}
    return {"limit": str(over.target.whole), **said, "kind": over.kind, "rate": rate, "burst": over.burst, **who}
