"""The shop's app with what the tests that break things need besides: tasks that also write when they end."""

import os
import signal
import time

from celery import bootsteps

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


if "PULSE" in os.environ:
    app.steps["consumer"].add(Pulse)
