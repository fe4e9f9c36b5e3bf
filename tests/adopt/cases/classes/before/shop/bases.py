from celery import Task


class Slow(Task):
    """Slow for all that stand on it."""

    abstract = True
    rate_limit = "9/h"


class Unused(Task):
    abstract = True
    rate_limit = "1/h"
