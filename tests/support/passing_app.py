"""The shop's app with tasks that other packages hand to a pool, or run elsewhere, than Celery itself does.

Where ``ASYNC_POOL`` is set it has coroutines, for celery-aio-pool, which has to come before Celery's consumer;
celery-batches imports that.
"""

import asyncio
import inspect
import os
import threading
import time

import limitkit
from support.shop import app, started


class TooManyError(Exception):
    retry_after = 0.3


if os.environ.get("ASYNC_POOL"):

    @app.task(bind=True, name="async.plain")
    def plain(self):
        started(self)
        return inspect.iscoroutinefunction(app.tasks["async.coroutine"].run)

    @app.task(bind=True, name="async.coroutine")
    async def coroutine(self):
        started(self, threading.current_thread().name)
        await asyncio.sleep(0.01)
        return self.request.id

    refusals = iter([TooManyError()])

    @app.task(bind=True, name="refused.coroutine")
    async def refused(self):
        started(self)
        await asyncio.sleep(0)
        for refusal in refusals:
            raise refusal
        return "done"

else:
    from celery_batches import Batches

    def batch(name, seconds=0.0, **options):
        @app.task(base=Batches, name=name, flush_every=5, flush_interval=0.5, **options)
        def task(requests):
            started(app.tasks[name], len(requests))
            time.sleep(seconds)
            for request in requests:
                app.backend.mark_as_done(request.id, request.args[0])

    batch("batch.many")
    batch("batch.late", acks_late=True)
    batch("batch.slow", 2.0, acks_late=True)
    batch("batch.hourly")
    batch("batch.dropped")
    batch("batch.failed")
    batch("plain.many")
    batch("other.many")

    class Own(app.Task):
        """Has Celery hand it over, which limitkit can't know."""

        def Strategy(self, task, app, consumer):  # noqa: N802 (Celery's name)
            from celery.worker import strategy

            return strategy.default(task, app, consumer)

    @app.task(bind=True, name="strange.own", base=Own)
    def own(self):
        started(self)


limitkit.install(app)  # else once more, which changes nothing
