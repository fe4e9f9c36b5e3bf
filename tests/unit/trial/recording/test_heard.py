"""What is known of the workers of a recording: their stays, what they took unrecorded, and their clocks."""

from __future__ import annotations

import pytest

from limitkit.trial.recording.heard import HeardWorkers

FACTS = {"processes": 2, "prefetch_multiplier": 4, "running": 1}


@pytest.fixture
def workers():
    return HeardWorkers()


def hello(up, started=0):
    return {**FACTS, "up": up, "started": started}


def test_each_has_when_it_came_and_when_it_was_last_heard(workers):
    workers.hello("w1", hello(300.0, 99), 0.1)
    workers.answered("w1", {"processes": 2, "running": 0})
    workers.answered("w2", {"processes": 3})
    workers.hello("w3", hello(0.2), 20.0)
    workers.heard("w1", 15.0, None, waited=0.1)
    workers.heard("w3", 25.5, None, waited=0.1)
    workers.heard("unknown", 25.5, None, waited=0.1)
    assert workers.stays == {
        "w1": {**FACTS, "first": 0.0, "last": 15.0},
        "w2": {"processes": 3, "first": 0.0, "last": 0.0},
        "w3": {**FACTS, "first": 19.8, "last": 25.5},
    }
    assert workers.facts == {"w1": FACTS, "w2": {"processes": 3}, "w3": FACTS}
    assert (workers.unrecorded, workers.lacks) == ({"w3": {"seconds": 0.2, "started": 0}}, [])


def test_what_a_late_one_took_before_it_was_told_is_known(workers):
    workers.hello("w1", hello(0.4, 7), 20.0)
    workers.hello("w2", hello(4.0), 20.0)
    workers.hello("w3", hello(2.2), 20.0)  # nothing started, and not for long
    assert workers.unrecorded == {
        "w1": {"seconds": 0.4, "started": 7},
        "w2": {"seconds": 4.0, "started": 0},
        "w3": {"seconds": 2.2, "started": 0},
    }
    assert workers.lacks == [
        "w1 was not recorded for 0.4s, in which it started 7 messages",
        "w2 was not recorded for 4s, in which it may have taken messages",
    ]


def test_one_that_answers_late_was_not_recorded_up_to_then(workers):
    workers.hello("w1", hello(300.0, 99), 3.5)  # what it started before the recording is not in that
    assert workers.unrecorded == {"w1": {"seconds": 3.5, "started": 0}}
    assert workers.stays["w1"]["first"] == 0.0


def test_one_that_stopped_to_record_was_not_recorded_since(workers):
    workers.hello("w1", hello(300.0, 99), 0.1)
    workers.heard("w1", 30.0, None, waited=0.1)
    workers.hello("w1", hello(340.0, 200), 40.0)
    workers.hello("w1", hello(0.5, 3), 60.0)  # it was started again
    assert workers.unrecorded == {"w1": {"seconds": 10.5, "started": 3}}
    assert workers.stays["w1"]["first"] == 0.0


def test_more_than_a_few_are_counted(workers):
    for number in range(5):
        workers.hello(f"w{number}", hello(0.5, 1), 20.0)
    assert workers.lacks[-1] == "nor were 2 other workers all the time"
    assert len(workers.lacks) == 4


def test_a_clock_is_what_the_quickest_event_says(workers):
    for behind in (3.0, None, 0.2, 2.0):
        workers.heard("w1", 1.0, behind, waited=0.1)
    for behind in (None, 7.26, 9.0):
        workers.heard("w2", 1.0, behind, waited=0.1)
    workers.heard("w3", 1.0, -4.0, waited=0.1)
    workers.heard("w4", 1.0, None, waited=0.1)
    workers.heard("w5", 1.0, 2.1, waited=0.001)  # it had been there before, who knows for how long
    assert workers.clocks_apart == {"w2": 7.3, "w3": -4.0}
