"""Starts are counted where no pacer sees them: by the guard, in each thread, and in pool processes."""

import sys
import threading
from types import SimpleNamespace

import pytest
from support.listeners import in_child

from limitkit.clock import SYSTEM
from limitkit.events import emitter
from limitkit.events.emitter import emit
from limitkit.events.event_types import TaskStarted
from limitkit.events.last_minute import Recent
from limitkit.events.relay import Relay
from limitkit.worker.start_counter import Starts

TASK = SimpleNamespace(name="paid")
BOUND = SimpleNamespace(limit=SimpleNamespace(name="paid", own=False))


@pytest.fixture
def recent(listen):
    """What is counted of a task that has one limit, which is called as it is."""
    recent = Recent()
    task_limits = SimpleNamespace(clock=SYSTEM, limits=lambda task, _: (BOUND,) if task is TASK else ())
    listen(Starts(recent, task_limits, {"paid": TASK}))
    return recent


def total(recent):
    return recent.total("paid", recent._at)


def test_starts_of_all_threads_are_counted(recent):
    def start_some():
        for _ in range(500):
            emit(TaskStarted(task="paid"))

    together(start_some for _ in range(8))
    emit(TaskStarted(task="gone meanwhile"))
    assert total(recent) == 4000


def test_threads_that_count_new_names_while_time_goes_on_do_not_meet():
    recent, failed = Recent(), []

    def count(thread):
        try:
            for number in range(1000):
                recent.count(f"{thread} {number}", number / 20)
        except RuntimeError as error:  # as a dict says that is changed while it is gone through
            failed.append(error)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    together(lambda thread=thread: count(thread) for thread in range(4))
    sys.setswitchinterval(before)
    assert failed == []


def together(doing):
    threads = [threading.Thread(target=each) for each in doing]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_starts_in_pool_processes_are_counted_where_they_are_asked_for(recent):
    relay = Relay()
    emitter.carry_by(relay)
    in_child(lambda: emit(TaskStarted(task="paid")))
    assert total(recent) == 0
    relay.deliver()
    assert total(recent) == 1
