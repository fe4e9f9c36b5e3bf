"""What many tasks returned."""

from support.workers import wait_until


def returned(results):
    """Wait until all are done; returns what they returned.

    Celery 5.5 takes up to a second to ``get`` a result that it has not seen yet.
    """
    wait_until(lambda: all(result.ready() for result in results))
    return [result.get() for result in results]
