"""What runs in a Celery worker, and in its pool.

``consumer_step`` puts the pacer in its place; ``guard`` has the last word in the pool; ``installation`` is limitkit
as it is installed for an app, and refuses to start what can't keep its limits. Who may start, and when, is decided in
``pacing/``; who gets the next process, in ``pool/``. May use ``waiting``, ``feedback`` and what is below.
"""
