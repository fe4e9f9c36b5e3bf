"""What goes wrong in a play goes wrong as it does in production: nothing is lost, and limits hold."""

import pytest
from support.played import fates, most_in, once, played, rules_of, send, starts

from limitkit.buckets.override import Override, Target
from limitkit.config.model.units import parse_rate
from limitkit.errors import LimitkitError
from limitkit.trial.engine.timeline import BEGINS
from limitkit.trial.engine.world import World
from limitkit.trial.scenario import Disconnect, Kill, Revoke, Scenario, SetOverride, Stop, StoreAway, in_order

FIVE = '[limits.l]\nstrategy = "token_bucket"\nrate = "5/s"\n[tasks.a]\nlimits = ["l"]\n'
TARGET = Target("limits", "l")


def behind(outcome, seconds):
    """The most by which any window of so many seconds goes over a rate of 5/s with a burst of 1."""
    return most_in(starts(outcome), seconds) - (1 + 5 * (seconds + 0.05) + 1)


def test_what_a_killed_worker_held_comes_back_when_others_have_noticed():
    outcome = played(FIVE, send(count=100), faults=[Kill(at=4.0, worker="worker-2")], workers=2)
    assert once(outcome)
    assert outcome.complete
    assert behind(outcome, 1.0) <= 0
    assert all(run.workers == ["worker-1"] for run in outcome.runs if run.starts[0] > 4.0)
    order = [run.number for run in sorted(outcome.runs, key=lambda run: run.starts[0])]
    stuck = [run for run in outcome.runs if order.index(run.number) > run.number + 10]
    assert stuck
    assert all(run.starts[0] >= 4.0 + 15.5 for run in stuck)
    assert min(run.starts[0] for run in stuck) < 4.0 + 15.5 + 1.0


def test_without_rescue_it_comes_back_after_the_visibility_timeout():
    outcome = played(
        f"waiting.rescue = false\n{FIVE}", send(count=100), faults=[Kill(at=4.0, worker="worker-2")], workers=2
    )
    assert once(outcome)
    late = [at for at in starts(outcome) if at > 60.0]
    assert late
    assert 3604.0 <= late[0] < 3605.0


def test_what_a_killed_worker_ran_has_started_and_does_not_start_again():
    outcome = played("", send(count=4), faults=[Kill(at=1.0, worker="worker-1")], workers=2, task_seconds={"*": 5.0})
    assert once(outcome)
    killed = [run for run in outcome.runs if run.workers == ["worker-1"]]
    assert killed
    assert all(run.ended == pytest.approx(1.0) for run in killed)
    assert all(run.ended == pytest.approx(5.0, abs=0.1) for run in outcome.runs if run not in killed)


def test_a_killed_workers_slots_are_free_when_its_leases_end():
    toml = '[tasks.a]\nstrategy = "concurrency"\nmax_running = 1\nlease = "6s"\n'
    fault = Kill(at=1.0, worker="worker-1")
    outcome = played(toml, send(), send(at=0.5, count=3), faults=[fault], workers=2, task_seconds={"*": 2.0})
    first, *others = sorted(outcome.runs, key=lambda run: run.starts[0])
    assert first.workers == ["worker-1"]
    assert 5.0 <= others[0].starts[0] <= 7.5


def test_when_the_only_worker_is_killed_all_waits():
    outcome = played(FIVE, send(count=50), faults=[Kill(at=2.0, worker="worker-1")], until=100.0)
    assert set(fates(outcome)) == {"started", "waiting"}
    assert (outcome.complete, outcome.ended) == (False, 100.0)
    assert fates(outcome).count("started") in {10, 11}


def test_a_stopped_worker_gives_back_what_it_held_and_ends_what_it_ran():
    fault = Stop(at=2.0, worker="worker-2")
    outcome = played(FIVE, send(count=60), faults=[fault], workers=2, task_seconds={"*": 0.7})
    assert once(outcome)
    assert outcome.complete
    assert starts(outcome)[-1] < 12.5
    assert behind(outcome, 1.0) <= 0
    assert all(run.workers == ["worker-1"] for run in outcome.runs if run.starts[0] > 2.01)
    assert any(run.workers == ["worker-2"] and run.ended > 2.2 for run in outcome.runs)


def test_a_worker_that_connects_again_starts_nothing_twice():
    faults = [
        Disconnect(at=2.0, worker="worker-2"),
        Disconnect(at=3.0, worker="worker-1"),
        Disconnect(at=5, worker="worker-1"),
    ]
    outcome = played(FIVE, send(count=100), faults=faults, workers=2, task_seconds={"*": 0.3})
    assert once(outcome)
    assert outcome.complete
    assert behind(outcome, 1.0) <= 0
    assert starts(outcome)[-1] < 24.0
    assert {"worker-1", "worker-2"} == {run.workers[0] for run in outcome.runs if run.starts[0] > 7.0}


def test_a_fault_of_a_worker_that_is_gone_does_nothing():
    faults = [Kill(at=1.0, worker="worker-2"), *(kind(at=2.0, worker="worker-2") for kind in (Kill, Stop, Disconnect))]
    assert once(played(FIVE, send(count=20), faults=faults, workers=2))


def test_while_the_store_is_away_tasks_start_without_it():
    outcome = played(FIVE, send(count=100), faults=[StoreAway(at=2.0, seconds=3.0)], workers=2)
    assert once(outcome)
    assert starts(outcome)[-1] < 4.0
    assert any("The store can't be asked" in text for text in outcome.warnings)


def test_while_the_store_is_away_tasks_are_held():
    toml = FIVE.replace('rate = "5/s"', 'rate = "5/s"\non_error = "hold"')
    outcome = played(toml, send(count=60), faults=[StoreAway(at=2.0, seconds=3.0)], workers=2)
    times = starts(outcome)
    assert once(outcome)
    assert not [at for at in times if 2.6 < at < 5.0]
    assert times[-1] < 16.5
    assert behind(outcome, 1.0) <= 0


def test_while_the_store_is_away_each_worker_keeps_to_its_share():
    toml = FIVE.replace('rate = "5/s"', 'rate = "5/s"\nburst = 4\non_error = "divide"')
    outcome = played(toml, send(count=200), faults=[StoreAway(at=5.0, seconds=20.0)], workers=2)
    away = [at for at in starts(outcome) if 7.0 <= at < 24.0]
    assert len(away) == pytest.approx(5 * 17, rel=0.1)
    assert once(outcome)


def test_two_outages_that_overlap_end_with_the_later_one():
    faults = [StoreAway(at=2.0, seconds=10.0), StoreAway(at=4.0, seconds=2.0)]
    toml = FIVE.replace('rate = "5/s"', 'rate = "5/s"\non_error = "hold"')
    outcome = played(toml, send(count=40), faults=faults)
    assert not [at for at in starts(outcome) if 2.6 < at < 12.0]
    assert once(outcome)


def test_an_override_holds_until_its_end():
    fault = SetOverride(at=4.0, override=Override(target=TARGET, kind="rate", rate=parse_rate("20/s"), until=8.0))
    outcome = played(FIVE, send(count=200), faults=[fault], workers=2)
    times = starts(outcome)
    assert sum(at < 4.0 for at in times) == pytest.approx(20, abs=2)
    assert sum(5.0 <= at < 8.0 for at in times) == pytest.approx(60, abs=4)
    assert sum(9.0 <= at < 12.0 for at in times) == pytest.approx(15, abs=2)
    assert once(outcome)


def test_a_limit_that_is_paused_starts_nothing_until_then():
    fault = SetOverride(at=4.0, override=Override(target=TARGET, kind="pause", until=30.0))
    outcome = played(FIVE, send(count=60), faults=[fault], workers=2)
    times = starts(outcome)
    assert not [at for at in times if 5.0 < at < 30.0]
    assert times[-1] < 41.5
    assert once(outcome)


def test_schedules_go_by_the_wall_clock():
    toml = FIVE.replace('rate = "5/s"', 'rate = "5/s"\nschedule = [{ from = "00:00", to = "00:01", rate = "1/s" }]')
    outcome = played(toml, send(count=100), workers=2)
    times = starts(outcome)
    assert sum(at < 60.0 for at in times) == pytest.approx(60, abs=2)
    assert sum(61.0 <= at < 65.0 for at in times) == pytest.approx(20, abs=2)
    noon = played(toml, send(count=100), begins=1_767_571_200.0 + 43_200)
    assert starts(noon)[-1] < 20.5


def test_what_is_in_no_queue_and_with_no_worker_is_lost():
    scenario = Scenario(arrivals=in_order([send(count=200)]), until=10.0)
    world = World(rules_of(FIVE), scenario, 0, None)
    world.timeline.at(BEGINS + 2.0, world.broker.commands.data.clear)
    outcome = world.play()
    assert fates(outcome).count("lost") > 100
    assert fates(outcome).count("started") + fates(outcome).count("waiting") < 100
    assert not outcome.complete


def test_a_play_ends_when_it_must():
    outcome = played(FIVE, send(count=100), until=10.0)
    assert fates(outcome).count("started") in {50, 51}
    assert (fates(outcome).count("lost"), outcome.ended, outcome.complete) == (0, 10.0, False)


def test_what_is_sent_after_the_end_is_not_played():
    assert len(played(FIVE, send(count=3), send(at=20.0), until=10.0).runs) == 3


def test_what_is_revoked_never_starts():
    faults = [Revoke(at=2.0, number=number) for number in (5, 50, 99)]
    outcome = played(FIVE, send(count=100), send("b", at=3.0), faults=faults, workers=2)
    assert outcome.runs[5].starts  # before it was revoked
    assert [outcome.runs[number].fate for number in (50, 99)] == ["dropped", "dropped"]
    assert not outcome.runs[50].starts + outcome.runs[99].starts
    assert (fates(outcome).count("started"), outcome.complete) == (99, True)
    assert starts(played(FIVE, send(count=100), workers=2))[-1] > 19.0  # nothing is revoked in the next play


def test_a_play_that_goes_round_and_round_says_so(monkeypatch):
    monkeypatch.setattr("limitkit.worker.pacing.parking.Parking.work", lambda self, *_: spin(self))
    with pytest.raises(LimitkitError, match=r"can't go on: the clock was looked at 100,000 times within one event"):
        played(FIVE, send(count=3))


def spin(parking):
    while True:
        parking._clock.monotonic()
