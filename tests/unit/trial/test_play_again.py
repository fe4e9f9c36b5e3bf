"""The same seed gives the same outcome, in every process."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from support.played import played, send

from limitkit.trial.scenario import Disconnect, Kill, StoreAway

LIMITS = """
[limits.shared]
strategy = "token_bucket"
rate = "20/s"
burst = 5
fair_by = "tenant"
[limits.slots]
strategy = "concurrency"
max_running = 4
[limits.users]
strategy = "per_user"
rate = "2/s"
key = "user"
[limits.window]
strategy = "window"
rate = "300/m"
[tasks.a]
limits = ["shared", "users"]
[tasks.b]
limits = ["slots", "window"]
"""


def digest(seed):
    """What has come of a play in which much happens, in one number."""
    outcome = played(
        LIMITS,
        send("a", count=200, every=0.01, kwargs={"tenant": "big", "user": "u{n}"}),
        send("a", count=50, at=1.0, kwargs={"tenant": "small", "user": "x"}),
        send("b", count=150, at=0.5, every=0.005, priority=3),
        faults=[
            Kill(at=3.0, worker="worker-2"),
            StoreAway(at=5.0, seconds=2.0),
            Disconnect(at=8.0, worker="worker-1"),
        ],
        workers=3,
        task_seconds={"b": 0.25},
        seed=seed,
    )
    assert {run.fate for run in outcome.runs} == {"started"}
    return hashlib.sha256(repr(outcome).encode()).hexdigest()


def elsewhere(seed, hash_seed):
    folder = Path(__file__).parents[2]
    text = f"from unit.trial.test_play_again import digest; print(digest({seed}))"
    env = {**os.environ, "PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", text], env=env, check=True, capture_output=True, text=True, timeout=300
    )
    return done.stdout.strip()


def test_the_same_seed_gives_the_same_outcome_in_every_process():
    here = digest(1)
    assert {here, digest(1), elsewhere(1, 0), elsewhere(1, 1)} == {here}


def test_another_seed_gives_another_outcome():
    assert digest(1) != digest(2)
