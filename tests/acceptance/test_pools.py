"""Limits in pools other than prefork, and in prefork over a broker without an event loop, on real workers.

Small, as in test_figures.py: what is asserted of time has room for a busy machine, what is asserted of excess has none.
What the guard alone would do in such a pool is in the comments: it keeps the rate, at the cost of what it sends back.
"""

from dataclasses import replace

import pytest
from support.measure import promised
from support.pools import GEVENT, PREFORK, SOLO, THREADS
from support.scenarios.backlog import backlog
from support.scenarios.pool import PER_SECOND, full_pool, static
from support.scenarios.users import per_user

pytestmark = pytest.mark.quiet

POOLS = [pytest.param(pool, id=pool.name) for pool in (THREADS, GEVENT, SOLO)]
PACED = [(THREADS, "redis"), (GEVENT, "redis"), (SOLO, "redis"), (PREFORK, "filesystem")]


@pytest.mark.parametrize(("pool", "broker"), PACED, ids=["threads", "gevent", "solo", "prefork-filesystem"])
def test_a_backlog_drains_at_the_declared_rate_and_lets_others_pass(pool, broker):
    # All are due within what a worker holds: what is parked over a folder of files is sent back with an ETA.
    figures = backlog(count=40, rate=20, burst=4, others=200, pool=pool, broker=broker)
    assert (figures.lost, figures.twice, figures.retries) == (0, 0, 0)
    assert figures.excess <= promised(20, 4)  # bench: burst + 1.5
    assert figures.efficiency >= 0.5  # bench: 0.97
    assert figures.sent_back <= 4  # bench: 1 %; the guard alone sends each back several times, or holds up the others
    # bench: their span <= 1.3 x alone; where they wait behind the limited ones it is 1
    assert figures.others_done <= 0.8


@pytest.mark.parametrize("pool", POOLS)
def test_a_static_limit_holds_in_each_worker(pool):
    figures = static(count=100, rate=20, others=60, changed=24, pool=replace(pool, workers=2))
    assert (figures.lost, figures.twice) == (0, 0)
    assert figures.excess <= promised(20)  # the guard alone keeps no static limit
    assert figures.rate >= 22  # of both; where they share one bucket it is 20
    assert figures.others_done <= 0.8
    assert figures.changed_excess <= promised(10)
    assert figures.changed_rate <= 20 * 1.2  # 40 is the rate before the change


@pytest.mark.parametrize("pool", POOLS)
def test_limits_hold_and_nobody_starves_while_the_pool_is_full(pool):
    seconds = 6
    figures = full_pool(seconds=seconds, task_seconds=1.0, pool=pool)
    assert (figures.lost, figures.twice) == (0, 0)
    # The long tasks are one in four messages, so they tell how many the pool would start of each. All places of a solo
    # worker come free at once, mostly at the same moment as the others': then one of them has the token.
    possible = figures.starts["slow"] / (pool.workers if pool is SOLO else 1)
    for task, rate in PER_SECOND.items():
        assert figures.excess[task] <= promised(rate)  # bench: 2
        assert figures.starts[task] >= max(1, int(0.4 * min(rate * seconds, possible))), task  # bench: 0.8
    assert figures.sent_back_per_start <= 0.2  # bench: 0


@pytest.mark.parametrize("pool", POOLS)
def test_a_big_user_is_limited_and_holds_nobody_up(pool):
    figures = per_user(users=15, each=4, big=18, rate=4, burst=2, all_of_big=True, pool=pool)
    assert (figures.lost, figures.twice) == (0, 0)
    assert figures.excess <= promised(4, 2)
    assert figures.small_done < figures.span - 1.0  # ideal: 0.5 s of 4 s
    assert figures.sent_back <= 0.1 * (15 * 4 + 18)
