"""Pools of another package: limitkit has not seen how they give tasks a place, so they have no pacer."""

from celery.concurrency import solo, thread
from celery.concurrency.base import apply_target


class Threads(thread.TaskPool):
    """Celery's, but it is given tasks in a way of its own."""

    def on_apply(self, target, args=None, kwargs=None, **options):
        return super().on_apply(target, args, kwargs, **options)


class Solo(solo.TaskPool):
    """Runs one task at a time, as Celery's does."""

    def apply_async(self, target, args=None, kwargs=None, **options):
        return apply_target(target, args or (), kwargs, **options)
