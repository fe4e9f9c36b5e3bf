"""One measurement of a row in workers of some pool, over some broker, and of those about workers that stop."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from support.scenarios.backlog import backlog
from support.scenarios.calls import calls
from support.scenarios.killed import killed
from support.scenarios.pool import PER_SECOND, full_pool
from support.scenarios.solo import solo
from support.scenarios.stops import stops
from support.scenarios.users import per_user

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.pools import Pool

TRIALS = 20
"""Stops in each run: a hundred in five."""


def one_backlog(pool: Pool, broker: str) -> Callable[[], dict[str, float]]:
    def measure() -> dict[str, float]:
        if broker in {"classic", "quorum"} and not shutil.which("rabbitmq-server"):
            raise FileNotFoundError("rabbitmq-server is missing, which Debian has in a package of that name")
        alone = backlog(count=0, pool=pool, broker=broker)
        mixed = backlog(pool=pool, broker=broker)
        return {
            "efficiency": mixed.efficiency,
            "excess": mixed.excess,
            "lost": mixed.lost,
            "twice": mixed.twice,
            "sent_back": mixed.sent_back / 500,
            "span": mixed.others_span / alone.others_span,
        }

    return measure


def kept_full(pool: Pool) -> Callable[[], dict[str, float]]:
    def measure() -> dict[str, float]:
        free, kept = full_pool(limited=False, pool=pool), full_pool(pool=pool)
        figures = {"sent_back": kept.sent_back_per_start, "lost": kept.lost, "twice": kept.twice}
        for task, rate in PER_SECOND.items():
            figures[f"excess_{task}"] = kept.excess[task]
            figures[f"part_{task}"] = kept.starts[task] / min(rate * 60, free.starts[task])
        return figures

    return measure


def users(pool: Pool) -> Callable[[], dict[str, float]]:
    def measure() -> dict[str, float]:
        without, crowded = per_user(big=0, pool=pool), per_user(pool=pool)
        return {
            "excess": max(without.excess, crowded.excess),
            "later": crowded.p95_wait - without.p95_wait,
            "p95": crowded.p95_wait,
            "lost": without.lost + crowded.lost,
            "twice": without.twice + crowded.twice,
        }

    return measure


def slow_calls() -> dict[str, float]:
    count = 2000
    measured = calls(count)
    return {**vars(measured), "sent_back": measured.sent_back / count}


def solo_workers() -> dict[str, float]:
    return vars(solo())


def killed_worker(*, late: bool) -> Callable[[], dict[str, float]]:
    def measure() -> dict[str, float]:
        return vars(killed(late=late))

    return measure


def stopped(pool: Pool) -> Callable[[], dict[str, float]]:
    def measure() -> dict[str, float]:
        return vars(stops(TRIALS, pool=pool))

    return measure
