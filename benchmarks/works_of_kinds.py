"""One measurement of a row about the kinds of limit beside rates."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from support.scenarios import leases, queues, running, scheduled, tenants, tokens, turns, windows

if TYPE_CHECKING:
    from collections.abc import Callable

FROZEN = 60.0
UNLIMITED = 20_400


def slots() -> dict[str, float]:
    alone, mixed = running.running(count=0), running.running()
    return {**vars(mixed), "span": mixed.others_span / alone.others_span}


def one_by_one() -> dict[str, float]:
    return vars(running.one_by_one())


def ended() -> dict[str, float]:
    """End tasks in each way that takes a process with it, or hands the task on; the worst of each figure."""
    found = [leases.ended(how) for how in ("killed", "exits", "hard", "revoked", "retries")]
    return {
        "at_once": max(each.at_once for each in found),
        "seconds": max(each.seconds for each in found),
        "left": sum(each.left for each in found),
        "lost": sum(each.lost for each in found),
    }


def gone() -> dict[str, float]:
    killed = leases.killed_worker(lease=15.0)
    frozen = leases.killed_worker(signal.SIGSTOP, lease=15.0, frozen=FROZEN)
    return {
        "killed": killed.seconds - 15.0,
        "frozen": frozen.seconds - 15.0,
        "at_once": max(killed.at_once, frozen.at_once),
        "live": max(killed.live, frozen.live),
        "early": killed.early + frozen.early,
        "left": killed.left + frozen.left,
        "lost": killed.lost + frozen.lost,
    }


def all_ends() -> dict[str, float]:
    return vars(leases.ends())


def many_tenants() -> dict[str, float]:
    free, limited = tenants.tenants(limited=False), tenants.tenants()
    return {**vars(limited), "growth": limited.growth - free.growth}


def partitions() -> dict[str, float]:
    return vars(tenants.partitions())


def true_costs() -> dict[str, float]:
    found = tokens.tokens()
    return {**vars(found), "huge_late": found.huge_waits - found.huge_wanted}


def window() -> dict[str, float]:
    return vars(windows.sliding())


def fair(weight: float | None, *, later: bool) -> Callable[[], dict[str, float]]:
    def measure() -> dict[str, float]:
        span = turns.unlimited(UNLIMITED)
        found = turns.turns(weight=weight, later=later)
        return {**vars(found), "out": found.out_of_queue / span, "unlimited": UNLIMITED / span}

    return measure


def queue() -> dict[str, float]:
    return vars(queues.queue())


def schedule() -> dict[str, float]:
    return vars(scheduled.scheduled())
