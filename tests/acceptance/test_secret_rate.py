"""Workers settle at a rate that a partner keeps secret, and find a lower one; a higher one is for ``make bench``."""

import pytest
from support.scenarios.secret import secret

pytestmark = pytest.mark.quiet


def test_workers_find_a_rate_that_is_kept_secret():
    """The bounds have room for a busy machine; without feedback four of five requests are refused all the time."""
    found = secret(20, 12, seconds=22)
    assert (found.lost, found.retries) == (0, 0)
    for phase in found.phases:
        assert phase.found <= 18, phase  # bench: 30, for twice the rate
        assert phase.used >= 0.7, phase  # bench: 0.9
        assert phase.refused <= 0.05, phase  # bench: 0.02
