"""The loops that a pacer may run on: one call at a time, at its time, and none is lost."""

import threading
import time
from types import SimpleNamespace

import pytest
from kombu.asynchronous import Hub
from support.given_clock import GivenClock
from support.workers import wait_until

from limitkit.clock import SYSTEM
from limitkit.worker.pool.loops import ConsumingLoop, HubLoop, LockedLoop


class Connection:
    """It waits for messages, of which there are none."""

    def __init__(self):
        self.waits = []

    def drain_events(self, timeout=None):
        self.waits.append(timeout)


def consumer(hub=None):
    return SimpleNamespace(hub=hub, connection=Connection())


def never():
    return False


def in_a_thread(call, *args):
    thread = threading.Thread(target=call, args=args)
    thread.start()
    thread.join()


@pytest.fixture
def locked():
    loop = LockedLoop(SYSTEM)
    loop.connected(consumer(), never)
    yield loop
    loop.close()


@pytest.fixture
def hub():
    hub = Hub()
    yield hub
    hub.close()


def test_a_hub_that_sleeps_is_woken_by_what_a_thread_posts(hub):
    loop, made = HubLoop(hub.timer), []
    loop.connected(consumer(hub), never)
    hub.run_once()  # older kombu has no waker of its own
    began = time.monotonic()
    hub.call_later(30, made.append, "later")
    threading.Timer(0.1, loop.post, (made.append, "posted")).start()
    wait_until(lambda: hub.run_once() or made)
    assert made == ["posted"]
    assert time.monotonic() - began < 20
    loop.close()


def test_what_is_posted_in_the_hub_s_own_thread_is_made_at_once(hub):
    loop, made = HubLoop(hub.timer), []
    loop.post(made.append, 1)
    assert made == [1]


def test_what_was_posted_while_there_was_no_connection_is_made_on_the_next(hub):
    loop, made = HubLoop(hub.timer), []
    in_a_thread(loop.post, made.append, 1)
    assert made == []
    loop.connected(consumer(hub), never)
    assert made == [1]
    loop.close()


def test_one_that_fails_does_not_keep_the_others(locked):
    made = []
    locked.post(lambda: 1 / 0)
    locked.post(made.append, 1)
    wait_until(lambda: made)


def test_calls_are_made_in_their_order_and_at_their_time(locked):
    made = []
    now = time.monotonic()
    locked.call_at(now + 0.2, lambda: made.append(("late", time.monotonic())))
    cancelled = locked.call_at(now + 0.05, lambda: made.append(("cancelled", 0)))
    locked.call_at(now + 0.1, lambda: made.append(("early", time.monotonic())))
    cancelled.cancel()
    wait_until(lambda: len(made) == 2)
    (first, early), (second, late) = made
    assert (first, second) == ("early", "late")
    assert early >= now + 0.1
    assert late >= now + 0.2


def test_one_thread_is_in_at_a_time(locked):
    inside, most = [], []

    def work():
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.001)
        inside.pop()

    def run():
        for _ in range(20):
            locked.run(work)
            locked.post(work)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: len(most) == 160)
    assert max(most) == 1


def test_who_consumes_waits_for_messages_only_shortly_while_what_it_may_fetch_can_change():
    busy, there = [], consumer()
    loop = LockedLoop(SYSTEM)
    loop.connected(there, lambda: bool(busy))
    there.connection.drain_events(timeout=2.0)
    busy.append(1)
    there.connection.drain_events(timeout=2.0)
    there.connection.drain_events()
    assert there.connection.waits == [2.0, 0.1, None]
    loop.close()


def test_the_thread_that_consumes_makes_all_calls():
    loop, there, made = ConsumingLoop(SYSTEM), consumer(), []
    loop.connected(there, never)
    in_a_thread(loop.post, lambda: made.append(threading.current_thread()))
    in_a_thread(loop.run, lambda: made.append(threading.current_thread()))
    assert made == []
    there.connection.drain_events(timeout=2.0)
    assert made == [threading.current_thread()] * 2
    assert loop.run(lambda: "at once") == "at once"


def test_who_consumes_waits_for_messages_no_longer_than_until_the_next_call():
    clock = GivenClock()
    loop, there, made = ConsumingLoop(clock), consumer(), []
    loop.connected(there, never)
    loop.call_at(1000.05, lambda: made.append(1))
    there.connection.drain_events(timeout=2.0)
    assert there.connection.waits == [pytest.approx(0.05)]
    assert made == []
    clock.now = 1000.05
    there.connection.drain_events(timeout=2.0)
    assert made == [1]
    assert there.connection.waits[1:] == [2.0]
