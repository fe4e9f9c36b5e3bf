"""The app that the demo's workers run: plain tasks, and one line that installs limitkit.

The first line of each task writes down the moment of its start: the demo judges by these.
"""

# Celery has no types:
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Final

from celery import Celery, signals

import limitkit

REDIS_VARIABLE: Final = "LIMITKIT_DEMO_REDIS"
STARTS_VARIABLE: Final = "LIMITKIT_DEMO_STARTS"
CONFIG: Final = Path(__file__).with_name("ratelimits.toml")
READY: Final = "ready"
"""In the list of starts, in place of a task's name: a worker is ready."""
_WORK: Final = 0.005
"""Seconds that a task takes."""

app = Celery(
    "demo", broker=os.environ.get(REDIS_VARIABLE), backend=os.environ.get(REDIS_VARIABLE), set_as_current=False
)
app.conf.update(broker_connection_retry_on_startup=True, worker_hijack_root_logger=False, result_expires=600)
limitkit.install(app, CONFIG)


def sender(url: str) -> Any:
    """Make an app that only sends; it has no result backend, since listening for each result takes time."""
    return Celery("demo-sender", broker=url, set_as_current=False)


def stamp(name: str, number: str = "-", worker: str = "-", partition: str = "-") -> None:
    """Write down that a task starts now; one write of one line, so that processes don't disturb each other."""
    line = f"{time.monotonic():.6f} {name} {number} {worker} {partition}\n"
    file = os.open(os.environ[STARTS_VARIABLE], os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o600)
    os.write(file, line.encode())
    os.close(file)


@signals.worker_ready.connect(weak=False)
def _on_ready(**_: Any) -> None:
    stamp(READY)


@app.task(bind=True, shared=False, name="shop.call_external_api")
def call_external_api(self: Any, endpoint: str) -> str:
    """Call an external API."""
    stamp(self.name, self.request.id, self.request.hostname)
    time.sleep(_WORK)
    return endpoint


@app.task(bind=True, shared=False, name="shop.send_push_notification")
def send_push_notification(self: Any, user_id: str) -> str:
    """Send a notification to a user."""
    stamp(self.name, self.request.id, self.request.hostname)
    time.sleep(_WORK)
    return user_id


@app.task(bind=True, shared=False, name="shop.send_marketing_email")
def send_marketing_email(self: Any, user_id: str) -> str:
    """Send an email to a user."""
    stamp(self.name, self.request.id, self.request.hostname)
    time.sleep(_WORK)
    return user_id


@app.task(bind=True, shared=False, name="shop.charge_customer")
def charge_customer(self: Any, customer_id: str) -> str:
    """Charge a customer, through a provider that limits calls."""
    stamp(self.name, self.request.id, self.request.hostname)
    time.sleep(_WORK)
    return customer_id


@app.task(bind=True, shared=False, name="shop.user_api_request")
def user_api_request(self: Any, user_id: str) -> str:
    """Answer a request of one of many users."""
    stamp(self.name, self.request.id, self.request.hostname, user_id)
    time.sleep(_WORK)
    return user_id


@app.task(bind=True, shared=False, name="shop.update_search_index")
def update_search_index(self: Any, product_id: str) -> str:
    """Do something that has no limit."""
    stamp(self.name, self.request.id, self.request.hostname)
    time.sleep(_WORK)
    return product_id
