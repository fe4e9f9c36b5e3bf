"""One measurement of a row: runs a shared scenario at its full size, and names what comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.scenarios import huge
from support.scenarios.backlog import backlog, capacity, restarts
from support.scenarios.changed_rate import changed
from support.scenarios.crowd import crowd
from support.scenarios.lanes import dead, due_at_once
from support.scenarios.pool import static
from support.scenarios.secret import secret
from support.scenarios.users import greedy, stream

from benchmarks import counted, micro, scraped, starting
from benchmarks import unlimited as unlimited_tasks

if TYPE_CHECKING:
    from collections.abc import Callable


def changed_rate() -> dict[str, float]:
    return vars(changed())


def static_limit() -> dict[str, float]:
    return vars(static())


def shared() -> dict[str, float]:
    one, endless = greedy(), stream()
    return {
        "shared_excess": max(one.shared_excess, endless.shared_excess),
        "each_excess": max(one.each_excess, endless.each_excess),
        "efficiency": one.efficiency,
        "share": endless.share,
        "rate": endless.rate,
        "lost": one.lost + endless.lost,
        "twice": one.twice + endless.twice,
    }


def fast(rate: int, burst: int, count: int) -> Callable[[], dict[str, float]]:
    def measure() -> dict[str, float]:
        unlimited = capacity(3000)
        measured = backlog(count, rate, burst, 0, workers_first=True, own_store=True)
        return {**vars(measured), "sent_back": measured.sent_back / count, "unlimited": unlimited}

    return measure


def never_started() -> dict[str, float]:
    revoked, expired = dead(), dead(revoked=False, expired=True)
    return {
        "late_revoked": revoked.late,
        "late_expired": expired.late,
        "started": revoked.started + expired.started,
        "twice": revoked.twice + expired.twice,
    }


def lanes() -> dict[str, float]:
    alone, during, quiet = due_at_once(lanes=0), due_at_once(), due_at_once(others=0)
    return {
        "throughput": during.throughput / alone.throughput,
        "late": quiet.last_late - 1000 / alone.throughput,
        "late_in_all": quiet.last_late,
        "late_during": during.last_late,
        "early": during.early + quiet.early,
        "lost": during.lost + quiet.lost,
        "twice": during.twice + quiet.twice,
    }


def restarted() -> dict[str, float]:
    return vars(restarts())


def huge_backlog(count: int = 100_000, others: int = 1000) -> dict[str, float]:
    span = huge.unlimited(count + others)
    found = huge.huge(count, others=others)
    return {**vars(found), "span": found.others_span / span, "unlimited": (count + others) / span}


def joins() -> dict[str, float]:
    return vars(huge.joins())


def parks() -> dict[str, float]:
    unlimited = capacity(3000)
    return {**vars(huge.parks()), "unlimited": unlimited}


def many_users() -> dict[str, float]:
    unlimited = capacity(6000)
    return {**vars(crowd(unlimited)), "unlimited": unlimited}


def secret_rate(retry_after: int | None) -> Callable[[], dict[str, float]]:
    def measure() -> dict[str, float]:
        found = secret(20, 40, 15, seconds=75, retry_after=retry_after, settling=30)
        first, up, down = found.phases
        return {
            "used": min(phase.used for phase in found.phases),
            "refused": max(phase.refused for phase in found.phases),
            "up": up.found,
            "down": down.found,
            "first": first.found,
            "early": first.refused_before,
            "retries": found.retries,
            "lost": found.lost,
        }

    return measure


def take(pairs: int) -> list[dict[str, float]]:
    measured = micro.take_against_evalsha(pairs)
    return [{"ratio": take / bare, "micros": 1e6 * take} for take, bare in measured]


def kinds(pairs: int) -> list[dict[str, float]]:
    measured, size = micro.kinds_against_bucket(pairs)
    return [{"size": size} | {name: each / of["bucket"] for name, each in of.items()} for of in measured]


def unlimited(pairs: int) -> list[dict[str, float]]:
    touched = len(micro.untouched())
    samples = []
    for _ in range(pairs):
        without, installed = capacity(limitkit=False), capacity()
        samples.append({"ratio": installed / without, "per_second": installed, "touched": touched})
    return samples


def counting(pairs: int) -> list[dict[str, float]]:
    return [counted.pair() for _ in range(pairs)]


def scrapes() -> dict[str, float]:
    return scraped.scrapes()


def importing(pairs: int) -> list[dict[str, float]]:
    return [{"more": 1000 * (both - celery)} for both, celery in micro.import_cost(pairs)]


def unlimited_cost(pairs: int) -> list[dict[str, float]]:
    found: list[dict[str, float]] = unlimited_tasks.pairs(pairs)
    return found


def starts(pairs: int) -> list[dict[str, float]]:
    found: list[dict[str, float]] = starting.pairs(pairs)
    return found
