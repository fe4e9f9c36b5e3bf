"""Limits of other kinds than rates: how many run at once, windows, costs, turns, partitions, queues, schedules."""

from __future__ import annotations

from benchmarks import works_of_kinds as works
from benchmarks.row import LOST, TWICE, Row, Target

_LEFT = Target("left", "leases left after the end", most=0, least=0, every=True)
_LIVE = Target("live", "most live leases", most=4, every=True)


def _at_once(most: int) -> Target:
    return Target("at_once", "most that ran at once", most=most, every=True)


def _fair_row(key: str, says: str, shares: int, weight: float | None = None, *, later: bool = False) -> Row:
    """``shares`` is how many times another tenant's share the big one has."""
    return Row(
        key,
        f"50/s burst 5 in turns: 20,000 tasks of one tenant, then 20 of each of 20 others{says}",
        (
            Target("out", "time until all are out of the queue, over that for as many unlimited ones", most=1.5),
            Target("last", "last start of the others, from then on", most=1.3 * 420 / 50, unit=" s"),
            Target("share", "the big tenant's part of the starts meanwhile", 0.03 * shares, 0.08 * shares),
            Target("efficiency", "efficiency until then", least=0.97),
            Target("excess", "excess", most=8.5),
            Target("unlimited", "the same workers with no limit", unit="/s"),
            LOST,
            TWICE,
        ),
        works.fair(weight, later=later),
    )


KINDS = (
    Row(
        "slots",
        "4 at once of 400 tasks of 50 ms, 500 unlimited ones between them; 2 workers with 4 processes",
        (
            _at_once(4),
            Target("efficiency", "of 80 a second", least=0.93),
            Target("span", "first to last start of the 500, over the same without the 400", most=1.1),
            Target("store_calls_per_start", "store calls per start"),
            Target("sent_back", "sent back", most=0),
            LOST,
            TWICE,
        ),
        works.slots,
    ),
    Row(
        "one-at-once",
        "1 at once of 200 tasks of 100 ms, two workers",
        (
            _at_once(1),
            Target("median_gap", "median time from an end to the next start", most=0.015, unit=" s"),
            Target("p99_gap", "its p99", most=0.1, unit=" s"),
            LOST,
            TWICE,
        ),
        works.one_by_one,
    ),
    Row(
        "slot-ends",
        "1 at once: a process is killed, exits, or meets its time limit; a task is revoked (terminated), or retries",
        (
            _at_once(1),
            Target("seconds", "longest time until the next starts", most=0.5, unit=" s"),
            _LEFT,
            LOST,
        ),
        works.ended,
    ),
    Row(
        "slot-lost",
        "a worker that runs 2 of 4 is killed, or stopped for 60 s; leases of 15 s",
        (
            _at_once(4),
            _LIVE,
            Target("killed", "until its slots are used, beyond the lease; killed", most=2, every=True, unit=" s"),
            Target("frozen", "the same; stopped", most=2, every=True, unit=" s"),
            Target("early", "starts before that", most=0, least=0, every=True),
            _LEFT,
        ),
        works.gone,
        waits=True,
    ),
    Row(
        "slot-leaks",
        "4 at once of 1,000 tasks that end in ten ways at random; 2 workers with 4 processes",
        (
            _at_once(4),
            _LIVE,
            _LEFT,
            Target("drained", "from the last start until no lease is left", unit=" s"),
            LOST,
        ),
        works.all_ends,
    ),
    Row(
        "tenants",
        "3 at once of each of 500 tenants' 10 tasks of 20 s; 2 workers with 750 greenlets",
        (
            _at_once(3),
            Target("growth", "growth of a worker's memory beyond that without a limit", most=20, unit=" MB"),
            Target("store_calls_per_start", "store calls per start", most=3),
            Target("throughput", "least throughput of a tenant, over its own", least=0.9),
            Target("median", "its median"),
            LOST,
            TWICE,
        ),
        works.many_tenants,
    ),
    Row(
        "costs",
        "60,000 tokens a minute burst 2,000 and 600 requests a minute; estimates of 500, true costs of 50 to 1,500",
        (
            Target("over", "most true tokens in a window over rate x time, burst and what was under way", most=51),
            Target("used", "part of the tokens used", least=0.95),
            Target("requests_used", "part of the requests used by others, while tokens refuse most", least=0.95),
            Target("requests_excess", "their excess", most=2),
            Target("huge_late", "start after one of 5,000, beyond what its debt takes", -0.1, 0.3, " s"),
            LOST,
            TWICE,
        ),
        works.true_costs,
        waits=True,
    ),
    Row(
        "window",
        "a window of 100 in 5 s, endless backlog, two workers, a minute",
        (
            Target("most", "starts in the fullest 5 s", most=100, every=True),
            Target("efficiency", "of 20 a second", least=0.97),
            Target("sent_back", "sent back"),
            LOST,
            TWICE,
        ),
        works.window,
        waits=True,
    ),
    _fair_row("turns", "", 1),
    _fair_row("turns-weighted", "; the first has weight 3", 3, 3),
    _fair_row("turns-changed", "; the first gets weight 3 when all are parked", 3, 3, later=True),
    Row(
        "partitions",
        "one tenant at 10/s, 50 others at 1/s",
        (
            Target("acme", "efficiency of the one", least=0.95),
            Target("others", "least efficiency of the others", least=0.95),
            Target("acme_excess", "excess of the one", most=2.5),
            Target("others_excess", "worst excess of the others", most=2),
            LOST,
            TWICE,
        ),
        works.partitions,
        waits=True,
    ),
    Row(
        "queue",
        "a queue's limit of 30/s burst 3: ten kinds of tasks through it and another queue, one with 2/s of its own",
        (
            Target("efficiency", "efficiency of the queue", least=0.97),
            Target("excess", "its excess", most=4.5),
            Target("own_excess", "excess of the task's own limit, from both queues", most=2),
            Target("other_span", "first to last start from the other queue", unit=" s"),
            Target("other_done", "part of the queue's starts until then", most=0.3),
            LOST,
            TWICE,
        ),
        works.queue,
    ),
    Row(
        "schedule",
        "5/s, and 20/s for a minute of the wall clock; workers whose clocks are 2 s apart",
        (
            Target("up", "until 0.9 of the higher rate, after the store's minute", most=1, unit=" s"),
            Target("down", "until the lower rate is kept", most=1, unit=" s"),
            Target("early", "excess over the lower rate before", most=2),
            Target("used", "part of the higher rate used", least=0.95),
            LOST,
            TWICE,
        ),
        works.schedule,
        waits=True,
    ),
)
