"""What ``status`` and ``top`` show of the limits, and the same for programs."""

from __future__ import annotations

from dataclasses import asdict
from math import floor, inf
from typing import TYPE_CHECKING, Any, Final

from limitkit.buckets.partition import shown
from limitkit.buckets.token_bucket import MICROSECONDS
from limitkit.cli.table_width import fitted, wrapped
from limitkit.config.model.units import interval_text
from limitkit.config.wording import count, span
from limitkit.control.status.drift import bypasses, few, in_general, lost, of_workers, reasons
from limitkit.control.status.rate_text import rated
from limitkit.waiting import room_names

if TYPE_CHECKING:
    from limitkit.buckets.override import Override
    from limitkit.control.status.snapshot import Part, Row, Snapshot

_HEADINGS: Final = ("limit", "declared", "in force", "tokens", "held", "parked", "last minute", "oldest", "drained in")
_WHY: Final = "why"
_FIRST: Final = (
    "limit",
    "in force",
    "drained in",
    "held",
    "parked",
    _WHY,
    "last minute",
    "declared",
    "tokens",
    "oldest",
)
"""The same by importance; where a terminal is narrow, the last ones are left out first."""
_NUMBERS: Final = ("tokens", "held", "parked", "last minute")
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
    lines = fitted((*_HEADINGS, _WHY), cells, width=width, first=_FIRST, numbers=_NUMBERS, below=_WHY)
    if folded:
        left = f"{count(len(idle), 'limit')} with nothing going on, as declared; --all shows them."
        lines += wrapped(f"And {left}" if busy else left, width)
    return lines or ["There is no limit." if snapshot.problems else "The file has no limit."]


def partitions(row: Row, snapshot: Snapshot, width: int | None = None) -> list[str]:
    """Show the partitions of a limit with the most waiting tasks."""
    parts = _busiest(row)
    if not parts:
        return []
    otherwise = any(_stands_apart(part, row) for _, part in parts)
    cells = [(shown(digest, _DIGITS), *_counted(part, snapshot, otherwise=otherwise)) for digest, part in parts]
    drawn = fitted(("partition", *_PART), cells, width=width, first=("partition", *_FIRST), numbers=_NUMBERS)
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
        str(floor(row.tokens)) if row.tokens is not None else "-",
        str(row.held) if asked and row.is_watched else "-",
        str(row.parked) if counted else "-",
        str(row.started or 0) if asked and row.bucket_state.keeps else "-",
        span(row.oldest) if row.waiting else "-",
        drained(row.drained_in) if row.waiting else "-",
        "; ".join(reasons(row, snapshot)),
    )


def drained(seconds: float) -> str:
    """Write in how many seconds all that waits has started."""
    return span(seconds) if seconds < inf else "not while paused"


def _stands_apart(part: Part, row: Row) -> bool:
    state, whole = part.bucket_state, row.bucket_state
    return state.slowed or bool(state.refused_for) or (state.bucket, state.pause) != (whole.bucket, whole.pause)


def _counted(part: Part, snapshot: Snapshot, *, otherwise: bool) -> tuple[str, ...]:
    bucket_state = part.bucket_state
    rate = "paused" if bucket_state.paused_for else rated(bucket_state.rate, bucket_state.burst)
    return (
        str(part.held),
        str(part.parked) if snapshot.room == room_names.REDIS else "-",
        span(part.oldest) if part.parked else "-",
        rate if otherwise else "-",
        drained(part.drained_in) if part.drained_in < inf else "-",
    )


def _busiest(row: Row) -> list[tuple[str, Part]]:
    return sorted(row.parts.items(), key=lambda pair: (-pair[1].waiting, pair[0]))[:_MANY]


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
    parts = [_part(digest, part, counted=counted) for digest, part in _busiest(row)]
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
        "held": row.held if asked and row.is_watched else None,
        "parked": row.parked if counted else None,
        "started_last_minute": row.started or 0 if asked and row.bucket_state.keeps else None,
        "oldest_seconds": round(row.oldest, 3) if asked else None,
        "drain_seconds": round(ends, 3) if asked and ends < inf else None,
        "partitions": parts,
    }


def _part(digest: str, part: Part, *, counted: bool) -> dict[str, Any]:
    bucket_state = part.bucket_state
    rate = "paused" if bucket_state.paused_for else bucket_state.rate
    waiting = {"held": part.held, "parked": part.parked if counted else None}
    seconds = round(part.drained_in, 3) if part.drained_in < inf else None
    return {"partition": digest, **waiting, "in_force": rate, "drain_seconds": seconds}


def override(over: Override) -> dict[str, Any]:
    """Return an override as plain values; times are seconds since 1970."""
    rate = over.rate.text if over.rate is not None else None
    who = {"by": over.by, "reason": over.reason, "at": round(over.at, 3), "until": over.until}
    more = {"partition": over.target.shown or over.target.partition or None, "max_running": over.max_running}
    said = {name: value for name, value in {**more, "weight": over.weight}.items() if value is not None}
    return {"limit": str(over.target.whole), **said, "kind": over.kind, "rate": rate, "burst": over.burst, **who}
