"""Figures of a play, against what is counted in the plainest way."""

from fractions import Fraction
from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from limitkit.config.load import load
from limitkit.trial.figures import HELD_BYTES, PARKED_BYTES, Peak, busiest, figures_of, most_at_once, nearest_rank
from limitkit.trial.outcome import Outcome, Run, WorkerUse

TICKS = st.integers(0, 60).map(lambda tick: tick / 8)
"""Few moments, so that many things happen at the same one."""


@st.composite
def runs(draw, most=25):
    found = []
    sent = sorted(draw(st.lists(TICKS, max_size=most)))
    for number, at in enumerate(sent):
        starts = sorted(at + draw(TICKS) for _ in range(draw(st.sampled_from([0, 1, 1, 1, 2]))))
        fate = "started" if starts else draw(st.sampled_from(["waiting", "dropped", "failed", "lost"]))
        task = draw(st.sampled_from(["a", "b"]))
        limits = draw(st.sampled_from([(), ("x",), ("x", "y")]))
        ended = None if fate == "waiting" else (starts[-1] if starts else at) + draw(TICKS)
        run = Run(number, task, at, "celery", limits, limits, tuple(draw(st.integers(1, 3)) for _ in limits))
        run.starts, run.ended, run.fate = starts, ended, fate
        run.workers = [draw(st.sampled_from(["worker-1", "worker-2"])) for _ in starts]
        found.append(run)
    return found


def one(number, *, sent=0.0, started=None, bucket="x", cost=1, worker="worker-1", ended=None):
    """Make a run under one limit."""
    run = Run(number, "a", sent, "celery", ("x",), (bucket,), (cost,))
    if started is not None:
        run.starts, run.workers, run.fate, run.ended = [started], [worker], "started", ended
    return run


def left(run):
    return run.starts[0] if run.starts else None if run.fate == "waiting" else run.ended


def waiting_at(found, moment):
    gone = [left(run) for run in found]
    return sum(run.sent <= moment and (at is None or at > moment) for run, at in zip(found, gone, strict=True))


@given(runs())
def test_the_longest_backlog_is_the_most_that_waited_at_any_moment(found):
    backlog = figures_of(Outcome(found), {}).whole.backlog
    moments = sorted({run.sent for run in found} | {left(run) for run in found if left(run) is not None})
    most = max((waiting_at(found, moment) for moment in moments), default=0)
    assert backlog.most == most
    if most:
        assert backlog.at == next(moment for moment in moments if waiting_at(found, moment) == most)


@given(runs())
def test_the_busiest_window_has_the_most_starts_that_any_window_has(found):
    micros = sorted(round(at * 1_000_000) for run in found for at in run.starts)
    for seconds, said in (
        (1, figures_of(Outcome(found), {}).whole.second),
        (60, figures_of(Outcome(found), {}).whole.minute),
    ):
        begins = [*micros, *(each - seconds * 1_000_000 + 1 for each in micros)]
        counted = [sum(begin <= each < begin + seconds * 1_000_000 for each in micros) for begin in begins]
        assert said.most == max(counted, default=0)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.sampled_from([50, 95, 100, 1]))
def test_a_quantile_is_the_smallest_value_that_so_many_do_not_exceed(values, percent):
    ordered = sorted(values)
    found = nearest_rank(ordered, percent)
    assert found == ordered[ceil(Fraction(len(ordered) * percent, 100)) - 1]
    assert Fraction(sum(each <= found for each in ordered), len(ordered)) >= Fraction(percent, 100)


@given(runs())
def test_each_message_has_one_fate_and_counts_for_its_task_and_each_of_its_limits(found):
    figures = figures_of(Outcome(found), {})
    for row in (figures.whole, *figures.tasks, *figures.limits):
        mine = [run for run in found if row.name in ("all", run.task, *run.limits)]
        never = sum(not run.starts and run.fate == "lost" for run in mine)
        assert row.sent == len(mine) == row.started + row.waiting + row.dropped + row.failed + never
        assert row.started + row.again == sum(len(run.starts) for run in mine)
    assert [row.name for row in figures.tasks] == list(dict.fromkeys(run.task for run in found))
    assert [row.name for row in figures.limits] == list(dict.fromkeys(name for run in found for name in run.limits))


def test_waits_are_those_of_the_first_starts_and_only_of_what_has_started():
    found = [one(number, started=float(number)) for number in range(20)]
    found[3].starts, found[3].workers = [3.0, 50.0], ["worker-1", "worker-2"]
    row = figures_of(Outcome([*found, one(20)]), {}).whole
    assert (row.waits.p50, row.waits.p95, row.waits.longest, row.waits.mean) == (9.0, 18.0, 19.0, 9.5)
    assert (row.again, row.waiting) == (1, 1)


def test_what_starts_as_it_is_sent_has_not_waited():
    row = figures_of(Outcome([one(number, sent=1.0, started=1.0) for number in range(5)]), {}).whole
    assert row.backlog == Peak()
    assert row.drained_at == 1.0


def test_all_is_drained_when_the_last_has_begun_or_was_given_up_and_not_as_long_as_one_waits():
    given_up = one(1)
    given_up.fate, given_up.ended = "dropped", 7.0
    found = [one(0, started=3.0, ended=90.0), given_up]
    assert figures_of(Outcome(found), {}).whole.drained_at == 7.0
    assert figures_of(Outcome([*found, one(2)]), {}).whole.drained_at is None
    assert figures_of(Outcome([]), {}).whole.drained_at is None


def test_a_window_ends_before_a_start_that_comes_exactly_a_second_later():
    found = [one(number, started=0.1 * number) for number in range(50)]
    assert figures_of(Outcome(found), {}).whole.second.most == 10, "0.1 x 13 is more than 0.3 + 1 in floats"
    assert busiest(([0, 999_999, 1_000_000], [1, 1, 1]), 1) == Peak(2, 0.0)


def limits_of(text, folder):
    path = folder / "ratelimits.toml"
    path.write_text(f"version = 1\n[limits.x]\n{text}\n", encoding="utf-8")
    return load(str(path)).rules.named


def test_a_limit_s_busiest_windows_are_in_tokens_and_of_one_bucket(tmp_path):
    limits = limits_of(
        'strategy = "per_user"\nrate = "5/s"\nburst = 9\nkey = "user"',
        tmp_path,
    )
    found = [one(0, started=1.0, bucket="u1", cost=3), one(1, started=1.5, bucket="u2", cost=4)]
    found += [one(2, started=1.7, bucket="u2", cost=2, worker="worker-2"), one(3, started=3.0, bucket="u2")]
    (row,) = figures_of(Outcome(found), limits).limits
    assert (row.second, row.minute, row.buckets) == (Peak(6, 1.5), Peak(7, 1.5), 2)
    assert row.most_running is None
    assert figures_of(Outcome(found), limits).whole.second == Peak(3, 1.0), "of a task or all, starts are counted"


def test_a_limit_of_each_worker_has_another_bucket_in_each(tmp_path):
    limits = limits_of('strategy = "static"\nrate = "5/s"', tmp_path)
    found = [one(number, started=1.0, worker=f"worker-{number % 2}") for number in range(5)]
    (row,) = figures_of(Outcome(found), limits).limits
    assert (row.second.most, row.buckets) == (3, 2)


def test_of_a_concurrency_limit_it_is_counted_how_many_ran_at_once(tmp_path):
    limits = limits_of('strategy = "concurrency"\nmax_running = 2', tmp_path)
    found = [one(0, started=0.0, ended=5.0), one(1, started=1.0, ended=2.0), one(2, started=2.0, ended=9.0)]
    (row,) = figures_of(Outcome([*found, one(3, started=8.0)], ended=20.0), limits).limits
    assert row.most_running == 2, "one that ends frees its slot for one that starts then; one has not ended yet"


def test_memory_is_that_of_the_worker_that_held_most():
    workers = [WorkerUse("worker-1", most_held=5), WorkerUse("worker-2", most_held=9)]
    figures = figures_of(Outcome([], workers=workers, most_parked=100), {})
    assert (figures.most_held, figures.held_bytes, figures.parked_bytes) == (9, 9 * HELD_BYTES, 100 * PARKED_BYTES)


def test_a_run_that_was_killed_runs_until_then_though_it_started_again_later():
    killed = one(0, started=0.0, ended=3.0)
    killed.starts.append(20.0)
    killed.workers.append("worker-2")
    assert most_at_once([killed, one(1, started=2.0, ended=4.0)], 30.0) == 2
    assert most_at_once([killed, one(1, started=3.0, ended=4.0)], 30.0) == 1
    assert figures_of(Outcome([killed]), {}).whole.again == 1
