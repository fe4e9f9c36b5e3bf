"""Each kind of limit lets start in a play what it promises, to the moment."""

from itertools import pairwise

import pytest
from support.played import fates, most_in, once, played, send, starts

BUCKET = '[tasks.a]\nstrategy = "token_bucket"\nrate = "10/s"\nburst = 3\n'
NEVER_BEFORE = -1e-6
SOON = 0.02
"""Seconds that the way of a message takes at most, where nothing holds it up."""


def at_times(outcome, expected, task=None):
    """Whether starts were at these times, and not a moment sooner."""
    found = starts(outcome, task)
    late = [at - wanted for at, wanted in zip(found, expected, strict=True)]
    return all(NEVER_BEFORE <= each <= SOON for each in late) or (found, list(expected))


def test_without_limits_tasks_start_at_once():
    outcome = played("", send(count=20))
    assert at_times(outcome, [0.0] * 20) is True
    assert outcome.store_calls <= 2  # who is there, and what was set
    assert outcome.runs[0].limits == ()


def test_a_token_bucket_gives_its_burst_and_then_its_rate_to_all_workers_together():
    outcome = played(BUCKET, send(count=40), workers=3)
    assert at_times(outcome, [max(0, n - 2) / 10 for n in range(40)]) is True
    assert {run.workers[0] for run in outcome.runs} == {"worker-1", "worker-2", "worker-3"}
    assert (outcome.complete, outcome.sent_back) == (True, 0)


def test_tokens_come_back_while_nothing_is_sent():
    outcome = played(BUCKET, send(count=3), send(count=4, at=10.0))
    assert at_times(outcome, [0.0] * 3 + [10.0] * 3 + [10.1]) is True


def test_a_static_limit_counts_in_each_worker():
    outcome = played('[tasks.a]\nstrategy = "static"\nrate = "2/s"\n', send(count=21), workers=2)
    assert at_times(outcome, [n // 2 / 2 for n in range(21)]) is True
    assert outcome.store_calls <= 4


def test_each_user_has_a_bucket():
    toml = '[tasks.a]\nstrategy = "per_user"\nrate = "1/s"\nkey = "user"\n'
    outcome = played(toml, send(count=3, kwargs={"user": "ann"}), send(count=2, kwargs={"user": "u{n}"}))
    assert at_times(outcome, [0.0, 0.0, 0.0, 1.0, 2.0]) is True
    assert len({run.buckets for run in outcome.runs}) == 3


def test_a_partition_of_its_own_has_its_rate():
    toml = '[tasks.a]\nstrategy = "per_user"\nrate = "1/s"\nkey = "user"\npartitions = { "ann" = { rate = "4/s" } }\n'
    outcome = played(toml, send(count=5, kwargs={"user": "ann"}))
    assert at_times(outcome, [0.0, 0.25, 0.5, 0.75, 1.0]) is True


def test_positional_arguments_are_found_by_the_signature_of_the_app():
    from celery import Celery

    app = Celery("shop", set_as_current=False)

    @app.task(name="a")
    def charge(amount, user):
        raise AssertionError("a play ran the app's own code")

    toml = '[tasks.a]\nstrategy = "per_user"\nrate = "1/s"\nkey = "user"\n'
    outcome = played(toml, send(args=(1, "ann")), send(args=(1, "bob")), send(args=(2, "bob")), app=app)
    assert at_times(outcome, [0.0, 0.0, 1.0]) is True


def test_a_key_may_be_a_header():
    toml = '[tasks.a]\nstrategy = "per_user"\nrate = "1/s"\nkey = "headers:tenant"\n'
    outcome = played(toml, send(count=2, headers={"tenant": "x"}), send(headers={"tenant": "y"}))
    assert at_times(outcome, [0.0, 0.0, 1.0]) is True


def test_a_sliding_window_never_has_more():
    outcome = played('[tasks.a]\nstrategy = "window"\nrate = "10/m"\n', send(count=25), workers=2)
    times = starts(outcome)
    assert most_in(times, 60.0) == 10
    assert times[9] < SOON
    assert 60.0 < times[10] < 61.5
    assert 120.0 < times[20] < 123.0


def test_a_window_that_resets_goes_by_the_wall_clock():
    toml = '[tasks.a]\nstrategy = "window"\nrate = "10/d"\nresets = "00:00 America/Los_Angeles"\n'
    five_before = 1_767_571_200.0 + 8 * 3600 - 5  # midnight there is at 08:00 UTC
    outcome = played(toml, send(count=25), begins=five_before, until=100_000.0)
    times = starts(outcome)
    assert times[9] < SOON
    assert 5.0 <= times[10] <= times[19] < 5.3
    assert 86_405.0 <= times[20] < 86_405.3


def test_slots_are_free_again_when_tasks_end():
    toml = '[tasks.a]\nstrategy = "concurrency"\nmax_running = 3\n'
    outcome = played(toml, send(count=10), workers=2, task_seconds={"a": 1.0})
    times = starts(outcome)
    assert [round(at) for at in times] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3]
    assert most_in(times, 1.0) == 3


def test_slots_of_each_worker():
    toml = '[tasks.a]\nstrategy = "concurrency"\nmax_running = 1\nscope = "worker"\n'
    outcome = played(toml, send(count=4), workers=2, task_seconds={"a": 1.0})
    assert [round(at) for at in starts(outcome)] == [0, 0, 1, 1]


def test_leases_are_renewed_while_a_task_runs():
    toml = '[tasks.a]\nstrategy = "concurrency"\nmax_running = 1\nlease = "5s"\n'
    outcome = played(toml, send(count=3), workers=2, task_seconds={"a": 60.0})
    assert [round(at) for at in starts(outcome)] == [0, 60, 120]


def test_a_start_may_cost_more_than_one_token():
    toml = f'{BUCKET}cost = "size"\n'
    outcome = played(toml, send(count=3, kwargs={"size": 3}), send(kwargs={"size": 1}))
    assert at_times(outcome, [0.0, 0.3, 0.6, 0.7]) is True
    assert [run.costs for run in outcome.runs] == [(3,), (3,), (3,), (1,)]


def test_several_limits_must_all_admit():
    toml = """
[limits.fast]
strategy = "token_bucket"
rate = "10/s"
[limits.slow]
strategy = "static"
rate = "2/s"
[tasks.a]
limits = ["fast", "slow"]
[tasks.b]
limits = ["fast"]
"""
    outcome = played(toml, send("a", count=4), send("b", count=20, at=0.01))
    slow = starts(outcome, "a")
    assert all(one + 0.5 <= other < one + 0.7 for one, other in pairwise(slow))
    assert at_times(outcome, [n / 10 for n in range(24)]) is True
    assert outcome.runs[0].limits == ("fast", "slow")


def test_other_tasks_flow_past_what_waits():
    outcome = played(BUCKET, send("a", count=500), send("b", count=20, at=1.0), workers=2)
    assert all(1.0 <= at < 1.1 for at in starts(outcome, "b"))
    assert outcome.most_parked > 300
    assert once(outcome)


def test_limits_of_a_queue_hold_for_all_that_comes_from_it():
    toml = '[limits.l]\nstrategy = "token_bucket"\nrate = "1/s"\n[queues.slow]\nlimits = ["l"]\n'
    outcome = played(toml, send("a", count=2, queue="slow"), send("b", queue="slow"), send("a", count=5))
    assert [run.limits for run in outcome.runs if run.queue == "slow"] == [("l",)] * 3
    slow = sorted(run.starts[0] for run in outcome.runs if run.queue == "slow")
    assert [round(at, 1) for at in slow] == [0.0, 1.0, 2.0]
    assert all(run.starts[0] < SOON for run in outcome.runs if run.queue == "celery")


def test_shadow_and_off_delay_nothing():
    for mode in ("shadow", "off"):
        assert at_times(played(f'{BUCKET}mode = "{mode}"\n', send(count=20)), [0.0] * 20) is True


def test_what_must_not_wait_is_dropped_or_fails():
    dropped = played(f'{BUCKET}on_limit = "drop"\n', send(count=5))
    assert fates(dropped) == ["started"] * 3 + ["dropped"] * 2
    assert all(run.ended is not None and not run.starts for run in dropped.runs[3:])
    failed = played(f'{BUCKET}on_limit = "fail"\nmax_wait = "250ms"\n', send(count=8))
    assert fates(failed) == ["started"] * 5 + ["failed"] * 3
    assert at_times(failed, [0.0, 0.0, 0.0, 0.1, 0.2]) is True


def test_values_take_turns():
    toml = '[tasks.a]\nstrategy = "token_bucket"\nrate = "10/s"\nfair_by = "tenant"\n'
    outcome = played(
        toml, send(count=400, kwargs={"tenant": "big"}), send(count=5, at=10.0, kwargs={"tenant": "small"}), workers=2
    )
    small = [run.starts[0] for run in outcome.runs if run.sent == 10.0]
    assert max(small) < 12.5
    assert once(outcome)


def test_weights_of_turns():
    toml = '[tasks.a]\nstrategy = "token_bucket"\nrate = "10/s"\nfair_by = "t"\nweights = { heavy = 3 }\n'
    outcome = played(toml, send(count=200, kwargs={"t": "light"}), send(count=200, kwargs={"t": "heavy"}))
    early = [run for run in outcome.runs if 5.0 < run.starts[0] < 15.0]
    heavy = sum(run.number >= 200 for run in early)
    assert 70 <= heavy <= 80


def test_of_what_is_parked_the_better_priority_starts_first():
    outcome = played(BUCKET, send(count=200, priority=6), send("a", at=2.0, priority=0))
    urgent = outcome.runs[-1]
    assert urgent.sent == 2.0
    assert urgent.starts[0] < 8.0  # behind what the worker held already
    assert sum(run.starts[0] > urgent.starts[0] for run in outcome.runs) > 120


def test_of_what_is_in_a_queue_the_better_priority_starts_first():
    outcome = played("", send(count=100, priority=6), send("b", priority=0, at=1.0), task_seconds={"*": 1.0})
    assert starts(outcome, "b")[0] < 6.1  # one process in four takes one a second; 16 are prefetched


def test_tasks_take_their_time_in_so_many_processes():
    outcome = played("", send(count=8), processes=2, task_seconds={"*": 1.0})
    assert [round(at, 1) for at in starts(outcome)] == [0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0]
    assert outcome.ended == pytest.approx(4.0, abs=0.1)


def test_exact_names_and_arrivals_have_their_own_times():
    outcome = played("", send("x.a"), send("x.b"), task_seconds={"x.*": 2.0, "x.b": 1.0})
    assert sorted(round(run.ended, 1) for run in outcome.runs) == [1.0, 2.0]


def test_names_beyond_ascii():
    toml = '[tasks."é日"]\nstrategy = "per_user"\nrate = "20/s"\nkey = "ü"\nshow_key = true\n'
    outcome = played(toml, send("é日", count=300, queue="スロー", kwargs={"ü": "ö"}))
    assert once(outcome)
    assert outcome.most_parked > 100
