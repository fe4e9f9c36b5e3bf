import re

import pytest

from limitkit.testing import AssertStarts, LimitsClock

SHARED = """[limits.api]
strategy = "token_bucket"
rate = "10/s"
burst = 1

[limits.slow]
strategy = "token_bucket"
rate = "1/s"
burst = 2

[tasks.charge]
limits = ["api", "slow"]
{}
"""


def said_by(clock, task, **expected):
    with pytest.raises(AssertionError) as caught:
        AssertStarts(clock)(task, **expected)
    return str(caught.value)


@pytest.fixture
def clock(limits):
    clock = LimitsClock(limits(SHARED.format("")), workers=2)
    clock.send("charge", times=4)
    return clock


def test_what_is_expected_holds(clock):
    assert_starts = AssertStarts(clock)
    assert_starts("charge", at=[0, 0.1, 1, 2])
    assert_starts("charge", at=["2s", "1s", "100ms", 0])
    assert_starts("charge", at=[0.5, 0.5, 1.5, 1.5], tolerance="510ms")


def test_a_start_at_another_time(clock):
    said = said_by(clock, "charge", at=[0, 0.1, 0.5, 2]).replace(clock.config.path, "ratelimits.toml")
    assert re.sub(r"(\.\d\d)\ds", r"\1_s", said) == (  # milliseconds are those that calls of the store take
        "charge does not start when it was expected to (ratelimits.toml; 2 workers with 4 pool processes; "
        "each may be off by 0.01 s):\n"
        "  start  expected   found      off  waited  for\n"
        "      0    0.00_s  0.00_s        -  0.00_s\n"
        "      1    0.10_s  0.10_s        -  0.10_s  limits.api (10/s)\n"
        "      2    0.50_s  1.00_s  +0.50_s  1.00_s  limits.slow (1/s)\n"
        "      3    2.00_s  2.00_s        -  2.00_s  limits.slow (1/s)"
    )


def test_two_limits_that_hold_up_alike(limits):
    clock = LimitsClock(limits(SHARED.format("").replace('rate = "1/s"\nburst = 2', 'rate = "10/s"\nburst = 1')))
    clock.send("charge", times=2)
    assert said_by(clock, "charge", at=[0]).endswith("  limits.api (10/s), limits.slow (10/s)")


def test_too_few_and_too_many(clock):
    assert "charge was expected to start 5 times, and starts 4 times (" in said_by(
        clock, "charge", at=[0, 0.1, 1, 2, 3]
    )
    few = said_by(clock, "charge", at=[0])
    assert few.startswith("charge was expected to start once, and starts 4 times (")
    assert few.splitlines()[3].split()[:2] == ["1", "-"]


def test_a_tolerance_of_ones_own(clock):
    assert "each may be off by 0.001 s" in said_by(clock, "charge", at=[0, 0.1, 1, 2], tolerance=0.001)


def test_only_what_is_around_the_first_wrong_start_is_shown(limits):
    clock = LimitsClock(limits(SHARED.format("")))
    clock.send("charge", times=40)
    said = said_by(clock, "charge", at=[0, 0.1, 1, 2, 3, 4, *range(100, 134)]).splitlines()
    assert [line.split()[0] for line in said[2:-1]] == [str(number) for number in range(4, 24)]
    assert said[-1] == "  (4 before these and 16 after them are not shown)"


def test_what_was_dropped(limits):
    clock = LimitsClock(limits(SHARED.format('on_limit = "drop"\nmax_wait = "500ms"')))
    clock.send("charge", times=4)
    AssertStarts(clock)("charge", at=[0, 0.1])
    assert said_by(clock, "charge", at=[0]).splitlines()[-1] == "  2 of 4 messages: dropped"


def test_nothing_was_sent(clock):
    assert said_by(clock, "paid", at=[0]) == (
        "nothing was sent to paid, so it does not start; send it by limits_clock.send or by its delay()\n"
        "(with task_always_eager, tasks run where they are called, without limits, and are not seen here)"
    )
