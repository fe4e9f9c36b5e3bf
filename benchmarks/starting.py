"""From the start of ``celery worker`` to "ready", with limitkit installed and without."""

import signal
import subprocess
import sys
import time

from support.scene import Scene, config, limit

from benchmarks.counted import own_seconds

CONFIG = config(
    limit("paid", "50/s"),
    limit("slow", "10/m", strategy="static"),
    limit("user", "5/s", strategy="per_user", key="user_id"),
)


def seconds(scene, *, limitkit):
    """Start a worker and stop it again; returns the seconds until it was ready, and its processor time until then."""
    shop = scene.shop
    env = {**shop.env, "WITH_LIMITKIT": str(int(limitkit)), "PYTHONUNBUFFERED": "1"}
    # Packages are compiled when they are installed, and Python does so for a checkout, unless it is told not to.
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-m", "celery", "-A", shop.module, "worker", "-n", "w@start", "-l", "INFO", "-c", "2"]
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    begun = time.monotonic()
    with subprocess.Popen(
        command, env=env, cwd=shop.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as worker:
        said = ""
        while " ready." not in said:
            said = worker.stderr.readline()
            assert said, "the worker has ended"
        ready, used = time.monotonic() - begun, own_seconds(worker.pid)
        worker.send_signal(signal.SIGTERM)
        worker.stderr.read()
    return ready, used


def pairs(count):
    """Start workers with limitkit and without in turns; returns what the one takes beyond the other, pair by pair."""
    with Scene(CONFIG) as scene:
        for limitkit in (False, True):  # fills the caches of files
            seconds(scene, limitkit=limitkit)
        found = [[seconds(scene, limitkit=limitkit) for limitkit in (False, True)] for _ in range(count)]
    least = [min(pair[which][0] for pair in found) for which in (0, 1)]
    return [
        {
            "more": ready - without,
            "more_used": used - used_without,
            "without": without,
            "least": least[1] - least[0],
        }
        for (without, used_without), (ready, used) in found
    ]
