"""Workers that are killed or frozen while they hold messages over Redis, and what they note there."""

import os
import subprocess

from support.workers import Shop

RATE, HELD = 5, 30
TOML = f"""version = 1

[waiting]
hold = "20s"
per_limit = {HELD}

[tasks.late]
strategy = "token_bucket"
rate = "{RATE}/s"

[tasks.early]
strategy = "token_bucket"
rate = "{RATE}/s"
"""
CONF = {"broker_transport_options": {"visibility_timeout": 3600}}
WORKERS = "limitkit:waiting:workers:unacked"
BACK = "are back in their queues"


def make_shop(folder, broker, toml=TOML):
    return Shop(folder, broker.url, toml, module="support.fault_app", **CONF)


def own_processes(worker):
    """Return the process of a worker, and those of its pool."""
    found = subprocess.run(["pgrep", "-P", str(worker.process.pid)], capture_output=True, text=True, check=False)
    return [worker.process.pid, *map(int, found.stdout.split())]


def send_to_all(processes, number):
    for process in processes:
        os.kill(process, number)


def each_started_once(shop, ids, task="early"):
    return sorted(start.id for start in shop.starts(task)) == sorted(ids)


def last_seen(client, name="w1@test"):
    return next((seen for worker, seen in client.zrange(WORKERS, 0, -1, withscores=True) if name in str(worker)), None)
