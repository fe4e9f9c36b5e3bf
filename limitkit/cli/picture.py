"""What ``status`` and ``top`` show of the limits, and the same for programs."""

from __future__ import annotations

from math import floor
from typing import TYPE_CHECKING, Any, Final

from limitkit.bucket import MICROSECONDS
from limitkit.cli.deviations import few, lost, of_workers, reasons
from limitkit.cli.managed import rated
from limitkit.cli.output import count, span, table
from limitkit.partition import MISSING
from limitkit.units import interval_text
from limitkit.waiting import kinds

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from limitkit.cli.survey import Part, Row, Survey
    from limitkit.override import Override

_HEADINGS: Final = ("limit", "declared", "in force", "tokens", "held", "parked", "last minute", "oldest", "drained in")
_NUMBERS: Final = ("tokens", "held", "parked", "last minute")
_MANY: Final = 20
"""Up to so many limits, those with nothing going on are shown, too; and so many partitions."""
_DIGITS: Final = 8
"""Of a partition's hash."""


def head(survey: Survey) -> list[str]:
    """Say who was asked, and what is not as the file says in a worker as a whole."""
    who = "only the store was asked, for want of an app"
    if survey.workers is not None:
        names = sorted(survey.workers)
        who = f"{count(len(names), 'worker')} answered: {few(names)}" if names else "no worker answered"
    lines = [f"{survey.path} ({survey.digest}); {who}."]
    lines += [f"{each.subject}: {each.fact}; {each.hint}." for each in (*of_workers(survey), *lost(survey))]
    if survey.room is not None and survey.room != kinds.REDIS:
        lines.append(f"Tasks that can't start soon are parked in {survey.room}. {kinds.to_look(survey.room)}")
    return lines


def limits(survey: Survey, *, every: bool) -> list[str]:
    """Show the limits, the busy ones first; where nothing goes on they are only counted, if there are many."""
    busy = sorted((row for row in survey.rows if row.is_busy), key=lambda row: -row.waiting)
    idle = [row for row in survey.rows if not row.is_busy]
    folded = not every and len(survey.rows) > _MANY
    lines = _compact((*_HEADINGS, "why"), [_cells(row, survey) for row in (busy if folded else busy + idle)])
    if folded:
        left = f"{count(len(idle), 'limit')} with nothing going on, as declared; --all shows them."
        lines.append(f"And {left}" if busy else left)
    return lines or ["The file has no limit in force."]


def partitions(row: Row, survey: Survey) -> list[str]:
    """Show the partitions of a limit for which most is waiting."""
    parts = _busiest(row)
    if not parts:
        return []
    cells = [(_partition(digest), *_counted(part, survey, row)) for digest, part in parts]
    lines = ["", f"Busiest partitions of {row.current.target}:", "", *_compact(("partition", *_PART), cells)]
    rest = len(row.parts) - len(parts)
    return [*lines, f"And {rest} more."] if rest else lines


_PART: Final = ("held", "parked", "oldest", "drained in")


def _compact(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Draw a table without the columns of which nothing is known."""
    rows = list(rows)
    kept = [at for at in range(len(headings)) if any(row[at] not in ("", "-") for row in rows)]
    wanted = [headings[at] for at in kept]
    return table(wanted, [[row[at] for at in kept] for row in rows], numbers=_NUMBERS).splitlines() if rows else []


def _cells(row: Row, survey: Survey) -> tuple[str, ...]:
    current, asked, counted = row.current, survey.workers is not None, survey.room == kinds.REDIS
    drained = survey.drained_in(row)
    return (
        str(current.target),
        rated(current.limit.rate.text, current.limit.burst),
        rated(current.rate, current.burst),
        str(floor(row.tokens)) if row.tokens is not None else "-",
        str(row.held) if asked else "-",
        str(row.parked) if counted else "-",
        str(row.started) if asked else "-",
        span(row.oldest) if row.waiting else "-",
        "-" if not row.waiting else span(drained) if drained is not None else "not while paused",
        "; ".join(reasons(row, survey)),
    )


def _counted(part: Part, survey: Survey, row: Row) -> tuple[str, ...]:
    drained = survey.drained_in(row, part)
    return (
        str(part.held),
        str(part.parked) if survey.room == kinds.REDIS else "-",
        span(part.oldest) if part.parked else "-",
        span(drained) if drained is not None else "-",
    )


def _busiest(row: Row) -> list[tuple[str, Part]]:
    return sorted(row.parts.items(), key=lambda pair: (-pair[1].waiting, pair[0]))[:_MANY]


def _partition(digest: str) -> str:
    return "missing" if digest == MISSING.digest else digest[:_DIGITS]


def as_values(survey: Survey) -> dict[str, Any]:
    """Say it all as plain values, for JSON; what is not known is None."""
    workers = survey.workers
    return {
        "version": 1,
        "path": survey.path,
        "digest": survey.digest,
        "room": survey.room,
        "workers": None if workers is None else [_worker(name, workers[name]) for name in sorted(workers)],
        "limits": [_limit(row, survey) for row in survey.rows],
        "undeclared": [override(each) for each in survey.overrides if survey.row_of(each) is None],
    }


def _worker(name: str, report: Any) -> dict[str, Any]:
    keys = ("path", "digest", "since", "refused", "mode", "paced", "unguarded", "caps", "error")
    return {"name": name, **{key: report.get(key) for key in keys}}


def _limit(row: Row, survey: Survey) -> dict[str, Any]:
    current, asked, counted = row.current, survey.workers is not None, survey.room == kinds.REDIS
    drained = survey.drained_in(row)
    parts = [
        {"partition": digest, "held": part.held, "parked": part.parked if counted else None}
        for digest, part in _busiest(row)
    ]
    return {
        "limit": str(current.target),
        "entry": str(row.entry),
        "strategy": current.limit.strategy,
        "declared": {"rate": current.limit.rate.text, "burst": current.limit.burst},
        "in_force": {"rate": current.rate, "burst": current.burst, "source": current.source},
        "override": override(current.override) if current.override is not None else None,
        "mode": current.limit.mode,
        "shadow": {"came": row.seen, "delayed": row.shadowed} if current.limit.mode == "shadow" else None,
        "slowed": interval_text(round(row.slowed * MICROSECONDS)) if row.slowed else None,
        "dialled": {worker: interval_text(round(each * MICROSECONDS)) for worker, each in sorted(row.dialled.items())},
        "apart": dict(sorted(row.apart.items())),
        "tokens": round(row.tokens, 3) if row.tokens is not None else None,
        "held": row.held if asked else None,
        "parked": row.parked if counted else None,
        "started_last_minute": row.started if asked else None,
        "oldest_seconds": round(row.oldest, 3) if asked else None,
        "drain_seconds": round(drained, 3) if asked and drained is not None else None,
        "partitions": parts,
    }


def override(over: Override) -> dict[str, Any]:
    """Say an override as plain values; times are seconds since 1970."""
    rate = over.rate.text if over.rate is not None else None
    who = {"by": over.by, "reason": over.reason, "at": round(over.at, 3), "until": over.until}
    return {"limit": str(over.target), "kind": over.kind, "rate": rate, "burst": over.burst, **who}
