"""What limitkit costs a task without a limit: processor time of the worker and its pool, and calls of functions.

Of processor time the least of several runs counts: what else a machine does can only add to it. Calls explain it, and
no machine changes them.
"""

import json
import signal
import subprocess
import sys
from pathlib import Path

from support.flood import flood
from support.scene import Scene, config, limit
from support.workers import wait_until

import limitkit
from benchmarks.counted import processor_seconds

COUNT = 20_000
COUNTED = 2_000
FIRST = 200
"""Tasks before those that count: all that happens once is over then."""
_COUNTING = """
import json, os, signal, sys
from collections import Counter
calls = Counter()

def count(frame, event, _):
    if event == "call":
        calls[frame.f_code.co_filename] += 1

def begin_and_end(*_):
    if sys.getprofile() is None:
        sys.setprofile(count)
        open(os.environ["COUNTED"] + ".begun", "w").close()
        return
    sys.setprofile(None)
    with open(os.environ["COUNTED"] + ".part", "w") as file:
        json.dump(calls, file)
    os.rename(file.name, os.environ["COUNTED"])

signal.signal(signal.SIGUSR2, begin_and_end)
from celery.__main__ import main
main()
"""


def _scene(*, installed):
    return Scene(config(limit("paid", "50/s")), env={"WITH_LIMITKIT": str(int(installed))})


def _run(scene, count):
    """Let the workers run so many tasks, which they meet at one moment."""
    before = scene.counts["free"]
    flood(scene, [("free", ())] * count)
    scene.wait_for({"free": before + count}, 60 + count / 50)


def micros(*, installed, count=COUNT):
    """Return the microseconds of processor time that a worker of two processes takes for each of so many tasks."""
    with _scene(installed=installed) as scene:
        scene.shop.start_worker("-l", "WARNING", wait=False)
        _run(scene, FIRST)
        before = processor_seconds(scene)
        _run(scene, count)
        return 1e6 * (processor_seconds(scene) - before) / count


def calls(count=COUNTED):
    """Return the calls of limitkit's own functions for each task, in the worker's main process."""
    with _scene(installed=True) as scene:
        shop, counted = scene.shop, Path(scene.shop.folder) / "counted"
        command = [sys.executable, "-c", _COUNTING, "-A", shop.module, "worker", "-n", "w@calls", "-l", "WARNING"]
        command += ["-c", "2", "--without-gossip", "--without-mingle", "--without-heartbeat"]
        with (
            (shop.folder / "calls.log").open("wb") as log,
            subprocess.Popen(
                command, env={**shop.env, "COUNTED": str(counted)}, cwd=shop.folder, stdout=log, stderr=log
            ) as worker,
        ):
            try:
                _run(scene, FIRST)
                worker.send_signal(signal.SIGUSR2)
                wait_until(Path(f"{counted}.begun").exists)
                _run(scene, count)
                worker.send_signal(signal.SIGUSR2)
                wait_until(counted.exists)
            finally:
                worker.terminate()
        found = json.loads(counted.read_text())
    package = str(Path(limitkit.__file__).parent)
    return sum(number for file, number in found.items() if file.startswith(package)) / count


def pairs(count):
    """Measure with limitkit and without in turns; returns what comes of it, pair by pair."""
    own = calls()
    found = [[micros(installed=installed) for installed in (False, True)] for _ in range(count)]
    least = min(used for _, used in found) / min(without for without, _ in found)
    return [{"least": least, "used": used / without, "micros": without, "calls": own} for without, used in found]
