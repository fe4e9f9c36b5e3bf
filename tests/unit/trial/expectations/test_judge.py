"""Each expectation at its edges, on outcomes made by hand."""

from __future__ import annotations

import pytest

from limitkit.trial.expectations.expectation import (
    DrainedBy,
    Expectation,
    Least,
    Lost,
    Most,
    StartedWithin,
    Subject,
)
from limitkit.trial.expectations.judge import judge
from limitkit.trial.outcome import Outcome, Run

MAIL = Subject(task="mail.send")


def outcome(*runs, ended=100.0):
    """Make an outcome of pairs (sent, starts), or of runs."""
    made = []
    for number, each in enumerate(runs):
        run = each
        if not isinstance(each, Run):
            sent, *starts = each
            fate = "started" if starts else "waiting"
            run = Run(number, "mail.send", sent, "celery", starts=starts, workers=["worker-1"] * len(starts), fate=fate)
        run.number = number
        made.append(run)
    return Outcome(made, ended=ended)


def run(sent, fate, *, ended=None, **more):
    return Run(0, "mail.send", sent, "celery", fate=fate, ended=ended, **more)


def said(rule, *runs, subject=MAIL, ended=100.0):
    found = judge(Expectation(subject, rule), outcome(*runs, ended=ended))
    return found and (str(found), found.at)


def holds(rule, *runs, **more):
    return said(rule, *runs, **more) is None


# -- most -------------------------------------------------------------------------------------------------------------


def test_most_counts_each_start_in_any_window():
    assert holds(Most(2, 10.0), (0.0, 1.0), (0.0, 10.9), (0.0, 11.0))
    text = "expected at most 2 starts of mail.send in any 10s, but 3 happened from 1.000s to 10.999s"
    assert said(Most(2, 10.0), (0.0, 1.0), (0.0, 10.9), (0.0, 10.999)) == (text, 10.999)
    assert holds(Most(0, 10.0), (0.0,))
    assert not holds(Most(1, 1.0), (0.0, 1.0, 1.5)), "a second start of a message counts, too"


@pytest.mark.parametrize(("count", "shown", "left_out"), [(10, range(10), 0), (23, [*range(5), *range(18, 23)], 13)])
def test_most_shows_the_ends_of_the_window_that_has_too_many(count, shown, left_out):
    before_it, window = [(0.0, 1.0 + number) for number in range(4)], [(0.0, 20.0 + n / 100) for n in range(count)]
    found = judge(Expectation(MAIL, Most(3, 1.0)), outcome(*before_it, *window, (0.0, 21.0)))
    assert [each.number - len(before_it) for each in found.around] == [*shown]
    assert (found.window, found.left_out) == ((20.0, 20.0 + (count - 1) / 100), left_out)


def test_most_is_not_misled_by_sums_of_floats():
    times = [0.1 * number for number in range(1, 1000)]
    assert holds(Most(100, 10.0), *((0.0, time) for time in times))
    assert not holds(Most(99, 10.0), *((0.0, time) for time in times))


# -- least ------------------------------------------------------------------------------------------------------------


def test_least_counts_in_all_windows_in_which_something_waits():
    steady = [(0.0, float(second)) for second in range(21)]
    assert holds(Least(5, 5.0), *steady)
    text = "expected at least 6 starts of mail.send in any 5s with a backlog, but 5 happened from 0.000s to 5.000s"
    assert said(Least(6, 5.0), *steady) == (text, 0.0)


def test_least_finds_a_gap_right_behind_a_start():
    text = "expected at least 1 start of mail.send in any 5s with a backlog, but none happened from 1.000s to 6.000s"
    assert said(Least(1, 5.0), (0.0, 1.0), (0.0, 6.000002)) == (text, 1.000001)
    assert holds(Least(1, 5.0), (0.0, 1.0), (0.0, 6.0))


def test_least_asks_for_nothing_while_nothing_waits():
    assert holds(Least(1, 5.0), (0.0, 1.0), (50.0, 51.0))
    assert holds(Least(9, 5.0), (0.0, 4.999999)), "the backlog is shorter than a window"
    assert not holds(Least(9, 5.0), (0.0, 5.0))


def test_least_takes_two_backlogs_that_touch_for_one():
    assert not holds(Least(1, 5.0), (0.0, 0.0), (0.0, 5.000001), (0.0, 0.0))
    assert holds(Least(2, 4.0), (0.0, 3.0), (3.0, 6.0), (6.0, 7.0), (1.0, 1.5), (4.0, 4.5))
    assert not holds(Least(3, 4.0), (0.0, 3.0), (3.0, 6.0), (6.0, 7.0), (1.0, 1.5), (4.0, 4.5))
    assert holds(Least(3, 4.0), (0.0, 3.0), (3.000001, 6.0))


def test_least_counts_what_waits_at_the_end_and_not_what_was_dropped_or_lost():
    assert not holds(Least(1, 5.0), (0.0,), ended=5.0)
    assert holds(Least(1, 5.0), (0.0,), ended=4.0)
    assert holds(Least(1, 5.0), run(0.0, "lost", ended=9.0), run(0.0, "failed"), run(0.0, "dropped", ended=4.0))
    assert not holds(Least(1, 5.0), run(0.0, "dropped", ended=5.0))


# -- waits ------------------------------------------------------------------------------------------------------------


def test_started_within_is_of_each_message():
    assert holds(StartedWithin(1.0), (0.0, 1.0), (5.0, 5.3))
    text = (
        "expected each message of mail.send to start within 1s, but 2 of 3 did not: message 1, sent at 5.000s, "
        "started after 1.001s; the longest wait was 3.000s, of message 2"
    )
    assert said(StartedWithin(1.0), (0.0, 1.0), (5.0, 6.001), (5.0, 8.0)) == (text, 6.0)
    assert holds(StartedWithin(0.3), (0.1 + 0.2, 0.6)), "0.1 + 0.2 is 0.30000000000000004"


def test_started_within_judges_what_never_starts():
    text = "expected each message of mail.send to start within 1s, but 1 of 1 did not: message 0, sent at 3.000s, {}"
    assert said(StartedWithin(1.0), (3.0,), ended=4.5) == (text.format("had not when the play ended, at 4.500s"), 4.0)
    assert holds(StartedWithin(1.0), (3.0,), ended=4.0), "its time is not over when the play ends"
    for fate, told in (("dropped", "was dropped"), ("failed", "failed without starting"), ("lost", "was lost")):
        assert said(StartedWithin(1.0), run(3.0, fate), ended=3.5) == (text.format(told), 4.0)


def test_drained_by_is_of_all_messages():
    assert holds(DrainedBy(60.0), (0.0, 60.0), run(0.0, "dropped"), run(0.0, "failed"))
    text = (
        "expected all messages of mail.send to have started by 1m, but 2 of 3 had not; the last of them started at "
        "60.001s; 1 had not when the play ended, at 100.000s"
    )
    assert said(DrainedBy(60.0), (0.0, 1.0), (0.0, 60.001), (0.0,)) == (text, 60.0)
    assert not holds(DrainedBy(60.0), run(0.0, "lost"))
    assert not holds(DrainedBy(60.0), (0.0,), ended=5.0), "the play ends before, and something waits"
    assert holds(DrainedBy(60.0), (0.0, 1.0, 99.0)), "a second start of a message is not waited for"


def test_lost_counts_what_is_nowhere():
    gone = [run(float(number), "lost") for number in range(4)]
    assert holds(Lost(0), (0.0,), run(0.0, "dropped"), run(0.0, "failed"))
    text = "expected no message of mail.send to be lost, but 1 of 2 were: message 1, sent at 0.000s"
    assert said(Lost(0), (0.0, 1.0), gone[0]) == (text, 0.0)
    assert holds(Lost(4), *gone)
    text = "message 0, sent at 0.000s, message 1, sent at 1.000s, message 2, sent at 2.000s, …"
    assert said(Lost(3), *gone)[0] == f"expected at most 3 messages of mail.send to be lost, but 4 of 4 were: {text}"


# -- whose ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "counted"),
    [
        (Subject(task="mail.send"), 2),
        (Subject(task="mail.*"), 3),
        (Subject(task="*"), 4),
        (Subject(limit="api"), 3),
        (Subject(limit="mail.send"), 0),
    ],
    ids=str,
)
def test_whose_starts_are_counted(subject, counted):
    tasks = [("mail.send", "api"), ("mail.send", "limits.api"), ("mail.other", ""), ("shop.buy", "api")]
    runs = [
        Run(0, task, 0.0, "celery", limits=(limit, "other"), starts=[1.0], workers=["worker-1"], fate="started")
        for task, limit in tasks
    ]
    found = judge(Expectation(subject, Most(0, 1.0)), outcome(*runs))
    assert (found.happened.partition(" ")[0] if found else "0") == str(counted)


# -- around -----------------------------------------------------------------------------------------------------------


def test_the_ten_starts_around_are_shown():
    runs = [(0.0, float(second)) for second in range(30)]
    failure = judge(Expectation(MAIL, StartedWithin(10.0)), outcome(*runs))
    assert failure.at == 10.0
    assert [start.at for start in failure.around] == [*range(6, 16)]
    assert failure.around[0] == (type(failure.around[0]))(6.0, "mail.send", "worker-1", 6, 6.0)


def test_where_there_are_few_on_one_side_more_of_the_other_are_shown():
    failure = judge(Expectation(MAIL, StartedWithin(1.0)), outcome(*((0.0, float(second)) for second in range(30))))
    assert failure.at == 1.0
    assert [start.at for start in failure.around] == [*range(10)]
    failure = judge(Expectation(MAIL, DrainedBy(28.0)), outcome(*((0.0, float(second)) for second in range(30))))
    assert [start.at for start in failure.around] == [*range(20, 30)]


def test_most_shows_only_starts_of_those_that_are_counted():
    other = Run(0, "shop.buy", 0.0, "celery", starts=[1.0], workers=["worker-1"], fate="started")
    failure = judge(Expectation(MAIL, Most(1, 5.0)), outcome((0.0, 1.0), other, (0.0, 2.0)))
    assert [start.number for start in failure.around] == [0, 2]
    failure = judge(Expectation(MAIL, StartedWithin(1.0)), outcome((0.0, 1.0), other, (0.0, 2.0)))
    assert [start.number for start in failure.around] == [0, 1, 2]
