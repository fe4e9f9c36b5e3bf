"""An app with limits of each kind; its broker is the one that the test names."""

import os
import time
from functools import partial
from pathlib import Path

from celery import Celery

import limitkit

app = Celery("shownapp", broker=os.environ.get("BROKER_URL", "memory://"), set_as_current=False)
limitkit.install(app, "shown.toml")
task = partial(app.task, shared=False)  # for this app alone, or a second import would meet the first one's tasks


@task(name="reports.build")
def build_report():
    """Run until the test opens the gate."""
    while not Path(os.environ["GATE"]).exists():
        time.sleep(0.05)


@task(name="reports.export")
def export(tenant): ...


@task(name="ads.read")
def read_ads(tenant): ...


@task(name="llm.ask", ignore_result=False)
def ask(max_tokens):
    """Cost less than was thought."""
    return {"usage": max_tokens - 3}


@task(name="disk.write")
def write():
    """Run until the test opens the gate."""
    build_report()
