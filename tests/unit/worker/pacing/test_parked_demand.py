"""What is asked of the waiting room is asked in the same order each time, however many buckets have a backlog."""

import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[3]
ASKED = """
from types import SimpleNamespace
from limitkit.buckets.decision import Bucket
from limitkit.worker.pacing.parked_backlog import ParkedBacklog
from limitkit.worker.pacing.parked_demand import ParkedDemand

backlog = ParkedBacklog()
bounds = SimpleNamespace(lead=1.0, turns_lead=1.0, beside=4)
demand = ParkedDemand(backlog, bounds)
for number in range(300):
    backlog.parked(Bucket(f"b{number}", 1_000_000, 1), 60.0, 1000.0)
demand.ask_of(f"b{number}" for number in range(40, 0, -1))
for number in range(50, 60):
    demand.next_of(f"b{number}")
print(*demand.steering({}, 100, 1000.0).hungry)
"""


def asked(seed):
    env = {"PYTHONHASHSEED": seed, "PYTHONPATH": str(TESTS.parent)}
    return subprocess.run([sys.executable, "-c", ASKED], env=env, check=True, capture_output=True, text=True).stdout


def test_buckets_are_asked_for_in_the_order_in_which_they_came_up():
    names = [f"b{number}" for number in (*range(40, 0, -1), *range(50, 60))]
    assert [asked(seed).split() for seed in ("1", "2")] == [names, names]
