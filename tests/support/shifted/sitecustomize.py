"""Python imports this first of all, where this folder is on its path: the wall clock is wrong by ``CLOCK_AHEAD``."""

import os
import time

AHEAD = float(os.environ["CLOCK_AHEAD"])
real, real_ns = time.time, time.time_ns
time.time = lambda: real() + AHEAD
time.time_ns = lambda: real_ns() + int(AHEAD * 1e9)
