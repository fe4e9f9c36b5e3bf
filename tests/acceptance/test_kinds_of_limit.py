"""What limits of other kinds than rates must reach, on real workers, smaller than ``make bench`` measures it.

As in test_figures.py: what is asserted of times has room for a busy machine, what is asserted of how many start or run
has none beyond what every limit promises.
"""

import pytest
from support.measure import JITTER, most_at_once, most_within, promised
from support.scenarios.leases import LEASE, ends, killed_worker
from support.scenarios.queues import OWN_RATE, queue
from support.scenarios.running import running
from support.scenarios.tenants import partitions
from support.scenarios.tokens import tokens
from support.scenarios.windows import sliding

pytestmark = pytest.mark.quiet


def test_how_many_run_at_once_and_in_what_stretch():
    """The measures themselves: what begins at another's end does not overlap it; a stretch's end does not count."""
    assert most_at_once([(0, 2), (1, 3), (2, 4), (3, 5)]) == 2
    assert most_at_once([(0, 5), (1, 2), (3, 4), (3.5, 6)]) == 3
    assert most_within([0, 1, 2, 3, 3.5], 2) == 3
    assert most_within([0, 5, 10], 5) == 1


def test_no_more_than_so_many_run_at_once_and_others_pass():
    figures = running(count=100, seconds=0.05, most=4, others=100)
    assert (figures.lost, figures.twice, figures.sent_back) == (0, 0, 0)
    assert figures.at_once == 4
    assert figures.efficiency >= 0.15  # bench: 0.93; where each slot is found by polling once a second it is 0.05
    assert figures.store_calls_per_start <= 3
    assert figures.others_done <= 0.8  # they don't wait behind the others, which are as many and take longer


def test_however_tasks_end_their_slots_are_free_then():
    """The leases are of a minute: a slot that is not given back is still taken when this has long given up."""
    figures = ends(count=60, most=4)
    assert figures.lost == 0
    assert figures.at_once <= 4
    assert figures.live <= 4
    assert figures.left == 0


def test_the_slots_of_a_killed_worker_are_free_when_its_leases_end():
    figures = killed_worker()
    assert (figures.at_once, figures.live, figures.early, figures.left) == (4, 4, 0, 0)
    assert figures.seconds <= 3 * LEASE  # bench: the lease and 2 s; the tasks run for longer than this
    # A lease that was renewed no longer ago than a third of its time holds for the rest of it.
    assert figures.seconds >= 0.5 * LEASE


def test_no_stretch_of_a_window_s_time_has_more_starts_than_it_says():
    figures = sliding(number=20, window=2, seconds=6)
    assert (figures.lost, figures.twice) == (0, 0)
    assert figures.most <= 20
    assert figures.efficiency >= 0.4  # bench: 0.97


def test_true_costs_keep_to_the_rate_and_a_debt_is_paid():
    rate = 1000
    figures = tokens(count=14, rate=60 * rate, burst=2000, others=60)
    assert (figures.lost, figures.twice) == (0, 0)
    assert figures.over <= rate * JITTER + 1
    assert figures.used >= 0.4  # bench: 0.95
    assert figures.requests_excess <= promised(10)
    assert figures.requests_used >= 0.3  # bench: 0.95; where what is refused spends the other limit it is nothing
    assert figures.huge_wanted - JITTER <= figures.huge_waits <= figures.huge_wanted + 5


def test_a_queue_s_limit_holds_for_all_that_comes_from_there():
    figures = queue(each=9)
    assert (figures.lost, figures.twice) == (0, 0)
    assert figures.excess <= promised(30, 3)
    assert figures.own_excess <= promised(OWN_RATE)
    assert figures.efficiency >= 0.4  # bench: 0.97
    assert figures.other_done <= 0.85  # the other queue has no limit


def test_a_partition_with_terms_of_its_own_has_its_own_rate():
    figures = partitions(count=8, seconds=4)
    assert (figures.lost, figures.twice) == (0, 0)
    assert figures.acme_excess <= promised(10)
    assert figures.others_excess <= promised(1)
    assert figures.acme >= 0.4  # bench: 0.95; at the others' rate it is 0.1
    assert figures.others >= 0.4
