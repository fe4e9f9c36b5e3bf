"""How much work is enough: a fault is tried on all of it in ``make faults``, and a property once with all examples."""

import os

FULL = "LIMITKIT_FULL_SIZE" in os.environ
FEWER = "LIMITKIT_FEWER_EXAMPLES" in os.environ
"""Set where a suite runs again, on another Python."""


def sized(usual, full):
    return full if FULL else usual


def examples(usual):
    """Return how many examples a property is tried on."""
    return usual // 4 if FEWER else usual
