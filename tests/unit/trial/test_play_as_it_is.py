"""What a play once told that real workers don't do, and what it left behind."""

import logging
import threading

from support.played import played, rules_of, send, starts

from limitkit.trial.engine import pool
from limitkit.trial.play import play
from limitkit.trial.scenario import Disconnect, Kill, Scenario, Sending, Stop, StoreAway, in_order

PACED = '[tasks.a]\nstrategy = "token_bucket"\nrate = "{}/s"\n'


def late(monkeypatch, seconds):
    make = pool.Pool.__init__

    def made(self, *args):
        make(self, *args)
        self.begins_after = lambda _: seconds

    monkeypatch.setattr(pool.Pool, "__init__", made)


def test_queues_take_turns_as_in_kombu():
    seconds = {"a": 0.01, "b": 0.01}
    outcome = played("", send(count=300, queue="x"), send("b", count=300, queue="y"), processes=2, task_seconds=seconds)
    first = sorted(outcome.runs, key=lambda run: run.started)[:300]
    assert 145 <= sum(run.task == "a" for run in first) <= 155


def test_a_worker_that_is_stopped_while_it_connects_again_stays_stopped():
    faults = [Disconnect(at=5.0, worker="worker-1"), Stop(at=5.5, worker="worker-1")]
    outcome = played("", send(count=40), workers=2, processes=2, task_seconds={"a": 3.0}, faults=faults)
    assert outcome.complete
    assert max(run.starts[-1] for run in outcome.runs if run.workers[-1] == "worker-1") < 5.5


def test_many_workers_that_hear_of_many_tasks_at_once_are_no_fault():
    text = "".join(f'[tasks.t{n}]\nstrategy = "token_bucket"\nrate = "1/s"\n' for n in range(30))
    sendings = [Sending(task=f"t{n}") for n in range(30)]
    scenario = Scenario(arrivals=in_order(sendings), workers=700, processes=1, until=5.0)
    assert len(starts(play(rules_of(text), scenario))) == 30


def test_what_waits_for_a_process_counts_as_held():
    outcome = played("", send(count=20), processes=1, task_seconds={"a": 5.0}, until=8.0)
    assert outcome.workers[0].most_held >= 4


def test_a_start_that_sleeps_in_a_killed_worker_never_starts(monkeypatch):
    late(monkeypatch, 0.3)
    began = set()
    for eighth in range(8, 32):
        at = eighth / 8
        kill = Kill(at=at, worker="worker-1")
        outcome = played(PACED.format(5), send(count=60), workers=2, faults=[kill], until=12.0)
        assert [run for run in outcome.runs if run.workers[:1] == ["worker-1"] and run.starts[0] >= at] == []
        began.update(name for run in outcome.runs for name in run.workers)
    assert began == {"worker-1", "worker-2"}


def test_no_thread_is_left_of_a_play_that_ends_while_starts_sleep(monkeypatch):
    late(monkeypatch, 0.8)
    before = threading.active_count()
    for until in range(2, 12):
        played(PACED.format(2), send(count=20), workers=2, until=float(until))
    assert threading.active_count() == before


def test_warnings_are_told_whatever_the_log_shows():
    logger = logging.getLogger("limitkit")
    logger.setLevel(logging.CRITICAL)
    logging.disable(logging.ERROR)
    try:
        outcome = played(PACED.format(5), send(count=50), faults=[StoreAway(at=2.0, seconds=3.0)])
        assert (logger.level, logger.manager.disable) == (logging.CRITICAL, logging.ERROR)
    finally:
        logger.setLevel(logging.NOTSET)
        logging.disable(logging.NOTSET)
    assert any("on_error" in text for text in outcome.warnings)
