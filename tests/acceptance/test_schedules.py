"""Terms of a part of the day, and of one partition, on two real workers whose clocks differ."""

import math
import time
import zoneinfo

import pytest
from support.measure import excess, promised
from support.scene import Scene
from support.workers import ROOT
from support.zones import write_zone

from limitkit import RateLimitManager

pytestmark = pytest.mark.quiet

FOLLOWS = 3.0
"""Seconds in which workers follow, at most (bench: 1.1): slots lie a second ahead, and a busy machine may stall."""
LOW, HIGH = 2, 20
PAID = f"""
[tasks.paid]
strategy = "token_bucket"
rate = "{LOW}/s"
"""
SCHEDULE = f"""schedule = [
    {{ from = "06:00", to = "12:00", timezone = "Test/Up", rate = "{LOW}/s" }},
    {{ from = "06:00", to = "12:00", timezone = "Test/Down", rate = "{HIGH}/s" }},
]
"""
USERS = """
[tasks.user]
strategy = "per_user"
rate = "5/s"
key = "user_id"

[tasks.user.partitions]
"many" = { rate = "40/s" }
"""


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    zones = tmp_path_factory.mktemp("zones")
    own = {"PYTHONTZPATH": ":".join([str(zones), *zoneinfo.TZPATH])}
    with Scene(f"version = 1\n{USERS}{PAID}") as scene:
        scene.zones = zones
        path = f"{ROOT / 'tests' / 'support' / 'shifted'}:{scene.shop.env['PYTHONPATH']}"
        workers = [
            scene.shop.start_worker(wait=False, concurrency=3, env=own),
            scene.shop.start_worker(wait=False, concurrency=3, env={**own, "PYTHONPATH": path, "CLOCK_AHEAD": "2"}),
        ]
        for worker in workers:
            worker.wait_ready()
        yield scene
        assert scene.tally() == {"lost": 0, "twice": 0}


@pytest.fixture(scope="module")
def manager(scene):
    """It has the file from before: this process does not know the zones."""
    return RateLimitManager(scene.shop.app, scene.shop.folder / "ratelimits.toml")


def test_a_minute_turns_for_all_workers_at_once_up_and_down(scene, manager):
    monotonic = time.monotonic() - time.time()
    up = math.ceil(time.time()) + 8
    down = up + FOLLOWS + 2
    for name, noon in (("Up", up), ("Down", down)):
        write_zone(scene.zones, f"Test/{name}", noon)
    file = scene.shop.folder / "ratelimits.toml"
    file.write_text(file.read_text().replace(PAID, PAID + SCHEDULE))
    scene.send([("paid", ())] * 160)
    scene.wait(lambda: time.time() >= down + FOLLOWS + 3)
    times = [at - monotonic for at in scene.shop.times("paid")]
    before = [at for at in times if at < up]
    assert excess(before, LOW) <= promised(LOW)
    fast = [at for at in times if up + FOLLOWS <= at < down]
    assert len(fast) >= 3 * LOW * (down - up - FOLLOWS)
    assert excess(fast, HIGH) <= promised(HIGH)
    after = [at for at in times if at >= down + FOLLOWS]
    assert excess(after, LOW) <= promised(LOW)
    for worker in scene.shop.workers:
        log = worker.output()
        assert f"tasks.paid has {HIGH}/s, burst 1 now, by its schedule." in log
        assert f"tasks.paid has {LOW}/s, burst 1 now, again, as its schedule's time is over." in log
    manager.adjust_rate("paid", "200/s")
    scene.wait_for({"paid": 160})


def test_one_partition_is_set_and_paused_and_the_others_go_on(scene, manager):
    manager.pause("user", partition="gone")
    scene.wait(lambda: all("tasks.user of" in worker.output() for worker in scene.shop.workers))
    began = time.monotonic()
    scene.send([("user", ("gone",))] * 20 + [("user", ("many",))] * 120 + [("user", ("few",))] * 15)
    scene.wait(lambda: scene.labels["many"] >= 120 and scene.labels["few"] >= 15)
    assert not scene.labels["gone"]
    by_user = scene.shop.by_label("user")
    assert excess(by_user["many"], 40) <= promised(40)
    assert excess(by_user["few"], 5) <= promised(5)
    assert len(by_user["many"]) / (by_user["many"][-1] - began) >= 2 * 5, "not at the rate of the others"
    manager.adjust_rate("user", "30/s", partition="gone")
    resumed = time.monotonic()
    manager.resume("user", partition="gone")
    scene.wait(lambda: scene.labels["gone"] >= 20)
    gone = scene.shop.by_label("user")["gone"]
    assert gone[0] >= resumed
    assert excess(gone, 30) <= promised(30)
    assert gone[-1] - gone[0] <= 0.6 * 20 / 5, "not at the rate of the others"
