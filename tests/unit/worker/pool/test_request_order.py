"""A message's place: by its priority as its broker means it, then by when it first came to a worker."""

import itertools
import time
from types import SimpleNamespace

import pytest

from limitkit.clock import SYSTEM
from limitkit.waiting.message_copy import waits
from limitkit.waiting.origin_queue import priority_of
from limitkit.waiting.room import MOST_ORDERS, ORDER, ORDERS_A_SECOND
from limitkit.worker.pool.request_order import Arrivals


def message(*, priority=None, **properties):
    return SimpleNamespace(headers={}, properties={"priority": priority, **properties}, channel=None)


def connection(driver):
    return SimpleNamespace(transport=SimpleNamespace(driver_type=driver))


@pytest.mark.parametrize("driver", ["amqp", "qpid", "mongodb", "zookeeper"])
def test_the_higher_number_goes_first(driver):
    given = [None, 9, 0, 255, 4, "high"]
    assert [priority_of(message(priority=each), connection(driver)) for each in given] == [0, -9, 0, -255, -4, 0]


@pytest.mark.parametrize("driver", ["sqs", "memory", "filesystem", "N/A"])
def test_brokers_without_priorities_know_none_here_either(driver):
    assert {priority_of(message(priority=each), connection(driver)) for each in (None, 9, 0)} == {0}


@pytest.fixture
def arrivals():
    return Arrivals(lambda: connection("amqp"), SYSTEM)


def parked(seconds_ago, number=0):
    """Describe a message as the waiting room in Redis gives it back."""
    order = int((time.time() - seconds_ago) * ORDERS_A_SECOND) + number
    return message(**{ORDER: str(3 * MOST_ORDERS + order)})


def test_priority_then_arrival(arrivals):
    given = [0, 5, 0, 9, 5]
    places = [arrivals(message(priority=each)) for each in given]
    assert sorted(range(5), key=places.__getitem__) == [3, 1, 4, 0, 2]


def test_who_was_parked_goes_before_who_came_after_him(arrivals):
    held = arrivals(message())
    newer = arrivals(parked(-1))  # by a clock that is ahead of this one
    older, oldest = arrivals(parked(60)), arrivals(parked(61))
    assert sorted([held, newer, older, oldest]) == [oldest, older, held, newer]


def test_those_that_were_parked_at_once_keep_their_order(arrivals):
    messages = [parked(5, number) for number in range(200)]
    places = [arrivals(each) for each in reversed(messages)]
    assert sorted(places) == places[::-1]


def test_the_order_of_parked_ones_outlives_that_clocks_are_not_read_at_once():
    late = itertools.cycle([0.0, -0.001, 0.002])  # between two readings of them
    clock = SimpleNamespace(monotonic=time.monotonic, time=lambda: time.time() + next(late))
    arrivals = Arrivals(lambda: connection("amqp"), clock)
    messages = [parked(5, number) for number in range(9)]
    places = [arrivals(each) for each in messages]
    assert sorted(places) == places


def test_who_waited_in_rabbitmq_goes_before_who_came_after_him(arrivals):
    waited = message()
    waited.headers = {"limitkit_wait": waits(waited, turn=30.0, wait=30.0)._asdict()}
    held, back = arrivals(message()), arrivals(waited)
    assert back < held
    assert held.came - back.came == pytest.approx(30, abs=1)
