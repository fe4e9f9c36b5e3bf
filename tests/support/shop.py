"""The app that the acceptance tests' workers run: each task writes the moment of its start, then does its bit."""

import json
import os
import time
from pathlib import Path

from celery import Celery

app = Celery("shop", broker=os.environ["BROKER_URL"], backend=os.environ.get("RESULT_URL"), set_as_current=True)
app.conf.update(
    worker_prefetch_multiplier=4,
    broker_connection_retry_on_startup=True,
    task_ignore_result="RESULT_URL" not in os.environ,
    worker_hijack_root_logger=False,
    **json.loads(os.environ.get("CELERY_CONF", "{}")),
)

if os.environ.get("WITH_LIMITKIT", "1") == "1":
    import limitkit

    limitkit.install(app)

log = os.open(os.environ["START_LOG"], os.O_APPEND | os.O_CREAT | os.O_WRONLY)


def started(task, label=""):
    note(task, task.name, label)


def note(task, event, label=""):
    request = task.request
    line = f"{time.monotonic():.6f} {event} {request.id} {request.hostname} {request.retries} {label}\n"
    os.write(log, line.encode())


def simple(name, **options):
    @app.task(bind=True, name=name, **options)
    def task(self, seconds=0.0):
        started(self)
        if seconds:
            time.sleep(seconds)
        return seconds

    return task


free, paid, slow, other = simple("free"), simple("paid"), simple("slow"), simple("other")


@app.task(bind=True, name="until")
def until(self, path):
    """Keep a process until there is a file."""
    started(self)
    while not Path(path).exists():
        time.sleep(0.01)


@app.task(bind=True, name="user")
def user(self, user_id, seconds=0.0):
    started(self, user_id)
    if seconds:
        time.sleep(seconds)
    return user_id
