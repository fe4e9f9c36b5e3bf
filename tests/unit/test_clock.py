"""Time and names are given, so that what decides when tasks start can be tried on a virtual clock, twice the same."""

import ast
import subprocess
import sys
import types
from pathlib import Path

import pytest
from celery import Celery
from support.given_clock import GivenClock

from limitkit.clock import SYSTEM, epoch, monotonic_us, time_us
from limitkit.waiting.choose_room import open_room
from limitkit.worker.guard import Guard

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "limitkit"
LIFE = """
import random
from unit.worker.pacing.test_pacer_invariants import Life

for seed in range(6):
    for run in Life(random.Random(seed), random.Random(seed) if seed % 2 else None).play().runs:
        print(run)
"""


def test_this_machines_clock_costs_no_frame_of_python():
    for method in (SYSTEM.monotonic, SYSTEM.time):
        assert isinstance(method, types.BuiltinFunctionType)


def test_sleep_is_what_gevent_has_made_of_it_meanwhile(monkeypatch):
    slept = []
    monkeypatch.setattr("time.sleep", slept.append)
    SYSTEM.sleep(3.0)
    assert slept == [3.0]


@pytest.mark.parametrize("microseconds", [0, 1, 1_000_001, 1_000_009, 1_000_100_000, 2_183_227_373_411])
def test_microseconds_are_those_that_have_passed(microseconds):
    clock = GivenClock(microseconds / 1e6)
    assert monotonic_us(clock) == microseconds
    clock.now += 0.9e-6
    assert monotonic_us(clock) == microseconds


def test_the_time_since_1970_is_exact_to_a_microsecond():
    for seconds, microseconds in ((1.8e9, 0), (1.8e9 + 0.7e-6, 1), (1.8e9 + 0.123457, 123_457)):
        assert time_us(types.SimpleNamespace(time=lambda at=seconds: at)) == 1_800_000_000_000_000 + microseconds


def test_1970_began_when_a_clock_says_so():
    assert epoch(GivenClock(77.0)) == -1.8e9


def test_nobody_asks_this_machines_clock_but_where_no_other_is_given():
    """Else what is deep inside would ask it, and nobody would see why a trial differs."""
    uses, defaults = 0, 0
    for file in PACKAGE.rglob("*.py"):
        if file.parent.name == "trial" or file.name == "clock.py":
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            uses += isinstance(node, ast.Name) and node.id == "SYSTEM"
            if isinstance(node, ast.FunctionDef):
                given = node.args.args[-len(node.args.defaults) :] if node.args.defaults else []
                pairs = zip(given, node.args.defaults, strict=True)
                defaults += sum(
                    arg.arg == "clock" and isinstance(value, ast.Name) and value.id == "SYSTEM" for arg, value in pairs
                )
    assert uses == defaults > 5


def test_what_sends_messages_back_to_wait_has_the_clock_that_is_given():
    clock, app = GivenClock(), Celery(broker="filesystem://", set_as_current=False)
    room = open_room(types.SimpleNamespace(app=app), "limitkit", clock)
    guard = Guard(app, lambda: None, clock)
    parts = [room, room._counter, guard._send_back, guard._feedback, guard._settler, guard._leases, guard._own]
    assert [each._clock is clock for each in parts] == [True] * 7


def test_a_worker_does_the_same_whatever_the_hashes_of_this_process():
    played = [
        subprocess.run(
            [sys.executable, "-c", LIFE],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2", "3")
    ]
    assert played[0].count("\n") > 100
    assert played[0] == played[1] == played[2]
