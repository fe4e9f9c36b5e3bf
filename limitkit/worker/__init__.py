"""What runs in a Celery worker, and in its pool.

``consumer_step`` puts the pacer into the consumer; ``guard`` decides last, in the pool; ``installation`` is limitkit as
it is installed for an app, and refuses to start a worker that can't keep its limits. ``reconnect`` and ``rescue`` see
to what is unacknowledged in Redis when a connection is lost, or a worker killed. ``pacing/`` decides which requests
may start, and when; ``pool/`` decides which one gets the next process. May use ``waiting``, ``feedback`` and what is
below.
"""
