"""The shop's app, which also writes down what limitkit's signals tell, in the file that SIGNAL_LOG names.

The first time that a pool process gets one of the tasks ``late.…``, it begins only most of a second later: its tokens
are stale then.
"""

import contextlib
import json
import os
import sys
import time

from celery import signals as celerys

from limitkit import metrics, signals
from support.shop import app, simple

many = [f"many.{number}" for number in range(int(os.environ.get("MANY_TASKS", "0")))]
for name in ("late.one", "dropped", "failed", "ghost", *many):
    simple(name)


@app.task(name="refused")
def refused():
    raise ConnectionError("please slow down")


told = os.open(os.environ["SIGNAL_LOG"], os.O_APPEND | os.O_CREAT | os.O_WRONLY) if "SIGNAL_LOG" in os.environ else None


def tell(sender, signal, **said):
    os.write(told, (json.dumps([signal.name, sender, said, os.getpid()]) + "\n").encode())


def broken(**_):
    raise ZeroDivisionError("a receiver's own fault")


if told is not None:
    for each in (
        signals.task_throttled,
        signals.task_admitted,
        signals.task_parked,
        signals.limit_changed,
        signals.config_reloaded,
        signals.store_failed,
        signals.store_recovered,
    ):
        each.connect(broken, weak=False)
        each.connect(tell, weak=False)


@celerys.task_prerun.connect(weak=False)
def be_late(sender, task_id, **_):
    if sender.name.startswith("late."):
        with contextlib.suppress(FileExistsError):
            os.close(os.open(f"{os.environ['START_LOG']}.{task_id}", os.O_CREAT | os.O_EXCL))
            time.sleep(0.85)  # more than a start may be late, and less than a second token


@celerys.worker_ready.connect(weak=False)
def look_for_modules(**_):
    os.write(2, b"prometheus_client is %s\n" % (b"imported" if "prometheus_client" in sys.modules else b"not imported"))


if os.environ.get("OWN_REGISTRY"):
    from prometheus_client import CollectorRegistry, Counter, start_http_server

    registry = CollectorRegistry()
    Counter("teams_own", "Something else.", registry=registry)
    metrics.register(registry)

    @celerys.worker_ready.connect(weak=False)
    def show(**_):
        start_http_server(int(os.environ["OWN_REGISTRY"]), "127.0.0.1", registry)


__all__ = ["app"]
