"""A call that was repeated is made no more once it is cancelled, on each timer that a worker may have."""

import time

import gevent
import pytest
from celery.concurrency.gevent import Timer as GreenTimer
from celery.utils.timer2 import Timer as ThreadTimer
from support.workers import wait_until

from limitkit.events.repeated import Repeated

TIMERS = {"greenlets": (GreenTimer, gevent.sleep), "a thread": (ThreadTimer, time.sleep)}


@pytest.mark.parametrize("kind", TIMERS)
def test_it_ends_when_it_is_cancelled_also_after_the_first_time(kind):
    timer, rest = TIMERS[kind]
    made = []
    clock = timer(max_interval=0.01)
    repeated = Repeated(clock, 0.01, lambda: made.append(1))
    wait_until(lambda: rest(0.01) or len(made) > 3)
    repeated.cancel()
    count = len(made)
    rest(0.2)
    assert len(made) == count
    wait_until(lambda: rest(0.01) or not clock.queue)  # nor does it go round for ever
    if timer is ThreadTimer:
        clock.stop()
