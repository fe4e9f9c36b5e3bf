"""The figures of ``simulate`` as plain values, for JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from limitkit.cli.simulate.promises import allowed, over
from limitkit.trial.not_known import not_known
from limitkit.trial.series import series_of

if TYPE_CHECKING:
    from limitkit.cli.simulate.played import Played
    from limitkit.trial.figures import Row

_BINS: Final = 200
_DIGITS: Final = 6
"""Times are whole microseconds."""


def as_values(played: Played) -> dict[str, Any]:
    """Return all figures, and the curves of limits; times are seconds from the beginning of the play."""
    figures, scenario = played.figures, played.scenario
    unknown = not_known(scenario, played.limits, figures, traced=played.traced)
    return {
        "version": 1,
        "scenario": played.source,
        "recorded": played.traced,
        "path": played.path,
        "seed": played.seed,
        "workers": scenario.workers,
        "processes": scenario.processes,
        "ended": round(figures.ended, _DIGITS),
        "complete": figures.complete,
        "all": {**_row(figures.whole), "curve": _curve(played, figures.whole)},
        "limits": [_limit(played, row) for row in figures.limits],
        "tasks": [{"task": row.name, **_row(row)} for row in figures.tasks],
        "store_calls": figures.store_calls,
        "room_calls": figures.room_calls,
        "sent_back": figures.sent_back,
        "memory": {
            "most_held": figures.most_held,
            "held_bytes": figures.held_bytes,
            "most_parked": figures.most_parked,
            "parked_bytes": figures.parked_bytes,
        },
        "by_worker": [
            {"worker": each.name, "starts": each.starts, "most_held": each.most_held} for each in played.outcome.workers
        ],
        "warnings": list(played.outcome.warnings),
        "not_kept": list(over(played)),
        "not_known": list(unknown),
    }


def _limit(played: Played, row: Row) -> dict[str, Any]:
    limit = played.limits.get(row.name)
    declared = {"rate": limit.rate_text, "burst": limit.most, "strategy": limit.strategy} if limit is not None else None
    most = {"in_second": allowed(limit, row, 1), "in_minute": allowed(limit, row, 60)}
    more = {"buckets": row.buckets, "most_running": row.most_running, "largest_cost": row.largest_cost}
    shown = {"declared": declared, "mode": limit.mode if limit is not None else None, "allowed": most, **more}
    return {"limit": row.name, **shown, **_row(row), "curve": _curve(played, row)}


def _curve(played: Played, row: Row) -> dict[str, Any]:
    series = series_of(played.runs_of(row), played.end, _BINS)
    return {"bin_seconds": series.bin, "starts": series.starts, "backlog": series.backlog}


def _row(row: Row) -> dict[str, Any]:
    waits = {name: round(value, _DIGITS) for name, value in asdict(row.waits).items()} if row.waits else None
    return {
        "sent": row.sent,
        "started": row.started,
        "started_again": row.again,
        "waiting": row.waiting,
        "dropped": row.dropped,
        "failed": row.failed,
        "lost": row.lost,
        "waits": waits,
        "longest_backlog": asdict(row.backlog),
        "drained_at": row.drained_at,
        "busiest_second": asdict(row.second),
        "busiest_minute": asdict(row.minute),
    }
