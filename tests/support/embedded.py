"""Runs a worker in a thread of this process, over a broker in its memory; writes what was started, and when."""

import json
import sys
import time

from celery import Celery
from celery.contrib.testing.worker import start_worker

import limitkit

app = Celery("embedded", broker="memory://", set_as_current=True)
app.conf.update(task_ignore_result=True, worker_hijack_root_logger=False)
limitkit.install(app, sys.argv[1])
starts = []


@app.task(name="paid")
def paid(number):
    starts.append((number, time.monotonic()))


with start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=60):
    for number in range(int(sys.argv[2])):
        paid.delay(number)
    deadline = time.monotonic() + 60
    while len(starts) < int(sys.argv[2]) and time.monotonic() < deadline:
        time.sleep(0.05)
sys.stdout.write(json.dumps(starts))
