"""Backlogs that no worker can hold, on real workers, smaller than ``make bench`` measures them.

Bounds of time have room for a busy machine; bounds of excess have none beyond what every limit promises.
"""

import pytest
from support.measure import promised
from support.scenarios.huge import huge, joins

pytestmark = pytest.mark.quiet


def test_a_backlog_that_no_worker_can_hold_lets_others_pass():
    figures = huge(count=3000, rate=50, burst=10, others=300, watched=100)
    assert (figures.lost, figures.twice) == (0, 0)
    assert figures.excess <= promised(50, 10)
    # Two workers hold 2 s' starts and 32 others each, and what comes back; if they held all, it would be 3,000.
    assert figures.held <= 1000
    # bench: 1.5 times as long as with no limit at all. In the order of arrival it would be 1, at 60 s.
    assert figures.others_done <= 0.5


def test_a_worker_that_joins_gets_its_share():
    figures = joins(count=600, rate=50, before=100)
    assert (figures.lost, figures.twice) == (0, 0)
    assert figures.excess <= promised(50, 10)
    # bench: 0.3. Where the first worker has fetched all it is 0.
    assert figures.share >= 0.15


def test_a_worker_that_joins_gets_its_share_of_what_waits_for_each_worker_s_own_limit():
    figures = joins(count=28, rate=2, burst=1, before=4, strategy="static")
    assert (figures.lost, figures.twice) == (0, 0)
    # Where the first worker holds four prefetch windows of them, all that there are, it is 0.
    assert figures.share >= 0.25
