"""Where buckets are kept: Redis, Redis Cluster, Redis Sentinel, or the worker's own memory.

The door is ``choice``, which opens the store that a file and an app ask for. ``store`` says what each store must do,
and ``tests/stores`` tests each of them against it. The Lua scripts are beside the modules. May use ``config``,
``buckets`` and ``events``.
"""
