"""The shop's app with what the tests that break things need besides: tasks that also write when they end."""

import os
import signal
import threading
import time

from celery import bootsteps
from celery.exceptions import WorkerShutdown
from celery.worker import state

from support.shop import app, log, note, simple, started

LATE = {"acks_late": True, "reject_on_worker_lost": True}
HEARD = 0.2
"""Seconds in which the main process mostly hears of a start.

When a process is killed of whose start it has not heard yet, Celery starts that task anew.
"""

late_free = simple("late_free", **LATE)


def ending(name, **options):
    @app.task(bind=True, name=name, **options)
    def task(self, seconds=0.0, *, dies=False):
        """Run for so long; one that dies takes its process with it, but not again when it is redelivered."""
        started(self)
        if dies and not self.request.delivery_info["redelivered"]:
            time.sleep(HEARD)
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(seconds)
        note(self, f"{name}.ended")

    return task


late, early = ending("late", **LATE), ending("early")


@app.task(bind=True, name="timed")
def timed(self):
    """Write what the wall clock says beside the true one, which is the same for all."""
    started(self, f"{time.time() - time.monotonic():.3f}")


class Pulse(bootsteps.StartStopStep):
    """Writes for how long the worker's event loop could not attend to a timer, when that is felt."""

    requires = ("celery.worker.consumer.tasks:Tasks",)
    every, felt = 0.02, 0.45

    def start(self, consumer):
        self.last = time.monotonic()
        self.timer = consumer.timer.call_repeatedly(self.every, self.beat)

    def beat(self):
        last, self.last = self.last, time.monotonic()
        if self.last - last > self.felt:
            os.write(log, f"{last:.6f} blocked - {os.getpid()} 0 {self.last - last:.3f}\n".encode())

    def stop(self, consumer):  # noqa: ARG002 (Celery passes it)
        self.timer.cancel()


class StopsAsItSends(bootsteps.StartStopStep):
    """Stops the worker at the moment at which a pool process has been sent a task, and has not said so yet."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, consumer):
        self.sleeps = False
        consumer.timer.call_repeatedly(0.01, self.look, (consumer.pool._pool,))

    def look(self, pool):
        (process,) = pool._pool
        if not self.sleeps:
            if state.total_count and not pool._cache:  # it has run something, so it is known to be up
                self.sleeps = True
                os.kill(process.pid, signal.SIGSTOP)
                os.write(log, f"{time.monotonic():.6f} asleep - {os.getpid()} 0 \n".encode())
        elif any(job._write_to is not None and not job._accepted for job in pool._cache.values()):
            threading.Timer(0.1, os.kill, (process.pid, signal.SIGCONT)).start()
            raise WorkerShutdown(0)


if "STOPS_AS_IT_SENDS" in os.environ:
    app.steps["consumer"].add(StopsAsItSends)
if "PULSE" in os.environ:
    app.steps["consumer"].add(Pulse)
