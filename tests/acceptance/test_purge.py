"""What ``limitkit waiting`` counts and ``limitkit purge`` removes while a worker parks, brings back and starts."""

import json
import subprocess
import sys

from support.scene import Scene, config, limit

TASKS = 600


def command(scene, *arguments):
    code = "from limitkit.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments, "-A", scene.shop.module],
        capture_output=True,
        text=True,
        env=scene.shop.env,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def parked(scene):
    limits = json.loads(command(scene, "waiting", "--output-format", "json"))["limits"]
    return {each["limit"]: each["parked"] for each in limits}


def test_each_task_of_a_backlog_is_started_or_removed():
    with Scene(config(limit("paid", "20/s"), limit("slow", "10/m"))) as scene:
        scene.send([("paid", ())] * TASKS + [("slow", ())] * 60)
        scene.shop.start_worker()
        scene.wait(lambda: scene.counts["paid"] >= 20 and not scene.queued())
        before = parked(scene)
        assert 100 < before["paid"] < TASKS
        assert 10 < before["slow"] < 60
        removed = int(command(scene, "purge", "paid", "-y").split()[1])
        assert removed > 20
        scene.wait_for({"paid": TASKS - removed})
        assert parked(scene).keys() == {"slow"}
        assert scene.tally() == {"lost": removed, "twice": 0}
