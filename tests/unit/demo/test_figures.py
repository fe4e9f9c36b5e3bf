"""What the demo makes of a list of starts."""

import random

import pytest
from support.measure import excess

from limitkit.config.declared import Limit
from limitkit.config.model.units import parse_rate
from limitkit.demo.figures import Start, Tally
from limitkit.demo.run import MESSAGES, _interleaved


def limit(strategy="token_bucket", rate="10/s", burst=1):
    key = ("user_id",) if strategy == "per_user" else None
    return Limit(
        name="x",
        own=False,
        strategy=strategy,
        rate=parse_rate(rate),
        burst=burst,
        key=key,
        mode="enforce",
        path="f",
        line=1,
    )


def tally(times, which, *, sent=None, workers=("w1",), partitions=("-",)):
    made = Tally("x", which, len(times) if sent is None else sent)
    for number, at in enumerate(times):
        where = workers[number % len(workers)], partitions[number % len(partitions)]
        made.add(Start(at, "x", f"id{number}", *where))
    return made


def test_starts_at_the_rate_are_kept():
    made = tally([number * 0.1 for number in range(50)], limit())
    assert made.achieved == pytest.approx(10.0)
    assert made.worst.kept
    assert made.fine


def test_a_burst_does_not_count_as_rate():
    made = tally([0.0] * 20 + [number * 0.1 for number in range(1, 31)], limit(burst=20))
    assert made.achieved == pytest.approx(10.0)
    assert made.worst.kept


@pytest.mark.parametrize(("extra", "kept"), [(1, True), (2, False)])
def test_a_window_may_hold_burst_and_rate_times_its_length_and_one(extra, kept):
    """At 10/s burst 1, with 0.05 s of tolerance, 2.5 may start at one moment: two do, and three are too many."""
    made = tally([0.0, 1.0, *[1.0] * extra, 2.0], limit())
    assert (made.worst.kept, made.fine) == (kept, kept)
    assert (made.worst.starts, made.worst.seconds, made.worst.allowed) == (1 + extra, 0.0, 2)


def test_the_worst_window_is_the_one_that_the_other_reckoning_finds():
    chance = random.Random(7)
    for _ in range(50):
        times = sorted(chance.uniform(0, 5) for _ in range(60))
        worst = tally(times, limit()).worst
        assert worst.starts - 10 * worst.seconds == pytest.approx(excess(times, 10))


def test_static_limits_count_by_worker_and_per_user_ones_by_partition():
    times = [number * 0.05 for number in range(100)]
    assert not tally(times, limit()).worst.kept
    assert not tally(times, limit("static")).worst.kept
    assert tally(times, limit("static"), workers=("w1", "w2")).worst.kept
    assert tally(times, limit("static"), workers=("w1", "w2")).achieved == pytest.approx(10.0)
    assert not tally(times, limit("per_user"), workers=("w1", "w2")).worst.kept
    assert tally(times, limit("per_user"), partitions=("a", "b")).worst.kept


def test_what_never_starts_is_lost_and_what_starts_twice_is_reported():
    made = tally([0.0, 1.0], limit(), sent=3)
    assert (made.waiting, made.twice, made.fine) == (1, 0, False)
    made.add(Start(2.0, "x", "id0", "w1", "-"))
    made.sent = 2
    assert (made.waiting, made.twice, made.fine) == (0, 1, False)


def test_without_a_limit_there_is_no_worst_window():
    made = tally([0.0, 1.0, 2.0], None)
    assert (made.worst, made.achieved, made.fine) == (None, 1.5, True)


def test_messages_are_mixed():
    messages = _interleaved()
    assert len(messages) == sum(count for count, *_ in MESSAGES.values())
    assert {task for task, _ in messages[:20]} == set(MESSAGES)
