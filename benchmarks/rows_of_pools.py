"""Pools other than prefork, brokers other than Redis, and workers that are stopped or killed."""

from __future__ import annotations

from support.pools import GEVENT, PREFORK, SOLO, THREADS, Pool
from support.scenarios.pool import PER_SECOND

from benchmarks import works_of_pools as works
from benchmarks.row import LOST, TWICE, Row, Target


def backlog_row(key: str, where: str, pool: Pool = PREFORK, broker: str = "redis") -> Row:
    return Row(
        key,
        f"500 tasks at 50/s burst 10, 1,000 unlimited ones behind them in one queue; {where}",
        (
            Target("efficiency", "efficiency", least=0.97),
            Target("excess", "excess", most=11.5),
            Target("sent_back", "sent back, per task", most=0.01),
            Target("span", "first to last start of the 1,000, over the same without the 500", most=1.3),
            LOST,
            TWICE,
        ),
        works.one_backlog(pool, broker),
    )


def full_pool_row(key: str, where: str, pool: Pool = PREFORK) -> Row:
    return Row(
        key,
        f"pool kept full of 2 s tasks for 60 s, limits of 10/s, 1/s and 6/m (burst 1) on tasks between them; {where}",
        (
            *(Target(f"excess_{task}", f"excess at {rate:g}/s", most=2) for task, rate in PER_SECOND.items()),
            *(
                Target(f"part_{task}", f"starts at {rate:g}/s, over what limit and pool allow", least=0.8)
                for task, rate in PER_SECOND.items()
            ),
            Target("sent_back", "sent back, per start", most=0),
            LOST,
            TWICE,
        ),
        works.kept_full(pool),
        waits=True,
    )


def users_row(key: str, where: str, pool: Pool = PREFORK, *, waits: bool = False) -> Row:
    return Row(
        key,
        f"100 users with 10 tasks each at 2/s burst 3, behind one with 200; {where}",
        (
            Target("excess", "worst user's excess", most=4),
            Target("later", "p95 of the small users' waits, minus that without the big one", most=0.1, unit=" s"),
            Target("p95", "that p95", unit=" s"),
            LOST,
            TWICE,
        ),
        works.users(pool),
        waits=waits,
    )


def _killed_row(key: str, acknowledged: str, *, late: bool) -> Row:
    return Row(
        key,
        f"one of two workers is killed after 600 of 2,000 tasks at 100/s burst 10, acknowledged {acknowledged}, with a "
        "visibility timeout of an hour",
        (
            Target("left", "tasks that had not started 25 s after the kill", most=0, least=0, every=True),
            Target("last", "last start, after the kill", most=25, unit=" s"),
            Target("excess", "excess", most=12),
            Target("held", "unacknowledged messages of both workers just after the kill"),
            Target("twice", "started twice: what was running", most=2, every=True),
            LOST,
            Target("celery_lost", "lost by Celery itself"),
        ),
        works.killed_worker(late=late),
    )


def _stops_row(pool: Pool) -> Row:
    return Row(
        f"stops-{pool.name}",
        f"both of two {pool.name} workers get SIGTERM in mid-drain of 900 tasks at 300/s, "
        f"{works.TRIALS} times in each run",
        (
            Target("given_back", "tasks that started and were given back", most=0, least=0, every=True),
            Target("stranded", "messages left to the visibility timeout", most=0, least=0, every=True),
            LOST,
            TWICE,
            Target("longest_stop", "longest time from SIGTERM to a worker's end", most=10, every=True, unit=" s"),
            Target("excess", "excess"),
        ),
        works.stopped(pool),
    )


POOLS = (
    backlog_row("threads", "2 workers with 8 threads", THREADS),
    backlog_row("gevent", "2 workers with 20 greenlets", GEVENT),
    backlog_row("solo-4", "4 solo workers", SOLO),
    backlog_row("rabbitmq", "a classic queue of RabbitMQ", broker="classic"),
    backlog_row("quorum", "a quorum queue of RabbitMQ", broker="quorum"),
    full_pool_row("pool-threads", "2 workers with 8 threads", THREADS),
    full_pool_row("pool-gevent", "2 workers with 20 greenlets", GEVENT),
    users_row("users-threads", "2 workers with 8 threads", THREADS),
    Row(
        "calls",
        "500 greenlets of one worker: 2,000 tasks at 200/s burst 20, each of which waits 1 s for an HTTP server",
        (
            Target("efficiency", "efficiency", least=0.97),
            Target("excess", "excess", most=22),
            Target("sent_back", "sent back, per task"),
            LOST,
            TWICE,
        ),
        works.slow_calls,
    ),
    Row(
        "solo-10",
        "10 solo workers on one limit of 50/s, 1,000 tasks",
        (
            Target("efficiency", "efficiency", least=0.97),
            Target("excess", "excess", most=4.5),
            Target("least_share", "starts of the worker with the fewest, over the mean", least=0.5),
            Target("most_share", "starts of the worker with the most, over the mean", most=2),
            Target("sent_back", "sent back, per task", most=0.02),
            LOST,
            TWICE,
        ),
        works.solo_workers,
    ),
    _killed_row("killed", "as they begin", late=False),
    _killed_row("killed-late", "as they end", late=True),
    *map(_stops_row, (PREFORK, THREADS, GEVENT, SOLO)),
)
