"""The shop's app with tasks for more kinds of limit: their first line and their last one write when that was."""

import os
import signal
import time
from pathlib import Path

from celery.exceptions import Ignore, Reject, SoftTimeLimitExceeded

from support.shop import app, started

LONG = 30.0
"""Seconds that a task runs which is to be stopped from outside."""
HEARD = 0.2
"""Seconds in which the main process mostly hears of a start."""
ends = os.open(f"{os.environ['START_LOG']}.ends", os.O_APPEND | os.O_CREAT | os.O_WRONLY)


def ended(task, label=""):
    """Write the moment of a task's end, in a log of its own."""
    request = task.request
    line = f"{time.monotonic():.6f} {task.name} {request.id} {request.hostname} {request.retries} {label}\n"
    os.write(ends, line.encode())


def lasting(name, **options):
    @app.task(bind=True, name=name, **options)
    def task(self, seconds=0.05, tenant="", until=None):
        """Run for a while, or until there is a file."""
        started(self, tenant)
        while until and not Path(until).exists():
            time.sleep(0.01)
        time.sleep(seconds)
        ended(self, tenant)

    return task


report, redelivered = lasting("report"), lasting("redelivered", acks_late=True)


@app.task(bind=True, name="varied")
def varied(self, how="returns", seconds=0.05):
    """End in a way of its own; who ends it from outside knows when that was."""
    started(self, how)
    try:
        time.sleep(LONG if how in {"soft", "hard", "revoked"} else seconds)
    except SoftTimeLimitExceeded:
        ended(self, how)
        raise
    if how in {"killed", "exits"}:
        time.sleep(HEARD)
    ended(self, how)
    if how == "raises":
        raise ValueError(how)
    if how == "retries":
        raise self.retry(countdown=0, max_retries=1)
    if how == "rejects":
        raise Reject(how)
    if how == "ignores":
        raise Ignore
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "exits":
        os._exit(3)


@app.task(bind=True, name="llm", ignore_result=False)
def llm(self, estimate, cost, seconds=0.1):
    """Use as many tokens as it says when it is done."""
    started(self, cost)
    time.sleep(seconds)
    ended(self, cost)
    return {"usage": {"total": cost}}


def routed(name):
    @app.task(bind=True, name=name)
    def task(self):
        started(self, self.request.delivery_info["routing_key"])


for _number in range(10):
    routed(f"mail.{_number}")
