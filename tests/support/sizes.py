"""How much work a fault is tried on: less in each run of the tests, all of it in ``make faults``."""

import os

FULL = "LIMITKIT_FULL_SIZE" in os.environ


def sized(usual, full):
    return full if FULL else usual
