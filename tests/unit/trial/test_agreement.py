"""A replay agrees with its recording, or it is told by how much it does not."""

from __future__ import annotations

import pytest

from limitkit.trial.agreement import compare
from limitkit.trial.outcome import Outcome, Run
from limitkit.trial.trace import Observed


def outcome(*starts):
    runs = [
        Run(number, task, at, "celery", starts=[] if start is None else [start])
        for number, (at, task, start) in enumerate(starts)
    ]
    return Outcome(runs)


def observed(*starts, early=False):
    return [Observed(at, task, start, early) for at, task, start in starts]


def every(seconds, wait, count=100, task="ask"):
    return [(0.0, task, wait + number * seconds) for number in range(count)]


def test_a_replay_that_is_the_same_agrees():
    starts = [*every(0.1, 1.0), *every(0.2, 0.0, task="tell")]
    found = compare(outcome(*starts), observed(*starts))
    assert [each.task for each in found] == ["", "ask", "tell"]
    assert all(each.holds and each.rate_off == each.wait_off == 0.0 for each in found)
    assert found[1].recorded == found[1].replayed == (100, pytest.approx(100 / 10.9), pytest.approx(1.0 + 94 * 0.1))


@pytest.mark.parametrize(("factor", "holds"), [(1.0, True), (1.04, True), (0.96, True), (1.07, False), (0.93, False)])
def test_starts_a_second_may_differ_by_a_twentieth(factor, holds):
    (_, found) = compare(outcome(*every(0.1 * factor, 0.0)), observed(*every(0.1, 0.0)))
    assert found.holds is holds
    assert found.rate_off == pytest.approx(abs(1 - 1 / factor))


@pytest.mark.parametrize(("wait", "holds"), [(10.9, True), (9.1, True), (11.2, False), (8.8, False)])
def test_waits_may_differ_by_a_tenth(wait, holds):
    def late(wait):
        return [(100.0, "ask", 100.0 + wait), (0.0, "ask", 0.01), (1000.0, "ask", 1000.0 + wait)]

    (_, found) = compare(outcome(*late(wait)), observed(*late(10.0)))
    assert found.holds is holds


def test_short_waits_are_as_good_as_none():
    (_, found) = compare(
        outcome((0.0, "ask", 0.0), (9.0, "ask", 9.0)), observed((0.0, "ask", 0.04), (9.0, "ask", 9.04))
    )
    assert found.holds


def test_what_had_come_before_counts_as_a_start_and_has_no_wait():
    starts = [(0.0, "ask", 5.0), (1.0, "ask", None)]
    (_, found) = compare(outcome(*starts), observed(*starts, early=True))
    assert found.recorded == found.replayed == (1, pytest.approx(0.2), 0.0)


def test_other_messages_cannot_be_compared():
    with pytest.raises(ValueError, match="2 messages were recorded, and 1 were played"):
        compare(outcome((0.0, "ask", 0.0)), observed((0.0, "ask", 0.0), (0.0, "ask", 0.0)))
    with pytest.raises(ValueError, match="tell was recorded where ask was played"):
        compare(outcome((0.0, "ask", 0.0)), observed((0.0, "tell", 0.0)))
