"""An app whose limits are looked at and set while its workers run; the test names its broker and its file."""

import os
import time
from functools import partial
from pathlib import Path

from celery import Celery

import limitkit

url = os.environ.get("BROKER_URL", "memory://")
backend = url if url.startswith("redis") else None
app = Celery("runningapp", broker=url, backend=backend, set_as_current=False)
app.conf.update(worker_prefetch_multiplier=4, broker_connection_retry_on_startup=True, worker_hijack_root_logger=False)
limitkit.install(app, os.environ.get("LIMITS_FILE", "ratelimits.toml"))
task = partial(app.task, shared=False)  # for this app alone, or a second import would meet the first one's tasks


@task(name="shop.charge_customer")
def charge_customer(customer): ...


@task(name="shop.user_api_request")
def user_api_request(user_id): ...


@task(name="push.send")
def send_push(device): ...


@task(name="reports.build")
def build_report(): ...


@task(name="free")
def free():
    """Run until the test opens the gate."""
    while not Path(os.environ["GATE"]).exists():
        time.sleep(0.05)
